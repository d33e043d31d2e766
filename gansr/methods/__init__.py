"""The papers, a file each. METHODS is the one list; its order is the order of the tabs."""

from __future__ import annotations

from gansr.method import Method
from gansr.methods.glean import GLEAN
from gansr.methods.kernelgan import KERNELGAN
from gansr.methods.mganprior import MGANPRIOR
from gansr.methods.pulse import PULSE
from gansr.methods.srgan import SRGAN

METHODS: tuple[Method, ...] = (PULSE, KERNELGAN, GLEAN, MGANPRIOR, SRGAN)
