"""mGANprior: the authors' numbers, the batch against the loop, every job, and editing."""

from __future__ import annotations

import io
import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gansr.engine import Job
from gansr.method import Frame, Heat, Nets
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.pggan import PGGAN
from gansr.nets.stylegan1 import StyleGAN1
from gansr.nets.stylegan2 import StyleGAN2
from gansr.nets.vgg import Vgg16
from gansr.ops.colour import luma, pillow_ycbcr
from gansr.options import OptionError, parse_options
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.composition import compose, principal_directions, samples_of_w, split
from gansr.papers.mganprior.edit import edit_direction
from gansr.papers.mganprior.options import DIRECTIONS, JOBS
from gansr.papers.mganprior.search import start_search
from gansr.papers.mganprior.tasks import (
    downscale,
    grey,
    loss_terms,
    observe,
    result_of,
    vgg_features,
    with_colours_of,
)
from gansr.papers.mganprior.views import THUMBNAIL, dominant_channels
from gansr.weights.converters.pggan import folded
from tests.support.golden import Golden

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


AS_THE_PAPER: dict[str, Any] = {"pull": 0.0, "offset": False, "correct": False}


def invert(**options: Any) -> Options:
    return Options(**AS_THE_PAPER, job="invert", **options)


@pytest.fixture(scope="module")
def face() -> MobileStyleGAN:
    """A generator of 64×64 px: 16 channels at 4 px, 8 at 8 px, 8 at 16 px, 12 at 32 px."""
    torch.manual_seed(0)
    net = MobileStyleGAN((16, 8, 8, 12), style=10, mapping_layers=2).requires_grad_(False).eval()
    for style in net.styles.children():  # around 1, as in a trained net, so that the features keep their size
        assert isinstance(style, nn.Linear)
        style.weight.mul_(2)
        style.bias.add_(1)
    net.body.picture.weight.div_(16)  # pictures well inside [−1,1]
    return net


@pytest.fixture(scope="module")
def scene() -> PGGAN:
    torch.manual_seed(0)
    return PGGAN(32, style=8, width=128).requires_grad_(False).eval()


def drawn(net: nn.Module, seed: int = 5) -> Tensor:
    """A picture that the generator can draw, (3,S,S) in [0,1]."""
    z = torch.randn(1, net.style, generator=seeded(seed))  # type: ignore[arg-type]
    return (net(z)[0] / 2 + 0.5).clamp(0, 1).detach()


def frames(net: nn.Module, low: Tensor, **options: Any) -> list[Frame]:
    chosen = AS_THE_PAPER | {"layer": "8", "codes": 3, "iterations": 4, "roles": False} | options
    return list(MGANPRIOR.run(low, Options(**chosen), Nets({"generator": net}), seeded(1)))


def half_mask(side: int = 256) -> Tensor:
    mask = torch.zeros(1, side, side)
    mask[:, :, : side // 2] = 1
    return mask


# ----------------------------------------------------------------------------------- the authors' numbers


def test_multi_code_pictures_are_the_authors():
    golden = Golden("mganprior_pggan256")
    net = PGGAN(256).eval().requires_grad_(False)
    net.load_state_dict(folded(golden.state("pggan256")))
    codes, alpha = golden.tensor("mgan/zs")[0], golden.tensor("mgan/alpha")[0]
    for layer, side in ((4, 8), (6, 16), (8, 32)):
        part = split(Nets({"generator": net}), side)
        fused = compose(part.f1(codes), alpha, part.norm_follows)
        golden.check(f"multi{layer}.fused", fused[:, ::8])
        golden.check(f"multi{layer}.out", part.f2(fused, part.f2_style))


def test_losses_of_every_job_are_the_authors():
    golden = Golden("mganprior_losses")
    trunk = Vgg16(16)
    trunk.load_state_dict({f"features.{k}": v for k, v in golden.state("vgg16_features_16").items()})
    a, b = (_signed(golden.input(name)) for name in ("picA", "picB"))
    hole = torch.from_numpy(golden.input("mask")).float()[None]
    cases: dict[str, tuple[dict[str, Any], int]] = {
        "plain": ({"job": "invert"}, 256),
        "color": ({"job": "colour"}, 256),
        "sr16": ({"down": "bilinear-point"}, 16),
        "sr8": ({"down": "bilinear-point"}, 32),
        "sr16bic": ({"down": "bicubic-point"}, 16),
        "inpaint": ({"job": "inpaint", "mask": hole}, 256),
    }
    for name, (job, side) in cases.items():
        options = Options(**job, l1=0.3, mse=1.0, vgg=1.0)
        x, y = (observe(picture, options, side, hole if name == "inpaint" else None) for picture in (a, b))
        found = loss_terms(x, y, options, lambda picture: vgg_features(trunk, picture))
        golden.check(f"{name}.L1", found["L1"] / 0.3)
        golden.check(f"{name}.L2", found["MSE"])
        golden.check(f"{name}.VGG_L1", found["VGG"])
        golden.check(f"{name}.Combine", torch.stack(list(found.values())).sum())
        if name == "sr16":
            golden.check("sr16.small", x)
    golden.check("color.gray", grey(a)[:, :1])
    golden.check("inpaint.combined", torch.where(hole > 0, b, a))
    merged = with_colours_of(a[0] / 2 + 0.5, b[0] / 2 + 0.5)
    authors = golden.stored["color.merged"].astype(np.float32)
    assert np.abs((merged * 255).round().permute(1, 2, 0).numpy() - authors).max() <= 1  # their tolerance


def _signed(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def test_the_authors_adam_is_pytorchs_with_one_rate_and_ours_is_not(scene: PGGAN):
    low, steps = drawn(scene), 5
    theirs, ours, plain = (
        start_search(
            low,
            invert(layer="8", codes=3, iterations=steps, optimiser=optimiser),
            Nets({"generator": scene}),
            seeded(),
        )
        for optimiser in ("adam-authors", "adam", "adam-authors")
    )
    adam = torch.optim.Adam([plain.codes, plain.alpha], lr=1.0)
    for step in range(1, steps + 1):
        theirs.step(step)
        ours.step(step)
        if step < steps:
            adam.zero_grad()
            (plain.picture() - (low[None] * 2 - 1)).square().mean().backward()
            adam.step()
    assert torch.equal(theirs.codes, plain.codes) and torch.equal(theirs.alpha, plain.alpha)
    assert float((ours.codes - plain.codes).detach().abs().mean()) > 0.1
    assert {(g["lr"], g["eps"]) for g in theirs.optimiser.param_groups} == {(1.0, 1e-8)}


def test_the_authors_adam_takes_the_first_step_of_their_loop_over_codes():
    golden = Golden("mganprior_pggan256")
    net = PGGAN(256).eval().requires_grad_(False)
    net.load_state_dict(folded(golden.state("pggan256")))
    low = drawn(net)
    codes, alpha = golden.tensor("mgan/zs")[0].requires_grad_(), torch.full((5, 512), 1 / 5).requires_grad_()
    adam = torch.optim.Adam([codes, alpha], lr=1.0)
    features = [net.first(z[None], 4) * a[None, :, None, None] for z, a in zip(codes, alpha)]
    picture = net.rest(torch.stack(features).sum(0) / 5, 4)
    (picture - (low[None] * 2 - 1)).square().mean().backward()
    adam.step()
    options = invert(layer="8", codes=5, iterations=2, optimiser="adam-authors")
    search = start_search(low, options, Nets({"generator": net}), seeded())
    search.codes.data.copy_(golden.tensor("mgan/zs")[0])
    search.step(1)
    for mine, theirs in ((search.codes, codes), (search.alpha, alpha)):
        # a gradient near 0 may round to the other sign, and Adam's first step is its sign times the rate
        assert float((mine - theirs).detach().abs().mean()) < 1e-3


def test_a_boundary_moves_every_code_as_the_authors_do():
    golden = Golden("mganprior_losses")
    codes, boundary = golden.tensor("mgan/zs")[0], golden.tensor("mgan/boundary")
    steps = np.linspace(-4.2, 4.2, 5)
    golden.check("edit.frames5", torch.stack([codes + float(t) * boundary for t in steps]))


# ----------------------------------------------------------------------------------------- the composition


@pytest.fixture(scope="module")
def stylegan2() -> StyleGAN2:
    torch.manual_seed(0)
    return StyleGAN2(32, style=10, mapping_layers=1, multiplier=1).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def stylegan1() -> StyleGAN1:
    torch.manual_seed(0)
    return StyleGAN1((8, 8, 8, 4), style=10, mapping_layers=1).requires_grad_(False).eval()


@pytest.mark.parametrize("prior", ["face", "scene", "stylegan1", "stylegan2"])
@pytest.mark.parametrize("layer", [4, 8, 16])
def test_codes_in_one_batch_equal_the_loop_over_codes(prior: str, layer: int, request):
    part = split(Nets({"generator": request.getfixturevalue(prior)}), layer)
    codes = part.initial_codes(6, seeded(2))
    alpha = torch.randn(6, part.channels, generator=seeded(3))
    looped = torch.stack([part.f1(z[None])[0] * a[:, None, None] for z, a in zip(codes, alpha)]).sum(0)
    looped = looped / 6 if part.norm_follows else looped
    error = (compose(part.f1(codes), alpha, part.norm_follows)[0] - looped).abs().max()
    assert float(error) <= 1e-5 * max(1.0, float(looped.abs().max()))


def test_gradients_of_the_composition_are_those_of_the_plain_sum():
    features = torch.randn(3, 4, 5, 5, generator=seeded(0), dtype=torch.float64, requires_grad=True)
    alpha = torch.randn(3, 4, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, a: compose(f, a, True), (features, alpha))


def test_one_over_n_stands_twice_where_a_norm_follows_and_once_where_none_does(
    face: MobileStyleGAN, scene: PGGAN
):
    for net, times in ((scene, 2), (face, 1)):
        search = start_search(drawn(net), invert(layer="8", codes=4), Nets({"generator": net}), seeded())
        features = search.generator.f1(search.codes)
        composed = compose(features, search.alpha, search.generator.norm_follows)
        torch.testing.assert_close(composed[0], features.sum(0) / 4**times, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("prior", ["stylegan1", "stylegan2"])
def test_the_other_stylegans_can_be_split_and_searched(prior: str, request):
    net = request.getfixturevalue(prior)
    low = torch.rand(3, 32, 32, generator=seeded(4))
    made = frames(net, low, job="invert", iterations=5)
    assert made[-1].readings["loss"] < made[0].readings["loss"] and made[-1].image.shape == (3, 32, 32)


@pytest.mark.parametrize("job", JOBS)
def test_each_job_ends_with_its_size_and_a_smaller_loss(job: str, face: MobileStyleGAN):
    second = torch.rand(3, 64, 64, generator=seeded(5))
    of_job = {"inpaint": {"mask": half_mask()}, "sr": {"factor": 4}, "edit": {"direction": DIRECTIONS[0]}}
    of_job["mix"] = {"second": second, "generator": "stylegan2-ffhq-1024"}  # without an encoder
    low = torch.rand(3, *[{"sr": 16, "inpaint": 256}.get(job, 64)] * 2, generator=seeded(4))
    made = frames(face, low, job=job, iterations=12, **of_job.get(job, {}))
    assert made[-1].image.shape == ((3, 64, 64) if job == "sr" else low.shape)
    assert made[-1].step == made[-1].steps == len(made)
    assert made[11].readings["loss"] < made[0].readings["loss"]
    assert 0 <= float(made[-1].image.min()) <= float(made[-1].image.max()) <= 1


def test_more_codes_come_closer_to_a_picture_at_equal_iterations(scene: PGGAN):
    low = torch.rand(3, 32, 32, generator=seeded(8))
    one, many = (
        frames(scene, low, job="invert", codes=n, iterations=30)[-1].readings["loss"] for n in (1, 12)
    )
    assert many < 0.98 * one


def test_gradient_descent_at_rate_one_is_the_papers_and_descends(scene: PGGAN):
    made = frames(scene, drawn(scene), job="invert", optimiser="gd", iterations=25)
    assert made[-1].readings["loss"] < made[0].readings["loss"]
    search = start_search(
        drawn(scene), invert(layer="8", optimiser="gd"), Nets({"generator": scene}), seeded()
    )
    assert {g["lr"] for g in search.optimiser.param_groups} == {1.0}


def test_inpainting_reads_nothing_in_the_hole_and_keeps_the_rest_exactly(face: MobileStyleGAN):
    low, mask = torch.rand(3, 256, 256, generator=seeded(4)), half_mask()
    other = torch.where(mask > 0, torch.rand(3, 256, 256, generator=seeded(9)), low)
    first, second = (frames(face, x, job="inpaint", mask=mask)[-1].image for x in (low, other))
    assert torch.equal(first, second)
    assert torch.equal(first[:, :, 128:], low[:, :, 128:])
    whole = frames(face, low, job="inpaint", mask=mask, composite=False)[-1].image
    assert torch.equal(whole[:, :, :128], first[:, :, :128]) and not torch.equal(whole, first)


def test_inpainting_without_a_mask_is_refused_with_the_reason(face: MobileStyleGAN):
    with pytest.raises(OptionError, match="needs a mask"):
        frames(face, torch.rand(3, 256, 256, generator=seeded(4)), job="inpaint")


def test_colourisation_keeps_the_brightness_and_reads_no_colours(face: MobileStyleGAN):
    low = torch.rand(3, 64, 64, generator=seeded(4)).mul(0.4).add(0.3).mul(255).round() / 255
    brightness = pillow_ycbcr(low)[:1] / 255
    made = frames(face, low, job="colour")[-1].image
    from_grey = frames(face, brightness.expand(3, -1, -1), job="colour")[-1].image
    inside = ((made > 0) & (made < 1)).all(
        0
    )  # elsewhere the colour does not fit the brightness and is clipped
    assert float(inside.float().mean()) > 0.2
    assert float((luma(made) - luma(low))[inside].abs().max()) < 0.01
    assert float((made - from_grey).abs().mean()) < 0.02  # but for the brightness' rounding
    assert float((made - made.mean(0)).abs().mean()) > 0.001


@pytest.mark.parametrize(
    "job, side, wanted", [("sr", 16, 64), ("sr", 20, 80), ("invert", 16, 16), ("edit", 64, 64)]
)
def test_a_result_has_the_jobs_size_and_is_what_was_compared(job: str, side: int, wanted: int):
    x = torch.rand(1, 3, 64, 64, generator=seeded(4)) * 1.6 - 0.8
    options = Options(job=job, factor=4, down="area")
    made = result_of(x, torch.zeros(3, side, side), options, None)
    assert made.shape == (3, wanted, wanted)
    if wanted in (side, 64):  # at a factor that does not divide the generator's side the result is resized
        seen = observe(x, options, side, None)
        again = downscale(made[None] * 2 - 1, (side, side), "area")
        torch.testing.assert_close(again, seen, atol=1e-5, rtol=0)


def test_vgg_counts_where_it_has_a_weight(face: MobileStyleGAN):
    torch.manual_seed(0)
    lpips = nn.Module()
    lpips.trunk = Vgg16(16)
    nets = Nets({"generator": face, "vgg": lpips})
    options = invert(layer="8", codes=2, iterations=2, vgg=1.0, roles=False)
    low = torch.rand(3, 64, 64, generator=seeded(4))
    last = list(MGANPRIOR.run(low, options, nets, seeded()))[-1]
    assert last.readings["VGG"] > 0
    assert last.readings["loss"] == pytest.approx(last.readings["MSE"] + last.readings["VGG"])
    assert MGANPRIOR.needs(MGANPRIOR, options) == {"generator": options.generator, "vgg": "lpips-vgg"}
    assert "vgg" not in MGANPRIOR.needs(MGANPRIOR, Options())


@pytest.mark.parametrize(
    "kind", ["bicubic", "bilinear-antialias", "area", "nearest", "bilinear-point", "bicubic-point"]
)
def test_every_down_scaling_keeps_a_constant_and_lets_gradients_through(kind: str):
    x = torch.full((1, 3, 30, 30), 0.3, requires_grad=True)
    small = downscale(x, (7, 7), kind)
    torch.testing.assert_close(small, torch.full((1, 3, 7, 7), 0.3), atol=1e-5, rtol=0)
    small.sum().backward()
    assert x.grad is not None and float(x.grad.sum()) == pytest.approx(3 * 49, rel=1e-4)


# --------------------------------------------------------------------------------------- roles and editing


def test_the_roles_show_where_each_code_acts(scene: PGGAN):
    last = frames(scene, drawn(scene), job="invert", roles=True, codes=6)[-1]
    (title,) = [name for name in last.views if name.startswith("role")]
    roles, alpha = last.views[title], last.views["α: 6 codes × 8 channels"]
    assert isinstance(roles, Heat) and isinstance(alpha, Heat)
    grid = roles.values
    assert grid.shape == (2 * THUMBNAIL, 5 * THUMBNAIL)  # six codes, five to a row
    assert float(grid[:THUMBNAIL].min()) >= 0 and float(grid[:THUMBNAIL].max()) > 0
    assert float(grid[THUMBNAIL:, THUMBNAIL:].abs().max()) == 0  # empty places
    assert alpha.values.shape == (6 * 8, 8)  # 8 px a code


def test_dominant_channels_are_the_papers_where_alpha_has_the_papers_size():
    alpha = torch.tensor([[0.1, 0.3, 0.1, 0.1], [0.05, 0.1, 0.25, -0.3]])
    rule, chosen = dominant_channels(alpha)
    assert rule == "α > 0.2"
    assert chosen.tolist() == [[False, True, False, False], [False, False, True, False]]
    rule, chosen = dominant_channels(torch.arange(40.0).view(2, 20) / 1000)
    assert "tenth" in rule and chosen.sum(1).tolist() == [2, 2]


def test_an_edit_sweeps_its_range_and_zero_is_the_inversion(face: MobileStyleGAN):
    low = torch.rand(3, 64, 64, generator=seeded(4))
    made = frames(face, low, job="edit", amount=0.0, span=2.0, direction="principal direction 1")
    sweep, last = made[4:-1], made[-1]
    assert [round(f.readings["edit amount"], 3) for f in sweep] == [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]
    torch.testing.assert_close(last.image, last.answers["not edited"], atol=1e-5, rtol=0)
    assert not torch.allclose(sweep[0].image, sweep[-1].image, atol=1e-3)
    with Image.open(io.BytesIO(last.files["edit.webp"])) as moving:
        assert moving.format == "WEBP" and getattr(moving, "n_frames", 1) > 9


def test_principal_directions_are_fixed_orthogonal_and_widest_first():
    torch.manual_seed(0)
    mapping = MobileStyleGAN((8, 8), style=16, mapping_layers=1).mapping
    directions, deviations = principal_directions(samples_of_w(mapping, 16))
    torch.testing.assert_close(directions @ directions.T, torch.eye(8), atol=1e-5, rtol=0)
    assert all(a >= b for a, b in itertools.pairwise(deviations.tolist()))
    assert torch.equal(directions, principal_directions(samples_of_w(mapping, 16))[0])
    w = mapping(torch.randn(4000, 16, generator=seeded(1))).detach()
    assert float((w @ directions[0]).std()) == pytest.approx(float(deviations[0]), rel=0.1)


def test_the_authors_boundary_moves_pggan(tmp_path):
    normal = np.random.default_rng(0).standard_normal((1, 512))
    np.save(tmp_path / "age.npy", normal / np.linalg.norm(normal))
    options = parse_options(
        Options, {"job": "edit", "generator": "pggan-celebahq-1024", "boundary": str(tmp_path / "age.npy")}
    )
    torch.testing.assert_close(
        edit_direction(options, Nets()), torch.from_numpy(normal / np.linalg.norm(normal)).float()
    )


# ------------------------------------------------------------------------------------------------ frames


def test_a_job_of_each_kind_survives_pickling():
    for kind in JOBS:
        options = Options(job=kind, mask=half_mask() if kind == "inpaint" else None)
        job = Job(MGANPRIOR, torch.rand(3, 8, 8, generator=seeded()), options)
        again = pickle.loads(pickle.dumps(job))
        assert again.method.name == "mganprior" and again.options.job == kind
        assert torch.equal(again.low, job.low)


def test_frames_name_their_numerical_form(face: MobileStyleGAN, scene: PGGAN):
    low = torch.rand(3, 64, 64, generator=seeded(4))
    assert {frame.form for frame in frames(face, low, job="edit", direction="principal direction 1")} == {
        "eager float32"
    }
    options = invert(layer="8", codes=2, iterations=2, roles=False)
    narrow = MGANPRIOR.run(low, options, Nets({"generator": scene}, torch.bfloat16), seeded())
    assert {frame.form for frame in narrow} == {"eager bf16"}
