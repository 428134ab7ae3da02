#!/usr/bin/env python3
"""Writes data/augment/testdata/torchvision.json: what torchvision and PIL make of one small picture.

The Go tests compare package data/augment with it. Needs torchvision and PIL (Debian: python3-torchvision, python3-pil):

    python3 scripts/augment-fixtures.py > data/augment/testdata/torchvision.json

The picture mixes smooth colour, hard edges and noise, in an odd size, so that rounding, clipping and borders all occur.
"""

import base64
import json
import sys

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode
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
    case("grayscale", rgb)["want"] = packed(F.to_grayscale(rgb))
    case("rgb", grey)["want"] = packed(grey.convert("RGB"))

    # Normalised values of every byte in three channels, little-endian float32.
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    normal = F.normalize(F.to_tensor(ramp), mean, std).permute(1, 2, 0).numpy().astype("<f4")
    json.dump({
        "versions": {"torchvision": torchvision.__version__, "pil": PIL.__version__},
        "sources": {"rgb": packed(rgb), "grey": packed(grey)},
        "cases": cases,
        "normalize": {"mean": mean, "std": std, "want": base64.b64encode(normal.tobytes()).decode()},
    }, sys.stdout, indent=0)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
