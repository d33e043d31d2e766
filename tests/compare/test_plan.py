"""One problem for all methods: which solve it and how, which do not, and what helps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gansr import papers
from gansr.compare import plan as P
from gansr.engine import Engine
from gansr.method import Accepts
from gansr.ops.resize import imresize
from gansr.options import parse_options
from gansr.pipeline import Pipeline
from gansr.problem import PROBLEMS, Problem
from gansr.request import decode
from tests.support.comparing import QUICK, picture, requests
from tests.support.fakes import FAKE

SQUARE = replace(FAKE, name="square", title="Square", accepts=Accepts(side=lambda options: 8))
FACES = replace(SQUARE, name="faces", title="Faces", accepts=Accepts(side=lambda options: 8, face=True))
EIGHT = replace(FAKE, name="eight", title="Eight", scales=(8,), scale=lambda method, options: 8)
NEEDY = replace(FAKE, name="needy", title="Needy", accepts=Accepts(min_side=40))


EIGHTH = Problem(8, 4)


def planned(*methods, task="known answer", size=(24, 32), problem=EIGHTH, large="keep", **settings):
    asked = [replace(request, align=False, large=large) for request in requests(*methods, task=task)]
    return P.plan(picture(*size), asked, problem, Pipeline(Engine("cpu")), **settings)


def given(entry: P.Entry):
    assert entry.given is not None
    return entry.given


@pytest.mark.parametrize("task", ["enlarge", "known answer"])
def test_all_methods_get_the_same_pixels_and_are_asked_for_the_same_size(task):
    made = planned(QUICK, SQUARE, EIGHT, task=task, size=(64, 64))
    assert made.given is not None and made.bicubic is not None
    for entry in made:
        assert given(entry).low is made.given.low and given(entry).truth is made.given.truth
        assert given(entry).size == (32, 32)
    assert made.given.low.shape == (3, 8, 8) and made.bicubic.shape == (3, 32, 32)
    assert torch.equal(made.bicubic, imresize(made.given.low, 4).clamp(0, 1))
    assert (made.given.truth is not None) == (task == "known answer")
    assert made.given.truth is None or made.given.truth.shape == (3, 32, 32)


def test_how_a_method_solves_the_problem_is_said():
    four = replace(FAKE, name="four", title="Four", scales=(4,), scale=lambda method, options: 4)
    double, square, eight, native = planned(
        QUICK, SQUARE, EIGHT, four, problem=Problem(16, 4), task="enlarge"
    ).entries
    assert double.how == "its result of 32×32 px enlarged by bicubic to 64×64"
    assert square.how == "input resampled to 8×8 px; its result of 16×16 px enlarged by bicubic to 64×64"
    assert eight.how == "its result of 128×128 px reduced to 64×64"
    assert native.how == ""


def test_a_larger_result_is_reduced_by_the_mean_over_squares():
    (entry,) = planned(EIGHT, size=(64, 64)).entries
    result = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = result.reshape(3, 32, 2, 32, 2).mean((2, 4))
    torch.testing.assert_close(given(entry).resized(result), expected)
    odd = given(entry).resized(torch.rand(3, 40, 40))
    assert odd.shape == (3, 32, 32) and odd.min() >= 0 and odd.max() <= 1


def test_a_method_that_cannot_does_not_keep_the_others_from_it():
    made = planned(QUICK, FACES, SQUARE, problem=Problem(0, 2), task="enlarge")
    assert [entry.state for entry in made] == ["waiting", "unsuitable", "unsuitable"]
    _, faces, square = made.entries
    assert (faces.text, faces.remedies) == ("works on faces only", ("face-64-512",))
    assert (square.text, square.remedies) == ("takes squares of 8 px only", ())
    made = planned(NEEDY, QUICK, problem=PROBLEMS["face-32-256"], task="enlarge")
    assert made.entries[0].text == "needs at least 40 px on the shorter side, the problem has 32"
    assert made.entries[0].remedies == ("face-64-512",)  # the first that it can solve
    assert made.can_run and not planned(NEEDY).can_run


def test_options_that_do_not_enlarge_are_unsuitable():
    (entry,) = planned(replace(FAKE, name="same", scale=lambda method, options: 1)).entries
    assert (entry.state, entry.text) == ("unsuitable", "with these options it does not enlarge")


@pytest.mark.parametrize(
    ("large", "note"),
    [("shrink", "shrunk to 20×15 px first"), ("crop", "cropped to 20×15 px of 32×24: its middle")],
)
def test_too_large_a_picture_is_shrunk_or_cropped_by_the_remedy(monkeypatch, large, note):
    monkeypatch.setattr("gansr.compare.plan.MEGAPIXEL", 300)
    monkeypatch.setattr("gansr.inputs.MEGAPIXEL", 300)
    monkeypatch.setattr("gansr.compare.plan.weights.ready", lambda name: False)
    small = replace(FAKE, name="small", title="Small", accepts=Accepts(max_pixels=300))
    (entry,) = planned(small, task="enlarge", problem=Problem(0, 2)).entries
    assert (entry.state, entry.remedies) == ("unsuitable", ("shrink", "crop"))
    (entry,) = planned(small, task="enlarge", large=large, problem=Problem(0, 2)).entries
    assert entry.state == "waiting" and given(entry).low[0].numel() <= 300
    assert note in given(entry).notices
    (entry,) = planned(small, large=large, problem=Problem(0, 2), size=(64, 64)).entries
    assert given(entry).low[0].numel() <= 300 and given(entry).truth is not None


def test_a_face_is_offered_to_crop_to_where_one_is_found(monkeypatch):
    pipeline = Pipeline(Engine("cpu"))
    monkeypatch.setattr("gansr.compare.plan.weights.ready", lambda name: True)
    monkeypatch.setattr(pipeline.inputs, "faces", lambda picture: [None])
    assert P.ways_to_fit(picture(), pipeline) == ("shrink", "crop", "crop face")
    monkeypatch.setattr(pipeline.inputs, "faces", lambda picture: [])
    assert P.ways_to_fit(picture(), pipeline) == ("shrink", "crop")


@pytest.mark.parametrize(
    ("found", "size", "align", "name"),
    [
        (1, (90, 90), True, "face-64-512"),
        (0, (90, 90), True, "photo-x4"),
        (1, (90, 90), False, "photo-x4"),
        (0, (32, 32), True, "face-32-256"),
        (0, (64, 64), True, "face-64-512"),
    ],
)
def test_the_default_problem_follows_the_picture(monkeypatch, found, size, align, name):
    pipeline = Pipeline(Engine("cpu"))
    monkeypatch.setattr(pipeline.inputs, "faces", lambda picture: [None] * found)
    asked = [decode(method, {"align": align}) for method in (QUICK, FACES)]
    assert P.default_problem(picture(*size), asked, pipeline) == name
    assert P.default_problem(picture(*size), asked[:1], pipeline) == "photo-x4"


def test_without_a_face_a_face_problem_offers_the_middle_square(monkeypatch):
    pipeline = Pipeline(Engine("cpu"))
    monkeypatch.setattr(pipeline.inputs, "faces", lambda picture: [])
    made = P.plan(picture(), requests(QUICK), PROBLEMS["face-64-512"], pipeline)
    (entry,) = made.entries
    assert (entry.state, entry.remedies, made.given) == ("blocked", (P.MIDDLE,), None)
    assert "no face was found" in entry.text


def test_a_truth_of_the_users_own_takes_the_place_of_the_problems():
    own = picture(8, 8)
    made = planned(QUICK, truth=own, task="enlarge")
    assert made.given is not None and made.given.truth is own.rgb


def test_every_paper_fits_its_options_to_the_built_in_problems():
    """The side that each method then takes, 0 for any, and its factor."""
    expected = {
        "pulse": {"face-64-512": (64, 16), "face-32-256": (32, 32), "face-16-256": (16, 64)},
        "mganprior": {"face-64-512": (64, 16), "face-32-256": (32, 32), "face-16-256": (16, 64)},
        "glean": {"face-64-512": (64, 8), "face-32-256": (32, 8), "face-16-256": (16, 16)},
        "kernelgan": dict.fromkeys(PROBLEMS, (0, 4)) | {"photo-x2": (0, 2)},
        "srgan": dict.fromkeys(PROBLEMS, (0, 4)),
        "esrgan": dict.fromkeys(PROBLEMS, (0, 4)),
        "dip": {
            "face-64-512": (0, 8),
            "face-32-256": (0, 8),
            "face-16-256": (0, 8),
            "photo-x4": (0, 4),
            "photo-x2": (0, 2),
        },
    }
    for method in papers.METHODS:
        for name, fitted in expected[method.name].items():
            options = parse_options(method.options, next(iter(method.presets.values())))
            problem = PROBLEMS[name]
            options = method.fit(options, problem.side, problem.scale) if method.fit else options
            side = method.accepts.side(options) if method.accepts.side else 0
            assert (side, method.scale(method, options)) == fitted, (method.name, name)
