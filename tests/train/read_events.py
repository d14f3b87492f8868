#!/usr/bin/env python3
"""Reads a folder of event files with the real tensorboard package and prints its scalars: read_events.py FOLDER"""
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    sys.exit("read_events.py: the Python package tensorboard is not installed here; nothing was checked.")

if len(sys.argv) != 2:
    sys.exit(__doc__)
events = EventAccumulator(sys.argv[1])
events.Reload()
tags = events.Tags()
if not tags["scalars"]:
    sys.exit(f"{sys.argv[1]}: no scalars")
for tag in tags["scalars"]:
    print(tag, " ".join(f"{s.step}:{s.value:.6g}" for s in events.Scalars(tag)))
for tag in tags["images"]:
    print(tag, " ".join(f"{i.step}:{i.width}x{i.height}" for i in events.Images(tag)))
