"""The papers, a folder each. METHODS is the one list; its order is the order of the tabs."""

from __future__ import annotations

from gansr.method import Method
from gansr.options import OptionError
from gansr.papers.dip import DIP
from gansr.papers.esrgan import ESRGAN
from gansr.papers.glean import GLEAN
from gansr.papers.kernelgan import KERNELGAN
from gansr.papers.mganprior import MGANPRIOR
from gansr.papers.pulse import PULSE
from gansr.papers.srgan import SRGAN

METHODS: tuple[Method, ...] = (PULSE, KERNELGAN, GLEAN, MGANPRIOR, SRGAN, ESRGAN, DIP)


def by_name(name: str) -> Method:
    """The method called `name`. Raises OptionError for a name that METHODS does not have."""
    for method in METHODS:
        if method.name == name:
            return method
    raise OptionError(f"there is no method {name[:40]!r}; there are: {', '.join(m.name for m in METHODS)}")
