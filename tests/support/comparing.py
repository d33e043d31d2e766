"""Fakes for the tests of comparisons: a cheap method, an expensive one, one that breaks, one that wants more pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from gansr.method import Accepts, Cost
from gansr.picture import Picture
from gansr.request import Request, decode
from tests.support.fakes import FAKE

QUICK = replace(FAKE, name="quick", title="Quick")
BROKEN = replace(FAKE, name="broken", title="Broken", presets={"p": {"break_at": 2, "kind": "refuse"}})
EXPENSIVE = replace(FAKE, name="expensive", title="Expensive", cost=lambda h, w, options: Cost(1e12, 1e6))
LARGE = replace(FAKE, name="large", title="Large", accepts=Accepts(min_side=64))
FAKES = (EXPENSIVE, BROKEN, QUICK, LARGE)


def picture(height: int = 24, width: int = 32) -> Picture:
    rgb = torch.rand(3, height, width, generator=torch.Generator().manual_seed(3)).mul(255).round() / 255
    return Picture(rgb, None, False, ())


def requests(*methods: Any, task: str = "known answer") -> list[Request]:
    common = {"steps": 3, "task": task, "seed": 7, "precision": "exact"}
    return [decode(method, common | dict(method.presets.get("p", {}))) for method in methods]
