"""What ONNX Runtime makes of a file that adapt wrote, against what the run says of its last epoch: run_deployed.py OUT METHOD TARGET.
TARGET holds 24-bit BMP files of the net's own size in train/CLASS and test/CLASS."""
import csv
import glob
import os
import struct
import sys

import numpy as np
import onnxruntime

out, method, target = sys.argv[1:]
session = onnxruntime.InferenceSession(os.path.join(out, method + ".onnx"), providers=["CPUExecutionProvider"])


def image(path):
    raw = open(path, "rb").read()
    begin, width, height = struct.unpack_from("<I", raw, 10)[0], *struct.unpack_from("<ii", raw, 18)
    rows = np.frombuffer(raw, np.uint8, offset=begin).reshape(height, -1)[::-1, : 3 * width]
    return rows.reshape(height, width, 3)[:, :, ::-1].transpose(2, 0, 1) / np.float32(255)


def probabilities(part):
    files = sorted(glob.glob(os.path.join(target, part, "*", "*.bmp")))
    z = session.run(["output"], {"input": np.stack([image(f) for f in files]).astype(np.float32)})[0].astype(np.float64)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True), np.array([int(f.split(os.sep)[-2]) for f in files])


with open(os.path.join(out, method + "_history.csv")) as file:
    last = list(csv.DictReader(file))[-1]
p, _ = probabilities("train")
entropy = float(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=1).mean())
p, labels = probabilities("test")
accuracy = float((p.argmax(axis=1) == labels).mean())
said = float(last["target_entropy"]), float(last["target_accuracy"])
if abs(entropy - said[0]) > 1e-4 * max(1.0, said[0]) or abs(accuracy - said[1]) > 1e-9:
    sys.exit("entropy %.6f and accuracy %.4f by ONNX Runtime, %.6f and %.4f by the run" % (entropy, accuracy, *said))
print("entropy %.6f and accuracy %.4f are the run's" % (entropy, accuracy))
