#!/usr/bin/env python3
"""Writes what PyTorch's networks answer to formula weights and images: zoo/testdata/logits.json.

zoo's test builds the same networks, evaluates the same formula, and must find the same logits: then every layer, its order, its
padding and the layout of its weights are those of torchvision, and of the CIFAR ResNets whose checkpoints are in circulation.

    python3 scripts/logits.py                    # needs PyTorch and torchvision (Debian: python3-torch, python3-torchvision)
    python3 scripts/logits.py --tensors          # instead: names and shapes of all networks, zoo/testdata/tensors.json
    python3 scripts/logits.py --check FILE.th    # also: the CIFAR ResNet defined here takes a published checkpoint, without writing
                                                 # (with --images TEST: and reaches this accuracy on images in folders by class)

The formula is that of scripts/curves.py. A tensor's number in it is the 32-bit FNV-1a hash of its name, so that a tensor of another
name has other values. Running variances lie in [0.5, 1.5), scales of batch norms in [0.5, 1.25), other vectors in [-0.1, 0.1), and weights have the variance that keeps activations alive through ReLUs. Images lie in [-2, 2).
"""

import argparse
import hashlib
import json
import math
import pathlib

import numpy as np
import torch
from torch import nn
from torchvision import models

from curves import uniform

CLASSES = 10
BATCH = 2


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; where the shape changes, every second pixel between channels of zeros (option A)."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.stride, self.more = stride, filters - channels

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.more:
            zeros = x.new_zeros(x.shape[0], self.more // 2, y.shape[2], y.shape[3])
            x = torch.cat([zeros, x[:, :, :: self.stride, :: self.stride], zeros], 1)
        return torch.relu(x + y)


class CIFARResNet(nn.Module):
    """The networks of He et al., section 4.2, with the tensor names of the published checkpoints."""

    def __init__(self, layers, num_classes):
        super().__init__()
        n = (layers - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for i, filters in enumerate([16, 32, 64]):
            blocks = []
            for k in range(n):
                blocks.append(Block(channels, filters, 2 if i and not k else 1))
                channels = filters
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


# Sizes are small for the test's sake, and no squares, so that rows and columns cannot be confused.
CASES = [
    ("alexnet", models.alexnet, [67, 75]),
    ("vgg11_bn", models.vgg11_bn, [32, 70]),
    ("resnet18", models.resnet18, [65, 78]),
    ("resnet34", models.resnet34, [33, 64]),
    ("resnet50", models.resnet50, [65, 52]),
    ("resnet101", models.resnet101, [32, 45]),
    ("resnet20", lambda num_classes: CIFARResNet(20, num_classes), [32, 29]),
    ("resnet56", lambda num_classes: CIFARResNet(56, num_classes), [16, 19]),
    ("squeezenet1_0", models.squeezenet1_0, [62, 71]),
    ("squeezenet1_1", models.squeezenet1_1, [59, 64]),
    ("mobilenet_v2", models.mobilenet_v2, [64, 51]),
]


def fnv1a(name):
    """Returns the 32-bit FNV-1a hash of a name."""
    h = 0x811C9DC5
    for b in name.encode():
        h = (h ^ b) * 0x01000193 & 0xFFFFFFFF
    return h


def values(name, shape):
    """Returns the float32 values of a tensor."""
    number = fnv1a(name)
    if name.endswith("running_var"):
        return np.float32(1) + uniform(shape, number, 0.5)
    if len(shape) == 1 and name.endswith("weight"):
        return np.float32(0.875) + uniform(shape, number, 0.375)
    if len(shape) == 1:
        return uniform(shape, number, 0.1)
    return uniform(shape, number, math.sqrt(6 / math.prod(shape[1:])))


def logits(build, size):
    """Returns the logits of a batch, computed in float64."""
    net = build(num_classes=CLASSES).double().eval()
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                t.copy_(torch.from_numpy(values(name, tuple(t.shape))))
        x = uniform((BATCH, 3, *size), fnv1a("input"), 2.0)
        return net(torch.from_numpy(x).double()).numpy()


def check(path, images):
    """Loads a published checkpoint and, if there are images, counts how many it gets right."""
    state = torch.load(path, map_location="cpu")["state_dict"]
    state = {name.removeprefix("module."): t for name, t in state.items()}
    layers = 2 + 2 * 3 * len({name.split(".")[1] for name in state if name.startswith("layer1.")})
    net = CIFARResNet(layers, 10).eval()
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
    print(f"{path.name}: {layers} layers, {len(state)} tensors, names and shapes fit")
    if not images:
        return
    from torchvision import datasets, transforms

    norm = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    data = datasets.ImageFolder(images, transforms.Compose([transforms.ToTensor(), norm]))
    right = 0
    with torch.no_grad():
        for x, y in torch.utils.data.DataLoader(data, 250):
            right += (net(x).argmax(1) == y).sum().item()
    print(f"  top-1 {100 * right / len(data):.2f} % of {len(data)} images")


def tensors(state):
    """Returns the number of a network's tensors without batch counters, of its parameters, and the digest of all names and shapes."""
    lines = [f"{name} {list(t.shape)}\n" for name, t in state.items() if not name.endswith("num_batches_tracked")]
    params = sum(t.numel() for name, t in state.items() if not name.endswith(("num_batches_tracked", "running_mean", "running_var")))
    return len(lines), params, hashlib.sha256("".join(lines).encode()).hexdigest()


def write_tensors():
    """Writes zoo/testdata/tensors.json: what PyTorch's networks consist of, at their published sizes."""
    names = ["alexnet", *[f"vgg{n}{bn}" for n in (11, 13, 16, 19) for bn in ("", "_bn")], *[f"resnet{n}" for n in (18, 34, 50, 101)],
             "squeezenet1_0", "squeezenet1_1", "mobilenet_v2"]
    rows = [(name, tensors(getattr(models, name)().state_dict())) for name in names]
    rows += [(f"resnet{n}", tensors(CIFARResNet(n, 10).state_dict())) for n in (20, 32, 44, 56)]
    text = ",\n".join(" " + json.dumps(dict(model=name, tensors=n, params=params, sha256=digest)) for name, (n, params, digest) in rows)
    path = pathlib.Path(__file__).parent.parent / "zoo" / "testdata" / "tensors.json"
    path.write_text("[\n" + text + "\n]\n")
    print("wrote", path)


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--check", type=pathlib.Path)
    args.add_argument("--images", type=pathlib.Path)
    args.add_argument("--tensors", action="store_true")
    args = args.parse_args()
    if args.check:
        check(args.check, args.images)
        return
    if args.tensors:
        write_tensors()
        return
    rows = []
    for name, build, size in CASES:
        y = logits(build, size)
        largest, moved = np.abs(y).max(), np.abs(y[0] - y[1]).max()
        print(f"{name}: logits up to {largest:.3g}, two images differ by up to {moved:.3g}")
        if not moved > 0.02 * largest:
            raise SystemExit(f"{name}: the images hardly matter, so that the numbers would prove little")
        rows.append(dict(model=name, input=[*size, 3], batch=BATCH, classes=CLASSES, logits=[[float(f"{v:.9g}") for v in r] for r in y]))
    path = pathlib.Path(__file__).parent.parent / "zoo" / "testdata" / "logits.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(" " + json.dumps(r) for r in rows) + "\n]\n")
    print("wrote", path)


if __name__ == "__main__":
    main()
