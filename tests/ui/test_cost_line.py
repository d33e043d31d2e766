"""What the page says that a run will cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gansr.backends.estimate import Estimate
from gansr.papers import METHODS, by_name
from gansr.picture import Picture
from gansr.request import decode
from gansr.ui import service
from gansr.ui.cost_line import cost_html, cost_text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(40.0), "about 40 s here"),
        (Estimate(40.0, 2), "about 40 s here, 2 in the queue before you"),
        (Estimate(None, 2), "2 in the queue before you"),
        (Estimate(None), ""),
        (Estimate(20.0, 0, 120.0), "about 20 s of GPU; you have about 2 min today"),
        (
            Estimate(20.0, 0, 120.0, told=False),
            "about 20 s of GPU; you have about 2 min today, more if you are signed in to Hugging Face",
        ),
        (Estimate(20.0, 0, 0.0), "about 20 s of GPU; you have none left today"),
    ],
)
def test_the_line_says_the_time_and_the_queue_or_what_is_left(estimate, text):
    assert cost_text(estimate) == text


class Backend:
    """Keeps what it is asked."""

    def __init__(self, gone: str = "") -> None:
        self.asked: list[Any] = []
        self.gone = gone

    def estimate(self, job: Any, token: str = "") -> Estimate:
        self.asked.append((tuple(job.low.shape), job.owner, token))
        return Estimate(job.cost.operations / 1e12)

    def unavailable(self, method: str) -> str:
        return self.gone


@pytest.fixture
def backend(monkeypatch) -> Backend:
    made = Backend()
    monkeypatch.setattr(service, "BACKEND", made)
    return made


def picture(height: int, width: int) -> Picture:
    return Picture(torch.zeros(3, 1, 1).expand(3, height, width), None, False, ())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_has_a_line_before_there_is_a_picture(method, backend):
    assert cost_html(decode(method, {}), None, None).startswith("<p>About ")


@pytest.mark.parametrize(
    ("name", "values", "size"),
    [
        ("pulse", {"side": "64"}, (3, 64, 64)),
        ("srgan", {}, (3, 300, 400)),
        ("srgan", {"task": "known answer"}, (3, 75, 100)),
        ("kernelgan", {"large": "shrink"}, (3, 300, 400)),
    ],
)
def test_the_estimate_is_for_the_input_that_the_method_will_get(name, values, size, backend):
    cost_html(decode(by_name(name), values), picture(300, 400), None)
    assert backend.asked == [(size, "", "")]


def test_a_large_picture_counts_as_shrunk(backend):
    cost_html(decode(by_name("kernelgan"), {"large": "shrink"}), picture(4000, 4000), None)
    ((_, height, width),) = [shape for shape, *_ in backend.asked]
    assert 0.9 * 1024**2 < height * width <= 1024**2


def test_a_robustness_strip_costs_six_runs(backend, monkeypatch):
    monkeypatch.setattr(backend, "estimate", lambda job, token="": Estimate(10.0))
    values = {"task": "known answer", "robustness": True}
    assert cost_html(decode(by_name("glean"), values), None, None) == "<p>About 60 s here.</p>"
    alone = cost_html(decode(by_name("glean"), values | {"task": "enlarge"}), None, None)
    assert alone == "<p>About 10 s here.</p>"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer hf_abc", "hf_abc"),
        ("bearer hf_abc", "hf_abc"),
        ("Bearer other", ""),
        ("Basic hf_abc", ""),
        ("", ""),
    ],
)
def test_only_a_hub_token_that_the_visitor_sends_is_used(header, token, backend):
    asked: Any = SimpleNamespace(headers={"authorization": header}, session_hash="me", client=None)
    cost_html(decode(by_name("glean"), {}), None, asked)
    assert backend.asked == [((3, 32, 32), "me", token)]


def test_a_method_that_is_not_available_says_why_and_no_cost(backend):
    backend.gone = "<the registry> does not answer"
    html = cost_html(decode(by_name("pulse"), {}), None, None)
    assert "PULSE is not available now: &lt;the registry&gt; does not answer." in html and not backend.asked
