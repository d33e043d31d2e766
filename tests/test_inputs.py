"""Inputs are made once: a picture is opened, its face found and its small version made one time for all who ask."""

from __future__ import annotations

import dataclasses
import importlib
import threading

import pytest
import torch

from gansr import faces, receipt
from gansr.compare.plan import plan
from gansr.compare.run import run
from gansr.engine import Engine
from gansr.inputs import EACH, Inputs, _tensors
from gansr.method import Accepts, InputError
from gansr.picture import to_png
from gansr.pipeline import Pipeline
from gansr.problem import Problem
from gansr.request import decode
from tests.support.fakes import FAKE

FACES = dataclasses.replace(
    FAKE, name="faces", title="Faces", accepts=Accepts(side=lambda options: 16, face=True)
)


class Counts:
    """How often a picture was opened, its face found, its square cut out and its small version made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.of: dict[str, int] = {}
        points = torch.tensor([[40.0, 40], [60, 40], [50, 52], [42, 62], [58, 62]])
        face = faces.Face(torch.tensor([30.0, 30, 70, 70]), points, 0.9)
        self._count(monkeypatch, "gansr.uploads", "open_picture")
        self._count(monkeypatch, "gansr.inputs", "degrade")
        monkeypatch.setattr("gansr.faces.detect", lambda *_: self.one("detect") or [face])
        real = faces.align
        monkeypatch.setattr("gansr.faces.align", lambda *args: self.one("align") or real(*args))

    def _count(self, monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> None:
        real = getattr(importlib.import_module(module), name)
        monkeypatch.setattr(f"{module}.{name}", lambda *args: self.one(name) or real(*args))

    def one(self, name: str) -> None:
        self.of[name] = self.of.get(name, 0) + 1


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(to_png(torch.rand(3, 120, 100, generator=torch.Generator().manual_seed(0))))
    return path


@pytest.fixture
def pipeline(monkeypatch):
    monkeypatch.setattr("gansr.papers.METHODS", (FACES, FAKE))
    monkeypatch.setattr("gansr.metrics.METRICS", ())
    monkeypatch.setattr("gansr.weights.ready", lambda name: True)
    return Pipeline(Engine("cpu", load=lambda name: None, pace=0.0))


def test_preview_run_and_replay_open_and_detect_once(monkeypatch, photo, pipeline):
    counts = Counts(monkeypatch)
    request = decode(FACES, {"task": "known answer"})
    preview = pipeline.inputs.make(photo, request)
    pipeline.inputs.faces(pipeline.inputs.open(photo))  # the thumbnails of the page
    given, frame = pipeline.result(photo, request)
    assert given is preview
    recorded = receipt.read(receipt.result_png(request, given, frame))
    again, _ = pipeline.result(photo, receipt.request_of(recorded))
    assert again is preview
    assert counts.of == {"open_picture": 1, "detect": 1, "align": 1, "degrade": 1}


def test_a_comparison_opens_and_detects_once_for_all_methods(monkeypatch, photo, pipeline):
    counts = Counts(monkeypatch)
    requests = [decode(method, {"task": "known answer"}) for method in (FACES, FAKE)]
    made = plan(pipeline.inputs.open(photo), requests, Problem(8, 2), pipeline)
    for _ in run(made, pipeline):
        pass
    assert [entry.state for entry in made] == ["done", "done"]
    assert counts.of == {"open_picture": 1, "detect": 1, "align": 1, "degrade": 1}


def test_a_file_that_changed_is_opened_again(monkeypatch, photo, pipeline):
    counts = Counts(monkeypatch)
    pipeline.inputs.open(photo)
    photo.write_bytes(to_png(torch.zeros(3, 30, 31)))
    assert pipeline.inputs.open(photo).rgb.shape == (3, 30, 31)
    assert counts.of["open_picture"] == 2


def test_an_option_that_does_not_change_the_input_keeps_it(photo, pipeline):
    one, other = decode(FACES, {"steps": 3, "seed": 1}), decode(FACES, {"steps": 9, "precision": "exact"})
    assert pipeline.inputs.make(photo, dataclasses.replace(one, align=False)) is pipeline.inputs.make(
        photo, dataclasses.replace(other, align=False)
    )


def test_two_callers_of_one_input_wait_for_one_computation(monkeypatch, photo):
    counts, entered = Counts(monkeypatch), threading.Barrier(2)
    inputs, found = Inputs(lambda: None), []

    def ask() -> None:
        entered.wait()
        found.append(inputs.make(photo, decode(FAKE, {"task": "known answer"})))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1]
    assert counts.of == {"open_picture": 1, "degrade": 1}


def test_what_is_kept_stays_within_its_budget(tmp_path):
    inputs = Inputs(lambda: None, budget=100_000)  # bytes: two pictures of 3·60·60 floats
    for i in range(6):
        path = tmp_path / f"{i}.png"
        path.write_bytes(to_png(torch.full((3, 60, 60), i / 10)))
        inputs.open(path)
    assert inputs._kept.held <= 100_000 and len(inputs._kept._values) == 2


def test_memory_that_values_share_counts_once(photo):
    inputs = Inputs(lambda: None)
    picture = inputs.open(photo)
    alone = inputs._kept.held
    assert inputs.make(photo, decode(FAKE, {})).low is picture.rgb
    assert inputs._kept.held == alone + EACH


def test_the_photograph_that_an_input_keeps_alive_counts(monkeypatch, photo):
    Counts(monkeypatch)
    inputs = Inputs(lambda: None)
    given = inputs.make(photo, decode(FACES, {}))
    assert given.photo is not None
    kept = Inputs(lambda: None, budget=1)._kept
    kept.get("input", lambda _: given, _tensors)
    assert kept.held >= given.photo.numel() * 4


def test_a_part_of_a_picture_counts_as_the_whole_that_it_keeps_alive():
    kept = Inputs(lambda: None)._kept
    whole = torch.zeros(1000, 1000)
    kept.get("part", lambda _: whole[:2, :2], lambda part: (part,))
    assert kept.held == EACH + whole.numel() * 4


def test_values_go_before_one_is_computed_that_needs_their_room():
    kept, seen = Inputs(lambda: None, budget=100_000)._kept, []
    for i in range(3):
        kept.get(i, lambda _: torch.zeros(7000), lambda value: (value,))

    def make(reserve) -> torch.Tensor:
        reserve(60_000)
        seen.append((len(kept._values), kept.held))
        return torch.zeros(15_000)

    kept.get("large", make, lambda value: (value,))
    assert seen == [(1, 28_000 + EACH + 60_000)]
    assert kept.held == 28_000 + 60_000 + 2 * EACH


def test_what_could_not_be_computed_reserves_nothing():
    kept = Inputs(lambda: None)._kept

    def fails(reserve) -> torch.Tensor:
        reserve(60_000)
        raise InputError("no")

    with pytest.raises(InputError):
        kept.get("large", fails, lambda value: (value,))
    assert kept.held == 0


def test_values_dropped_again_and_again_leave_no_bytes():
    kept = Inputs(lambda: None, budget=50_000)._kept
    shared = torch.zeros(2000)
    for i in range(200):
        kept.get(i, lambda _, i=i: [torch.zeros(10 * i), shared], lambda value: value)
    real = {t.untyped_storage().data_ptr(): t.numel() * 4 for v, _ in kept._values.values() for t in v}
    assert kept.held == sum(real.values()) + EACH * len(kept._values) <= 50_000


def test_there_is_a_truth_for_the_quality_test_alone(monkeypatch, photo, pipeline):
    Counts(monkeypatch)
    for method in (FACES, FAKE):
        enlarge = pipeline.inputs.make(photo, decode(method, {}))
        known = pipeline.inputs.make(photo, decode(method, {"task": "known answer"}))
        assert enlarge.truth is None and known.truth is not None
        height, width = known.low.shape[-2:]
        assert known.truth.shape == (3, 2 * height, 2 * width)


def test_a_face_that_is_not_there_is_said_in_words(monkeypatch, photo, pipeline):
    monkeypatch.setattr("gansr.faces.detect", lambda *_: [])
    with pytest.raises(InputError, match="no face was found"):
        pipeline.inputs.make(photo, decode(FACES, {}))
    Counts(monkeypatch)
    with pytest.raises(InputError, match="face 2 was asked for; 1 were found"):
        Inputs(lambda: None).make(photo, decode(FACES, {"face": 2}))


# --------------------------------------------------------------------------------- pictures that are too large

SMALL = dataclasses.replace(FAKE, name="small", title="Small", accepts=Accepts(max_pixels=3000))


def fitted(pipeline, photo, **values):
    return pipeline.inputs.make(photo, decode(SMALL, values))


def test_a_large_picture_stays_as_it_is_unless_the_user_says_otherwise(pipeline, photo):
    assert fitted(pipeline, photo).low.shape == (3, 120, 100)


def test_a_large_picture_is_cropped_to_its_middle_and_the_notice_says_so(pipeline, photo):
    given = fitted(pipeline, photo, large="crop")
    assert torch.equal(given.low, pipeline.inputs.open(photo).rgb[:, 30:90, 25:75])
    assert "cropped to 50×60 px of 100×120: its middle" in given.notices


def test_a_large_picture_is_cropped_to_a_face_and_never_over_its_edge(monkeypatch, pipeline, photo):
    points = torch.zeros(5, 2)
    found = [faces.Face(torch.tensor([2.0, 50, 22, 70]), points, 0.9)]
    monkeypatch.setattr(pipeline.inputs, "faces", lambda picture: found)
    given = fitted(pipeline, photo, large="crop face")
    assert torch.equal(given.low, pipeline.inputs.open(photo).rgb[:, 30:90, 0:50])
    assert "cropped to 50×60 px of 100×120: face 1 of 1" in given.notices
    found.clear()
    with pytest.raises(InputError, match="no face was found"):
        pipeline.inputs.make(photo, decode(SMALL, {"large": "crop face", "seed": 1, "shrink_seed": 1}))


def test_in_a_quality_test_the_small_picture_is_what_must_fit(pipeline, photo):
    given = fitted(pipeline, photo, large="crop", task="known answer")
    assert given.low.shape == (3, 60, 50) and not any("cropped" in notice for notice in given.notices)


def test_the_receipt_records_what_became_of_a_large_picture(pipeline, photo):
    request = decode(SMALL, {"large": "crop"})
    given, frame = pipeline.result(photo, request)
    assert receipt.write(request, given, frame)["request"]["large"] == "crop"


def test_a_small_picture_is_never_changed(pipeline, photo):
    exactly = dataclasses.replace(SMALL, accepts=Accepts(max_pixels=12_000))
    for large in ("shrink", "crop", "crop face"):
        given = pipeline.inputs.make(photo, decode(exactly, {"large": large}))
        assert given.low.shape == (3, 120, 100)
