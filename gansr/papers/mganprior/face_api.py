"""Labels of faces by the networks of face-api: age, expression and 68 landmarks.

The package @vladmandic/face-api (MIT) of the npm registry carries the weights in its folder `model`:

    npm pack @vladmandic/face-api@1.7.15 && tar xzf vladmandic-face-api-1.7.15.tgz        → package/model

Only the command that makes the editing directions uses them, as labellers; the app does not. Written from the package's
TypeScript sources: a dense-block network (expression, landmarks) and a small Xception (age and gender), both on faces
of 112². Weights are 8-bit with a scale and an offset. The convolutions pad as TensorFlow's "same".

Pictures are RGB (B,3,S,S) in [0,1], FFHQ-aligned, so that the face is where FACE_BOX says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MEAN = (122.782, 117.001, 104.298)  # RGB, 0…255
SIDE = 112  # px, of the networks' input
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
FACE_BOX = (0.18, 0.28, 0.64)  # left, top and side of the face in an FFHQ-aligned picture, shares of its side
PADDING = 1.2  # the age and expression networks see the landmarks' box this many times larger

Weights = Mapping[str, Tensor]


def read_weights(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of folder/{name}_model.bin by key, float32, in PyTorch's order of axes (out, in, height, width).

    Raises OSError where the files are missing.
    """
    manifest = json.loads((folder / f"{name}_model-weights_manifest.json").read_text())
    data, at, found = (folder / f"{name}_model.bin").read_bytes(), 0, dict[str, Tensor]()
    for entry in (each for group in manifest for each in group["weights"]):
        packing, count = entry.get("quantization"), int(np.prod(entry["shape"]))
        kind = np.dtype(packing["dtype"] if packing else "float32")
        values = np.frombuffer(data, kind, count, at).astype(np.float32).reshape(entry["shape"])
        at += count * kind.itemsize
        if packing:
            values = values * np.float32(packing["scale"]) + np.float32(packing["min"])
        tensor = torch.from_numpy(values)
        if tensor.ndim == 4:
            tensor = (
                tensor.permute(2, 3, 0, 1) if "depthwise" in entry["name"] else tensor.permute(3, 2, 0, 1)
            )
        found[entry["name"]] = tensor.contiguous()
    return found


def padded(x: Tensor, stride: int, value: float = 0.0) -> Tensor:
    """x (B,C,H,W) with TensorFlow's "same" padding for a 3×3 window; even sides with stride 2 are padded at the end."""
    return F.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1), value=value)


def separable(x: Tensor, weights: Weights, key: str, stride: int = 1) -> Tensor:
    """A depthwise 3×3 and a pointwise convolution with bias."""
    x = F.conv2d(padded(x, stride), weights[f"{key}/depthwise_filter"], stride=stride, groups=x.shape[1])
    return F.conv2d(x, weights[f"{key}/pointwise_filter"], weights[f"{key}/bias"])


def dense_features(x: Tensor, weights: Weights) -> Tensor:
    """Normalised faces (B,3,112,112) → (B,256), by four dense blocks of four convolutions each."""
    for block in ("dense0", "dense1", "dense2", "dense3"):
        if block == "dense0":
            first = F.conv2d(padded(x, 2), weights["dense0/conv0/filters"], weights["dense0/conv0/bias"], 2)
        else:
            first = separable(x, weights, f"{block}/conv0", stride=2)
        total = first = F.relu(first)
        for conv in ("conv1", "conv2", "conv3"):
            total = total + separable(F.relu(total), weights, f"{block}/{conv}")
        x = F.relu(total)
    return F.avg_pool2d(x, 7).flatten(1)


def xception_features(x: Tensor, weights: Weights) -> Tensor:
    """Normalised faces (B,3,112,112) → (B,512)."""

    def reduction(x: Tensor, key: str, activate: bool = True) -> Tensor:
        y = separable(F.relu(x) if activate else x, weights, f"{key}/separable_conv0")
        y = separable(F.relu(y), weights, f"{key}/separable_conv1")
        y = F.max_pool2d(padded(y, 2, -torch.inf), 3, 2)
        short = F.conv2d(
            x, weights[f"{key}/expansion_conv/filters"], weights[f"{key}/expansion_conv/bias"], 2
        )
        return y + short

    conv = "entry_flow/conv_in"
    x = F.relu(F.conv2d(padded(x, 2), weights[f"{conv}/filters"], weights[f"{conv}/bias"], 2))
    x = reduction(x, "entry_flow/reduction_block_0", activate=False)
    x = reduction(x, "entry_flow/reduction_block_1")
    for block in (0, 1):
        y = x
        for i in range(3):
            y = separable(F.relu(y), weights, f"middle_flow/main_block_{block}/separable_conv{i}")
        x = x + y
    x = reduction(x, "exit_flow/reduction_block")
    return F.avg_pool2d(F.relu(separable(x, weights, "exit_flow/separable_conv")), 7).flatten(1)


def linear(x: Tensor, weights: Weights, key: str) -> Tensor:
    """(B,n) → (B,m)."""
    return x @ weights[f"{key}/weights"] + weights[f"{key}/bias"]


def cut(pictures: Tensor, boxes: Tensor) -> Tensor:
    """Squares (B,3): left, top, side in px → normalised faces (B,3,112,112)."""
    faces = []
    for picture, (left, top, side) in zip(pictures, boxes.tolist()):
        step = side / SIDE
        at = [
            (start + (torch.arange(SIDE) + 0.5) * step) * 2 / pictures.shape[-1] - 1 for start in (left, top)
        ]
        grid = torch.stack(torch.meshgrid(at[0], at[1], indexing="xy"), dim=-1)
        faces.append(F.grid_sample(picture[None], grid[None], align_corners=False)[0])
    return (torch.stack(faces) * 255 - torch.tensor(MEAN)[:, None, None]) / 255


class FaceApi:
    """The three networks of a folder `package/model`."""

    def __init__(self, folder: Path):
        names = {"age": "age_gender", "expression": "face_expression", "landmarks": "face_landmark_68"}
        self.weights = {name: read_weights(folder, file) for name, file in names.items()}

    def landmarks(self, pictures: Tensor) -> Tensor:
        """Pictures (B,3,S,S) → the 68 landmarks (B,68,2), (x, y) in px: iBUG's order."""
        side, weights = pictures.shape[-1], self.weights["landmarks"]
        box = torch.tensor(FACE_BOX) * side
        found = linear(dense_features(cut(pictures, box.expand(len(pictures), 3)), weights), weights, "fc")
        return found.view(-1, 68, 2) * box[2] + box[:2]

    def labels(self, pictures: Tensor) -> dict[str, Tensor]:
        """Pictures (B,3,S,S) → "age" in years (B,), the log-odds "feminine" and "smile" (B,), "landmarks" (B,68,2)."""
        points = self.landmarks(pictures)
        low, high = points.detach().amin(1), points.detach().amax(1)
        size = (high - low).amax(1, keepdim=True) * PADDING
        faces = cut(pictures, torch.cat([(low + high) / 2 - size / 2, size], 1))
        weights = self.weights["age"]
        features = xception_features(faces, weights)
        age, gender = linear(features, weights, "fc/age")[:, 0], linear(features, weights, "fc/gender")
        weights = self.weights["expression"]
        logits = linear(dense_features(faces, weights), weights, "fc")
        others = [k for k, name in enumerate(EXPRESSIONS) if name != "happy"]
        smile = logits[:, EXPRESSIONS.index("happy")] - logits[:, others].logsumexp(1)
        return {"age": age, "feminine": gender[:, 1] - gender[:, 0], "smile": smile, "landmarks": points}
