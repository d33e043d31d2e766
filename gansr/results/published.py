"""Figures that papers published, as a person has confirmed them at the source named beside each; nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Means of a table of others."""

    method: str
    variant: str
    dataset: str
    factor: int
    values: Mapping[str, float]  # by name in gansr.metrics.METRICS
    source: str
    protocol: str  # in what it may differ from ours


_SRGAN = "Ledig et al., CVPR 2017, table 2; compared with the README of Lornatang/SRGAN-PyTorch"
_SRGAN_PROTOCOL = (
    "Y, 4 px cut off each side, MATLAB bicubic; SSIM of another program (daala), so its scale differs"
)
_MMAGIC = "the model zoo of open-mmlab/mmagic, whose weights are the authors'"
_MMAGIC_PROTOCOL = "RGB; the authors' test pictures"
_DAN = "the table in the README of greatlog/DAN"
_DIV2KRK = "Y, DIV2KRK: 100 pictures of DIV2K, each blurred by its own kernel; mean of 5 runs"

PUBLISHED: tuple[Published, ...] = (
    Published("srgan", "srresnet", "Set5", 4, {"psnr_y": 32.05, "ssim_y": 0.9019}, _SRGAN, _SRGAN_PROTOCOL),
    Published("srgan", "srgan", "Set5", 4, {"psnr_y": 29.40, "ssim_y": 0.8472}, _SRGAN, _SRGAN_PROTOCOL),
    Published("srgan", "srresnet", "Set14", 4, {"psnr_y": 28.49, "ssim_y": 0.8184}, _SRGAN, _SRGAN_PROTOCOL),
    Published("srgan", "srgan", "Set14", 4, {"psnr_y": 26.02, "ssim_y": 0.7397}, _SRGAN, _SRGAN_PROTOCOL),
    Published("srgan", "srresnet", "BSD100", 4, {"psnr_y": 27.58, "ssim_y": 0.7620}, _SRGAN, _SRGAN_PROTOCOL),
    Published("srgan", "srgan", "BSD100", 4, {"psnr_y": 25.16, "ssim_y": 0.6688}, _SRGAN, _SRGAN_PROTOCOL),
    Published("kernelgan", "", "DIV2KRK", 2, {"psnr_y": 30.36, "ssim_y": 0.8669}, _DAN, _DIV2KRK),
    Published("kernelgan", "", "DIV2KRK", 4, {"psnr_y": 26.81, "ssim_y": 0.7316}, _DAN, _DIV2KRK),
    Published("glean", "glean-cat-8x", "cats", 8, {"psnr_rgb": 23.98}, _MMAGIC, _MMAGIC_PROTOCOL),
    Published("glean", "glean-cat-16x", "cats", 16, {"psnr_rgb": 20.88}, _MMAGIC, _MMAGIC_PROTOCOL),
    Published("glean", "glean-ffhq-16x", "faces", 16, {"psnr_rgb": 26.91}, _MMAGIC, _MMAGIC_PROTOCOL),
    Published("glean", "glean-blind-8x", "faces", 8, {"psnr_rgb": 27.94}, _MMAGIC, _MMAGIC_PROTOCOL),
)


def published(method: str, variant: str, dataset: str, factor: int) -> Published | None:
    """The confirmed figures of a method on a dataset; None where there are none."""
    for one in PUBLISHED:
        if (one.method, one.variant, one.dataset, one.factor) == (method, variant, dataset, factor):
            return one
    return None
