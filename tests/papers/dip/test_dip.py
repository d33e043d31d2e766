"""DIP as a method: its jobs, its limits, and what it says before a run."""

from __future__ import annotations

import pytest
import torch

from gansr.method import Nets, refusal
from gansr.options import OptionError, parse_options
from gansr.papers.dip import DIP, Options

PICTURE = torch.rand(3, 20, 28, generator=torch.Generator().manual_seed(1))


def frames(**values: object) -> list:
    options = parse_options(DIP.options, {"width": 16, "steps": 2} | values)
    return list(DIP.run(PICTURE, options, Nets(), torch.Generator().manual_seed(0)))


def test_there_is_a_frame_for_each_step_with_the_losses_so_far():
    made = frames(steps=3, scale=3)
    assert [(frame.step, frame.steps) for frame in made] == [(1, 3), (2, 3), (3, 3)]
    assert made[-1].image.shape == (3, 60, 84)
    assert [len(frame.views["loss"].lines["loss"]) for frame in made] == [1, 2, 3]
    assert [len(frame.notices) for frame in made] == [0, 0, 1]
    assert not frames(correct=False)[-1].notices


def test_a_hole_is_filled_and_nothing_else_changes():
    mask = torch.zeros(1, 20, 28)
    mask[:, 5:9, 5:20] = 1
    last = frames(job="inpaint", mask=mask)[-1]
    changed = (last.image != PICTURE).any(0)
    assert torch.equal(changed, mask[0] > 0)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (None, "inpainting needs a mask"),
        (torch.ones(1, 28, 20), "the mask is 20×28 px, the picture it covers 28×20"),
        (torch.zeros(1, 20, 28), "the mask is empty"),
        (torch.ones(1, 20, 28), "the mask covers everything"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_with_the_reason(mask: torch.Tensor | None, said: str):
    with pytest.raises(OptionError, match=said):
        frames(job="inpaint", mask=mask)


def test_what_is_read_is_shown_with_the_hole():
    assert DIP.reads is not None
    title, read = DIP.reads(Options(job="inpaint", hole="middle"), PICTURE, 0)
    expected = PICTURE.clone()
    expected[:, 5:15, 7:21] = 0.5
    assert title == "With the hole" and torch.equal(read, expected)
    assert DIP.reads(Options(job="denoise"), PICTURE, 0) == ("Noisy", PICTURE)


def test_the_result_has_at_most_512_by_512_pixels():
    assert refusal(DIP, 128, 128, Options()) is None
    assert refusal(DIP, 129, 128, Options()) == (
        "DIP takes at most 16384 pixels with these options, as 128×128; this picture has 16512 (128×129). Crop or "
        "shrink it first."
    )
    assert refusal(DIP, 256, 256, Options(scale=2)) is None
    assert refusal(DIP, 512, 512, Options(job="denoise")) is None
    assert "at most 0.3 megapixels" in str(refusal(DIP, 512, 513, Options(job="denoise")))


def test_the_time_of_a_step_goes_with_the_pixels_that_are_drawn():
    (quarter,), (whole,) = (DIP.cost(side, side, Options(steps=7)).steps for side in (32, 64))
    assert (quarter.kind, quarter.count, quarter.work) == ("width 32", 7, 0.25) and whole.work == 1
    (wide,) = DIP.cost(60, 64, Options(steps=7, width=64)).steps
    assert (wide.kind, wide.work) == ("width 64", 1), "240 px are drawn on 256"


def test_a_problem_sets_the_job_and_the_factor():
    assert DIP.fit is not None
    assert [DIP.fit(Options(job="denoise"), 16, factor).scale for factor in (2, 4, 16)] == [2, 4, 8]
    assert DIP.fit(Options(job="denoise"), 16, 4).job == "sr"


def test_less_memory_means_half_the_width():
    assert DIP.smaller is not None
    widths, options = [], Options(width=112)
    while options is not None:
        widths.append(options.width)
        assert parse_options(DIP.options, {"width": options.width}) == options
        options = DIP.smaller(options)
    assert widths == [112, 48, 16]
