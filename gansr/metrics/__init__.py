"""The measurements, a file each. METRICS is the one list; its order is the order of the table."""

from __future__ import annotations

from gansr.metric import Metric
from gansr.metrics.identity import IDENTITY
from gansr.metrics.psnr import PSNR_RGB, PSNR_Y
from gansr.metrics.ssim import SSIM_RGB, SSIM_Y

METRICS: tuple[Metric, ...] = (PSNR_Y, PSNR_RGB, SSIM_Y, SSIM_RGB, IDENTITY)
