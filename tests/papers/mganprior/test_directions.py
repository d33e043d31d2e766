"""The shipped editing directions: the file, its unit, which generator they fit, and what they move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gansr import faces
from gansr.method import Nets
from gansr.options import OptionError, options_of, parse_options
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.composition import samples_of_w
from gansr.papers.mganprior.directions import FILE, GENERATOR, NAMED, shipped
from gansr.papers.mganprior.edit import about, edit_direction
from gansr.papers.mganprior.labels import ATTRIBUTES
from gansr.papers.mganprior.options import DIRECTIONS

AMOUNT = 2.0


def test_the_file_has_each_named_direction_and_how_it_was_found():
    assert FILE.stat().st_size < 50_000
    found = shipped()
    assert list(found) == list(NAMED)
    for each in found.values():
        assert each.step.shape == (1, 512) and each.step.dtype == torch.float32
        assert bool(each.step.isfinite().all())
        assert 0.75 < each.accuracy <= 1 and each.samples > 0 and each.held >= 100
    assert {name: each.labeller for name, each in found.items()} == {name: ATTRIBUTES[name] for name in NAMED}


def test_the_named_directions_come_first_and_the_principal_ones_stay():
    described, default = options_of(Options)["direction"]
    assert described.choices == (*NAMED, *DIRECTIONS) and default == next(iter(NAMED))
    assert "principal direction 8" in DIRECTIONS and described.labels == NAMED


@pytest.mark.parametrize("direction", NAMED)
def test_an_option_names_its_direction_and_says_how_well_it_works(direction: str):
    options = parse_options(Options, {"job": "edit", "direction": direction})
    torch.testing.assert_close(edit_direction(options, Nets()), shipped()[direction].step)
    (said,) = about(options)
    assert f"{shipped()[direction].accuracy:.0%}" in said


def test_a_principal_direction_says_nothing():
    assert about(Options(job="edit", direction="principal direction 1")) == ()


@pytest.mark.parametrize("generator", ["stylegan2-ffhq-1024", "stylegan1-ffhq-1024", "stylegan2-cat"])
def test_a_named_direction_is_refused_where_the_generator_has_other_codes(generator: str):
    with pytest.raises(OptionError, match=f"{generator} has other codes: choose a principal direction"):
        parse_options(Options, {"job": "edit", "direction": "smile", "generator": generator})
    parse_options(Options, {"job": "edit", "direction": "principal direction 1", "generator": generator})
    parse_options(Options, {"job": "invert", "direction": "smile", "generator": generator})


@pytest.fixture(scope="module")
def generator(weights_of: Callable[[str], Any]) -> Any:
    return weights_of(GENERATOR)


def test_an_amount_of_one_is_a_standard_deviation_of_the_generators_samples(generator: Any):
    w = samples_of_w(generator.mapping, generator.style)
    for name, each in shipped().items():
        length = each.step.norm()
        assert float((w @ each.step[0] / length).std()) == pytest.approx(float(length), rel=1e-3), name


def test_yaw_turns_the_face_as_the_detectors_landmarks_see_it(
    generator: Any, weights_of: Callable[[str], Any], one_thread: None
):
    """The nose's place between the eyes, from SCRFD, which took no part in making the direction."""
    session = weights_of("scrfd-500m")
    mean = samples_of_w(generator.mapping, generator.style).mean(0, keepdim=True)
    step = shipped()["yaw"].step

    def nose(w: Tensor) -> float:
        with torch.no_grad():
            picture = generator.synthesis(w[:, None].expand(-1, generator.style_rows, -1))[0] / 2 + 0.5
        left, right, tip = faces.detect(picture.clamp(0, 1), session)[0].points[:3]
        return float((tip - left) @ (right - left) / (right - left).square().sum())

    low, middle, high = (nose(mean + t * AMOUNT * step) for t in (-1, 0, 1))
    assert low + 0.05 < middle < high - 0.05


def test_a_named_edit_moves_the_picture_and_tells_how_the_direction_was_found(
    generator: Any, one_thread: None
):
    options = Options(
        job="edit", direction="smile", layer="4", codes=1, iterations=1, roles=False, amount=2.0, span=0.1
    )
    low = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    nets = Nets({"generator": generator})
    last = list(MGANPRIOR.run(low, options, nets, torch.Generator().manual_seed(1)))[-1]
    assert (last.image - last.answers["not edited"]).abs().max() > 0.05
    assert last.notices == about(options)
    assert any(title.startswith("smile:") for title in last.views)
