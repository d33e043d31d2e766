"""What mGANprior is compared with: what each baseline draws, and what its steps change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gansr.method import Nets
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.pggan import PGGAN
from gansr.options import OptionError, parse_options
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.baselines import Baseline, baseline_of, search_of
from gansr.papers.mganprior.options import plan_of
from gansr.papers.mganprior.search import start_search
from gansr.papers.mganprior.views import final_views
from tests.support.encoder import Encoder

pytestmark = pytest.mark.usefixtures("one_thread")

LOW = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(4))


@pytest.fixture(scope="module")
def face() -> MobileStyleGAN:
    """A generator of 32×32 px with 8 style rows: of 4², of three a block, and of the picture."""
    torch.manual_seed(0)
    net = MobileStyleGAN((16, 8, 8), style=10, mapping_layers=1).requires_grad_(False).eval()
    for layer in net.mapping.layers.children():
        assert isinstance(layer, nn.Linear)
        layer.weight.mul_(3)
    return net


def begun(searched: str, net: nn.Module, **values: object) -> Baseline:
    options = Options(**{"job": "invert", "layer": "8", "searched": searched, "iterations": 8} | values)  # type: ignore[arg-type]
    nets, generator = Nets({"generator": net}), torch.Generator().manual_seed(1)
    return baseline_of(start_search(LOW, options, nets, generator), nets, generator)


def same(drawn: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(drawn, expected, atol=1e-4, rtol=1e-4)


def test_one_code_in_z_draws_what_the_generator_draws_of_it(face: MobileStyleGAN):
    search = begun("z", face)
    assert search.codes.shape == (1, 10)
    same(search.picture().detach(), face(search.codes).detach())


def test_one_code_in_w_is_in_all_rows(face: MobileStyleGAN):
    search = begun("w", face)
    same(search.picture().detach(), face.synthesis(search.codes[:, None].expand(-1, 8, -1)).detach())


def test_w_plus_begins_as_w_and_has_a_code_for_each_row(face: MobileStyleGAN):
    one, rows = begun("w", face), begun("w+", face)
    assert rows.codes.shape == (1, 8, 10)
    assert torch.equal(rows.codes, one.codes[:, None].expand(-1, 8, -1))
    with torch.no_grad():
        rows.codes.add_(torch.randn(1, 8, 10, generator=torch.Generator().manual_seed(2)))
    same(rows.picture().detach(), face.synthesis(rows.codes).detach())


def test_a_search_may_begin_at_what_an_encoder_finds(face: MobileStyleGAN):
    rows = torch.randn(1, 8, 10, generator=torch.Generator().manual_seed(3))
    options = Options(job="invert", layer="8", searched="encoded", iterations=2)
    found: Any = Encoder(rows)
    nets, generator = Nets({"generator": face, "encoder": found}), torch.Generator().manual_seed(1)
    search = search_of(LOW, options, nets, generator)
    torch.testing.assert_close(found.given[0] / 2 + 0.5, LOW)  # of the encoder's own size: not resized
    assert torch.equal(search.codes, rows)
    same(search.picture().detach(), face.synthesis(rows).detach())
    search_of(torch.rand(3, 64, 64), options, nets, generator)
    assert found.given.shape == (1, 3, 32, 32)
    search.step(1)
    assert bool((search.codes != rows).all()), "every entry has a gradient"
    assert MGANPRIOR.needs(MGANPRIOR, options)["encoder"] == "glean-face-x8"


def test_what_the_encoder_cannot_read_is_refused():
    with pytest.raises(OptionError, match="GLEAN's rows are those of mobilestylegan-ffhq-1024"):
        Options(searched="encoded", generator="stylegan2-ffhq-1024")
    for job in ("colour", "inpaint"):
        with pytest.raises(OptionError, match="reads a whole picture in colour"):
            Options(searched="encoded", job=job)


def test_features_begin_as_those_of_the_mean_code(face: MobileStyleGAN):
    search = begun("features", face)
    assert search.codes.shape == (1, 8, 8, 8), "8 channels of 8×8 px after one block"
    same(search.codes.square().mean((2, 3)), torch.ones(1, 8))
    same(search.picture().detach(), face.synthesis(search.generator.mean[:, None].expand(-1, 8, -1)))


@pytest.mark.parametrize("searched", ["z", "w", "w+", "features"])
def test_a_step_reaches_what_is_searched_and_nothing_else(searched: str, face: MobileStyleGAN):
    search = begun(searched, face)
    fixed = [search.alpha.clone(), search.f2_style.clone(), *(p.clone() for p in face.parameters())]
    before = search.codes.detach().clone()
    search.step(1)
    assert bool((search.codes != before).all()), "every entry has a gradient"
    assert all(map(torch.equal, fixed, [search.alpha, search.f2_style, *face.parameters()]))
    assert search.alpha.grad is None and search.f2_style.grad is None


@pytest.mark.parametrize("searched", ["z", "w", "w+", "features"])
def test_a_search_comes_closer_and_can_be_left(searched: str, face: MobileStyleGAN):
    whole, left, other = (begun(searched, face, pull=0.0) for _ in range(3))
    for step in range(1, 9):
        last, _ = whole.step(step)
    assert whole.losses[-1] < whole.losses[0]
    for step in range(1, 4):
        left.step(step)
    other.restore(left.state())
    for step in range(4, 9):
        again, _ = other.step(step)
    assert torch.equal(last, again)


def test_the_pull_is_to_the_mean_of_each_space(face: MobileStyleGAN):
    """Two standard deviations: 2² = 4."""
    for searched in ("w", "w+"):
        search = begun(searched, face)
        with torch.no_grad():
            search.codes.copy_(search.generator.mean + 2 * search.generator.deviation)
        assert float(search.distance_to_prior().detach()) == pytest.approx(4, rel=1e-4)
    search = begun("z", face)
    with torch.no_grad():
        search.codes.fill_(-3.0)
    assert float(search.distance_to_prior().detach()) == pytest.approx(9)
    assert float(begun("features", face).distance_to_prior()) == 0


def test_the_codes_of_pggan_are_z():
    torch.manual_seed(0)
    net = PGGAN(32, style=8, width=128).requires_grad_(False).eval()
    search = begun("z", net, generator="pggan-bedroom-256")
    same(search.picture().detach(), net(search.codes).detach())
    with pytest.raises(OptionError, match=r"has no w\+: its codes are z"):
        Options(generator="pggan-bedroom-256", job="invert", searched="w+")


def test_a_baseline_has_one_code_and_shows_no_weights(face: MobileStyleGAN):
    assert plan_of(Options(searched="w", codes=7)).codes == 1
    assert plan_of(Options(codes=7)).codes == 7
    assert final_views(begun("w", face)) == {}
    with pytest.raises(OptionError, match="editing moves the paper's N codes"):
        parse_options(Options, {"job": "edit", "searched": "z"})


def test_a_run_with_a_baseline_ends_with_its_picture(face: MobileStyleGAN):
    options = Options(job="invert", layer="8", searched="z", iterations=2)
    generator = torch.Generator().manual_seed(0)
    *_, last = MGANPRIOR.run(LOW, options, Nets({"generator": face}), generator)
    assert (last.step, last.steps, last.image.shape) == (2, 2, (3, 32, 32))
    assert set(last.views) == {"loss"}
