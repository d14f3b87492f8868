#!/usr/bin/env python3
"""Writes events.tfevents with the real tensorboard package: what tests/train/monitor.cpp's events must equal byte by byte."""
import pathlib

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

here = pathlib.Path(__file__).parent
Value = summary_pb2.Summary.Value
png = bytes(range(200))
events = [
    event_pb2.Event(wall_time=1000.5, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1001.25, step=1, summary=summary_pb2.Summary(value=[Value(tag="loss", simple_value=0.75)])),
    event_pb2.Event(wall_time=1002.0, step=300, summary=summary_pb2.Summary(value=[Value(tag="target_accuracy", simple_value=0.0)])),
    event_pb2.Event(wall_time=1003.0, summary=summary_pb2.Summary(value=[Value(
        tag="picture", image=summary_pb2.Summary.Image(height=20, width=300, colorspace=3, encoded_image_string=png))])),
]
with open(here / "events.tfevents", "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    writer.flush()
