"""How the numbers are measured, in words: of each metric, and of a series. The page shows these texts."""

from __future__ import annotations

from gansr.results.means import Series
from gansr.results.records import Record

# How each number is measured: gansr/metrics has the definitions.
MEASURED = {
    "consistency": "PSNR over RGB, 8 bit, of the result shrunk again against the input; no rim is cut",
    "psnr_y": "Y of MATLAB (16 to 235), 8 bit, 4 px cut off each side",
    "psnr_rgb": "RGB, 8 bit, 4 px cut off each side",
    "ssim_y": "Y of MATLAB (16 to 235), 8 bit, 4 px cut off each side, Gaussian window of 11 px",
    "ssim_rgb": "RGB, 8 bit, 4 px cut off each side, Gaussian window of 11 px",
    "niqe": "no reference; the definition in gansr/metrics/niqe.py",
    "lpips_alex": "RGB, whole picture, AlexNet, version 0.1",
    "lpips_vgg": "RGB, whole picture, VGG16, version 0.1",
    "identity": "cosine of ArcFace features, aligned faces",
    "seconds": "computing alone, without waiting and measuring",
}


def shrunk_by(record: Record) -> str:
    """How the input was made of the truth."""
    found = record.degradation
    text = "MATLAB bicubic" if found["operator"] == "bicubic" else str(found["operator"])
    if found["operator"] == "gaussian":
        text += f" {found['width']}, {found['other']} px at {found['angle']}°"
    if found["operator"] == "kernel":
        text += f" {str(found['kernel'])[:12]} for ×{found['kernel_factor']}"
    text += f", motion {found['motion']} px at {found['angle']}°" if found["motion"] else ""
    text += f", noise {found['noise']}" if found["noise"] else ""
    text += f", salt and pepper {found['salt']} %" if found["salt"] else ""
    text += f", missing {found['missing']} %" if found["missing"] else ""
    return text + (f", JPEG {found['jpeg']}" if found["jpeg"] != 100 else "")


def protocol(series: Series) -> list[tuple[str, str]]:
    """What the numbers of a series depend on, besides the metrics (MEASURED): (name, text)."""
    first = series.first
    dates = sorted({record.date for record in series.records})
    held = ", ".join(f"{one['name']} {one['sha256'][:12]}" for one in first.weights.values())
    numerics = first.numerics
    return [
        ("Pictures", str(len(series.records))),
        ("Shrunk by", f"{shrunk_by(first)}, ×{first.factor}"),
        ("Interval", "95 %, Student's t over the pictures"),
        ("Weights", held or "none"),
        ("Seed", str(first.seed)),
        ("Device", f"{numerics['device']}, {numerics['dtype']}, threads: {numerics['threads']}"),
        ("Torch", str(numerics["torch"])),
        ("Version", first.version),
        ("Date", " to ".join(dict.fromkeys((dates[0], dates[-1])))),
        ("Verification", first.verification),
    ]
