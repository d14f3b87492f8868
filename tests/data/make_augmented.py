#!/usr/bin/env python3
"""Writes augmented.txt: what Keras's own apply_affine_transform, scipy.ndimage and torchvision make of one small image.

Needs numpy, scipy (1.6 to 1.11), torch, torchvision and the source of keras (no backend). Each block is a line `name height width
channels` and the numbers, row by row. The image is square for Keras (see affine_map in augment_geometry.hpp).
"""
import ast
import importlib.util
import pathlib
import types

import numpy as np
import scipy.ndimage
import torch
import torchvision.transforms.functional as F

here = pathlib.Path(__file__).parent
source = pathlib.Path(importlib.util.find_spec("keras").origin).parent / "src/legacy/preprocessing/image.py"
wanted = {"apply_affine_transform", "transform_matrix_offset_center"}
functions = [n for n in ast.parse(source.read_text()).body if isinstance(n, ast.FunctionDef) and n.name in wanted]
for f in functions:
    f.decorator_list = []
shim = types.SimpleNamespace(ndimage=types.SimpleNamespace(interpolation=scipy.ndimage))  # the name that newer scipy dropped
keras = {"np": np, "scipy": shim}
exec(compile(ast.Module(functions, []), str(source), "exec"), keras)

rng = np.random.default_rng(1)
image = rng.integers(0, 256, (8, 8, 3)).astype(np.float64)
wide = rng.integers(0, 256, (5, 9, 1)).astype(np.float64)
blocks = {"image": image, "wide": wide}
sets = {
    "a": dict(theta=23.0, tx=1.3, ty=-0.7, shear=12.0, zx=1.2, zy=0.8),
    "b": dict(theta=-70.0, tx=-9.6, ty=14.2, shear=-30.0, zx=2.3, zy=1.9),
}
for mode in ["constant", "nearest", "reflect", "wrap"]:
    for name, p in sets.items():
        blocks[f"keras_{name}_{mode}"] = keras["apply_affine_transform"](
            image, **p, row_axis=0, col_axis=1, channel_axis=2, fill_mode=mode, cval=17.0)
    matrix, offset = np.array([[0.9, -0.4], [0.3, 1.6]]), np.array([-7.25, -3.5])
    blocks[f"scipy_{mode}"] = scipy.ndimage.affine_transform(
        wide[:, :, 0], matrix, offset, order=1, mode=mode, cval=17.0)[:, :, None]
t = torch.from_numpy(image / 255).permute(2, 0, 1)
for name, result in {
    "brightness": F.adjust_brightness(t, 1.7),
    "contrast": F.adjust_contrast(t, 1.6),
    "saturation": F.adjust_saturation(t, 0.3),
    "saturation_more": F.adjust_saturation(t, 1.8),
    "hue": F.adjust_hue(t, 0.21),
    "hue_back": F.adjust_hue(t, -0.45),
}.items():
    blocks[name] = result.permute(1, 2, 0).numpy() * 255
with open(here / "augmented.txt", "w") as out:
    for name, a in blocks.items():
        out.write(f"{name} {' '.join(map(str, a.shape))}\n")
        for row in a:
            out.write(" ".join(f"{v:.7g}" for v in row.ravel()) + "\n")
