#!/usr/bin/env python3
"""PyTorch's side of scripts/bench-vs-torch.sh: training steps, or evaluations, on one random batch.

    python3 scripts/torch-step.py MODEL BATCH THREADS [train|eval]

It prints the version and the layout, then answers each number on standard input with the seconds of so many steps, like cnnctl bench train
--paced. Of the two memory layouts, contiguous and channels_last, the faster one is used; LAYOUT names one and saves the trial. Needs
PyTorch and torchvision.
"""

import os
import sys
import time

import torch
from torch import nn
from torchvision import models


class LeNet5(nn.Module):
    """The network of 1998 as package zoo has it."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = nn.functional.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.tanh(self.fc1(x.flatten(1)))
        return self.fc3(torch.tanh(self.fc2(x)))


def prepare(model, batch, training, layout):
    """Returns a function that runs one step."""
    net = LeNet5() if model == "lenet5" else getattr(models, model)()
    shape = (batch, 1, 28, 28) if model == "lenet5" else (batch, 3, 224, 224)
    net = net.to(memory_format=layout).train(training)
    x = torch.randn(shape).to(memory_format=layout)
    y = torch.randint(10 if model == "lenet5" else 1000, (batch,))
    # As in cnnctl bench train, a rate of 0 keeps random data from driving the weights anywhere.
    opt = torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9, weight_decay=1e-4)

    def train():
        opt.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(x), y).backward()
        opt.step()

    def evaluate():
        with torch.inference_mode():
            nn.functional.cross_entropy(net(x), y).item()

    return train if training else evaluate


def seconds(step):
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def main():
    model, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    training = sys.argv[4:] != ["eval"]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layouts = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    chosen = os.environ.get("LAYOUT")
    if chosen is None:
        trial = {}
        for name, layout in layouts.items():
            step = prepare(model, batch, training, layout)
            warm = seconds(step)
            trial[name] = min(seconds(step) for _ in range(1 if warm > 2 else 5))
            del step
        chosen = min(trial, key=trial.get)
    step = prepare(model, batch, training, layouts[chosen])
    step()
    print(f"torch {torch.__version__} ({threads} threads, {chosen})", flush=True)
    for line in sys.stdin:
        print(*(f"{seconds(step):.5g}" for _ in range(int(line))), flush=True)


if __name__ == "__main__":
    main()
