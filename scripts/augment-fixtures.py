#!/usr/bin/env python3
"""Writes data/augment/testdata/torchvision.json: what torchvision and PIL make of one small picture.

The Go tests compare package data/augment with it. Needs torchvision and PIL (Debian: python3-torchvision, python3-pil):

    python3 scripts/augment-fixtures.py > data/augment/testdata/torchvision.json

The picture mixes smooth colour, hard edges and noise, in an odd size, so that rounding, clipping and borders all occur.
"""

import base64
import hashlib
import json
import sys

import numpy as np
import PIL
import torchvision
from PIL import Image, ImageEnhance, ImageOps
from torchvision.transforms import InterpolationMode, autoaugment
from torchvision.transforms import functional as F

FILTERS = {
    "nearest": InterpolationMode.NEAREST,
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}


def picture(width=27, height=20):
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([255 * x / (width - 1), 255 * y / (height - 1), 127 + 127 * np.sin(x * 0.7 + y * 0.3)], axis=2)
    rgb[(x // 7 + y // 5) % 3 == 0] *= 0.3
    rgb[5:9, 10:30] = 255
    noise = np.random.RandomState(1).randint(-30, 31, rgb.shape)
    return Image.fromarray(np.clip(rgb + noise, 0, 255).astype(np.uint8))


def packed(img):
    a = np.asarray(img)
    a = a.reshape(a.shape[0], a.shape[1], -1)
    return {"h": a.shape[0], "w": a.shape[1], "c": a.shape[2], "pix": base64.b64encode(a.tobytes()).decode()}


def digest(img):
    return hashlib.sha256(np.asarray(img).tobytes()).hexdigest()[:16]


def operations(case, rgb, grey):
    """The operations of RandAugment and TrivialAugment, by the names of opNames in package augment. The results are digests."""
    dull = Image.fromarray((np.asarray(rgb) // 3 + 40).astype(np.uint8))  # leaves autocontrast and equalize something to do
    flat = Image.new("RGB", (27, 20), (7, 7, 200))
    small = rgb.crop((0, 0, 2, 9))
    fill = {"RGB": (124, 116, 104), "L": 124}
    pictures = [("rgb", rgb), ("grey", grey), ("dull", dull), ("flat", flat), ("small", small), ("square", rgb.crop((3, 0, 22, 19)))]

    def whole(name, f, args=(0,)):
        for source, img in pictures:
            for arg in args:
                c = case("op:" + name, img, arg=arg)
                c["source"], c["digest"] = source, digest(f(img, arg))

    whole("AutoContrast", lambda img, _: ImageOps.autocontrast(img))
    whole("Equalize", lambda img, _: ImageOps.equalize(img))
    whole("Invert", lambda img, _: ImageOps.invert(img))
    whole("Posterize", ImageOps.posterize, (0, 3, 8))
    whole("Solarize", ImageOps.solarize, (0, 100, 153.6, 256))
    # timm's solarize_add: what is darker than 128 becomes brighter.
    whole("SolarizeAdd", lambda img, add: img.point([min(255, i + add) if i < 128 else i for i in range(256)] * len(img.getbands())), (55, 110))
    for name, enhancer in [("Color", ImageEnhance.Color), ("Contrast", ImageEnhance.Contrast), ("Brightness", ImageEnhance.Brightness),
                           ("Sharpness", ImageEnhance.Sharpness)]:
        whole(name, lambda img, factor: enhancer(img).enhance(factor), (0.1, 0.73, 1.0, 1.9))
    # The matrices of timm's shear_x, ..., translate_y_rel.
    moves = [("ShearX", lambda v: (1, v, 0, 0, 1, 0), (0.3, -0.27)), ("ShearY", lambda v: (1, 0, 0, v, 1, 0), (0.3, -0.111)),
             ("TranslateX", lambda v: (1, 0, v, 0, 1, 0), (10.935, -3.0, 40)), ("TranslateY", lambda v: (1, 0, 0, 0, 1, v), (-8.1, 2.5))]
    for source, img in pictures[:2] + pictures[5:]:
        for filter, resample in [("nearest", Image.NEAREST), ("bilinear", Image.BILINEAR)]:
            for name, matrix, args in moves:
                for arg in args:
                    c = case("op:" + name, img, filter, arg=arg)
                    c["source"] = source
                    c["digest"] = digest(img.transform(img.size, Image.AFFINE, matrix(arg), resample=resample, fillcolor=fill[img.mode]))
            for arg in (27.0, -11.3, 90.0, 180.0, 0.0):
                c = case("op:Rotate", img, filter, arg=arg)
                c["source"], c["digest"] = source, digest(img.rotate(arg, resample=resample, fillcolor=fill[img.mode]))
    return {name: packed(img) for name, img in pictures}


def scalar_linspace(values):
    """torch.linspace as its scalar code computes it; the vector code's last bits depend on the processor."""
    first, last, n = np.float32(values[0].item()), np.float32(values[-1].item()), len(values)
    width = (last - first) / np.float32(n - 1)
    exact = [first + width * np.float32(i) if i < n // 2 else last - width * np.float32(n - 1 - i) for i in range(n)]
    assert np.allclose(exact, values.numpy(), rtol=1e-6)
    return exact


def trivial(case, rgb):
    """Every operation, magnitude and sign of TrivialAugmentWide, as digests too."""
    space = autoaugment.TrivialAugmentWide()._augmentation_space(31)
    for name, (magnitudes, signed) in space.items():
        values = [0] if not magnitudes.ndim else magnitudes if name == "Posterize" else scalar_linspace(magnitudes)
        for step, value in enumerate(map(float, values)):
            for sign in (1, -1) if signed else (1,):
                for filter, mode in [("nearest", InterpolationMode.NEAREST), ("bilinear", InterpolationMode.BILINEAR)]:
                    c = case("trivial:" + name, rgb, filter, step=step, sign=sign)
                    c["digest"] = digest(autoaugment._apply_op(rgb, name, sign * value, mode, None))


def main():
    rgb = picture()
    grey = rgb.convert("L")
    cases = []

    def case(op, img, filter="", **args):
        source = "grey" if img.mode == "L" or op == "rgb" else "rgb"
        cases.append({"op": op, "source": source, "filter": filter, "args": args})
        return cases[-1]

    for name, mode in FILTERS.items():
        for h, w in [(8, 11), (20, 13), (31, 27), (42, 33), (1, 1)]:
            for img in (rgb, grey):
                if img is grey and h > 20:
                    continue
                case("resize", img, name, h=h, w=w)["want"] = packed(F.resize(img, [h, w], mode))
        case("short", rgb, name, n=13)["want"] = packed(F.resize(rgb, 13, mode))
        case("short+center", rgb, name, n=16, h=13, w=14)["want"] = packed(
            F.center_crop(F.resize(rgb, 16, mode), [13, 14]))
        case("resized_crop", rgb, name, top=3, left=5, height=14, width=19, h=10, w=10)["want"] = packed(
            F.resized_crop(rgb, 3, 5, 14, 19, [10, 10], mode))
    for h, w in [(13, 14), (14, 13), (19, 26), (20, 27), (25, 20), (26, 34)]:
        case("center", grey, h=h, w=w)["want"] = packed(F.center_crop(grey, [h, w]))
    case("hflip", rgb)["want"] = packed(F.hflip(rgb))
    case("vflip", rgb)["want"] = packed(F.vflip(rgb))
    for name in ("nearest", "bilinear"):
        for angle in (30.0, -17.5, 171.0):
            case("rotate", rgb if angle > 0 else grey, name, angle=angle, fill=9 if angle < 0 else 0)["want"] = packed(
                F.rotate(rgb, angle, FILTERS[name]) if angle > 0 else F.rotate(grey, angle, FILTERS[name], fill=9))
        for angle, dx, dy, scale, sx, sy in [(0, 3, -2, 1, 0, 0), (12.3, 0, 4, 0.8, 0, 0), (-33, -5, 1, 1.27, 9.5, 0),
                                             (5, 0, 0, 1, -11, 7.5)]:
            case("affine", rgb, name, angle=angle, dx=dx, dy=dy, scale=scale, shear_x=sx, shear_y=sy)["want"] = packed(
                F.affine(rgb, angle, [dx, dy], scale, [sx, sy], FILTERS[name]))
    for factor in (0, 0.37, 1, 1.6):
        for op, f in [("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast),
                      ("saturation", F.adjust_saturation)]:
            case(op, rgb, factor=factor)["want"] = packed(f(rgb, factor))
        case("contrast", grey, factor=factor)["want"] = packed(F.adjust_contrast(grey, factor))
    for share in (-0.5, -0.1, 0.03, 0.25, 0.5):
        case("hue", rgb, factor=share)["want"] = packed(F.adjust_hue(rgb, share))
    more = operations(case, rgb, grey)
    trivial(case, rgb)
    case("grayscale", rgb)["want"] = packed(F.to_grayscale(rgb))
    case("rgb", grey)["want"] = packed(grey.convert("RGB"))

    # Normalised values of every byte in three channels, little-endian float32.
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    normal = F.normalize(F.to_tensor(ramp), mean, std).permute(1, 2, 0).numpy().astype("<f4")
    fields = {
        "versions": {"torchvision": torchvision.__version__, "pil": PIL.__version__},
        "sources": more,
        "normalize": {"mean": mean, "std": std, "want": base64.b64encode(normal.tobytes()).decode()},
    }
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in fields.items()]
    lines.append('"cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]")
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
