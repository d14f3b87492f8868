#!/usr/bin/env python3
"""Writes keras.safetensors and torchvision.safetensors: what the networks of Keras and torchvision answer, in float64, to inputs and weights that
both sides draw from one hash of (name, index). No weights are stored: a wrong name, layout, order, stride or padding gives other numbers.

    python3 make_fixtures.py torchvision     Debian: python3-torch python3-torchvision python3-numpy
    python3 make_fixtures.py keras           a virtual environment with tensorflow-cpu (Keras 3)

A file holds CASE/logits (or CASE/features) and CASE/counts = [numbers trained, numbers of running statistics, arrays] of the network run,
and CASE/full = [numbers trained, numbers of running statistics] of the library's own network with 1000 classes at its own input size.
"""
import json
import os
import pathlib
import struct
import sys

import numpy as np

BATCH = 2
CLASSES = 10


def hashed(name, count):
    """count numbers in [-1, 1): the function `hashed` of tests/models/fixture.hpp."""
    stream = 2166136261
    for byte in name.encode():
        stream = (stream ^ byte) * 16777619 & 0xFFFFFFFF
    h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(stream * 0x85EBCA77 & 0xFFFFFFFF)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)) * 2.0**-23 - 1.0


def drawn(name, role, shape):
    """An array in graft's layout: HWIO, depthwise HWC1, (in, out)."""
    u = hashed(name, int(np.prod(shape))).reshape(shape)
    if role == "kernel":
        depthwise = len(shape) == 4 and shape[3] == 1
        fan_in = shape[0] * shape[1] if depthwise else int(np.prod(shape[:-1]))
        return u * np.sqrt(6.0 / fan_in)
    return {"bias": 0.1 * u, "scale": 1 + 0.3 * u, "shift": 0.2 * u, "mean": 0.2 * u, "variance": 1 + 0.5 * u}[role]


def image(name, h, w, c):
    return hashed(name + " input", BATCH * h * w * c).reshape(BATCH, h, w, c)


def write(path, tensors, about):
    header, data = {"__metadata__": {"made by": about}}, b""
    for name, value in tensors.items():
        value = np.ascontiguousarray(value, dtype=np.float64)
        header[name] = {"dtype": "F64", "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# ---- torchvision -----------------------------------------------------------------------------------------------------------
def torch_counts(net):
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    trained = sum(p.numel() for p in net.parameters())
    return [trained, sum(v.numel() for v in state.values()) - trained, len(state)]


def torch_fill(net, flattened):
    """`flattened`: {name of the first Linear after a flatten: (h, w, c) of the image}, whose rows torch has in CHW order."""
    import torch

    state = net.state_dict()
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        shape = tuple(value.shape)
        last = name.rsplit(".", 1)[1]
        if last == "weight" and value.dim() == 4:
            new = drawn(name, "kernel", (shape[2], shape[3], shape[1], shape[0])).transpose(3, 2, 0, 1)
        elif last == "weight" and value.dim() == 2:
            new = drawn(name, "kernel", (shape[1], shape[0]))
            if name in flattened:
                h, w, c = flattened[name]
                new = new.reshape(h, w, c, -1).transpose(2, 0, 1, 3).reshape(h * w * c, -1)
            new = new.T
        else:
            is_norm = name.rsplit(".", 1)[0] + ".running_mean" in state
            roles = {"weight": "scale", "bias": "shift" if is_norm else "bias", "running_mean": "mean", "running_var": "variance"}
            new = drawn(name, roles[last], shape)
        value.copy_(torch.from_numpy(np.ascontiguousarray(new)))


def torchvision_fixtures(folder):
    import torch
    import torchvision
    from torchvision import models as zoo

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    tensors = {}

    def alexnet():
        net = zoo.alexnet(num_classes=CLASSES)
        net.avgpool = torch.nn.Identity()  # at 224 it changes nothing; here the image is smaller
        net.classifier[1] = torch.nn.Linear(2 * 2 * 256, 4096)
        return net

    cases = {
        "alexnet": (alexnet, zoo.alexnet, 95, {"classifier.1.weight": (2, 2, 256)}),
        "googlenet": (lambda **k: zoo.googlenet(aux_logits=False, init_weights=False, **k), None, 79, {}),
        "resnet18": (zoo.resnet18, None, 64, {}),
        "resnet34": (zoo.resnet34, None, 63, {}),
        "resnet50": (zoo.resnet50, None, 65, {}),
    }
    for case, (make, full, size, flattened) in cases.items():
        net = make() if full else make(num_classes=CLASSES)
        net.eval()
        torch_fill(net, flattened)
        x = torch.from_numpy(image(case, size, size, 3).transpose(0, 3, 1, 2).copy())
        with torch.no_grad():
            tensors[case + "/logits"] = net(x).numpy()
        tensors[case + "/counts"] = torch_counts(net)
        tensors[case + "/full"] = torch_counts((full or make)())[:2]
        print(case, tensors[case + "/counts"], tensors[case + "/full"], tensors[case + "/logits"][0, :4])
    write(folder / "torchvision.safetensors", tensors, f"torch {torch.__version__}, torchvision {torchvision.__version__}")


# ---- Keras -----------------------------------------------------------------------------------------------------------------
def keras_counts(net):
    trained = sum(int(np.prod(w.shape)) for w in net.trainable_weights)
    return [trained, sum(int(np.prod(w.shape)) for w in net.weights) - trained, len(net.weights)]


def keras_fill(net):
    roles = {"kernel": "kernel", "bias": "bias", "gamma": "scale", "beta": "shift", "moving_mean": "mean", "moving_variance": "variance"}
    for weight in net.weights:
        layer, array = weight.path.split("/")[-2:]  # a Sequential's own name stands before
        weight.assign(drawn(layer + "/" + array, roles[array], tuple(weight.shape)))


def lenet5(keras):
    """LeCun et al. 1998, table I and figure 2, with full connections in C3, mean pooling without weights and a linear last layer."""
    layers = keras.layers
    return keras.Sequential([
        keras.Input((32, 32, 1)),
        layers.Conv2D(6, 5, activation="tanh", name="C1"), layers.AveragePooling2D(2, name="S2"),
        layers.Conv2D(16, 5, activation="tanh", name="C3"), layers.AveragePooling2D(2, name="S4"),
        layers.Conv2D(120, 5, activation="tanh", name="C5"), layers.Flatten(),
        layers.Dense(84, activation="tanh", name="F6"), layers.Dense(10, name="output"),
    ])  # fmt: skip


def alexnet227(keras, size, classes):
    """The tutorials' AlexNet: Krizhevsky et al. 2012 without groups and without response normalisation."""
    layers = keras.layers

    def conv(name, filters, kernel, **more):
        return layers.Conv2D(filters, kernel, activation="relu", name=name, **more)

    return keras.Sequential([
        keras.Input((size, size, 3)),
        conv("conv1", 96, 11, strides=4), layers.MaxPooling2D(3, 2),
        conv("conv2", 256, 5, padding="same"), layers.MaxPooling2D(3, 2),
        conv("conv3", 384, 3, padding="same"), conv("conv4", 384, 3, padding="same"), conv("conv5", 256, 3, padding="same"),
        layers.MaxPooling2D(3, 2), layers.Flatten(),
        layers.Dense(4096, activation="relu", name="fc6"), layers.Dropout(0.5),
        layers.Dense(4096, activation="relu", name="fc7"), layers.Dropout(0.5),
        layers.Dense(classes, name="fc8"),
    ])  # fmt: skip


def keras_fixtures(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow

    keras.backend.set_floatx("float64")
    zoo = keras.applications
    tensors = {}

    def ready(maker, **options):
        return lambda size, classes: maker(weights=None, input_shape=(size, size, 3), classes=classes, classifier_activation=None, **options)

    cases = {
        "lenet": (lambda size, classes: lenet5(keras), 32, 32),
        "alexnet227": (lambda size, classes: alexnet227(keras, size, classes), 99, 227),
        "vgg16": (ready(zoo.VGG16), 32, 224),
        "vgg19": (ready(zoo.VGG19), 32, 224),
        "inception_v3": (ready(zoo.InceptionV3), 75, 299),
        "mobilenet_v1_0.25": (ready(zoo.MobileNet, alpha=0.25), 64, 224),
        "mobilenet_v1_0.6": (ready(zoo.MobileNet, alpha=0.6), 61, 224),
        "mobilenet_v2_1.0": (ready(zoo.MobileNetV2, alpha=1.0), 64, 224),
        "mobilenet_v2_0.35": (ready(zoo.MobileNetV2, alpha=0.35), 61, 224),
        "mobilenet_v2_1.4": (ready(zoo.MobileNetV2, alpha=1.4), 33, 224),
    }
    for case, (make, size, own_size) in cases.items():
        keras.backend.clear_session()  # names begin anew: conv2d, conv2d_1, ...
        net = make(size, CLASSES)
        keras_fill(net)
        h, w, c = net.input_shape[1:]
        tensors[case + "/logits"] = np.asarray(net(image(case, h, w, c), training=False))
        tensors[case + "/counts"] = keras_counts(net)
        tensors[case + "/full"] = keras_counts(make(own_size, 1000))[:2]
        print(case, tensors[case + "/counts"], tensors[case + "/full"], tensors[case + "/logits"][0, :4])
    write(folder / "keras.safetensors", tensors, f"Keras {keras.__version__}, TensorFlow {tensorflow.__version__}")


if __name__ == "__main__":
    if sys.argv[1:] not in (["keras"], ["torchvision"]):
        sys.exit(__doc__)
    here = pathlib.Path(__file__).resolve().parent
    torchvision_fixtures(here) if sys.argv[1] == "torchvision" else keras_fixtures(here)
