#!/usr/bin/env python3
"""Writes the image fixtures of package data: small files of every kind, and what PIL makes of each as RGB.

images/NAME.EXT is decoded by DecodeImage; images/NAME.want.png holds the expected pixels.
Written with PIL 9.4 (libjpeg-turbo, libwebp). Run it in this folder.
"""
import io
import math
import os
import struct
import zlib

from PIL import Image, ImageOps

W, H = 37, 23


def picture(w=W, h=H):
    """A smooth colour picture with an edge, no symmetry, and every channel different."""
    im = Image.new("RGB", (w, h))
    for y in range(h):
        for x in range(w):
            r = 255 * x // (w - 1)
            g = 255 * y // (h - 1)
            b = int(127 + 120 * math.sin(0.5 * x + 0.3 * y))
            if x > 20 and y < 9:
                r, g, b = 240, 30, 40
            im.putpixel((x, y), (r, g, b))
    return im


def exif(orientation):
    e = Image.Exif()
    e[0x0112] = orientation
    return e.tobytes()


def put(name, data, want=None):
    with open(os.path.join("images", name), "wb") as f:
        f.write(data)
    if want is None:
        want = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    want.info.clear()  # a transparent colour must not get into the expected file
    want.save(os.path.join("images", name.split(".")[0] + ".want.png"))


def save(name, im, fmt, **kw):
    b = io.BytesIO()
    im.save(b, fmt, **kw)
    put(name, b.getvalue())


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(im, alpha=False):
    """PIL cannot write 16-bit colour: the low bytes here are noise that must not matter."""
    rows = b""
    for y in range(im.height):
        rows += b"\0"
        for x in range(im.width):
            px = im.getpixel((x, y))
            for v in px + ((x * 7 % 256,) if alpha else ()):
                rows += bytes([v, (x * 31 + y * 17) % 256])
    head = struct.pack(">IIBBBBB", im.width, im.height, 16, 6 if alpha else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def main():
    os.makedirs("images", exist_ok=True)
    im = picture()
    for name, sub in (("jpeg444", 0), ("jpeg422", 1), ("jpeg420", 2)):
        save(name + ".jpg", im, "JPEG", quality=90, subsampling=sub)
    save("jpegprog.jpg", im, "JPEG", quality=90, subsampling=2, progressive=True)
    save("jpegtiny.jpg", im.crop((0, 0, 3, 5)), "JPEG", quality=90, subsampling=2)
    save("jpeggray.jpg", im.convert("L"), "JPEG", quality=90)
    save("jpegcmyk.jpg", im.convert("CMYK"), "JPEG", quality=90)
    for o in range(1, 9):
        save(f"exif{o}.jpg", im, "JPEG", quality=90, subsampling=0, exif=exif(o))
    save("pngrgb.png", im, "PNG")
    save("pngexif.png", im, "PNG", exif=exif(6))
    save("pnggray.png", im.convert("L"), "PNG")
    rgba = im.convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(im.size))
    save("pngrgba.png", rgba, "PNG")
    la = rgba.convert("LA")
    save("pngla.png", la, "PNG")
    pal = im.quantize(19)
    save("pngpal.png", pal, "PNG")
    save("pngtrns.png", pal, "PNG", transparency=3)
    put("png16.png", png16(im), im)
    put("png16a.png", png16(im, True), im)
    save("gif.gif", pal, "GIF")
    save("giftrns.gif", pal, "GIF", transparency=3)
    save("gifanim.gif", pal, "GIF", save_all=True, append_images=[im.rotate(180).quantize(16)], duration=100)
    save("bmp24.bmp", im, "BMP")
    save("bmp8.bmp", pal, "BMP")
    save("webp.webp", im, "WEBP", quality=90)
    save("webpll.webp", im, "WEBP", lossless=True)
    save("webpalpha.webp", rgba, "WEBP", quality=90, exact=True)
    save("webpexif.webp", im, "WEBP", lossless=True, exif=exif(8))


main()
