"""The problems of the bench of faces: what is given, and what the baseline is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansr import papers
from gansr.bench import face_cases
from gansr.bench.face_cases import CASES, chosen, options_with
from gansr.method import refusal
from gansr.options import parse_options


def face(side: int) -> Tensor:
    across = torch.linspace(0.2, 0.8, side)
    return torch.stack(
        [across.expand(side, -1), across[:, None].expand(-1, side), torch.full((side, side), 0.5)]
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_method_takes_what_its_case_gives_and_returns_the_size_of_the_truth(case):
    method = papers.by_name(case.method)
    posed = case.pose(face(case.side))
    options = options_with(parse_options(method.options, case.values), posed)
    height, width = posed.low.shape[-2:]
    assert refusal(method, height, width, options) is None
    assert method.scale(method, options) * height == case.side == posed.truth.shape[-1]
    assert posed.baseline is None or posed.baseline.shape == posed.truth.shape


def test_every_method_has_a_case_and_a_method_names_all_of_its_cases():
    assert {case.method for case in CASES} == {method.name for method in papers.METHODS}
    assert len(chosen(["mganprior"])) == 5 and chosen(None) == CASES
    assert [case.name for case in chosen(["srgan", "mganprior-sr"])] == ["mganprior-sr", "srgan"]
    assert [case.name for case in chosen(["glean"])] == ["glean"], "the case, not the method"
    with pytest.raises(ValueError, match="there is no case 'toy'"):
        chosen(["toy"])


def test_the_baselines_are_what_is_trivial():
    truth = face(256)
    grey, filled, noisy = (
        pose(truth) for pose in (face_cases.colouring, face_cases.inpainting, face_cases.denoising)
    )
    assert grey.baseline is not None and torch.equal(grey.baseline[0], grey.baseline[2])
    hole = filled.files["mask"][0] > 0
    assert hole.float().mean() == 0.25
    assert filled.baseline is not None
    assert filled.baseline[:, hole].unique(dim=1).shape[1] == 1
    assert (filled.baseline - truth)[:, ~hole].abs().max() <= 1 / 255
    assert (noisy.low - truth).std() == pytest.approx(25 / 255, rel=0.1)
    assert face_cases.inversion(truth).baseline is None
