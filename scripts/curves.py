#!/usr/bin/env python3
"""Writes the ten-step loss curves that guard the whole stack: zoo/testdata/curves.json.

Each network is built in PyTorch, trained for ten steps in float64 from weights and batches that a formula gives, and
its losses are stored. zoo's test builds the same network, evaluates the same formula, and must find the same losses.

    python3 scripts/curves.py            # needs PyTorch and torchvision (Debian: python3-torch, python3-torchvision)
    python3 scripts/curves.py --check    # also: how far float32 and slightly other weights lead away, without writing

The formula: element i of tensor t is bound * (h(i, t) / 2^23 - 1), where h keeps the upper 24 of the 32 bits of an integer
hash. Every operation is exact or rounded once, so that NumPy and Go get the same bits. Elements are counted in
PyTorch's order.
"""

import argparse
import json
import math
import pathlib

import numpy as np
import torch
from torch import nn
from torchvision import models

STEPS = 10
CLASSES = 10
BATCHES = 2  # which take turns
IMAGES, LABELS = 1000, 2000  # added to a batch's number: the tensor that it is in the formula


def bits(n, tensor):
    """Returns 32 bits for each of n elements: two rounds of multiply and xor-shift over the mixed indices."""
    x = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(tensor * 0x85EBCA77 & 0xFFFFFFFF)
    for factor, shift in (0x7FEB352D, 15), (0x846CA68B, 16):
        x ^= x >> np.uint32(16)
        x *= np.uint32(factor)
        x ^= x >> np.uint32(shift)
    return x


def uniform(shape, tensor, bound):
    """Returns float32 values of [-bound, bound)."""
    unit = ((bits(math.prod(shape), tensor) >> np.uint32(8)).astype(np.int32) - (1 << 23)).astype(np.float32)
    return (unit * np.float32(2**-23) * np.float32(bound)).reshape(shape)


class LeNet5(nn.Module):
    """The network of 1998 as package zoo has it."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, CLASSES)

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = nn.functional.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.tanh(self.fc1(x.flatten(1)))
        return self.fc3(torch.tanh(self.fc2(x)))


def xavier(fan_in, fan_out):
    return math.sqrt(6 / (fan_in + fan_out))


def usual(fan_in, fan_out):
    return 1 / math.sqrt(fan_in)  # what PyTorch draws weights and biases from by default


# Bounds of the weights of convolutions and of fully connected layers are those that zoo draws them from (for normal
# distributions, those of the same variance); biases get a tenth of a usual activation, so that they matter. Learning rates are such that the
# loss falls visibly in ten steps, yet small errors stay small: see --check.
CASES = [
    dict(model="lenet5", build=LeNet5, conv=xavier, fc=xavier, input=[28, 28, 1], batch=8, lr=0.05, decay=5e-4),
    dict(model="alexnet", build=lambda: models.alexnet(num_classes=CLASSES, dropout=0.0), conv=usual, fc=usual,
         input=[64, 64, 3], batch=8, lr=0.03, decay=1e-4),
    dict(model="vgg11_bn", build=lambda: models.vgg11_bn(num_classes=CLASSES, dropout=0.0, init_weights=False),
         conv=lambda _, fan_out: math.sqrt(6 / fan_out), fc=lambda *_: 0.01 * math.sqrt(3), input=[32, 32, 3], batch=8, lr=1e-4, decay=5e-4),
]


def bound(case, p, module):
    """Returns the bound of a parameter's values; None for the constants of batch norm."""
    if isinstance(module, nn.BatchNorm2d):
        return None
    if p.dim() == 1:
        return 0.1
    taps = p[0][0].numel()
    return case["conv" if p.dim() == 4 else "fc"](p.shape[1] * taps, p.shape[0] * taps)


def build(case):
    """Returns the network with its initial weights, and what the test must know of each tensor."""
    net = case["build"]().double().train()
    modules = dict(net.named_modules())
    tensors = []
    with torch.no_grad():
        for i, (name, p) in enumerate(net.named_parameters()):
            b = bound(case, p, modules[name.rpartition(".")[0]])
            if b is None:
                p.fill_(1.0 if name.endswith("weight") else 0.0)
                b = 0.0
            else:
                b = float(np.float32(b))
                p.copy_(torch.from_numpy(uniform(tuple(p.shape), i, b)))
            tensors.append(dict(name=name, shape=list(p.shape), bound=b))
    return net, tensors


def batch(case, k):
    h, w, c = case["input"]
    x = uniform((case["batch"], c, h, w), IMAGES + k, 1.0)
    y = (bits(case["batch"], LABELS + k) >> np.uint32(8)) % np.uint32(CLASSES)
    return torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))


def train(case, dtype=torch.float64, perturb=0.0):
    """Returns the losses of ten steps of SGD with momentum, each from before its update."""
    net, tensors = build(case)
    net = net.to(dtype)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1 + perturb)
    opt = torch.optim.SGD(net.parameters(), lr=case["lr"], momentum=0.9, weight_decay=case["decay"])
    losses = []
    for step in range(STEPS):
        x, y = batch(case, step % BATCHES)
        loss = nn.functional.cross_entropy(net(x.to(dtype)), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses, tensors


def text(curves):
    """Returns JSON with one line for each tensor."""
    out = []
    for curve in curves:
        head = json.dumps({k: v for k, v in curve.items() if k != "tensors"})[:-1]
        tensors = ",\n  ".join(json.dumps(t) for t in curve["tensors"])
        out.append(f'{head}, "tensors": [\n  {tensors}]}}')
    return "[" + ",\n".join(out) + "]\n"


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--check", action="store_true")
    args.add_argument("models", nargs="*", help="only these, with --check")
    args = args.parse_args()
    if args.check:
        for case in CASES:
            if args.models and case["model"] not in args.models:
                continue
            want = train(case)[0]
            print(case["model"], " ".join(f"{v:.5f}" for v in want))
            for what, got in ("float32", train(case, torch.float32)[0]), ("weights 1e-6 larger", train(case, perturb=1e-6)[0]):
                print(f"  {what}: losses differ by up to {max(abs(a / b - 1) for a, b in zip(got, want)):.1e}")
        return
    curves = []
    for case in CASES:
        losses, tensors = train(case)
        curves.append(dict(model=case["model"], input=case["input"], classes=CLASSES, batch=case["batch"], batches=BATCHES, lr=case["lr"],
                           momentum=0.9, weight_decay=case["decay"], losses=losses, tensors=tensors))
        print(case["model"], " ".join(f"{v:.5f}" for v in losses))
    path = pathlib.Path(__file__).parent.parent / "zoo" / "testdata" / "curves.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text(curves))
    print("wrote", path)


if __name__ == "__main__":
    main()
