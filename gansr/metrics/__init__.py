"""The measurements, a file each. METRICS is the one list; its order is the order of the table, cheap ones first."""

from __future__ import annotations

from gansr.metric import Metric
from gansr.metrics.consistency import CONSISTENCY
from gansr.metrics.identity import IDENTITY
from gansr.metrics.lpips import LPIPS_ALEX, LPIPS_VGG
from gansr.metrics.niqe import NIQE
from gansr.metrics.psnr import PSNR_RGB, PSNR_Y
from gansr.metrics.ssim import SSIM_RGB, SSIM_Y

METRICS: tuple[Metric, ...] = (
    CONSISTENCY,
    PSNR_Y,
    PSNR_RGB,
    SSIM_Y,
    SSIM_RGB,
    NIQE,
    LPIPS_ALEX,
    IDENTITY,
    LPIPS_VGG,
)
