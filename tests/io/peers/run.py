#!/usr/bin/env python3
"""graft's files opened by the real packages, and theirs by graft: tests/io/peers/run.py PROGRAM. PROGRAM is build/.../io_peers.
Needs numpy and safetensors; keras, tf_keras, tensorflow-cpu and h5py for the Keras part. Exit status 77: skipped, with a word."""
import os
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
try:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file
    import keras
    import tf_keras
except ImportError as error:
    print("skipped: the real packages are not all here (%s)" % error)
    sys.exit(77)


def net(k):
    L = k.layers
    return k.Sequential([k.Input((6, 5, 2)), L.Conv2D(4, 3, groups=2, name="conv"), L.BatchNormalization(name="bn"), L.ReLU(),
                         L.DepthwiseConv2D(3, padding="same", name="dw"), L.Flatten(), L.Dense(3, activation="relu", name="fc"),
                         L.Dense(2, name="logits")])


with tempfile.TemporaryDirectory() as folder:
    at = lambda name: os.path.join(folder, name)
    subprocess.run([sys.argv[1], folder], check=True)
    x = np.load(at("x.npy"))
    y = np.load(at("y.npz"))["y"]
    assert x.shape == (2, 6, 5, 2) and y.shape == (2, 2) and list(np.load(at("y.npz"))["whole"]) == [1, -2, 3]
    stored = np.load(at("stored.npz"))
    assert np.array_equal(stored["y"], y) and np.array_equal(stored["half"], y.astype(np.float16))
    tensors = load_file(at("model.safetensors"))
    with safe_open(at("model.safetensors"), "np") as f:
        assert "Conv2D" in f.metadata()["graft.architecture"]
    print("numpy", np.__version__, "and safetensors read graft's files:", len(tensors), "tensors")
    for k, name, out in ((keras, "keras", "again.h5"), (tf_keras, "tf_keras", "again2.h5")):
        model = net(k)
        model.load_weights(at("model.h5"))
        error = float(np.abs(np.asarray(model(x)) - y).max() / np.abs(y).max())
        assert error < 1e-5, (name, error)
        assert np.array_equal(model.get_weights()[0], tensors["0/w"])
        model.save(at(out))
        if k is keras:
            model.save_weights(at("again.weights.h5"))
        print(name, k.__version__, "loads graft's .h5 and gives graft's output to %.1e" % error)
    np.savez(at("again.npz"), **{name.replace("/", "/"): np.asfortranarray(t) for name, t in tensors.items()})
    save_file(tensors, at("again.safetensors"))
    subprocess.run([sys.argv[1], folder, "--again"], check=True)
