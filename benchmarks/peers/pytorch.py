"""PyTorch's side of benchmarks/compare.py: the same commands, one answer line for each.

    pytorch.py THREADS [tuned | cuda (eager | graph | compile)]

Every row is in the layout and formulation that is fastest here: convolutions choose between NCHW and channels-last by a
short trial, W2 takes one backward pass for its three optimisers, MMD runs as autograd over a distance matrix and, as a
peer of its own, with the gradient derived by hand. `tuned` also pools before the ReLU, which gives the same numbers. On a
GPU everything is tuned and lies there; a step runs as it is, as a captured graph, or compiled.
"""
import math
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
DEVICE = "cuda" if "cuda" in sys.argv[2:] else "cpu"
MODE = sys.argv[-1] if DEVICE == "cuda" else "eager"
TUNED = "tuned" in sys.argv[2:] or DEVICE == "cuda"
torch.set_num_threads(THREADS)
HALF = 128


def hashed(count, stream):
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(stream) * np.uint32(0x85EBCA77)
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x7FEB352D)
        h ^= h >> np.uint32(15)
        h *= np.uint32(0x846CA68B)
        h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def tensor(shape, stream, scale=1.0):
    return torch.from_numpy(hashed(int(np.prod(shape)), stream) * np.float32(scale)).reshape(shape).to(DEVICE)


def summary(x):
    x = x.detach().contiguous().cpu().numpy().astype(np.float64).ravel()
    return [np.sqrt((x * x).sum()), (x * hashed(x.size, 9001)).sum(), (x * hashed(x.size, 9002)).sum()]


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(_, x):
        return x.view_as(x)

    @staticmethod
    def backward(_, g):
        return -0.5 * g


class Rows(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def features():
    pooled = [nn.MaxPool2d(2), nn.ReLU()] if TUNED else [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(nn.Conv2d(3, 32, 5), *pooled, nn.Conv2d(32, 48, 5), *pooled, Rows())


def start(net, stream):
    """Weights from streams in graft's order of arrays: for each layer weights then bias, or gamma, beta and two statistics."""
    k = 0
    for layer in net.to(DEVICE):
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            p = layer.weight
            shape = tuple(p.permute(2, 3, 1, 0).shape) if p.dim() == 4 else tuple(p.T.shape)
            w = tensor(shape, stream + k, 6 / np.sqrt(p.numel()))
            with torch.no_grad():
                p.copy_(w.permute(3, 2, 0, 1) if p.dim() == 4 else w.T)
                if layer.bias is not None:
                    layer.bias.zero_()
            k += 1 if layer.bias is None else 2
        elif isinstance(layer, nn.BatchNorm1d):
            k += NORM_ARRAYS
    return net


NORM_ARRAYS = 2


def allow_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


def compiled(function):
    return torch.compile(function, mode="max-autotune") if MODE == "compile" else function


class Captured:
    """A step as it is replayed: once `ready()`, all that it launches is one graph."""

    def __init__(self, work):
        self.work, self.graph = work, None

    def ready(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.work.step()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.work.step()

    def step(self):
        if self.graph is None:
            self.ready()
        self.graph.replay()


class Step:
    def __init__(self):
        images = tensor((2 * HALF, 28, 28, 3), 1, 0.5).permute(0, 3, 1, 2)  # channels last in memory
        self.images = images if TUNED else images.contiguous()
        self.labels = torch.tensor([i * 7 % 10 for i in range(HALF)], device=DEVICE)
        self.domains = torch.tensor([0] * HALF + [1] * HALF, device=DEVICE)
        self.features = start(features(), 10)
        if TUNED:
            self.features = self.features.to(memory_format=torch.channels_last)

    def numbers(self):
        out = []
        for _ in range(3):
            out += [x.item() for x in self.step()]
        return out


def numbers_at_a_high_rate(work, chance):
    """How far five steps move the losses from those of chance, as in graft's works/digits.hpp."""
    group = work.optimizer.param_groups[0]
    group["lr"] = 0.1
    out = [loss.item() - without for _ in range(5) for loss, without in zip(work.step(), chance)]
    group["lr"] = 1e-3
    return out


def label_head():
    return nn.Sequential(nn.Linear(768, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))


class W1(Step):
    """`half`: forward, and so backward, in bf16 where autocast holds that to be right; weights stay float."""

    def __init__(self, half=False):
        super().__init__()
        self.half = half
        self.label_head = start(label_head(), 20)
        self.domain_head = start(nn.Sequential(nn.Linear(768, 100), nn.ReLU(), nn.Linear(100, 2)), 30)
        nets = [self.features, self.label_head, self.domain_head]
        self.optimizer = torch.optim.SGD([p for n in nets for p in n.parameters()], lr=1e-3, momentum=0.9)
        self.losses = compiled(self.forward)

    def forward(self):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.half):
            f = self.features(self.images)
            label = F.cross_entropy(self.label_head(f[:HALF]), self.labels)
            domain = F.cross_entropy(self.domain_head(Reverse.apply(f)), self.domains)
        return label, domain

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        label, domain = self.losses()
        (label + domain).backward()
        self.optimizer.step()
        return label, domain

    def numbers(self):
        return numbers_at_a_high_rate(self, [math.log(10), math.log(2)])


class Lenet(Step):
    """The extractor and the label head alone, on all images; the numbers as in graft's works/steps.cpp."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(self.features, start(label_head(), 20))
        self.labels = torch.tensor([i * 7 % 10 for i in range(2 * HALF)], device=DEVICE)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1e-3, momentum=0.9)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.net(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return [loss]

    def numbers(self):
        return numbers_at_a_high_rate(self, [math.log(10)])


def norm_head(*widths, last_bias):
    layers = []
    for i, o in zip(widths[:-2], widths[1:-1]):
        layers += [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.3)]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:], bias=last_bias))


class W2(Step):
    def __init__(self, half=False):
        super().__init__()
        self.half = half
        self.label_head = start(norm_head(768, 100, 100, 10, last_bias=True), 20)
        self.domain_head = start(norm_head(768, 256, 128, 64, 32, 1, last_bias=False), 30)
        self.optimizers = [torch.optim.Adam(n.parameters(), lr=7e-5, eps=1e-7, capturable=DEVICE == "cuda") for n in (self.features, self.label_head, self.domain_head)]
        self.ones, self.zeros = torch.ones(HALF, 1, device=DEVICE), torch.zeros(HALF, 1, device=DEVICE)
        self.source, self.target = self.images[:HALF], self.images[HALF:]
        self.losses = compiled(self.forward)

    def frozen(self, x):
        """The domain head through which a gradient passes without reaching its own parameters."""
        for layer in self.domain_head:
            if isinstance(layer, nn.Linear):
                x = F.linear(x, layer.weight.detach())
            elif isinstance(layer, nn.BatchNorm1d):
                x = F.batch_norm(x, None, None, layer.weight.detach(), layer.bias.detach(), training=True, eps=layer.eps)
            else:
                x = layer(x)
        return x

    def forward(self):
        bce = F.binary_cross_entropy_with_logits
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.half):
            fs, ft = self.features(self.source), self.features(self.target)
            label = F.cross_entropy(self.label_head(fs), self.labels)
            domain = bce(self.domain_head(fs.detach()), self.ones) + bce(self.domain_head(ft.detach()), self.zeros)
            swapped = bce(self.frozen(fs), self.zeros) + bce(self.frozen(ft), self.ones)
        return label, domain, swapped

    def step(self):
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        label, domain, swapped = self.losses()
        (0.8 * (label + 0.5 * swapped + domain)).backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return label, domain, swapped


class Mmd:
    """Biased, Gaussian kernels of given bandwidths."""

    def __init__(self, n, five, derived):
        self.n, self.derived = n, derived
        self.x = tensor((n, 256), 1).requires_grad_()
        self.y = (tensor((n, 256), 2) * 1.25 + 0.1).detach().requires_grad_()
        gamma = 1 / 256
        self.gammas = [gamma * f for f in ((0.25, 0.5, 1, 2, 4) if five else (1,))]
        sign = torch.cat([torch.ones(n, device=DEVICE), -torch.ones(n, device=DEVICE)]) / n
        self.signs = sign[:, None] * sign[None, :]
        self.loss = compiled(self.forward)

    def step(self):
        self.x.grad = self.y.grad = None
        if self.derived:
            with torch.no_grad():
                z = torch.cat([self.x, self.y])
                squares = (z * z).sum(1)
                d = torch.addmm(squares[:, None] + squares[None, :], z, z.T, alpha=-2).clamp_(min=0)
                values = torch.zeros_like(d)
                slopes = torch.zeros_like(d)
                for g in self.gammas:
                    k = torch.exp(d * -g)
                    values += k
                    slopes.add_(k, alpha=-g)
                loss = (values * self.signs).sum()
                w = slopes.mul_(self.signs)
                dz = 4 * (w.sum(1, keepdim=True) * z - w @ z)
                self.x.grad, self.y.grad = dz[: self.n], dz[self.n :]
            return loss
        loss = self.loss()
        loss.backward()
        return loss

    def forward(self):
        z = torch.cat([self.x, self.y])
        squares = (z * z).sum(1)
        d = (squares[:, None] + squares[None, :] - 2 * (z @ z.T)).clamp(min=0)
        values = sum(torch.exp(d * -g) for g in self.gammas)
        return (values * self.signs).sum()

    def numbers(self):
        loss = self.step().item()
        return [loss] + [1000 * v for g in (self.x.grad, self.y.grad) for v in summary(g)]


ROWS = {"3-32k5@28": (256, 28, 3, 32, 5, 1, 0), "32-48k5@12": (256, 12, 32, 48, 5, 1, 0), "64-64k3@56": (64, 56, 64, 64, 3, 1, 1), "128-128k3@28": (64, 28, 128, 128, 3, 1, 1),
        "256-256k3@14": (64, 14, 256, 256, 3, 1, 1), "512-512k3@7": (64, 7, 512, 512, 3, 1, 1), "64-256k1@56": (64, 56, 64, 256, 1, 1, 0), "3-64k7s2@224": (64, 224, 3, 64, 7, 2, 3)}


class Convolution:
    def __init__(self, row, way):
        n, side, c, oc, k, stride, pad = ROWS[row]
        self.way, self.stride, self.pad = way, stride, pad
        out = (side + 2 * pad - k) // stride + 1
        x = tensor((n, side, side, c), 1).permute(0, 3, 1, 2)
        w = tensor((k, k, c, oc), 2, 0.1).permute(3, 2, 0, 1)
        dy = tensor((n, out, out, oc), 4).permute(0, 3, 1, 2)
        best = None
        for layout in (torch.contiguous_format, torch.channels_last):
            self.at = [t.contiguous(memory_format=layout) for t in (x, w, dy)]
            self.step()
            begin = time.perf_counter()
            for _ in range(3):
                self.step()
            seconds = time.perf_counter() - begin
            if best is None or seconds < best[0]:
                best = (seconds, self.at)
        self.at = best[1]

    def step(self):
        x, w, dy = self.at
        if self.way == "forward":
            return F.conv2d(x, w, stride=self.stride, padding=self.pad)
        mask = [self.way == "data", self.way == "weights", False]
        s, p = [self.stride] * 2, [self.pad] * 2
        return torch.ops.aten.convolution_backward(dy, x, w, None, s, p, [1, 1], False, [0, 0], 1, mask)[0 if mask[0] else 1]

    def numbers(self):
        out = self.step()
        return summary(out.permute(2, 3, 1, 0) if self.way == "weights" else out.permute(0, 2, 3, 1))


def make(name):
    name = name.removesuffix("/winograd")  # graft's way: the peer takes its own
    parts = name.split("/")
    allow_tf32(parts[-1] == "tf32")
    if parts[0] == "W1":
        return Lenet() if parts[1:] == ["lenet"] else W1(half=parts[1:] == ["bf16"])
    if parts[0] == "W2":
        return W2(half=parts[1:] == ["bf16"])
    if parts[0] == "W6":
        return Mmd(int(parts[1].split("x")[0]), parts[2] == "five", parts[-1] == "derived")
    if parts[0] in ("W3", "W4", "W5"):
        import networks
        return networks.make(name, {"tensor": tensor, "summary": summary, "rows": Rows, "tuned": TUNED, "device": DEVICE, "compiled": compiled})
    return Convolution(parts[1], parts[2])


def steps(work):
    """On a GPU many at once, and then waits: graft is timed so, too."""
    if DEVICE == "cpu":
        work.step()
        return 1
    for _ in range(20):
        work.step()
    torch.cuda.synchronize()
    return 20


def main():
    made, replayed = {}, {}
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        command, name, *rest = line.split() + [""]
        work = None
        if command in ("numbers", "time") and name not in made:
            made[name] = make(name)
        if command == "numbers":
            with torch.set_grad_enabled(not name.startswith("W7")):
                print(*(f"{v:.17g}" for v in made[name].numbers()), flush=True)
        elif command == "time":
            work, times = made[name], []
            if MODE == "graph":
                work = replayed.setdefault(name, Captured(work))
            with torch.set_grad_enabled(not name.startswith("W7")):
                steps(work)
                begin = time.perf_counter()
                while len(times) < 3 or time.perf_counter() - begin < float(rest[0]):
                    before = time.perf_counter()
                    count = steps(work)
                    times.append((time.perf_counter() - before) / count)
            print(f"{1e3 * statistics.median(times):.17g}", flush=True)
        elif command == "free":
            made.pop(name, None), replayed.pop(name, None)
            print(flush=True)


if __name__ == "__main__":
    main()
