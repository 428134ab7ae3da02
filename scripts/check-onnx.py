#!/usr/bin/env python3
"""Runs what `cnnctl export --format onnx` writes in another program, and compares the logits with cnnctl's own.

For every network of the zoo: initial weights are replaced by formula weights with lively batch norms (scripts/logits.py), exported with and
without --fold-bn, and run on a batch of random pictures that cnnctl predicts too. The runtime is the first that is there of onnxruntime,
onnx.reference (onnx 1.13 and newer), and onnxruntime-node (npm) in the folder --node. Where Python's onnx is there, its checker looks at each file too.

    python3 scripts/check-onnx.py                          # all networks; the program is built from this source unless --cnnctl names one
    python3 scripts/check-onnx.py --node DIR resnet18      # npm install onnxruntime-node in DIR
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from logits import uniform, values, fnv1a

BATCH = 3
LARGEST = 1e-4  # difference, of the largest logit
SIZES = {"alexnet": 67, "alexnet_2012": 67, "lenet5": 28, "lenet5_relu": 28, "mobilenet_v2": 64}  # the smallest that says something; others 64 or, of CIFAR, 32

NODE = """
const ort = require('onnxruntime-node'), fs = require('fs');
const [model, input, dims, output] = process.argv.slice(1);
(async () => {
  const session = await ort.InferenceSession.create(model);
  const b = fs.readFileSync(input);
  const x = new Float32Array(b.buffer, b.byteOffset, b.length / 4);
  const y = await session.run({ input: new ort.Tensor('float32', x, JSON.parse(dims)) });
  fs.writeFileSync(output, Buffer.from(y.logits.data.buffer, y.logits.data.byteOffset, y.logits.data.byteLength));
})().catch(e => { console.error(e); process.exit(1); });
"""


def find_runtime(node):
    """Returns the name of a runtime and a function from a file and a batch to logits."""
    try:
        import onnxruntime

        return "onnxruntime " + onnxruntime.__version__, lambda path, x: onnxruntime.InferenceSession(str(path)).run(None, {"input": x})[0]
    except ImportError:
        pass
    try:
        import onnx
        from onnx.reference import ReferenceEvaluator

        return "onnx.reference " + onnx.__version__, lambda path, x: ReferenceEvaluator(str(path)).run(None, {"input": x})[0]
    except ImportError:
        pass
    if not node:
        raise SystemExit("no runtime: wanted Python's onnxruntime, onnx 1.13 or newer, or --node with a folder in which npm has installed onnxruntime-node")

    def run(path, x):
        with tempfile.TemporaryDirectory() as tmp:
            given, got = pathlib.Path(tmp) / "x", pathlib.Path(tmp) / "y"
            given.write_bytes(x.tobytes())
            subprocess.run(["node", "-e", NODE, str(path), str(given), json.dumps(x.shape), str(got)], cwd=node, check=True)
            return np.frombuffer(got.read_bytes(), np.float32).reshape(len(x), -1)

    version = json.loads((pathlib.Path(node) / "node_modules/onnxruntime-node/package.json").read_text())["version"]
    return "onnxruntime-node " + version, run


def read_safetensors(path):
    """Returns metadata and tensors of a safetensors file of float32; the format is simple enough."""
    b = path.read_bytes()
    n = int.from_bytes(b[:8], "little")
    header = json.loads(b[8 : 8 + n])
    meta = header.pop("__metadata__", {})
    return meta, {k: (t["shape"], b[8 + n :][slice(*t["data_offsets"])]) for k, t in header.items()}


def write_safetensors(path, meta, tensors):
    header, at = {"__metadata__": meta}, 0
    for name, t in tensors.items():
        header[name] = dict(dtype="F32", shape=list(t.shape), data_offsets=[at, at + t.nbytes])
        at += t.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for t in tensors.values():
            f.write(np.ascontiguousarray(t, np.float32).tobytes())


def lively(name, shape):
    """Returns formula weights, or where the formula would take gigabytes, numbers of the same spread."""
    n = math.prod(shape)
    if n < 8 << 20:
        return values(name, shape)
    bound = np.float32(math.sqrt(6 * shape[0] / n))
    return np.random.default_rng(fnv1a(name)).random(shape, np.float32) * (2 * bound) - bound


def check(cnnctl, run, model, tmp):
    """Returns the largest difference of the logits, in shares of the largest logit, without and with folding, and the largest logit."""
    from PIL import Image

    size = SIZES.get(model, 32 if model in ("resnet20", "resnet32", "resnet44", "resnet56") else 64)
    data = "digits" if model.startswith("lenet") else "shapes"
    subprocess.run([cnnctl, "train", model, "--epochs", "0", "--image-size", str(size), "--data", data, "--project", tmp, "--name", "run", "-q"], check=True)
    meta, tensors = read_safetensors(tmp / "run/weights/last.safetensors")
    spec = json.loads(meta["cnnctl.spec"])
    channels = spec["input"][2]
    pre = spec["preprocess"]
    pre.update(resize="none", mean=[0.4, 0.5, 0.6][:channels], std=[0.2, 0.25, 0.3][:channels], scale=1)
    pre.pop("resize_to", None)
    meta["cnnctl.spec"] = json.dumps(spec)
    meta.pop("cnnctl.digests", None)
    weights = tmp / "formula.safetensors"
    write_safetensors(tmp / "raw.safetensors", meta, {name: lively(name, tuple(shape)) for name, (shape, _) in tensors.items()})
    subprocess.run([cnnctl, "convert", tmp / "raw.safetensors", weights], check=True, stdout=subprocess.DEVNULL)

    pictures, paths = [], []
    for i in range(BATCH):
        p = np.round(uniform((size, size, channels), fnv1a(f"picture {i}"), 127.0) + np.float32(127)).astype(np.uint8)
        pictures.append(p)
        paths.append(tmp / f"{i}.png")
        Image.fromarray(p[:, :, 0] if channels == 1 else p).save(paths[-1])
    lines = subprocess.run([cnnctl, "predict", "--weights", weights, "--logits", *paths], check=True, stdout=subprocess.PIPE).stdout.splitlines()
    want = np.array([json.loads(line)["logits"] for line in lines])
    x = (np.stack(pictures).astype(np.float64) / 255 - pre["mean"]) / pre["std"]
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32)

    worst = []
    for fold in ([], ["--fold-bn"]):
        path = tmp / "net.onnx"
        subprocess.run([cnnctl, "export", weights, "--format", "onnx", "-o", path, "--force", *fold], check=True, stdout=subprocess.DEVNULL)
        try:
            import onnx

            onnx.checker.check_model(str(path), full_check=True)
        except ImportError:
            pass
        got = run(path, x)
        assert got.shape == want.shape, (got.shape, want.shape)
        single = run(path, x[:1])  # the batch is of any size
        assert np.abs(single - got[:1]).max() <= 1e-5 * np.abs(want).max()
        worst.append(float(np.abs(got - want).max() / np.abs(want).max()))
    moved = np.abs(want[0] - want[1]).max()
    assert moved > 20 * LARGEST * np.abs(want).max(), f"{model}: the pictures hardly matter, so that the numbers would prove little"
    return worst, np.abs(want).max()


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("models", nargs="*", help="names of networks (default: all)")
    args.add_argument("--cnnctl", help="the program (default: built from this source)")
    args.add_argument("--node", help="folder in which npm has installed onnxruntime-node")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        cnnctl = args.cnnctl
        if not cnnctl:
            cnnctl = str(tmp / "cnnctl")
            subprocess.run(["go", "build", "-o", cnnctl, "./cmd/cnnctl"], cwd=pathlib.Path(__file__).parent.parent, check=True)
        name, run = find_runtime(args.node)
        print("runtime:", name)
        models = args.models
        if not models:
            models = [line.split()[0] for line in subprocess.run([cnnctl, "models"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[1:] if line.strip()]
        failed = []
        for model in models:
            with tempfile.TemporaryDirectory(dir=tmp) as folder:
                (plain, folded), largest = check(cnnctl, run, model, pathlib.Path(folder))
            ok = max(plain, folded) <= LARGEST
            print(f"{model:14} logits up to {largest:9.3g}; differ by {plain:.1e}, folded {folded:.1e}{'' if ok else '  FAILED'}", flush=True)
            if not ok:
                failed.append(model)
    if failed:
        sys.exit(f"more than {LARGEST} of the largest logit apart: {', '.join(failed)}")


if __name__ == "__main__":
    main()
