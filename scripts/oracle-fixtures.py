#!/usr/bin/python3
"""Writes cpu/ref/testdata/pytorch.json: what PyTorch computes in float64, for the oracle's tests.

Run it from the root of the repository, with PyTorch (Debian: python3-torch): scripts/oracle-fixtures.py

Tensors are written in the project's layouts, images as (N, H, W, C) and filters as (K, R, S, C/groups). Inputs are multiples of
1/8 and hyperparameters are sums of few powers of two, so that nothing is lost on the way through float32 fields.
"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
cases = []


def eighths(*shape, low=-16, high=17):
    return torch.randint(low, high, shape).double() / 8


def distinct(*shape):
    """Values that all differ: the largest of a window is unique, whatever the order of comparisons."""
    n = torch.Size(shape).numel()
    return (torch.randperm(n).double() - n // 2).reshape(shape) / 8


def flat(t):
    if t.dim() == 4:
        t = t.permute(0, 2, 3, 1)  # NCHW to NHWC, KCRS to KRSC
    return [float(f"{v:.12g}") for v in t.detach().reshape(-1).tolist()]


def case(kind, name, attrs, **tensors):
    cases.append({"kind": kind, "name": name, "attrs": attrs, "tensors": {k: flat(v) for k, v in tensors.items()}})


def window(x, y, r, s, stride, dilation, top, left):
    n, c, h, w = x.shape
    return {"N": n, "H": h, "W": w, "C": c, "P": y.shape[2], "Q": y.shape[3], "R": r, "S": s, "StrideH": stride[0], "StrideW": stride[1],
            "DilH": dilation[0], "DilW": dilation[1], "PadTop": top, "PadLeft": left}


def conv(name, shape, k, r, s, stride=(1, 1), dilation=(1, 1), groups=1, pad=(0, 0, 0, 0)):
    top, left, bottom, right = pad
    x = eighths(*shape).requires_grad_()
    w = eighths(k, shape[1] // groups, r, s).requires_grad_()
    b = eighths(k).requires_grad_()
    y = F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, stride=stride, dilation=dilation, groups=groups)
    dy = eighths(*y.shape)
    y.backward(dy)
    attrs = window(x, y, r, s, stride, dilation, top, left) | {"K": k, "Groups": groups}
    case("conv", name, attrs, x=x, weight=w, bias=b, y=y, dy=dy, dx=x.grad, dweight=w.grad, dbias=b.grad)


conv("plain", (2, 3, 6, 5), 4, 3, 3)
conv("stride and padding", (1, 2, 8, 9), 3, 3, 5, stride=(2, 3), pad=(1, 2, 1, 2))
conv("dilation", (1, 2, 9, 8), 3, 3, 2, dilation=(2, 3), pad=(2, 1, 2, 1))
conv("asymmetric padding", (1, 2, 5, 6), 3, 4, 2, pad=(1, 0, 2, 1))
conv("groups", (1, 6, 5, 6), 9, 3, 3, groups=3, pad=(1, 1, 1, 1))
conv("depthwise", (2, 4, 6, 5), 4, 3, 3, stride=(2, 1), groups=4, pad=(1, 1, 1, 1))
conv("1x1", (2, 5, 3, 4), 6, 1, 1)
conv("larger than the image", (1, 2, 2, 3), 2, 5, 5, pad=(2, 2, 2, 2))


def max_pool(name, shape, size, stride, padding=(0, 0), dilation=(1, 1), ceil=False):
    x = distinct(*shape).requires_grad_()
    y = F.max_pool2d(x, size, stride, padding, dilation, ceil_mode=ceil)
    dy = eighths(*y.shape)
    y.backward(dy)
    case("maxpool", name, window(x, y, *size, stride, dilation, *padding), x=x, y=y, dy=dy, dx=x.grad)


max_pool("plain", (2, 3, 6, 6), (2, 2), (2, 2))
max_pool("overlapping", (1, 2, 9, 7), (3, 3), (2, 2))
max_pool("padding", (1, 2, 7, 8), (3, 2), (2, 2), padding=(1, 1))
max_pool("ceil mode", (1, 2, 6, 8), (3, 3), (2, 3), ceil=True)
max_pool("ceil mode and padding", (1, 2, 7, 7), (3, 3), (3, 2), padding=(1, 1), ceil=True)
max_pool("dilation", (1, 1, 9, 9), (3, 2), (1, 2), padding=(1, 1), dilation=(2, 3))


def avg_pool(name, shape, size, stride, padding=(0, 0), ceil=False, include=True):
    x = eighths(*shape).requires_grad_()
    y = F.avg_pool2d(x, size, stride, padding, ceil_mode=ceil, count_include_pad=include)
    dy = eighths(*y.shape)
    y.backward(dy)
    attrs = window(x, y, *size, stride, (1, 1), *padding) | {"PadBottom": padding[0], "PadRight": padding[1], "ExcludePad": not include}
    case("avgpool", name, attrs, x=x, y=y, dy=dy, dx=x.grad)


for include in (True, False):
    suffix = ", padding counted" if include else ", padding not counted"
    avg_pool("overlapping" + suffix, (1, 2, 7, 6), (3, 2), (2, 1), include=include)
    avg_pool("padding" + suffix, (2, 1, 6, 7), (3, 3), (2, 2), padding=(1, 1), include=include)
    avg_pool("ceil mode" + suffix, (1, 2, 6, 7), (3, 3), (2, 3), ceil=True, include=include)
    avg_pool("ceil mode and padding" + suffix, (1, 2, 6, 8), (3, 4), (2, 3), padding=(1, 2), ceil=True, include=include)


def adaptive(shape, p, q):
    x = eighths(*shape).requires_grad_()
    y = F.adaptive_avg_pool2d(x, (p, q))
    dy = eighths(*y.shape)
    y.backward(dy)
    n, c, h, w = shape
    case("adaptive", f"{h}x{w} to {p}x{q}", {"N": n, "H": h, "W": w, "C": c, "P": p, "Q": q}, x=x, y=y, dy=dy, dx=x.grad)


for h, w, p, q in (7, 5, 1, 1), (7, 5, 3, 2), (6, 6, 6, 6), (2, 3, 5, 4), (13, 13, 6, 6):
    adaptive((2, 2, h, w), p, q)


def batch_norm(training):
    x = eighths(3, 4, 2, 3).requires_grad_()
    gamma, beta = eighths(4).requires_grad_(), eighths(4).requires_grad_()
    mean, var = eighths(4), eighths(4, low=4, high=20)
    mean0, var0 = mean.clone(), var.clone()
    y = F.batch_norm(x, mean, var, gamma, beta, training=training, momentum=0.125, eps=2**-10)
    dy = eighths(*y.shape)
    y.backward(dy)
    case("batchnorm", "training" if training else "evaluation",
         {"Rows": 18, "C": 4, "Training": training, "Momentum": 0.125, "Eps": 2**-10}, x=x, gamma=gamma, beta=beta, mean0=mean0, var0=var0,
         y=y, mean=mean, var=var, dy=dy, dx=x.grad, dgamma=gamma.grad, dbeta=beta.grad)


batch_norm(True)
batch_norm(False)


def lrn(size, channels):
    x = eighths(1, channels, 2, 3).requires_grad_()
    # PyTorch divides alpha by the size, the paper and device.LRNForward do not.
    y = F.local_response_norm(x, size, alpha=0.125 * size, beta=0.75, k=2.0)
    dy = eighths(*y.shape)
    y.backward(dy)
    case("lrn", f"size {size}, {channels} channels", {"Rows": 6, "C": channels, "Size": size, "K": 2, "Alpha": 0.125, "Beta": 0.75},
         x=x, y=y, dy=dy, dx=x.grad)


for size, channels in (5, 8), (4, 7), (9, 3), (1, 2):
    lrn(size, channels)


def activation(name, f):
    x = eighths(40, low=-60, high=61).requires_grad_()
    y = f(x)
    dy = eighths(40)
    y.backward(dy)
    case("act", name, {}, x=x, y=y, dy=dy, dx=x.grad)


for name, f in {"relu": F.relu, "relu6": F.relu6, "tanh": torch.tanh, "sigmoid": torch.sigmoid}.items():
    activation(name, f)


def cross_entropy(name, targets, smoothing):
    rows, classes = targets.shape
    logits = eighths(rows, classes).requires_grad_()
    counted = targets.sum(1) > 0
    loss = F.cross_entropy(logits[counted], targets[counted], label_smoothing=smoothing)
    loss.backward()
    case("crossentropy", name, {"Rows": rows, "Classes": classes, "Smoothing": smoothing},
         logits=logits, targets=targets, loss=loss, dlogits=logits.grad, p=F.softmax(logits, 1))


one_hot = F.one_hot(torch.tensor([3, 0, 6, 2]), 7).double()
mixed = 0.75 * one_hot + 0.25 * one_hot.roll(1, 0)
padded = torch.cat([one_hot, torch.zeros(2, 7)])
for smoothing in 0.0, 0.125:
    cross_entropy(f"one-hot, smoothing {smoothing}", one_hot, smoothing)
    cross_entropy(f"mixed, smoothing {smoothing}", mixed, smoothing)
    cross_entropy(f"padded batch, smoothing {smoothing}", padded, smoothing)


def optimiser(kind, name, make, attrs, clip=0.0, steps=4, n=9):
    """Two parameters with their own learning rate and decay; the second one's rate is half of the first's."""
    w0 = eighths(2 * n)
    a, b = w0[:n].clone().requires_grad_(), w0[n:].clone().requires_grad_()
    lr, decay = attrs["LR"], attrs["Decay"]
    opt = make([{"params": [a], "lr": lr, "weight_decay": decay}, {"params": [b], "lr": lr / 2, "weight_decay": 0.0}])
    grads, weights = [], []
    for _ in range(steps):
        g = eighths(2 * n)
        a.grad, b.grad = g[:n].clone(), g[n:].clone()
        if clip:
            torch.nn.utils.clip_grad_norm_([a, b], clip)
        opt.step()
        grads.append(g)
        weights.append(torch.cat([a, b]).detach().clone())
    case(kind, name, attrs | {"N": 2 * n, "Steps": steps, "MaxNorm": clip}, w0=w0, g=torch.cat(grads), w=torch.cat(weights))


LR, DECAY = 0.125, 1 / 64
for name, momentum, nesterov, clip in (("plain", 0.0, False, 0.0), ("momentum", 0.875, False, 0.0), ("Nesterov", 0.875, True, 0.0),
                                       ("momentum, clipped", 0.875, False, 2.0)):
    optimiser("sgd", name, lambda p: torch.optim.SGD(p, lr=LR, momentum=momentum, nesterov=nesterov),
              {"LR": LR, "Decay": DECAY, "Momentum": momentum, "Nesterov": nesterov}, clip)
optimiser("adamw", "AdamW", lambda p: torch.optim.AdamW(p, lr=LR, betas=(0.875, 0.96875), eps=2**-20),
          {"LR": LR, "Decay": DECAY, "Momentum": 0.875, "Beta2": 0.96875, "Eps": 2**-20})
for name, momentum in ("plain", 0.0), ("momentum", 0.875):
    optimiser("rmsprop", name, lambda p: torch.optim.RMSprop(p, lr=LR, alpha=0.9375, momentum=momentum, eps=2**-10),
              {"LR": LR, "Decay": DECAY, "Momentum": momentum, "Alpha": 0.9375, "Eps": 2**-10})

with open("cpu/ref/testdata/pytorch.json", "w") as f:
    f.write('{"torch": ' + json.dumps(torch.__version__) + ', "cases": [\n')
    f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    f.write("\n]}\n")
print(len(cases), "cases")
