"""The papers, a file each. METHODS is the one list; its order is the order of the tabs."""

from __future__ import annotations

from gansr.method import Method
from gansr.papers.glean import GLEAN
from gansr.papers.kernelgan import KERNELGAN
from gansr.papers.mganprior import MGANPRIOR
from gansr.papers.pulse import PULSE
from gansr.papers.srgan import SRGAN

METHODS: tuple[Method, ...] = (PULSE, KERNELGAN, GLEAN, MGANPRIOR, SRGAN)
