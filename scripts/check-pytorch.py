#!/usr/bin/env python3
"""Proves in both directions that checkpoints pass between PyTorch and cnnctl: needs PyTorch and torchvision.

For every network that torchvision has, and the CIFAR ResNets (scripts/logits.py):

  - PyTorch saves random weights, every second time in the legacy stream; `cnnctl predict --logits` with that file, and a config.json beside
    it, gives the same logits as PyTorch, to 1e-4 of the largest.
  - `cnnctl export --format safetensors` of that file loads with strict=True, and holds the same bits.
  - What `cnnctl train --epochs 0` writes loads with strict=True, and PyTorch's logits with it are cnnctl's.

    python3 scripts/check-pytorch.py [MODEL...]      # the program is built from this source unless --cnnctl names one
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from torchvision import models

from logits import CIFARResNet, fnv1a, uniform

CLASSES = 10
LARGEST = 1e-4  # difference, of the largest logit
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]

TORCHVISION = [f"vgg{n}{bn}" for n in (11, 13, 16, 19) for bn in ("", "_bn")] + ["alexnet", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2"] + [
    f"resnet{n}" for n in (18, 34, 50, 101)]
CIFAR = [f"resnet{n}" for n in (20, 32, 44, 56)]


def read_safetensors(path):
    """Returns the tensors of a safetensors file; Python's library of that name may be missing, and the format is simple enough."""
    types = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "U8": torch.uint8}
    b = bytearray(path.read_bytes())
    n = int.from_bytes(b[:8], "little")
    header = json.loads(bytes(b[8 : 8 + n]))
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        count = end - begin
        flat = torch.frombuffer(b, dtype=torch.uint8, count=count, offset=8 + n + begin).clone() if count else torch.empty(0, dtype=torch.uint8)
        out[name] = flat.view(types[t["dtype"]]).reshape(t["shape"])
    return out


def build(model):
    if model in CIFAR:
        return CIFARResNet(int(model.removeprefix("resnet")), CLASSES).eval()
    return getattr(models, model)(num_classes=CLASSES).eval()


def enliven(net, seed):
    """Draws numbers with which images matter and every tensor does: initial batch norms and biases would hide many a mistake."""
    g = torch.Generator().manual_seed(seed)
    for name, t in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            t.fill_(1234)
        elif name.endswith("running_var"):
            t.uniform_(0.5, 1.5, generator=g)
        elif t.dim() == 1 and name.endswith("weight"):
            t.uniform_(0.5, 1.25, generator=g)
        elif t.dim() == 1:
            t.uniform_(-0.1, 0.1, generator=g)
        else:
            bound = (6 / t[0].numel()) ** 0.5
            t.uniform_(-bound, bound, generator=g)


def logits(net, pictures, mean=MEAN, std=STD):
    x = (np.stack(pictures).astype(np.float64) / 255 - mean) / std
    with torch.no_grad():
        return net.float()(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32))).numpy()


def ours(cnnctl, weights, paths):
    out = subprocess.run([cnnctl, "predict", "--weights", weights, "--logits", *paths], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return np.array([json.loads(line)["logits"] for line in out.splitlines()])


def apart(got, want):
    assert got.shape == want.shape, (got.shape, want.shape)
    return float(np.abs(got - want).max() / np.abs(want).max())


def check(cnnctl, model, legacy, tmp):
    """Returns how far apart the logits are, with PyTorch's weights and with ours."""
    size = 32 if model in CIFAR else 64
    pictures, paths = [], []
    for i in range(2):
        pictures.append(np.round(uniform((size, size, 3), fnv1a(f"picture {i}"), 127.0) + np.float32(127)).astype(np.uint8))
        paths.append(tmp / f"{i}.png")
        Image.fromarray(pictures[-1]).save(paths[-1])

    torch.manual_seed(fnv1a(model))
    net = build(model)
    enliven(net, fnv1a(model))
    theirs = tmp / "theirs.pth"
    state = net.state_dict()
    torch.save({"epoch": 1, "state_dict": {"module." + k: t for k, t in state.items()}} if legacy else state, theirs, _use_new_zipfile_serialization=not legacy)
    config = dict(architecture="mobilenetv2_100" if model == "mobilenet_v2" else model, num_classes=CLASSES,
                  pretrained_cfg=dict(input_size=[3, size, size], crop_pct=1.0, mean=MEAN, std=STD, interpolation="bilinear"))
    (tmp / "config.json").write_text(json.dumps(config))
    want = logits(net, pictures)
    first = apart(ours(cnnctl, theirs, paths), want)
    moved = np.abs(want[0] - want[1]).max()
    assert moved > 0.005 * np.abs(want).max(), "the pictures hardly matter, so that the numbers would prove little"

    copy = tmp / "copy.safetensors"
    subprocess.run([cnnctl, "export", theirs, "--format", "safetensors", "-o", copy], check=True, stdout=subprocess.DEVNULL)
    tensors = read_safetensors(copy)
    assert tensors.keys() == state.keys() and all(torch.equal(tensors[k], state[k]) for k in state), "the copy holds other bits"
    net.load_state_dict(tensors, strict=True)
    theirs.unlink()
    copy.unlink()
    (tmp / "config.json").unlink()

    subprocess.run([cnnctl, "train", model, "--epochs", "0", "--image-size", str(size), "--data", "shapes", "--project", tmp, "--name", "run", "-q"], check=True)
    weights = tmp / "run/weights/last.safetensors"
    net.load_state_dict(read_safetensors(weights), strict=True)
    b = weights.read_bytes()
    n = int.from_bytes(b[:8], "little")
    spec = json.loads(json.loads(b[8 : 8 + n])["__metadata__"]["cnnctl.spec"])["preprocess"]
    return first, apart(ours(cnnctl, weights, paths), logits(net, pictures, spec["mean"], spec["std"]))


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("models", nargs="*", help="names of networks (default: all)")
    args.add_argument("--cnnctl", help="the program (default: built from this source)")
    args = args.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        cnnctl = args.cnnctl
        if not cnnctl:
            cnnctl = str(tmp / "cnnctl")
            subprocess.run(["go", "build", "-o", cnnctl, "./cmd/cnnctl"], cwd=pathlib.Path(__file__).parent.parent, check=True)
        print("PyTorch", torch.__version__)
        for i, model in enumerate(args.models or CIFAR + TORCHVISION[::-1]):
            with tempfile.TemporaryDirectory(dir=tmp) as folder:
                theirs, back = check(cnnctl, model, i % 2 == 1, pathlib.Path(folder))
            ok = max(theirs, back) <= LARGEST
            print(f"{model:14} {'legacy' if i % 2 else 'zip':6} logits differ by {theirs:.1e} with PyTorch's weights, {back:.1e} with ours; strict=True loads both"
                  f"{'' if ok else '  FAILED'}", flush=True)
            if not ok:
                failed.append(model)
    if failed:
        sys.exit(f"more than {LARGEST} of the largest logit apart: {', '.join(failed)}")


if __name__ == "__main__":
    main()
