"""The whole page with its five methods, each computing in a moment: their controls, inputs and sizes are the real ones,
and every result is its input with some noise. Run by the tests in its own process. With WEIGHTS=1 the methods still
want their weights, so that menus and refusals are the real ones.
"""

# ruff: noqa: E402 — the methods are exchanged before the page reads them

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

import gansr.metrics
import gansr.papers
import gansr.results.contents  # keeps all metrics and methods, which the records name
from gansr.method import Frame, Method, Nets
from gansr.ops.kernel_files import kernel_files
from gansr.options import OptionError
from gansr.papers.kernelgan.options import estimates_kernel

STEPS = 3


def estimated(method: Method, options: Any) -> Mapping[str, bytes]:
    """The kernel files of a run that estimates one."""
    if method.name != "kernelgan" or not estimates_kernel(options):
        return {}
    return {
        name: content
        for scale in {2, options.scale}
        for name, content in kernel_files(f"kernel_x{scale}", torch.ones(9, 9) / 81).items()
    }


def quick(method: Method) -> Method:
    """`method` without its networks."""

    def run(low: Tensor, options: Any, nets: Nets, generator: torch.Generator) -> Iterator[Frame]:
        if getattr(options, "job", "") == "inpaint" and options.mask is None:
            raise OptionError("inpainting needs a mask")
        scale = method.scale(method, options)
        image = low.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        noise = 0.1 * torch.rand(image.shape, generator=generator)
        for step in range(1, STEPS + 1):
            files = estimated(method, options) if step == STEPS else {}
            yield Frame(
                (image - noise * step / STEPS).clamp(0, 1), step, STEPS, {"loss": 1 / step}, files=files
            )

    none: Callable[..., dict[str, str]] = lambda method, options: {}  # noqa: E731
    light = dataclasses.replace(method, run=run, warm_up=None)
    return light if os.environ.get("WEIGHTS") else dataclasses.replace(light, weights={}, needs=none)


gansr.papers.METHODS = tuple(map(quick, gansr.papers.METHODS))
gansr.metrics.METRICS = tuple(metric for metric in gansr.metrics.METRICS if not metric.weights)

from gansr.ui import page
from gansr.ui.page import LAUNCH

page.build().launch(**{**LAUNCH, "server_name": "127.0.0.1", "_frontend": False})
