#!/usr/bin/env python3
"""The numbers of tests/loss/gradient_penalty.cpp, by PyTorch's double backward: python3 tests/loss/make_gradient_penalty.py"""
import math
import torch

torch.set_default_dtype(torch.float64)
rows, widths = 5, [3, 4, 3, 1]


def critic(activation):
    numbers, layers, k = [], [], 0
    for inputs, outputs in zip(widths, widths[1:]):
        for shape in ((inputs, outputs), (outputs,)):
            count = math.prod(shape)
            numbers.append(torch.tensor([0.8 * math.sin(1.3 * (k + i) + 0.7) for i in range(count)]).reshape(shape).requires_grad_())
            k += count
    def f(x):
        for i in range(0, len(numbers), 2):
            x = x @ numbers[i] + numbers[i + 1]
            if i + 2 < len(numbers):
                x = activation(x)
        return x
    return f, numbers


for name, activation in [("ReLU", torch.relu), ("Tanh", torch.tanh), ("ELU", torch.nn.functional.elu), ("Softplus", torch.nn.functional.softplus),
                         ("GELU", torch.nn.functional.gelu), ("SiLU", torch.nn.functional.silu)]:
    f, numbers = critic(activation)
    h = torch.tensor([math.cos(0.9 * k + 0.2) for k in range(rows * widths[0])]).reshape(rows, -1).requires_grad_()
    g = torch.autograd.grad(f(h).sum(), h, create_graph=True)[0]
    penalty = ((g.norm(dim=1) - 1) ** 2).mean()
    gradients = torch.autograd.grad(penalty, numbers, allow_unused=True)
    flat = torch.cat([(torch.zeros_like(p) if d is None else d).flatten() for p, d in zip(numbers, gradients)])
    along = sum(float(d) * math.sin(k + 1) for k, d in enumerate(flat))
    print("%-9s %.16g, along %.16g, [0] %.16g, [13] %.16g, [20] %.16g, [33] %.16g" % (name, penalty, along, flat[0], flat[13], flat[20], flat[33]))
