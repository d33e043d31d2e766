"""Which part of the picture each method receives, and which ones cannot run."""

from __future__ import annotations

from dataclasses import replace

import torch

from gansr.compare import plan as P
from gansr.engine import Engine
from gansr.method import Accepts
from gansr.pipeline import Pipeline
from tests.support.comparing import LARGE, QUICK, picture, requests
from tests.support.fakes import FAKE

SQUARE = replace(FAKE, name="square", title="Square", accepts=Accepts(side=lambda options: 8))


def planned(*methods, task="known answer", size=(24, 32), **settings):
    return P.plan(picture(*size), requests(*methods, task=task), Pipeline(Engine("cpu")), **settings)


def low_of(entry: P.Entry) -> torch.Tensor:
    assert entry.given is not None
    return entry.given.low


def truth_of(entry: P.Entry) -> torch.Tensor:
    assert entry.given is not None and entry.given.truth is not None
    return entry.given.truth


def test_all_methods_get_the_square_that_one_of_them_wants():
    enlarged = planned(QUICK, SQUARE, task="enlarge")
    assert [low_of(entry).shape[-2:] for entry in enlarged] == [(8, 8), (8, 8)]
    assert torch.equal(low_of(enlarged[0]), low_of(enlarged[1]))
    assert all(entry.given is not None and entry.given.truth is None for entry in enlarged)
    known = planned(QUICK, SQUARE)
    assert [tuple(truth_of(entry).shape) for entry in known] == [(3, 16, 16), (3, 16, 16)]
    more = planned(LARGE, SQUARE)  # it needs 64 px; there are 1024
    assert (more[0].state, tuple(low_of(more[0]).shape)) == ("waiting", (3, 64, 64))
    whole = planned(QUICK, SQUARE, remedies={"quick": "whole"})
    assert low_of(whole[0]).shape[-2:] == (12, 16)


def test_too_large_a_picture_is_shrunk_by_the_remedy():
    small = replace(FAKE, name="small", title="Small", accepts=Accepts(max_pixels=300))
    (entry,) = planned(small, task="enlarge")
    assert (entry.state, entry.remedy) == ("blocked", "shrink")
    (entry,) = planned(small, task="enlarge", remedies={"small": "shrink"})
    assert entry.state == "waiting"
    assert low_of(entry)[0].numel() <= 300


def test_a_known_answer_with_a_factor_gives_every_method_the_same_small_picture():
    four = replace(FAKE, name="four", title="Four", scales=(4,), scale=lambda method, options: 4)
    made = planned(QUICK, four, size=(64, 96), factor=8)
    assert [low_of(entry).shape[-2:] for entry in made] == [(8, 12), (8, 12)]
    assert [truth_of(entry).shape[-2:] for entry in made] == [(16, 24), (32, 48)]
