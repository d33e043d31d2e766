"""A small set of rated pictures on the disk: methods whose results differ in noise."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from gansr.picture import to_lossless_webp
from gansr.rating.catalogue import ANCHORS, FILE

METHODS = ("m0", "m1", "m2")
SCALE, SIDE = 4, 64  # px


def write(folder: Path, pictures: int = 3) -> Path:
    """The set in `folder`: all results 64×64 px, the small pictures 16×16."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = torch.Generator().manual_seed(5)
    entries = {name: {"title": f"Method {name}", "about": {"method": name}} for name in METHODS}
    entries |= {name: {"title": title, "about": {}} for name, title in ANCHORS.items()}
    listed: dict[str, object] = {}
    for number in range(pictures):
        low = torch.rand(3, SIDE // SCALE, SIDE // SCALE, generator=draw)
        large = low.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)
        files: dict[str, str] = {}
        for strength, name in enumerate((*ANCHORS, *METHODS)):
            noise = torch.rand(3, SIDE, SIDE, generator=draw) - 0.5
            files[name] = f"{number}{strength}.webp"
            image = (large + 0.05 * strength * noise).clamp(0, 1)
            (folder / files[name]).write_bytes(to_lossless_webp(image))
        (folder / f"small{number}.webp").write_bytes(to_lossless_webp(low))
        listed[f"p{number}"] = {
            "example": f"e{number}", "title": f"Picture {number}", "class": "face" if number else "photograph",
            "problem": "photo-x4", "small": f"small{number}.webp", "files": files,
            "metrics": {name: {"psnr_y": 20.0 + at, "niqe": 5.0 + at} for at, name in enumerate(METHODS)},
            "receipts": {},
        }  # fmt: skip
    (folder / FILE).write_text(json.dumps({"entries": entries, "pictures": listed}), "utf-8")
    return folder
