"""PyTorch's side of the rows of whole networks, W3 to W5: see pytorch.py. torchvision's networks; its Inception-v3 averages over
the padding too, which Keras' network does not, so here it does not either."""
import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Tools:
    """What pytorch.py lends: its streams of numbers, the device, whether this side is tuned, how its functions are compiled."""


def start_deep(net, stream=100):
    """Weights from streams, in the order of the layers, as graft's works/networks.hpp."""
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            p = layer.weight
            scale = np.sqrt(np.float32(6) / np.float32(p[0].numel()))
            with torch.no_grad():
                if p.dim() == 2:
                    p.copy_(Tools.tensor(tuple(p.T.shape), stream, scale).T)
                elif layer.groups > 1:
                    p.copy_(Tools.tensor((*p.shape[2:], p.shape[0], 1), stream, scale).permute(2, 3, 0, 1))
                else:
                    p.copy_(Tools.tensor(tuple(p.permute(2, 3, 1, 0).shape), stream, scale).permute(3, 2, 0, 1))
                if layer.bias is not None:
                    layer.bias.zero_()
            stream += 1
    return net.to(Tools.device)


def mobilenet_v1():
    """Keras' MobileNetV1, which torchvision has not."""
    def unit(i, o, k, stride, groups=1):
        pad = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
        return [*pad, nn.Conv2d(i, o, k, stride, k // 2 if stride == 1 else 0, groups=groups, bias=False), nn.BatchNorm2d(o, eps=1e-3), nn.ReLU6()]
    layers, c = unit(3, 32, 3, 2), 32
    for o, s in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)):
        layers += unit(c, c, 3, s, c) + unit(c, o, 1, 1)
        c = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


def same_padded(net):
    """MobileNetV2 with Keras' padding and epsilon."""
    for name, layer in list(net.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-3
        if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
            parent = net.get_submodule(name.rpartition(".")[0])
            layer.padding = (0, 0)
            parent[int(name.rpartition(".")[2])] = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), layer)
    return net


def network(name):
    import torchvision
    make = {"MobileNetV1": mobilenet_v1, "MobileNetV2": lambda: same_padded(torchvision.models.mobilenet_v2()),
            "ResNet-18": torchvision.models.resnet18, "ResNet-50": torchvision.models.resnet50}
    return start_deep(make[name]())


def fastest(candidates):
    """Of (input, function) the one with the quickest of three calls, by a short trial."""
    import time
    best = None
    for candidate in candidates:
        x, f = candidate
        f(x)
        seconds = []
        for _ in range(3):
            begin = time.perf_counter()
            f(x)
            seconds.append(time.perf_counter() - begin)
        if best is None or min(seconds) < best[0]:
            best = (min(seconds), candidate)
    return best[1]


def images(batch, side=224):
    return Tools.tensor((batch, side, side, 3), 1).permute(0, 3, 1, 2)  # channels last in memory


class Inference:
    def __init__(self, name, batch):
        net, x = network(name).eval(), images(batch)
        with torch.no_grad():
            candidates = [(x.contiguous(), net), (x, copy.deepcopy(net).to(memory_format=torch.channels_last))]
            if Tools.tuned:
                candidates += [(y, torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(n, y)))) for y, n in list(candidates)]
            self.x, self.net = fastest(candidates)

    def step(self):
        with torch.no_grad():
            return self.net(self.x)

    def numbers(self):
        return Tools.summary(self.step())


class Training:
    """SGD with momentum; layers that are not trained run in inference mode without a graph."""

    def __init__(self, trunk, net, batch, classes, side, frozen=()):
        self.trunk, self.net = trunk, net
        x = images(batch, side)
        if Tools.tuned:
            for part in (trunk, net):
                if part is not None:
                    part.to(memory_format=torch.channels_last)
        self.x = x if Tools.tuned else x.contiguous()
        self.labels = torch.tensor([i * 7 % classes for i in range(batch)], device=Tools.device)
        self.optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-3, momentum=0.9)
        self.loss = Tools.compiled(self.forward)

    def forward(self):
        x = self.x
        if self.trunk is not None:
            with torch.no_grad():
                x = self.trunk(x)
        return F.cross_entropy(self.net(x), self.labels)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss

    def numbers(self):
        return [self.step().item() for _ in range(3)]


def inception():
    import torchvision
    mean = F.avg_pool2d
    torchvision.models.inception.F.avg_pool2d = lambda *a, **k: mean(*a, **{**k, "count_include_pad": False})
    whole = torchvision.models.inception_v3(aux_logits=False, init_weights=False)
    whole.fc = nn.Linear(2048, 12)
    start_deep(whole)
    for layer in whole.modules():  # Keras' has no scale
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.requires_grad = False
    parts = [m for n, m in whole.named_children() if n not in ("AuxLogits", "avgpool", "dropout", "fc")]
    names = [n for n, m in whole.named_children() if n not in ("AuxLogits", "avgpool", "dropout", "fc")]
    cut = names.index("Mixed_6c") + 1
    trunk = nn.Sequential(*parts[:cut]).eval()
    rest = nn.Sequential(*parts[cut:], nn.AdaptiveAvgPool2d(1), nn.Flatten(), whole.fc)
    return Training(trunk, rest, 16, 12, 299)


class Ddc:
    """Cross-entropy and 0.25 MMD^2 between both halves' adaptation layers."""

    def __init__(self, kind):
        self.half, self.kind = 32, kind
        conv = lambda i, o, k, s, p: [nn.Conv2d(i, o, k, s, p), nn.ReLU()]
        body = nn.Sequential(*conv(3, 64, 11, 4, 2), nn.MaxPool2d(3, 2), *conv(64, 192, 5, 1, 2), nn.MaxPool2d(3, 2), *conv(192, 384, 3, 1, 1), *conv(384, 256, 3, 1, 1),
                             *conv(256, 256, 3, 1, 1), nn.MaxPool2d(3, 2), Tools.rows(), nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU())
        self.body = start_deep(body)
        self.adapt = start_deep(nn.Sequential(nn.Linear(4096, 256), nn.ReLU()))
        self.head = start_deep(nn.Sequential(nn.Linear(256, 12)))
        x = images(2 * self.half)
        if Tools.tuned:
            self.body.to(memory_format=torch.channels_last)
        self.x = x if Tools.tuned else x.contiguous()
        self.labels = torch.tensor([i * 7 % 12 for i in range(self.half)], device=Tools.device)
        trained = [self.adapt, self.head] + ([self.body] if kind == "all" else [])
        self.optimizer = torch.optim.SGD([p for n in trained for p in n.parameters()], lr=1e-4, momentum=0.9)
        if kind == "cached":
            with torch.no_grad():
                self.x = self.body(self.x)
        sign = torch.cat([torch.ones(self.half), -torch.ones(self.half)]).to(Tools.device) / self.half
        self.signs = sign[:, None] * sign[None, :]
        self.losses = Tools.compiled(self.forward)

    def forward(self):
        f = self.x
        if self.kind != "cached":
            with torch.set_grad_enabled(self.kind == "all"):
                f = self.body(f)
        a = self.adapt(f)
        label = F.cross_entropy(self.head(a[: self.half]), self.labels)
        squares = (a * a).sum(1)
        d = (squares[:, None] + squares[None, :] - 2 * (a @ a.T)).clamp(min=0)
        distance = (torch.exp(d * -(1 / 256)) * self.signs).sum()
        return label, distance

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        label, distance = self.losses()
        (label + 0.25 * distance).backward()
        self.optimizer.step()
        return label, distance

    def numbers(self):
        return [x.item() for _ in range(3) for x in self.step()]


def make(name, tools):
    for key, value in tools.items():
        setattr(Tools, key, staticmethod(value) if callable(value) else value)
    parts = name.split("/")
    if parts[0] == "W3":
        return Ddc(parts[1])
    if parts[0] == "W4":
        return inception()
    if parts[2].startswith("training"):
        return Training(None, network(parts[1]), int(parts[2].removeprefix("training")), 1000, 224)
    return Inference(parts[1], int(parts[2]))
