"""PULSE as a method: on tiny generators, against the authors' numbers, and a short search with the real weights."""

from __future__ import annotations

import pickle
import threading
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gansr.method import Frame, Heat, MethodError, Nets
from gansr.nets.compiled import KIND
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.stylegan1 import Block, First, StyleGAN1
from gansr.nets.stylegan2 import StyleGAN2
from gansr.ops import sphere
from gansr.options import OptionError, options_of, parse_options
from gansr.papers import pulse
from gansr.papers.pulse import PULSE, Options, latent, views
from gansr.papers.pulse.options import GENERATORS, PAPER
from gansr.papers.pulse.search import Search
from gansr.weights.converters.stylegan1 import from_pulse
from tests.support.golden import Golden, array

TINY = Options(side="16", steps=6, rate=0.2)


@pytest.fixture(scope="module")
def mobile() -> MobileStyleGAN:
    torch.manual_seed(0)
    net = MobileStyleGAN((16, 16, 16, 8), style=16, mapping_layers=2).requires_grad_(False).eval()  # 64²
    net.body.picture.weight.mul_(12)  # random weights draw a nearly flat grey
    return net


@pytest.fixture(scope="module")
def styled() -> StyleGAN1:
    torch.manual_seed(1)
    net = StyleGAN1((8, 8, 6, 6, 4), style=12, mapping_layers=2).requires_grad_(False).eval()  # 64²
    for block in net.blocks:
        assert isinstance(block, (First, Block))
        block.epilogue1.strength.fill_(0.3)
        block.epilogue2.strength.fill_(0.3)
    return net


def nets_of(net, dtype=torch.float32) -> Nets:
    return Nets({"generator": net}, dtype)


@torch.no_grad()
def drawn(net, seed: int = 99) -> Tensor:
    """A picture of the generator itself, shrunk to 16 px: a target that can be reached."""
    v, maps, _ = latent.random_start(net, TINY, seed)
    rows = sphere.to_rows(v, *latent.latent_gaussian(nets_of(net)), net.gain)
    picture = net.synthesis(rows, maps) if maps else net.synthesis(rows)
    return ((sphere.shrink(picture, net.side // 16) + 1) / 2)[0].clamp(0, 1)


def frames(
    net, options: Options, seed: int = 3, dtype=torch.float32, low: Tensor | None = None
) -> list[Frame]:
    low = drawn(net) if low is None else low
    return list(pulse.run(low, options, nets_of(net, dtype), torch.Generator().manual_seed(seed)))


# ------------------------------------------------------------------------------------------ behaviour


def beside(frame: Frame) -> torch.Tensor:
    view = frame.views["Downscaled result beside the input"]
    assert isinstance(view, torch.Tensor)
    return view


def test_every_step_gives_a_frame_and_the_last_is_the_last(mobile):
    found = frames(mobile, TINY)
    assert [frame.step for frame in found] == [1, 2, 3, 4, 5, 6] and {frame.steps for frame in found} == {6}
    for frame in found:
        assert frame.image.shape == (3, 64, 64) and 0 <= frame.image.min() <= frame.image.max() <= 1
        assert beside(frame).shape == (3, 16, 32)
        assert not frame.image.requires_grad


def test_pulse_result_downscales_to_its_input(mobile):
    low = drawn(mobile)
    assert frames(mobile, TINY, low=low)[0].readings["mse"] > 0.05  # it does not start there
    last = frames(mobile, replace(TINY, steps=80, rate=0.4, loss="100*L2", eps=4e-3), low=low)[-1]
    shrunk, shown = beside(last).split(16, dim=2)
    assert (
        last.readings["mse"] <= 4e-3
        and last.readings["samples within the error threshold"] == 1
        and not last.notices
    )
    assert (shrunk - low).square().mean() <= 4e-3
    assert torch.equal(shown, low)


def test_the_search_leaves_the_sphere_only_where_it_is_told_to(mobile):
    low = drawn(mobile)
    for on_sphere in (True, False):
        search = Search(low, replace(TINY, on_sphere=on_sphere), nets_of(mobile), 0)
        v = search.samples[0].v
        before = sphere.radius(v.detach())
        for j in range(TINY.steps):
            search.step(j)
        after = sphere.radius(v.detach())
        assert torch.allclose(before, after, rtol=1e-5) == on_sphere


def test_a_step_without_the_sphere_is_the_optimisers_own(mobile):
    plain = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ours = plain.detach().clone().requires_grad_()
    optimiser = sphere.SphericalOptimiser([ours], "sgd", 0.5, [1.0, 0.1], projects=False)
    for j, rate in enumerate((0.5, 0.05)):
        ours.grad = torch.full_like(ours, j + 1.0)
        optimiser.step(j)
        plain = plain.detach() - rate * (j + 1)
    assert torch.equal(ours.detach(), plain)


@pytest.mark.parametrize("side", [8, 32])
def test_inputs_of_other_sides_are_enlarged_to_the_generators(mobile, side):
    frame = frames(mobile, replace(TINY, side=str(side), steps=2), low=torch.full((3, side, side), 0.5))[-1]
    assert frame.image.shape == (3, 64, 64) and beside(frame).shape == (3, side, 2 * side)


def test_an_input_as_large_as_the_result_is_refused():
    with pytest.raises(OptionError, match="draws 256×256 px: the input side must be smaller"):
        Options(generator="stylegan2-cat", side="256")
    assert PULSE.scale(PULSE, Options(generator="stylegan2-cat", side="128")) == 2


def test_the_reported_error_is_that_of_the_result(mobile):
    low = torch.full((3, 16, 16), 0.5)
    search = Search(low, TINY, nets_of(mobile), 0)
    for j in range(TINY.steps):
        search.step(j)
    search.finish()
    small = (sphere.shrink(search.samples[0].picture, 4) + 1) / 2
    assert search.samples[0].mse == pytest.approx((small - low).square().mean().item(), rel=1e-5)


def test_fine_rows_are_the_mean_of_the_others_and_all_lie_nearer_to_the_average(mobile):
    low = torch.full((3, 16, 16), 0.5)  # the rows of its own are those of at most 32²
    plain = Search(low, replace(TINY, fine_rows="searched", truncation=1.0), nets_of(mobile), 0)
    near = Search(low, replace(TINY, truncation=0.7), nets_of(mobile), 0)
    (free,), (held,) = plain._rows(plain.samples), near._rows(near.samples)
    assert torch.equal(free, sphere.to_rows(plain.samples[0].v, plain.mean, plain.std, mobile.gain)[0])
    torch.testing.assert_close(held[:10] - near.average, 0.7 * (free[:10] - near.average))
    torch.testing.assert_close(held[10:], held[:10].mean(0).expand(len(free) - 10, -1))


@pytest.mark.parametrize("name", ["mobile", "styled"])
def test_every_row_has_the_side_of_the_features_that_it_changes(name, request):
    net = request.getfixturevalue(name)
    assert len(net.row_sides) == net.style_rows
    torch.manual_seed(0)
    rows, other = torch.randn(2, 1, net.style_rows, net.style)
    for k, (_, side) in enumerate(net.shapes[:-1]):  # rows of finer layers do not change the features so far
        fine = torch.tensor(net.row_sides) > side
        mixed = torch.where(fine[:, None], other, rows)
        assert torch.equal(net.first(rows, k), net.first(mixed, k))
        least = torch.where(torch.tensor(net.row_sides)[:, None] == side, other, rows)
        assert not torch.equal(net.first(rows, k), net.first(least, k))


def test_paper_searches_as_the_paper_does():
    options = parse_options(Options, PAPER)
    assert (options.fine_rows, options.truncation, options.goal) == ("searched", 1.0, options.eps)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_several_samples_are_what_each_would_be_alone(mobile, batch_size: int):
    low, several = drawn(mobile), replace(TINY, samples=3)
    search = Search(low, several, nets_of(mobile), 5)
    search.batch_size = batch_size  # a graphics card computes them at once, a processor one by one
    for j in range(TINY.steps):
        search.step(j)
    search.finish()
    for i, sample in enumerate(search.samples):
        alone = frames(mobile, TINY, seed=5 + i, low=low)[-1]
        torch.testing.assert_close(views._unit(sample.picture), alone.image, rtol=0, atol=1e-3)


def test_several_samples_are_shown_with_their_variance(mobile):
    found = frames(mobile, replace(TINY, samples=3, steps=3))
    last = found[-1]
    assert list(last.answers) == ["sample 1 (seed 3)", "sample 2 (seed 4)", "sample 3 (seed 5)"]
    pictures = torch.stack(list(last.answers.values()))
    heat = last.views["Variance between the samples: high where details are invented"]
    assert isinstance(heat, Heat)
    torch.testing.assert_close(heat.values, pictures.var(0, unbiased=False).mean(0))
    best = min(range(3), key=lambda i: last.readings[f"mse {i + 1}"])
    assert torch.equal(last.image, pictures[best])
    assert frames(mobile, TINY)[-1].answers == {}


def test_each_sample_keeps_its_own_best_or_its_last(mobile):
    low = drawn(mobile)
    wild = replace(TINY, samples=2, rate=3.0, schedule="fixed", steps=8, loss="1*L2", eps=1e-6)  # overshoots
    kept, steps = {}, []
    for keep in ("best", "last"):
        search = Search(low, replace(wild, keep=keep), nets_of(mobile), 0)
        for j in range(wild.steps):
            before = [sample.v.detach().clone() for sample in search.samples]
            search.step(j)
            steps.append([sample.best for sample in search.samples])
        kept[keep] = [sample.kept[0] for sample in search.samples]
    for i in range(2):
        so_far = [row[i] for row in steps[:8]]
        assert so_far == sorted(so_far, reverse=True) and steps[:8] == steps[8:]
        assert torch.equal(kept["last"][i], before[i])  # what the last step drew, before it moved
    assert any(not torch.equal(best, last) for best, last in zip(kept["best"], kept["last"]))


def test_the_search_may_be_in_bfloat16_but_the_last_frame_is_float32(mobile):
    low = drawn(mobile)
    last = frames(mobile, TINY, dtype=torch.bfloat16, low=low)[-1]
    exact = frames(mobile, TINY, low=low)[-1]
    assert last.image.dtype == torch.float32
    assert last.readings["mse"] == pytest.approx(exact.readings["mse"], rel=0.5)
    assert last.image.unique().numel() > 4096  # bfloat16 has 256 values between ½ and 1 at most


def test_the_same_seed_gives_the_same_result_and_the_generator_takes_no_gradient(mobile):
    low = drawn(mobile)
    assert torch.equal(frames(mobile, TINY, low=low)[-1].image, frames(mobile, TINY, low=low)[-1].image)
    assert not torch.equal(
        frames(mobile, TINY, 4, low=low)[-1].image, frames(mobile, TINY, low=low)[-1].image
    )
    assert all(p.grad is None for p in mobile.parameters())


# ---------------------------------------------------------------------------------- optimised networks


def test_the_gaussian_and_the_optimised_form_are_made_once_and_kept_with_the_nets(mobile):
    nets, low = nets_of(mobile, torch.bfloat16), drawn(mobile)
    first, second = Search(low, TINY, nets, 0), Search(low, TINY, nets, 0)
    assert first.mean is second.mean
    assert nets.optimised(KIND, ("generator",), lambda: None) is pulse.optimised(nets)
    exact = Search(low, TINY, replace(nets, dtype=torch.float32), 0)
    assert exact.mean is first.mean and (exact.form, first.form) == ("eager float32", "eager bf16")


def test_every_frame_names_the_numerical_form_of_its_run(mobile, styled):
    assert {frame.form for frame in frames(mobile, TINY, dtype=torch.bfloat16)} == {"eager bf16"}
    assert {frame.form for frame in frames(styled, TINY, dtype=torch.bfloat16)} == {"eager float32"}


def test_after_the_warm_up_a_search_runs_compiled(monkeypatch):
    net = MobileStyleGAN((8, 8, 8, 8, 8, 4), style=6, mapping_layers=1).requires_grad_(False).eval()
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: function)
    monkeypatch.setattr("shutil.which", lambda name: "/a/compiler")
    nets, low = nets_of(net), torch.full((3, 16, 16), 0.5)
    before = Search(low, TINY, nets, 0)
    pulse.warm_up(nets)
    for thread in threading.enumerate():
        if thread.name == "compile":
            thread.join()
    assert (before.form, Search(low, TINY, nets, 0).form) == ("eager float32", "compiled float32")
    pulse.warm_up(nets_of(StyleGAN1((8, 6), style=6, mapping_layers=1)))  # nothing to compile


# -------------------------------------------------------------------------------------- noise and rows


def test_random_draws_come_in_the_authors_order(styled):
    v, maps, searched = latent.random_start(styled, replace(TINY, zero_maps="1.9", trainable_maps=3), 7)
    g = torch.Generator().manual_seed(7)
    assert torch.equal(v, torch.randn(1, 10, 12, generator=g))
    assert torch.equal(maps[0], torch.randn(1, 1, 4, 4, generator=g))
    assert not maps[1].any() and not maps[9].any()
    assert torch.equal(maps[2], torch.randn(1, 1, 8, 8, generator=g))  # a zero map draws nothing
    assert searched == [0, 2]


@pytest.mark.parametrize(("noise", "moved"), [("trainable", [0, 1]), ("fixed", []), ("zero", [])])
def test_only_the_wanted_noise_maps_move_and_keep_their_radius(styled, noise: str, moved: list[int]):
    options = replace(TINY, noise=noise, trainable_maps=2, steps=3)
    search = Search(drawn(styled), options, nets_of(styled), 0)
    before = [x.detach().clone() for x in search.samples[0].maps]
    radii = sphere.radius(search.samples[0].v.detach())
    for j in range(3):
        search.step(j)
    sample = search.samples[0]
    assert [i for i, x in enumerate(before) if not torch.equal(x, sample.maps[i])] == moved
    for i in moved:
        torch.testing.assert_close(sample.maps[i].norm(), before[i].norm())
    torch.testing.assert_close(sphere.radius(sample.v.detach()), radii)


def test_stylegan2_is_searched_too():
    torch.manual_seed(2)
    net = StyleGAN2(32, style=16, mapping_layers=2).requires_grad_(False).eval()
    first, *_, last = frames(net, replace(TINY, steps=5, eps=1e-6), low=torch.full((3, 16, 16), 0.4))
    assert last.image.shape == (3, 32, 32)
    assert last.readings["mse"] < first.readings["mse"]


def test_one_latent_row_may_serve_all_layers(mobile):
    search = Search(drawn(mobile), replace(TINY, tile_latent=True), nets_of(mobile), 0)
    search.step(0)
    assert search.samples[0].v.shape == (1, 1, 16)
    assert search.lines["GEOCROSS"][0] < 1e-6


# ------------------------------------------------------------------------------------ what the user reads


def test_a_search_that_stays_above_eps_returns_its_picture_with_a_notice(mobile):
    last = frames(mobile, replace(TINY, eps=0.0, noise="zero"))[-1]
    assert last.image.shape == (3, 64, 64)
    assert "1 of 1 samples did not reach the error threshold 0" in last.notices[0]
    assert "noise built in" in last.notices[1]


def test_a_loss_that_is_not_finite_ends_the_search_with_an_error(mobile):
    with pytest.raises(MethodError, match="step 1 of 6"):
        frames(mobile, TINY, low=torch.full((3, 16, 16), float("nan")))


@pytest.mark.parametrize("values", [{"loss": "100*L4"}, {"zero_maps": "1,2"}, {"side": "48"}, {"samples": 9}])
def test_invalid_options_are_refused(values):
    with pytest.raises(OptionError):
        parse_options(Options, values)


def test_the_method_and_its_options_survive_pickling():
    options = Options(samples=2)
    assert pickle.loads(pickle.dumps((PULSE, options))) == (PULSE, options)


def test_every_side_of_the_input_works_with_every_generator_that_draws_more():
    described, _ = options_of(Options)["side"]
    assert described.choices is not None and described.choices == ("8", "16", "32", "64", "128", "256")
    for name, generator in GENERATORS.items():
        for side in (side for side in described.choices if int(side) < generator.side):
            factor = PULSE.scale(PULSE, Options(generator=name, side=side))
            assert factor in PULSE.scales
            assert sphere.shrink_matrix(generator.side, factor).shape == (int(side), generator.side)


def test_the_options_that_change_the_input_say_so():
    assert [name for name, (option, _) in options_of(Options).items() if option.changes_input] == [
        "generator",
        "side",
    ]


def test_less_memory_means_one_sample_at_a_time_if_there_are_several():
    assert pulse.smaller(Options()) is None
    fewer = pulse.smaller(Options(samples=4))
    assert fewer is not None and fewer.batch_size == 1 and pulse.smaller(fewer) is None


# ------------------------------------------------------------------------------- the authors' numbers


def test_three_updates_of_the_whole_search_equal_the_authors_numbers(monkeypatch):
    golden = Golden("pulse_synthesis")
    parts = (("weight", (512, 512)), ("bias", (512,)))
    mapping = {f"dense{i}.{part}": torch.zeros(*shape) for i in range(8) for part, shape in parts}
    net = StyleGAN1().requires_grad_(False).eval()
    net.load_state_dict(from_pulse(golden.state("synthesis"), mapping))
    nets = nets_of(net)
    nets.forms.get(  # the search finds the authors' Gaussian there
        latent.FIT_KIND,
        (net,),
        torch.float32,
        lambda: (golden.tensor("pulse/fit/mean"), golden.tensor("pulse/fit/std")),
    )
    shapes = [(1, 18, 512), *((1, 1, side, side) for side in net.noise_sides[:17])]
    start = [torch.from_numpy(array(f"pulse/run/draw{i}", shape)) for i, shape in enumerate(shapes)]
    maps = [*start[1:], torch.zeros(1, 1, 1024, 1024)]
    monkeypatch.setattr(
        "gansr.papers.pulse.search.random_start", lambda *_: (start[0], maps, [0, 1, 2, 3, 4])
    )
    paper = parse_options(Options, {**PAPER, "steps": 10})
    search = Search(golden.tensor("pulse/run/ref")[0], paper, nets, 0)
    sample = search.samples[0]
    search.step(0)
    golden.check("run.lr0", sample.small[None].clamp(0, 1))
    for j in (1, 2):
        search.step(j)
    # Adam's first step is a sign: where a gradient is near 0, rounding decides. Exact arithmetic (float64) is as
    # far from the stored variables as float32 is here, on average 0.0033 and 0.0069, so the tolerances are ours.
    stored = golden.stored
    assert (sample.v.detach() - torch.from_numpy(stored["run.latent"])).abs().mean() < 0.005
    for i in range(5):
        assert (sample.maps[i].detach() - torch.from_numpy(stored[f"run.noise{i}"])).abs().mean() < 0.012
    search.step(3)
    assert (sample.small - torch.from_numpy(stored["run.lr3"])[0]).clamp(0, 1).abs().mean() < 0.01
    for name, allowed in (("L2", 3e-4), ("GEOCROSS", 0.04)):
        assert search.lines[name] == pytest.approx(stored[f"run.{name}"].tolist(), abs=allowed)


@pytest.mark.weights
def test_the_stored_gaussian_is_that_of_the_weights(weights_of):
    net = weights_of("mobilestylegan-ffhq-1024")
    mean, std = latent.stored_gaussians()[latent.fingerprint(net.mapping)]
    rough = sphere.gaussian_fit(net.mapping, 512, torch.device("cpu"), net.gain, draws=8192)
    assert ((rough[0] - mean) / std).abs().max() < 5 / 8192**0.5  # five standard errors
    assert (rough[1] / std - 1).abs().max() < 5 / 8192**0.5


@pytest.mark.weights
def test_the_real_search_comes_nearer_with_every_few_steps(weights_of):
    net = weights_of("mobilestylegan-ffhq-1024")
    low = torch.tensor([0.6, 0.45, 0.4]).view(3, 1, 1) * torch.linspace(0.6, 1, 32).expand(3, 32, 32)
    search = Search(low, Options(steps=3, schedule="fixed", rate=0.2), nets_of(net), 0)
    for j in range(3):
        search.step(j)
    line = search.lines["L2"]
    assert line[-1] < 0.8 * line[0]
