#!/usr/bin/env python3
"""Writes dann_steps_small.safetensors and dann_three_adam_small.safetensors: three whole training steps of two small networks by PyTorch (float64).

    python3 make_dann_steps.py                    writes both files beside this script (Debian: python3-torch, python3-numpy)
    python3 make_dann_steps.py --check FOLDER     repeats the steps of FOLDER/dann_steps.safetensors and dann_three_adam_steps.safetensors

before.* are copies, taken before the first step. Weights are stored as HWIO and (in, out), images as NHWC, all in float64. The check shows that the
start of dann_steps.cpp (seed 1, FIRST_DRAW numbers later, PyTorch's default initialisers in the order features, labels, domains) is the start of
those files: it gives their matrices to the bit, and their losses and last weights follow from it.
"""
import argparse
import json
import pathlib
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

FIRST_DRAW = {"dann": 252989, "dann_three_adam": 664973}


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(_, x):
        return x.view_as(x)

    @staticmethod
    def backward(_, g):
        return -0.5 * g


class Rows(nn.Module):
    """Flatten in NHWC order."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def body(first, second, kernel):
    block = lambda i, o, k: [nn.Conv2d(i, o, k), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block(3, first, 5), *block(first, second, kernel), Rows())


def plain_head(*widths):
    layers = []
    for i, o in zip(widths, widths[1:]):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def norm_head(*widths, last_bias):
    layers = []
    for i, o in zip(widths[:-2], widths[1:-1]):
        layers += [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.3)]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:], bias=last_bias))


def arrays(nets):
    """Copies of all parameters under their names in the files."""
    out = {}
    for part, net in nets.items():
        layers = [m for m in net if any(True for _ in m.parameters())]
        for i, layer in enumerate(layers):
            norm = isinstance(layer, nn.BatchNorm1d)
            for name, p in layer.named_parameters():
                name = {"weight": "gamma" if norm else "w", "bias": "beta" if norm else "b"}[name]
                p = p.detach().numpy()
                p = p.transpose(2, 3, 1, 0) if p.ndim == 4 else p.T
                out[f"{part}.{i}/{name}"] = np.array(p, order="C", copy=True)  # np.ascontiguousarray would not copy a vector
    return out


def bce(x, label):
    return F.binary_cross_entropy_with_logits(x, torch.full_like(x, label))


def plain_steps(nets, source, target, y):
    features, labels, domains = nets.values()
    optimizer = torch.optim.SGD([p for n in nets.values() for p in n.parameters()], lr=0.01, momentum=0.9)
    d = torch.tensor([0] * len(source) + [1] * len(target))
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        f = features(torch.cat([source, target]))
        label = F.cross_entropy(labels(f[: len(source)]), y)
        domain = F.cross_entropy(domains(Reverse.apply(f)), d)
        (label + domain).backward()
        optimizer.step()
        losses.append([label.item(), domain.item()])
    return losses


def three_adam_steps(nets, source, target, y):
    features, labels, domains = nets.values()
    mu, lam = 0.8, 0.5
    optimizers = [torch.optim.Adam(n.parameters(), lr=7e-5, eps=1e-7) for n in nets.values()]
    losses = []
    for _ in range(3):
        fs, ft = features(source), features(target)
        label = F.cross_entropy(labels(fs), y)
        domain = bce(domains(fs.detach()), 1.0) + bce(domains(ft.detach()), 0.0)
        swapped = bce(domains(fs), 0.0) + bce(domains(ft), 1.0)
        goals = [mu * (lam * swapped + label), mu * label, mu * domain]
        gradients = [torch.autograd.grad(g, list(n.parameters()), retain_graph=True) for g, n in zip(goals, nets.values())]
        for n, optimizer, gradient in zip(nets.values(), optimizers, gradients):
            for p, g in zip(n.parameters(), gradient):
                p.grad = g
            optimizer.step()
        losses.append([label.item(), domain.item(), swapped.item()])
    return losses


def nets_of(case, small):
    """The three networks, initialised in this order."""
    wide = 48 if small else 768
    features = body(8, 12, 3) if small else body(32, 48, 5)
    n = 20 if small else 100
    if case == "dann":
        return {"features": features, "labels": plain_head(wide, n, n, 10), "domains": plain_head(wide, n, 2)}
    hidden = (32, 16) if small else (256, 128, 64, 32)
    return {"features": features, "labels": norm_head(wide, n, n, 10, last_bias=True), "domains": norm_head(wide, *hidden, 1, last_bias=False)}


STEPS = {"dann": plain_steps, "dann_three_adam": three_adam_steps}


def save(path, tensors, options):
    header, data = {"__metadata__": {"source": f"torch {torch.__version__}", "options": json.dumps(options)}}, b""
    for name, a in tensors.items():
        raw = np.ascontiguousarray(a).astype("<i8" if a.dtype == np.int64 else "<f8").tobytes()
        header[name] = {"dtype": "I64" if a.dtype == np.int64 else "F64", "shape": list(a.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    types, out = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}, {}
    for name, t in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + o for o in t["data_offsets"])
            out[name] = np.frombuffer(raw[begin:end], types[t["dtype"]]).reshape(t["shape"])
    return out


def write(case, path):
    torch.manual_seed(20 if case == "dann" else 21)
    nets = nets_of(case, small=True)
    source, target = torch.rand(2, 8, 16, 16, 3)
    y = torch.randint(0, 10, (8,))
    before = arrays(nets)
    losses = STEPS[case](nets, source.permute(0, 3, 1, 2), target.permute(0, 3, 1, 2), y)
    after = arrays(nets)
    assert not any(np.array_equal(before[k], after[k]) for k in before)
    tensors = {f"{case}/source": source.numpy(), f"{case}/target": target.numpy(), f"{case}/labels": y.numpy(), f"{case}/losses": np.array(losses)}
    tensors.update({f"{case}.before.{k}": v for k, v in before.items()})
    tensors.update({f"{case}.after.{k}": v for k, v in after.items()})
    save(path, tensors, {case: {"steps": 3, "lam": 0.5}})
    print(path, path.stat().st_size, "bytes; losses", losses)


def check(case, path):
    file = load(path)
    torch.manual_seed(1)
    torch.empty(FIRST_DRAW[case], dtype=torch.int32).random_()
    nets = nets_of(case, small=False)
    before = arrays(nets)
    shared = {k for k in before if np.array_equal(file[f"{case}.before.{k}"], file[f"{case}.after.{k}"])}
    print(case, "before == after in the file:", *sorted(shared))
    exact = all(np.array_equal(before[k].astype("f4"), file[f"{case}.before.{k}"]) for k in before if k not in shared)
    print("  all other starts equal the file's to the bit:", exact)
    images = [torch.from_numpy(file[f"{case}/{d}"].astype("f8")).permute(0, 3, 1, 2) for d in ("source", "target")]
    losses = STEPS[case](nets, *images, torch.from_numpy(file[f"{case}/labels"].copy()))
    error = lambda a, b: np.abs(a - b).max() / np.abs(b).max()
    print("  losses: relative error", error(np.array(losses), file[f"{case}/losses"].astype("f8")))
    worst = max((error(v, file[f"{case}.after.{k}"].astype("f8")), k) for k, v in arrays(nets).items())
    print("  last weights: largest relative error", *worst)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=pathlib.Path, metavar="FOLDER")
    folder = parser.parse_args().check
    torch.set_default_dtype(torch.float64)
    for case in STEPS:
        if folder:
            check(case, folder / f"{case}_steps.safetensors")
        else:
            write(case, pathlib.Path(__file__).parent / ("dann_steps_small.safetensors" if case == "dann" else f"{case}_small.safetensors"))
