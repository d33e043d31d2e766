"""Faces between two: whose rows they have, and what a run shows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from gansr.method import Frame, Nets
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.options import OptionError, parse_options
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.mix import mixed
from gansr.papers.mganprior.options import plan_of
from gansr.picture import to_png
from tests.support.encoder import Encoder

pytestmark = pytest.mark.usefixtures("one_thread")

FIRST, SECOND = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
MIX = Options(
    job="mix", generator="stylegan2-ffhq-1024", layer="8", iterations=1, second=SECOND, share=1.0
)  # without an encoder


@pytest.fixture(scope="module")
def nets() -> Nets:
    """A generator of 32×32 px, whose rows scale features of 4, 8, 8, 8, 16, 16, 16 and 32 px."""
    torch.manual_seed(0)
    net = MobileStyleGAN((16, 8, 8), style=10, mapping_layers=1).requires_grad_(False).eval()
    for layer in net.mapping.layers.children():
        assert isinstance(layer, nn.Linear)
        layer.weight.mul_(3)
    return Nets({"generator": net})


def run(nets: Nets, options: Options = MIX, state=None) -> list[Frame]:
    generator = torch.Generator().manual_seed(0)
    if state is None:
        return list(MGANPRIOR.run(FIRST, options, nets, generator))
    assert MGANPRIOR.resume is not None
    return list(MGANPRIOR.resume(FIRST, options, nets, generator, state))


def near(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() <= 1e-5)


def test_the_second_face_has_its_share_in_the_fine_rows_alone():
    first, second = torch.zeros(1, 8, 2), torch.ones(1, 8, 2)
    made = mixed(first, second, 0.25, (4, 8, 8, 8, 16, 16, 16, 32), 16)
    assert made[0, :, 0].tolist() == [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25]


def test_a_run_inverts_both_faces_and_goes_from_one_to_the_other(nets: Nets):
    frames = run(nets)
    assert [frame.step for frame in frames] == [*range(1, 21)] and {frame.steps for frame in frames} == {20}
    last = frames[-1]
    one, other = last.answers["face 1, inverted"], last.answers["face 2, inverted"]
    assert near(frames[10].image, one) and near(frames[18].image, other), "the ends of the nine shares"
    assert near(last.image, other) and not near(one, other), "a share of 1 is the second face"
    assert near(frames[4].image, one) and near(frames[9].image, other), "the ends of the searches"
    assert last.files["mix.webp"][:4] == b"RIFF"
    loss = last.views["loss"]
    assert {name: len(line) for name, line in loss.lines.items()} == {"face 1": 5, "face 2": 5}  # type: ignore[union-attr]


def test_the_inversions_begin_at_the_encoder_s_rows_where_there_is_one(nets: Nets):
    rows = torch.randn(1, 8, 10, generator=torch.Generator().manual_seed(3))
    encoder: Any = Encoder(rows)
    both = Nets({"generator": nets["generator"], "encoder": encoder})
    options = dataclasses.replace(MIX, generator="mobilestylegan-ffhq-1024")
    frames = run(both, options)
    assert frames[-1].steps == 2 + 10, "one iteration for each face, not five"
    drawn = nets["generator"].synthesis(rows)[0].clamp(-1, 1) / 2 + 0.5
    torch.testing.assert_close(frames[0].image, drawn, atol=1e-4, rtol=0)
    assert torch.equal(encoder.given[0] / 2 + 0.5, SECOND)
    assert MGANPRIOR.needs(MGANPRIOR, options) == {"generator": options.generator, "encoder": "glean-face-x8"}
    plan, other = plan_of(options), plan_of(MIX)
    assert (plan.lr, plan.pull) == (0.02, pytest.approx(10 * other.pull)) and other.lr == 0.05


def test_beyond_the_finest_layer_nothing_is_mixed(nets: Nets):
    last = run(nets, dataclasses.replace(MIX, start="64"))[-1]
    assert near(last.image, last.answers["face 1, inverted"])
    some = run(nets, dataclasses.replace(MIX, start="16"))[-1]
    assert not near(some.image, some.answers["face 1, inverted"])
    assert not near(some.image, some.answers["face 2, inverted"])


@pytest.mark.parametrize("step", [2, 5, 7])
def test_a_run_that_was_left_ends_as_one_that_was_not(step: int, nets: Nets):
    generator = torch.Generator().manual_seed(0)
    for frame in MGANPRIOR.run(FIRST, MIX, nets, generator):
        if frame.step == step:
            assert frame.save is not None
            state = frame.save()
            break
    whole, again = run(nets)[-1], run(nets, state=state)[-1]
    assert torch.equal(whole.image, again.image)


def test_what_cannot_be_mixed_is_refused_with_the_reason(nets: Nets, tmp_path):
    with pytest.raises(OptionError, match="mixing needs a second face"):
        run(nets, dataclasses.replace(MIX, second=None))
    with pytest.raises(OptionError, match="no code for each layer"):
        Options(job="mix", generator="pggan-celebahq-1024")
    (tmp_path / "wide.png").write_bytes(to_png(torch.rand(3, 8, 9)))
    with pytest.raises(OptionError, match="the second face is 9×8 px: give a square picture"):
        parse_options(Options, {"job": "mix", "second": str(tmp_path / "wide.png")})
    (tmp_path / "none.png").write_bytes(b"nothing")
    with pytest.raises(OptionError, match="the second face: "):
        parse_options(Options, {"job": "mix", "second": str(tmp_path / "none.png")})


def test_a_second_face_of_another_size_is_resized(nets: Nets, tmp_path):
    (tmp_path / "face.png").write_bytes(to_png(torch.rand(3, 40, 40)))
    values = {"job": "mix", "generator": MIX.generator, "layer": "8", "iterations": 1}
    values |= {"second": str(tmp_path / "face.png")}
    options = parse_options(Options, values)
    assert options.second.shape == (3, 40, 40) and plan_of(options).codes == 1
    assert run(nets, options)[-1].image.shape == (3, 32, 32)
