"""Where PULSE's search begins: at GLEAN's rows, in its latent space, on the sphere of the random start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gansr.method import Nets
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops import sphere
from gansr.options import OptionError
from gansr.papers import pulse
from gansr.papers.glean.own import GleanOwn
from gansr.papers.pulse import PULSE, Options
from gansr.papers.pulse.latent import begun_at
from gansr.papers.pulse.search import Search
from tests.support.encoder import Encoder

START = Options(start="glean", steps=2)
LOW = torch.full((3, 32, 32), 0.25)


@pytest.fixture(scope="module")
def mobile() -> MobileStyleGAN:
    torch.manual_seed(0)
    return (
        MobileStyleGAN((16, 16, 16, 16, 8), style=16, mapping_layers=2).requires_grad_(False).eval()
    )  # 128²


def rows_of(count: int, seed: int = 1) -> Tensor:
    return torch.randn(1, count, 16, generator=torch.Generator().manual_seed(seed))


def nets_of(mobile: MobileStyleGAN, rows: Tensor) -> Nets:
    modules: Any = {"generator": mobile, "encoder": Encoder(rows)}
    return Nets(modules)


def begun(mobile: MobileStyleGAN, rows: Tensor, options: Options = START, seed: int = 3) -> Search:
    return Search(LOW, options, nets_of(mobile, rows), seed)


def test_a_row_keeps_its_direction_and_gets_the_radius_of_the_random_one():
    given, v = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]]), torch.tensor([[[10.0, 0.0], [0.0, -1.0]]])
    torch.testing.assert_close(begun_at(given, v), torch.tensor([[[6.0, 8.0], [0.0, 1.0]]]))


def test_latents_are_what_the_rows_come_from():
    mean, std = torch.tensor([0.1, -0.2]), torch.tensor([0.5, 2.0])
    v = torch.tensor([[[1.0, -1.0], [0.0, 3.0]]])
    torch.testing.assert_close(sphere.to_latent(sphere.to_rows(v, mean, std, 1.5), mean, std, 1.5), v)


def test_the_search_begins_at_the_rows_but_for_their_radius(mobile):
    rows = rows_of(13)
    for truncation in (1.0, 0.7):
        options = replace(START, truncation=truncation, fine_rows="searched")
        search, random = begun(mobile, rows, options), begun(mobile, rows, replace(options, start="random"))
        assert search.given is not None and random.given is None
        v, other = search.samples[0].v, random.samples[0].v
        torch.testing.assert_close(sphere.radius(v), sphere.radius(other))
        search.samples[0].v = search.given  # as the rows are, before the projection
        (found,) = search._rows(search.samples)
        torch.testing.assert_close(found[:13], rows[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found[13:], rows[0].mean(0).expand(1, 16), atol=1e-4, rtol=1e-4)
        apart = torch.nn.functional.cosine_similarity(v, search.given, dim=2)
        torch.testing.assert_close(apart, torch.ones_like(apart))


def test_one_row_for_all_layers_is_the_mean_of_the_encoders(mobile):
    rows = rows_of(14)
    search = begun(mobile, rows, replace(START, tile_latent=True))
    assert search.given is not None and search.given.shape == (1, 1, 16)
    search.samples[0].v = search.given
    (found,) = search._rows(search.samples)
    torch.testing.assert_close(found, rows[0].mean(0).expand(14, 16), atol=1e-4, rtol=1e-4)


def test_several_samples_from_the_same_rows_are_said_to_be_alike(mobile):
    nets = nets_of(mobile, rows_of(14))
    for samples, said in ((1, False), (2, True)):
        options = replace(START, samples=samples, eps=1.0)
        *_, last = pulse.run(LOW, options, nets, torch.Generator().manual_seed(0))
        assert any("begin at the same rows" in notice for notice in last.notices) == said


def test_the_encoder_is_loaded_where_the_search_begins_at_its_rows():
    assert PULSE.needs(PULSE, Options()) == {"generator": "mobilestylegan-ffhq-1024"}
    assert PULSE.needs(PULSE, START) == {"generator": "mobilestylegan-ffhq-1024", "encoder": "glean-face-x8"}
    assert PULSE.cost(32, 32, START).memory > PULSE.cost(32, 32, Options()).memory


@pytest.mark.parametrize("other", [{"side": "64"}, {"side": "16"}, {"generator": "stylegan2-ffhq-1024"}])
def test_other_inputs_and_generators_have_no_such_rows(other):
    with pytest.raises(OptionError, match="an input of 32 px only: choose these, or a random start"):
        Options(start="glean", **other)


def test_our_glean_gives_rows_of_the_generators_coarse_layers(mobile):
    torch.manual_seed(1)
    encoder = GleanOwn(32, 2, (16, 16, 16, 16, 8), 16, 8, 4, 1, 8, 8, 8, decoder=(8,), taps=(4,)).eval()
    encoder.requires_grad_(False)
    low = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    nets = Nets({"generator": mobile, "encoder": encoder})
    *_, last = pulse.run(low, START, nets, torch.Generator().manual_seed(0))
    assert encoder.rows == 13 and mobile.style_rows == 14
    assert last.image.shape == (3, 128, 128) and last.step == 2
