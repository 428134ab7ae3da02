#!/usr/bin/env python3
"""Measures in PyTorch what `cnnctl bench train` and `cnnctl bench ops` measure: training steps, and each convolution of a network.

    python3 scripts/gpu-torch.py step MODEL BATCH PRECISION     # prints one line: the arguments, and the seconds of some training steps
    python3 scripts/gpu-torch.py convs MODEL BATCH PRECISION    # a line for each convolution and pass: the arguments, layer, call, seconds

PRECISION is fp32 (TF32 off), tf32, or bf16 (automatic mixed precision). Everything is set for speed: channels_last, cudnn.benchmark, and each
measurement is a CUDA graph where capture works, so that what is compared is the GPU's time and not Python's. Needs torch and torchvision.
"""

import statistics
import sys

import torch
import torch.nn.functional as F
import torchvision

PRECISIONS = "fp32", "tf32", "bf16"
IMAGE = (3, 224, 224)
WARM_UP, STEPS = 3, 20
ROUNDS = 20  # of each convolution, of which the median counts


def build(model):
    """Returns a network on the GPU in its training mode."""
    return torchvision.models.get_model(model, weights=None).cuda().to(memory_format=torch.channels_last).train()


def configure(precision):
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    return torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)


def milliseconds(run):
    """Returns the time of run() by CUDA events."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end)


def replayed(run):
    """Returns a function that replays run() as a CUDA graph, or run itself if it cannot be captured."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return graph.replay
    except RuntimeError:
        torch.cuda.synchronize()
        return run


def measure_step(model, batch, precision):
    autocast = configure(precision)
    net = build(model)
    x = torch.randn(batch, *IMAGE, device="cuda").to(memory_format=torch.channels_last)
    t = torch.randint(1000, (batch,), device="cuda")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = F.cross_entropy(net(x), t)
        loss.backward()
        optimizer.step()

    run = replayed(step)
    for _ in range(WARM_UP):
        milliseconds(run)
    print(model, batch, precision, *(f"{milliseconds(run) / 1000:.5g}" for _ in range(STEPS)))


def convolutions(net, x):
    """Yields (name, module, shape of its input) for each convolution in the order of the forward pass."""
    found = []
    hooks = [m.register_forward_hook(lambda m, args, _, name=name: found.append((name, m, tuple(args[0].shape))))
             for name, m in net.named_modules() if isinstance(m, torch.nn.Conv2d)]
    with torch.no_grad():
        net(x)
    for h in hooks:
        h.remove()
    return found


def measure_convolutions(model, batch, precision):
    configure(precision)
    net = build(model)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    last = {"dtype": kind, "memory_format": torch.channels_last}
    for name, m, in_shape in convolutions(net, torch.randn(2, *IMAGE, device="cuda")):
        x = torch.randn(batch, *in_shape[1:], device="cuda").to(**last)
        w = m.weight.detach().to(**last)
        b = None if m.bias is None else m.bias.detach().to(kind)
        y = F.conv2d(x, w, b, m.stride, m.padding, m.dilation, m.groups)
        dy = torch.randn_like(y)

        def backward(mask):
            return torch.ops.aten.convolution_backward(dy, x, w, None, m.stride, m.padding, m.dilation, False, [0, 0], m.groups, mask)

        passes = {
            "ConvForward": lambda: F.conv2d(x, w, b, m.stride, m.padding, m.dilation, m.groups),
            "ConvBackwardData": lambda: backward([True, False, False]),
            "ConvBackwardFilter": lambda: backward([False, True, False]),
        }
        for call, run in passes.items():
            again = replayed(run)
            print(model, batch, precision, name, call, f"{statistics.median(milliseconds(again) for _ in range(ROUNDS)) / 1000:.5g}", flush=True)


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("step", "convs") or sys.argv[4] not in PRECISIONS:
        sys.exit(__doc__)
    measure = {"step": measure_step, "convs": measure_convolutions}[sys.argv[1]]
    measure(sys.argv[2], int(sys.argv[3]), sys.argv[4])


if __name__ == "__main__":
    main()
