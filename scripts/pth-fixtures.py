#!/usr/bin/python3
"""Writes checkpoint/testdata: small PyTorch files, and what PyTorch reads from them and from the real files of ../shared/data.

Run it from the root of the repository, with PyTorch (Debian: python3-torch): scripts/pth-fixtures.py

expected.json holds, by file, what torch.load gives: for every tensor its name, type, shape, the SHA-256 (first 16 digits) of its
elements, row-major and little-endian, and their sum. Which dictionary of a file is the model's is written down here by hand: the tests
compare the choice of package checkpoint with it. Files are the same bytes whenever the script runs.
"""
import collections
import glob
import hashlib
import io
import json
import os
import pickle
import struct
import zipfile

import torch

OUT = "checkpoint/testdata"
SHARED = "../shared/data"
os.makedirs(OUT, exist_ok=True)
torch.manual_seed(1)

# The dictionary that holds the model, where it is not the outermost one.
KEYS = {
    "config__weights_with_config.pt": "my_model",
    "reader__test_data__checkpoint.pt": "model_state_dict",
    "top_level_key__top_level_key.pt": "my_state_dict",
    "resnet20-12fca82f.th": "state_dict",
    "resnet32-d509ac18.th": "state_dict",
    "resnet44-014dd654.th": "state_dict",
    "resnet56-4bfd9763.th": "state_dict",
    "nested.pth": "state_dict_ema",
    "twice.pth": "model/state_dict",
}

# What is refused, with a part of the reason.
REFUSED = {
    "reader__test_data__broken.pt": "3 bytes",
    "complex.pth": "torch.ComplexFloatStorage",
    "quantized.pth": "torch._utils._rebuild_qtensor",
    "sparse.pth": "torch._utils._rebuild_sparse_tensor",
    "module.pth": "torch.nn.modules.linear.Linear",
    "numpy.pth": "numpy",
    "code.pth": "posix.system",
    "script.pth": "TorchScript",
    "unfolded.pth": "overlap",
    "repeated.pth": "repeating",
    "negative.pth": "flags",
    "deflated.pth": "compressed",
    "wrong-crc.pth": "CRC-32",
    "wrong-crc-pickle.pth": "CRC-32",
    "empty-dict.pth": "without any",
    "plain-pickle.pth": "torch.save did not write",
    "short-storage.pth": "truncated",
}

DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
          torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def repack(data, change=None, name="archive", method=zipfile.ZIP_STORED):
    """Writes the records of a zip anew, with one top folder, fixed times and no padding: small, and the same bytes every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        records = {n.split("/", 1)[1]: old.read(n) for n in old.namelist()}
        for n, b in (change(records) if change else records).items():
            new.writestr(zipfile.ZipInfo(f"{name}/{n}", (1980, 1, 1, 0, 0, 0)), b, method)
    return out.getvalue()


def renumber(data):
    """Numbers the storages of a legacy stream, whose keys and order are those of addresses, by first use."""
    f = io.BytesIO(data)
    sizes = {}  # bytes per element, by key

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, ident):
            sizes.setdefault(ident[2], torch.tensor([], dtype=ident[1].dtype).element_size())
            return torch.zeros(ident[4], dtype=ident[1].dtype).storage()

    def text(s):  # as a pickle of protocol 2 has it
        return b"X" + struct.pack("<i", len(s)) + s.encode()

    for _ in range(3):
        pickle.load(f)
    Unpickler(f).load()
    keys_at = f.tell()
    storages = {}
    for key in pickle.load(f):
        count = f.read(8)
        storages[key] = count + f.read(struct.unpack("<q", count)[0] * sizes[key])
    head = data[:keys_at] + pickle.dumps(list(sizes), protocol=2)
    for i, key in enumerate(sizes):
        head = head.replace(text(key), text(str(i)))
    return head + b"".join(storages[key] for key in sizes)


def save(name, obj, legacy=False, **kw):
    b = io.BytesIO()
    torch.save(obj, b, _use_new_zipfile_serialization=not legacy, **kw)
    write(name, renumber(b.getvalue()) if legacy else repack(b.getvalue()))


def write(name, data):
    with open(f"{OUT}/{name}", "wb") as f:
        f.write(data)


def saved(obj):
    b = io.BytesIO()
    torch.save(obj, b)
    return b.getvalue()


def od(*pairs):
    return collections.OrderedDict(pairs)


def digits(*shape, dtype=torch.float32):
    return (torch.randint(-64, 65, shape).double() / 8).to(dtype)


def make():
    base = digits(4, 6)
    views = od(
        ("transposed", base.t()), ("column", base[:, 2]), ("steps", base[1:4:2, 1::2]), ("row", base[3]), ("expanded", base[0, :1].expand(2, 3)),
        ("diagonal", base.diagonal()), ("scalar", base[2, 3]), ("empty", base[:0]), ("whole", base), ("permuted", digits(2, 3, 4, 5).permute(2, 0, 3, 1)),
        ("channels_last", digits(2, 3, 3, 2).to(memory_format=torch.channels_last)), ("half", digits(3, 4, dtype=torch.float16).t()),
        ("bytes", digits(3, 4, dtype=torch.uint8).t()), ("ones", torch.ones(1, 5, 1).expand(1, 5, 1)))
    save("views.pth", views)
    save("views-legacy.pth", views, legacy=True)
    types = od(*((name.lower(), digits(3, 2).to(dtype)) for dtype, name in DTYPES.items()))
    save("types.pth", types)
    save("types-legacy.pth", types, legacy=True)
    save("protocol4.pth", types, pickle_protocol=4)
    save("protocol5.pth", types, pickle_protocol=5)

    def big(records):
        """What a big-endian machine writes."""
        for i, dtype in enumerate(DTYPES):
            size = torch.tensor([], dtype=dtype).element_size()
            b = records[f"data/{i}"]
            records[f"data/{i}"] = b"".join(b[j:j + size][::-1] for j in range(0, len(b), size))
        return records | {"byteorder": b"big"}
    write("types-big-endian.pth", repack(saved(types), big))

    linear = od(("module.fc.weight", digits(2, 3)), ("module.fc.bias", torch.nn.Parameter(digits(2))))
    save("module-prefix.pth", linear)
    save("compiled.pth", od(*(("_orig_mod." + k, v) for k, v in linear.items())))
    save("partly-prefixed.pth", od(("module.a", digits(2)), ("b", digits(2))))
    save("nested.pth", {"epoch": 7, "arch": "net", "state_dict": {"w": digits(2)}, "state_dict_ema": {"w": digits(2)}, "best": 0.5, "lr": [0.1, 0.01],
                        "optimizer": {"state": {0: {"exp_avg": digits(2)}}}, "shape": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float32})
    save("twice.pth", {"model": {"state_dict": {"w": digits(2)}, "v": 1}, "step": None})
    save("list.pth", [digits(2), {"a": (digits(1), digits(1, 2))}, "text"])
    save("tensor.pth", digits(2, 2))

    save("complex.pth", od(("w", torch.ones(2, dtype=torch.complex64))))
    save("quantized.pth", od(("w", torch.quantize_per_tensor(digits(2), 0.1, 0, torch.qint8))))
    save("sparse.pth", od(("w", torch.eye(2).to_sparse())))
    save("module.pth", torch.nn.Linear(1, 1))
    save("numpy.pth", {"w": digits(1), "best": digits(1).numpy()[0]})
    save("unfolded.pth", od(("w", digits(6).unfold(0, 3, 1))))
    save("repeated.pth", od(("w", torch.ones(1).expand(100000))))
    save("empty-dict.pth", od())

    def flagged(records):
        """PyTorch 2 adds an argument to tensors whose stored numbers are the negative ones, as those of x.conj().imag are."""
        p = records["data.pkl"]
        at = p.rindex(b"tq")  # the tuple of arguments
        return records | {"data.pkl": p[:at] + b"}X\x03\x00\x00\x00neg\x88s" + p[at:]}
    write("negative.pth", repack(saved(od(("w", torch.tensor([1.0, 2.0])))), flagged))

    class Code:
        def __reduce__(self):
            return os.system, ("true",)
    save("code.pth", {"w": digits(1), "x": Code()})
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), script)
    write("script.pth", repack(script.getvalue(), lambda r: {k: v for k, v in r.items() if k.endswith(".pkl")}))

    good = repack(saved(od(("w", torch.tensor([1.0, 2.0])))))
    write("deflated.pth", repack(good, method=zipfile.ZIP_DEFLATED))
    one = struct.pack("<ff", 1, 2)
    write("wrong-crc.pth", good.replace(one, struct.pack("<ff", 1, 3)))
    write("wrong-crc-pickle.pth", good.replace(b"FloatStorage", b"floatStorage"))
    write("plain-pickle.pth", pickle.dumps({"w": [1.0, 2.0]}, protocol=2))
    with open(f"{OUT}/types-legacy.pth", "rb") as f:
        write("short-storage.pth", f.read()[:-1])


def flatten(v, name=""):
    if isinstance(v, torch.Tensor):
        yield name or "tensor", v
    elif isinstance(v, dict):
        for k, x in v.items():
            yield from flatten(x, f"{name}.{k}" if name else str(k))
    elif isinstance(v, (list, tuple)):
        for i, x in enumerate(v):
            yield from flatten(x, f"{name}.{i}" if name else str(i))


def summary(name, t):
    t = t.detach().contiguous()
    raw = t.view(torch.int16) if t.dtype == torch.bfloat16 else t
    digest = hashlib.sha256(raw.numpy().tobytes()).hexdigest()[:16]
    total = t.double().sum().item()
    return [name, DTYPES[t.dtype], list(t.shape), digest, f"{total:.9g}"]


def expect(path):
    base = os.path.basename(path)
    if base in REFUSED:
        return {"refused": REFUSED[base]}
    with open(path, "rb") as f:
        if f.read(512)[257:262] == b"ustar":
            return {"refused": "tar archive"}
    if base == "types-big-endian.pth":  # which PyTorch reads since 2.1
        path = path.replace("types-big-endian", "types")
    obj = torch.load(path, map_location="cpu")
    for key in filter(None, KEYS.get(base, "").split("/")):
        obj = obj[key]
    tensors = list(flatten(obj))
    for prefix in "_orig_mod.", "module.":
        if all(n.startswith(prefix) for n, _ in tensors):
            tensors = [(n[len(prefix):], t) for n, t in tensors]
    return {"key": KEYS.get(base, ""), "tensors": [summary(n, t) for n, t in tensors]}


make()
files = sorted(glob.glob(f"{OUT}/*.pth"))
files += [p for p in sorted(glob.glob(f"{SHARED}/pth/*") + glob.glob(f"{SHARED}/weights/*.th")) if not p.endswith(".safetensors")]
lines = []
for path in files:
    e = expect(path)
    place = os.path.relpath(path, OUT if path.startswith(OUT) else SHARED)
    tensors = e.pop("tensors", None)
    text = json.dumps(e)
    if tensors is not None:
        rows = ",\n".join("  " + json.dumps(t, separators=(",", ":")) for t in tensors)
        text = f'{text[:-1]}, "tensors": [\n{rows}]}}'
    lines.append(f"{json.dumps(place)}: {text}")
with open(f"{OUT}/expected.json", "w") as f:
    f.write("{\n" + ",\n".join(lines) + "\n}\n")
print(len(files), "files")
