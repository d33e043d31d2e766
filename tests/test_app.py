"""What a Space and a newcomer rely on: front matter, versions, start-up, and handlers on each backend."""

from __future__ import annotations

import asyncio
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gansr.backends.local import Local
from gansr.engine import Engine, Job
from gansr.method import Frame
from gansr.papers import METHODS
from gansr.pipeline import Pipeline
from gansr.ui import page, service
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
    assert f"gradio=={required[1]}" in (ROOT / "locks" / "run.txt").read_text()


def test_the_front_matter_has_what_a_space_asks_for():
    head = front_matter()
    assert head["sdk"] == "gradio" and head["app_file"] == "app.py"
    assert len(head["short_description"]) <= 60
    assert (ROOT / head["app_file"]).exists()


def test_spaces_is_imported_before_torch():
    said = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['torch'] = None; import gansr.ui.service"],
        capture_output=True, text=True, cwd=ROOT, check=False,
        env={"SPACES_ZERO_GPU": "1", "PATH": "/usr/bin"},
    )  # fmt: skip
    assert "spaces" in said.stderr.strip().split("\n")[-1]  # the first import that fails is spaces, not torch


class Pickling:
    """A backend as ZeroGPU's: jobs and frames cross a process boundary, so they are pickled."""

    measures = False

    def __init__(self, engine: Engine):
        self.local = Local(engine)

    def frames(self, job: Job) -> Iterator[Frame]:
        for frame in self.local.frames(pickle.loads(pickle.dumps(job))):
            yield pickle.loads(pickle.dumps(frame))

    def device(self) -> str:
        return self.local.device()

    def start(self) -> None:
        self.local.start()


@pytest.mark.parametrize("backend", [Local, Pickling])
def test_a_tab_runs_on_each_backend(monkeypatch, backend):
    monkeypatch.setattr("gansr.papers.METHODS", (FAKE,))
    monkeypatch.setattr("gansr.metrics.METRICS", ())
    engine = Engine("cpu", load=lambda name: None, pace=0.0)
    monkeypatch.setattr(service, "PIPELINE", Pipeline(engine, backend(engine)))
    page = drawn(FAKE)
    updates = list(page.run(picture=str(ROOT / "assets" / "examples" / "chelsea-small-x4.png")))
    said = "".join(str(update.get(page.results.status, "")) for update in updates)
    assert "Done" in said and "Step" in said
    kept = [update[page.results.files] for update in updates if page.results.files in update]
    assert not kept[0].result  # a new run drops the files of the one before
    assert kept[-1].result.endswith(".png")


def test_the_page_is_drawn_without_weights_and_without_network():
    async def draw():
        return page.build()

    app = asyncio.run(draw())
    named = {function.api_name for function in app.fns.values()}
    assert {method.name for method in METHODS} <= named
