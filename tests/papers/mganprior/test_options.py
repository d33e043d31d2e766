"""mGANprior's options: the paper's numbers, masks and boundary files, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.ops.holes import read_mask
from gansr.options import OptionError, options_of, parse_options
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.files import read_boundary
from gansr.papers.mganprior.options import Plan, plan_of


def test_zero_and_auto_choose_the_papers_numbers_and_layers():
    plan = plan_of(
        Options(job="colour", generator="pggan-celebahq-1024", iterations=0, optimiser="gd", pull=0.0)
    )
    assert plan == Plan(codes=20, iterations=1500, layer=8, lr=1.0, pull=0.0)
    assert plan_of(Options(job="invert", codes=7, layer="128")).layer == 128


def test_a_hole_is_filled_at_the_coarsest_layer_and_held_to_the_prior_more():
    mask = torch.zeros(1, 256, 256)
    mask[:, :8] = 1
    filled, enlarged = plan_of(Options(job="inpaint", mask=mask)), plan_of(Options())
    assert (filled.layer, enlarged.layer) == (4, 32)
    assert filled.pull == pytest.approx(10 * enlarged.pull) and enlarged.pull > 0
    assert plan_of(Options(job="inpaint", mask=mask, pull=0.0)).pull == 0, "the paper has none"


@pytest.mark.parametrize(
    "values, said",
    [
        (
            {"job": "inpaint", "mask": torch.ones(1, 100, 80)},
            "the mask is 80×100 px, the picture it covers 256×256",
        ),
        ({"job": "inpaint", "mask": torch.zeros(1, 256, 256)}, "mask is empty"),
        ({"job": "inpaint", "mask": torch.ones(3, 256, 256)}, "covers everything"),
        ({"factor": 1024}, "factor of 1024 is too large"),
        ({"factor": 2000}, "from 2 to 1024"),
        ({"l1": 0, "mse": 0, "vgg": 0}, "loss is empty"),
        ({"job": "edit", "generator": "pggan-celebahq-1024"}, "no directions to edit along"),
        ({"job": "edit", "boundary": torch.ones(1, 512)}, "belongs to PGGAN"),
        ({"generator": "stylegan2-cat", "layer": "256"}, "composing layer of at most 128"),
        ({"generator": "stylegan2-cat", "job": "invert", "side": "512"}, "working size of at most 256"),
        ({"codes": 65}, "from 0 to 64"),
        ({"lr": float("nan")}, "lr must be a number"),
    ],
)
def test_unusable_options_are_refused_with_the_reason(values: dict, said: str):
    with pytest.raises(OptionError, match=said):
        parse_options(Options, values)


def test_files_that_are_no_masks_or_boundaries_are_refused_with_the_reason(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    np.save(tmp_path / "short.npy", np.ones((1, 4)))
    np.save(tmp_path / "long.npy", np.ones((1, 512)))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for read, name, said in (
        (read_mask, "a.png", "the mask: format not supported: a mask must be a PNG"),
        (read_mask, "none.png", "the mask: "),
        (read_boundary, "short.npy", r"shape \(1, 4\)"),
        (read_boundary, "long.npy", "length 22.6"),
        (read_boundary, "objects.npy", "cannot be read"),
        (read_boundary, "a.png", "cannot be read"),
    ):
        with pytest.raises(OptionError, match=said):
            read(tmp_path / name)


def test_a_mask_file_is_white_where_the_hole_is(tmp_path):
    picture = Image.new("RGBA", (256, 256), (0, 0, 0, 255))
    picture.paste((255, 255, 255, 255), (10, 20, 30, 40))
    picture.save(tmp_path / "mask.png")
    mask = parse_options(Options, {"job": "inpaint", "mask": str(tmp_path / "mask.png")}).mask
    assert mask.shape == (1, 256, 256)
    assert float(mask.sum()) == 400 and float(mask[0, 20:40, 10:30].sum()) == 400


def test_options_that_change_the_input_say_so():
    changing = {name for name, (described, _) in options_of(Options).items() if described.changes_input}
    assert changing == {"job", "generator", "factor", "side"}
    assert MGANPRIOR.accepts.side is not None
    assert MGANPRIOR.accepts.side(Options()) != MGANPRIOR.accepts.side(Options(job="invert"))


def test_a_boundary_of_signalling_nans_is_refused_without_a_warning(tmp_path):
    values = np.eye(512, dtype="f4")[:1]
    values.view("u4")[0, 3] = 0x7F800001
    np.save(tmp_path / "b.npy", values)
    with pytest.raises(OptionError, match="length nan"):
        read_boundary(tmp_path / "b.npy")
