#!/usr/bin/env python3
"""Makes tests/data/images: small pictures in every format, and what PIL and PyTorch make of them.

Needs Pillow, numpy and torch. Expected results are PNG, so that they come back exactly: `resized_H_W_FILTER.png` is PIL's resize
of rgb.png (antialiased: BILINEAR, bicubic: BICUBIC) or PyTorch's interpolate without antialias (bilinear), rounded half to even.
"""
import pathlib

import numpy as np
import torch
from PIL import Image

here = pathlib.Path(__file__).parent / "images"
here.mkdir(exist_ok=True)
rng = np.random.default_rng(0)
y, x = np.mgrid[0:37, 0:29]
wave = [127 + 90 * np.sin(x / (3 + c) + c) * np.cos(y / (5 - c)) for c in range(3)]
rgb = np.clip(np.stack(wave, -1) + rng.normal(0, 25, (37, 29, 3)), 0, 255).astype(np.uint8)
alpha = np.clip(255 * x / 28, 0, 255).astype(np.uint8)
colour = Image.fromarray(rgb)
grey = colour.convert("L")
rgba = Image.fromarray(np.dstack([rgb, alpha]))

colour.save(here / "rgb.png")
grey.save(here / "grey.png")
rgba.save(here / "rgba.png")
Image.merge("LA", [grey, Image.fromarray(alpha)]).save(here / "grey_alpha.png")
colour.quantize(16).save(here / "palette.png")
colour.quantize(16).convert("RGB").save(here / "palette_as_rgb.png")
Image.fromarray((np.asarray(grey).astype(np.uint16) * 256 + 77)).save(here / "grey16.png")
colour.save(here / "rgb.bmp")
colour.save(here / "rgb.jpg", quality=90, subsampling=0)
Image.open(here / "rgb.jpg").save(here / "jpg_as_rgb.png")
colour.save(here / "rgb.jpeg", quality=90, progressive=True, subsampling=0)
grey.save(here / "grey.jpg", quality=90)
colour.save(here / "rgb.tif", compression="tiff_lzw")
grey.save(here / "grey.tiff")
colour.save(here / "deflate.tif", compression="tiff_adobe_deflate")

for h, w in [(37, 13), (11, 29), (12, 9), (74, 58), (5, 60), (1, 1)]:
    colour.resize((w, h), Image.BILINEAR).save(here / f"resized_{h}_{w}_antialiased.png")
    colour.resize((w, h), Image.BICUBIC).save(here / f"resized_{h}_{w}_bicubic.png")
    t = torch.from_numpy(rgb.astype(np.float64)).permute(2, 0, 1)[None]
    t = torch.nn.functional.interpolate(t, size=(h, w), mode="bilinear", align_corners=False)
    Image.fromarray(t[0].permute(1, 2, 0).round().numpy().astype(np.uint8)).save(here / f"resized_{h}_{w}_bilinear.png")
# torchvision's Resize(20) and CenterCrop(17), on PIL images
w, h = 20, int(20 * 37 / 29)
small = colour.resize((w, h), Image.BILINEAR)
top, left = int(round((h - 17) / 2.0)), int(round((w - 17) / 2.0))
small.crop((left, top, left + 17, top + 17)).save(here / "shorter_20_crop_17.png")
