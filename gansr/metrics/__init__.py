"""The metrics, one file each. METRICS is the only list; its order is the order of the table, fast ones first.

| metric | compares the result with | range | best | year |
|---|---|---|---|---|
| LR-consistency | the input | 0…∞ dB | higher | – |
| PSNR-Y, PSNR-RGB | the truth | 0…∞ dB | higher | – |
| SSIM-Y, SSIM-RGB | the truth | −1…1 | higher | 2004 |
| NIQE | nothing | about 2…20 | lower | 2013 |
| LPIPS-Alex, LPIPS-VGG | the truth | 0…about 1 | lower | 2018 |
| identity | the truth | −1…1 | higher | 2019 |
"""

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
