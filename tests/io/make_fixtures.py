#!/usr/bin/env python3
"""Writes tests/io/fixtures with the real packages: numpy, safetensors, Keras 3, and Keras 2 (tf_keras).
   python3 -m venv V && V/bin/pip install numpy safetensors keras tf_keras tensorflow-cpu h5py && V/bin/python tests/io/make_fixtures.py
"""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
os.makedirs(here, exist_ok=True)


def at(name):
    return os.path.join(here, name)


def numpy_files():
    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4) * 0.5 - 3
    np.save(at("c_f4.npy"), a)
    np.save(at("fortran_f8.npy"), np.asfortranarray(a.astype(np.float64)))
    np.save(at("big_f4.npy"), a.astype(">f4"))
    np.save(at("big_fortran_i2.npy"), np.asfortranarray(a.astype(">i2")))
    np.save(at("f2.npy"), a.astype(np.float16))
    for kind in ("i1", "i4", "i8", "u1", "u2", "u4", "u8"):
        np.save(at(kind + ".npy"), np.array([[1, 2, 3], [100, 101, 127]], dtype=kind))
    np.save(at("bool.npy"), np.array([True, False, True]))
    np.save(at("scalar.npy"), np.float64(2.5))
    np.save(at("empty.npy"), np.zeros((0, 3), np.float32))
    np.save(at("text.npy"), np.array(["a", "bc"]))
    for version in ((2, 0), (3, 0)):
        with open(at("version%d.npy" % version[0]), "wb") as f:
            np.lib.format.write_array(f, a, version=version)
    np.savez(at("stored.npz"), a=a, b=a.T, names=np.array(["x"]), n=np.int64(7))
    np.savez_compressed(at("deflated.npz"), a=a, b=np.zeros((100, 100), np.float32))


def safetensors_file():
    from safetensors.numpy import save_file
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_file({"f32": a, "f64": a.astype(np.float64), "f16": a.astype(np.float16), "i64": -a.astype(np.int64), "u8": a.astype(np.uint8),
               "bool": a > 2, "none": np.zeros((0, 2), np.float32)}, at("real.safetensors"), metadata={"made by": "safetensors"})


def keras_files(k, tag):
    """One flat and one nested model; weights by name, so that both versions hold the same numbers."""
    L = k.layers

    def body(name):
        return k.Sequential([k.Input((6, 5, 2)), L.Conv2D(4, 3, groups=2, name="conv"), L.BatchNormalization(name="bn"), L.ReLU(),
                             L.DepthwiseConv2D(3, padding="same", name="dw")], name=name)

    flat = body("flat")
    for layer in (L.Flatten(), L.Dense(3, activation="relu", name="fc"), L.Dense(2, name="logits")):
        flat.add(layer)
    inputs = k.Input((6, 5, 2))
    x = L.Flatten()(body("body")(inputs))
    nested = k.Model(inputs, L.Dense(2, name="logits")(L.Dense(3, activation="relu", name="fc")(x)), name="nested")
    rng = np.random.default_rng(1)
    weights = [rng.uniform(0.2, 1.0, w.shape).astype(np.float32) * (1 if i < 6 else 0.5) for i, w in enumerate(flat.get_weights())]
    for model in (flat, nested):
        model.set_weights(weights)
        model.compile(optimizer="sgd", loss="mse")
    x = rng.uniform(-1, 1, (2, 6, 5, 2)).astype(np.float32)
    y = np.asarray(flat(x))
    assert np.array_equal(y, np.asarray(nested(x))) or np.allclose(y, nested(x), atol=1e-6)
    for model, name in ((flat, "flat"), (nested, "nested")):
        model.save(at(f"{tag}_{name}_model.h5"))
        model.save_weights(at(f"{tag}_{name}.weights.h5"))
        if tag == "keras2":
            model.save_weights(at(f"{tag}_{name}_legacy.h5"))
    return x, y


if __name__ == "__main__":
    numpy_files()
    safetensors_file()
    import keras
    import tf_keras
    from safetensors.numpy import save_file
    x, y = keras_files(keras, "keras3")
    x2, y2 = keras_files(tf_keras, "keras2")
    assert np.array_equal(x, x2) and np.allclose(y, y2, atol=1e-5)
    save_file({"x": x, "y": y}, at("keras_output.safetensors"), metadata={"keras": keras.__version__, "tf_keras": tf_keras.__version__})
    print("keras", keras.__version__, "tf_keras", tf_keras.__version__, "numpy", np.__version__, "python", sys.version.split()[0])
