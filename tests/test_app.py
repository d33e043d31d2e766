"""What a Space and a newcomer rely on: front matter, versions, start-up, and handlers behind ZeroGPU's door."""

from __future__ import annotations

import asyncio
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from gansr.engine import Engine
from gansr.papers import METHODS
from gansr.ui import gpu, page
from tests.conftest import ROOT
from tests.support.fakes import FAKE
from tests.support.tab_handler import drawn


def front_matter() -> dict[str, str]:
    head = (ROOT / "README.md").read_text().split("---")[1]
    return dict(re.findall(r"^(\w+): *(.+)$", head, re.MULTILINE))


def test_the_space_gets_the_gradio_that_the_tests_have():
    required = re.search(r"^gradio==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert required is not None
    assert front_matter()["sdk_version"] == required[1]
    assert f"gradio=={required[1]}" in (ROOT / "constraints.txt").read_text()


def test_the_front_matter_has_what_a_space_asks_for():
    head = front_matter()
    assert head["sdk"] == "gradio" and head["app_file"] == "app.py"
    assert len(head["short_description"]) <= 60
    assert (ROOT / head["app_file"]).exists()


def test_spaces_is_imported_before_torch():
    said = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['torch'] = None; import gansr.ui.gpu"],
        capture_output=True, text=True, cwd=ROOT, check=False,
        env={"SPACES_ZERO_GPU": "1", "PATH": "/usr/bin"},
    )  # fmt: skip
    assert "spaces" in said.stderr.strip().split("\n")[-1]  # the first import that fails is spaces, not torch


@pytest.fixture
def fake(monkeypatch):
    """The handlers with a method that needs no weights."""
    engine = Engine("cpu", load=lambda name: None, pace=0.0)
    monkeypatch.setattr(gpu, "ENGINE", engine)
    monkeypatch.setattr(gpu, "METER", engine)
    monkeypatch.setitem(gpu.BY_NAME, "fake", FAKE)
    monkeypatch.setattr("gansr.serve.METRICS", ())
    return FAKE


def pickled(function):
    """ZeroGPU's way: arguments and what is yielded cross a process border, so they are pickled both ways."""

    def call(*arguments) -> Iterator[object]:
        for frame in function(*pickle.loads(pickle.dumps(arguments))):
            yield pickle.loads(pickle.dumps(frame))

    return call


@pytest.mark.parametrize("door", [lambda function: function, pickled], ids=["identity", "pickling"])
def test_a_tab_runs_behind_zerogpus_door(fake, monkeypatch, door):
    monkeypatch.setattr(gpu, "frames", door(gpu.frames))
    page = drawn(fake)
    updates = list(page.run(picture=str(ROOT / "assets" / "examples" / "chelsea-small-x4.png")))
    said = "".join(str(update.get(page.outputs.status, "")) for update in updates)
    assert "Done" in said and "Step" in said
    shelf = next(update[page.outputs.shelf] for update in updates if page.outputs.shelf in update)
    assert shelf.result.endswith(".png")


def test_asking_for_a_gpu_is_never_longer_than_a_worker_may_have(fake):
    low = torch.zeros(3, 100, 100)
    asked = gpu.duration("fake", low, fake.options(steps=1000), 0, "fast")
    assert 0 < asked <= gpu.WORKER_LIMIT


def test_the_page_is_drawn_without_weights_and_without_network():
    async def draw():
        return page.build()

    app = asyncio.run(draw())
    named = {function.api_name for function in app.fns.values()}
    assert {method.name for method in METHODS} <= named
