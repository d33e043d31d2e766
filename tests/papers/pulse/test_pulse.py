"""PULSE as a method: on tiny generators, against the authors' numbers, and a short search with the real weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gansr.method import Frame, Heat, MethodError, Nets
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.stylegan1 import StyleGAN1
from gansr.nets.stylegan2 import StyleGAN2
from gansr.ops import sphere
from gansr.options import OptionError, parse_options
from gansr.papers import pulse
from gansr.papers.pulse import Options, Search
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
        block.epilogue1.strength.fill_(0.3)
        block.epilogue2.strength.fill_(0.3)
    return net


@torch.no_grad()
def drawn(net, seed: int = 99) -> Tensor:
    """A picture of the generator itself, shrunk to 16 px: a target that can be reached."""
    v, maps, _ = pulse.draws(net, TINY, seed)
    rows = sphere.to_rows(v, *pulse.fit_of(net), net.gain)
    picture = net.synthesis(rows, maps) if maps else net.synthesis(rows)
    return ((sphere.shrink(picture, net.side // 16) + 1) / 2)[0].clamp(0, 1)


def frames(
    net, options: Options, seed: int = 3, dtype=torch.float32, low: Tensor | None = None
) -> list[Frame]:
    low = drawn(net) if low is None else low
    return list(pulse.run(low, options, Nets({"generator": net}, dtype), torch.Generator().manual_seed(seed)))


# ------------------------------------------------------------------------------------------ behaviour


def test_every_step_gives_a_frame_and_the_last_is_the_last(mobile):
    found = frames(mobile, TINY)
    assert [frame.step for frame in found] == [1, 2, 3, 4, 5, 6] and {frame.steps for frame in found} == {6}
    for frame in found:
        assert frame.image.shape == (3, 64, 64) and 0 <= frame.image.min() <= frame.image.max() <= 1
        assert frame.views["Shrunk beside the input"].shape == (3, 16, 32)
        assert not frame.image.requires_grad


def test_pulse_result_downscales_to_its_input(mobile):
    low = drawn(mobile)
    assert frames(mobile, TINY, low=low)[0].readings["mse"] > 0.05  # it does not start there
    last = frames(mobile, replace(TINY, steps=80, rate=0.4, loss="100*L2", eps=4e-3), low=low)[-1]
    beside = last.views["Shrunk beside the input"]
    assert last.readings["mse"] <= 4e-3 and last.readings["answers within eps"] == 1 and not last.notices
    assert (beside[:, :, :16] - low).square().mean() <= 4e-3
    assert torch.equal(beside[:, :, 16:], low)


def test_the_error_told_is_that_of_the_picture_given(mobile):
    low = torch.full((3, 16, 16), 0.5)
    search = Search(low, TINY, mobile, torch.float32, 0)
    for j in range(TINY.steps):
        search.step(j)
    search.verdict()
    small = (sphere.shrink(search.answers[0].picture, 4) + 1) / 2
    assert search.answers[0].mse == pytest.approx((small - low).square().mean().item(), rel=1e-5)


@pytest.mark.parametrize("together", [1, 3])
def test_several_answers_are_what_each_would_be_alone(mobile, together: int, monkeypatch):
    low, several = drawn(mobile), replace(TINY, answers=3)
    search = Search(low, several, mobile, torch.float32, 5)
    search.gathered = together  # a graphics card takes them together, a processor one by one
    for j in range(TINY.steps):
        search.step(j)
    search.verdict()
    for i, answer in enumerate(search.answers):
        alone = frames(mobile, TINY, seed=5 + i, low=low)[-1]
        torch.testing.assert_close(pulse._unit(answer.picture), alone.image, rtol=0, atol=1e-3)


def test_several_answers_are_shown_with_their_variance(mobile):
    found = frames(mobile, replace(TINY, answers=3, steps=3))
    last = found[-1]
    assert list(last.answers) == ["answer 1 (seed 3)", "answer 2 (seed 4)", "answer 3 (seed 5)"]
    pictures = torch.stack(list(last.answers.values()))
    heat = last.views["Variance over the answers: what varies was invented"]
    assert isinstance(heat, Heat)
    torch.testing.assert_close(heat.values, pictures.var(0, unbiased=False).mean(0))
    best = min(range(3), key=lambda i: last.readings[f"mse {i + 1}"])
    assert torch.equal(last.image, pictures[best])
    assert frames(mobile, TINY)[-1].answers == {}


def test_each_answer_keeps_its_own_best_or_its_last(mobile):
    low = drawn(mobile)
    wild = replace(TINY, answers=2, rate=3.0, schedule="fixed", steps=8, loss="1*L2", eps=1e-6)  # overshoots
    kept, steps = {}, []
    for keep in ("best", "last"):
        search = Search(low, replace(wild, keep=keep), mobile, torch.float32, 0)
        for j in range(wild.steps):
            before = [answer.v.detach().clone() for answer in search.answers]
            search.step(j)
            steps.append([answer.best for answer in search.answers])
        kept[keep] = [answer.kept[0] for answer in search.answers]
    for i in range(2):
        so_far = [row[i] for row in steps[:8]]
        assert so_far == sorted(so_far, reverse=True) and steps[:8] == steps[8:]
        assert torch.equal(kept["last"][i], before[i])  # what the last step drew, before it moved
    assert any(not torch.equal(best, last) for best, last in zip(kept["best"], kept["last"]))


def test_the_search_may_be_in_bfloat16_but_the_verdict_is_float32(mobile):
    low = drawn(mobile)
    last = frames(mobile, TINY, dtype=torch.bfloat16, low=low)[-1]
    exact = frames(mobile, TINY, low=low)[-1]
    assert last.image.dtype == torch.float32
    assert last.readings["mse"] == pytest.approx(exact.readings["mse"], rel=0.5)
    assert last.image.unique().numel() > 4096  # bfloat16 has 256 values between ½ and 1 at most


def test_the_same_seed_gives_the_same_answer_and_the_generator_takes_no_gradient(mobile):
    low = drawn(mobile)
    assert torch.equal(frames(mobile, TINY, low=low)[-1].image, frames(mobile, TINY, low=low)[-1].image)
    assert not torch.equal(
        frames(mobile, TINY, 4, low=low)[-1].image, frames(mobile, TINY, low=low)[-1].image
    )
    assert all(p.grad is None for p in mobile.parameters())


# -------------------------------------------------------------------------------------- noise and rows


def test_random_draws_come_in_the_authors_order(styled):
    v, maps, searched = pulse.draws(styled, replace(TINY, zero_maps="1.9", trainable_maps=3), 7)
    g = torch.Generator().manual_seed(7)
    assert torch.equal(v, torch.randn(1, 10, 12, generator=g))
    assert torch.equal(maps[0], torch.randn(1, 1, 4, 4, generator=g))
    assert not maps[1].any() and not maps[9].any()
    assert torch.equal(maps[2], torch.randn(1, 1, 8, 8, generator=g))  # a zero map draws nothing
    assert searched == [0, 2]


@pytest.mark.parametrize(("noise", "moved"), [("trainable", [0, 1]), ("fixed", []), ("zero", [])])
def test_only_the_wanted_noise_maps_move_and_keep_their_radius(styled, noise: str, moved: list[int]):
    options = replace(TINY, noise=noise, trainable_maps=2, steps=3)
    search = Search(drawn(styled), options, styled, torch.float32, 0)
    before = [x.detach().clone() for x in search.answers[0].maps]
    radii = sphere.radius(search.answers[0].v.detach())
    for j in range(3):
        search.step(j)
    answer = search.answers[0]
    assert [i for i, x in enumerate(before) if not torch.equal(x, answer.maps[i])] == moved
    for i in moved:
        torch.testing.assert_close(answer.maps[i].norm(), before[i].norm())
    torch.testing.assert_close(sphere.radius(answer.v.detach()), radii)


def test_stylegan2_is_searched_too():
    torch.manual_seed(2)
    net = StyleGAN2(32, style=16, mapping_layers=2).requires_grad_(False).eval()
    first, *_, last = frames(net, replace(TINY, steps=5, eps=1e-6), low=torch.full((3, 16, 16), 0.4))
    assert last.image.shape == (3, 32, 32)
    assert last.readings["mse"] < first.readings["mse"]


def test_one_latent_row_may_serve_all_layers(mobile):
    search = Search(drawn(mobile), replace(TINY, tile_latent=True), mobile, torch.float32, 0)
    search.step(0)
    assert search.answers[0].v.shape == (1, 1, 16)
    assert search.lines["GEOCROSS"][0] < 1e-6


# ------------------------------------------------------------------------------------ what people read


def test_a_search_that_stays_above_eps_gives_its_picture_and_says_so(mobile):
    last = frames(mobile, replace(TINY, eps=0.0, noise="zero"))[-1]
    assert last.image.shape == (3, 64, 64)
    assert "1 of 1 answers did not come within eps 0" in last.notices[0]
    assert "noise baked in" in last.notices[1]


def test_numbers_that_are_not_finite_end_the_search_in_words(mobile):
    with pytest.raises(MethodError, match="step 1 of 6"):
        frames(mobile, TINY, low=torch.full((3, 16, 16), float("nan")))


@pytest.mark.parametrize("values", [{"loss": "100*L4"}, {"zero_maps": "1,2"}, {"side": "48"}, {"answers": 9}])
def test_options_that_cannot_be_are_refused(values):
    with pytest.raises(OptionError):
        parse_options(Options, values)


def test_less_memory_means_one_answer_at_a_time_where_there_are_several():
    assert pulse.smaller(Options()) is None
    fewer = pulse.smaller(Options(answers=4))
    assert fewer is not None and fewer.together == 1 and pulse.smaller(fewer) is None


# ------------------------------------------------------------------------------- the authors' numbers


def test_three_updates_of_the_whole_search_equal_the_authors_numbers(monkeypatch):
    from gansr.weights.converters.stylegan1 import from_pulse

    golden = Golden("pulse_synthesis")
    parts = (("weight", (512, 512)), ("bias", (512,)))
    mapping = {f"dense{i}.{part}": torch.zeros(*shape) for i in range(8) for part, shape in parts}
    net = StyleGAN1().requires_grad_(False).eval()
    net.load_state_dict(from_pulse(golden.state("synthesis"), mapping))
    pulse._fits[net] = golden.tensor("pulse/fit/mean"), golden.tensor("pulse/fit/std")
    shapes = [(1, 18, 512), *((1, 1, side, side) for side in net.noise_sides[:17])]
    start = [torch.from_numpy(array(f"pulse/run/draw{i}", shape)) for i, shape in enumerate(shapes)]
    maps = [*start[1:], torch.zeros(1, 1, 1024, 1024)]
    monkeypatch.setattr(pulse, "draws", lambda *_: (start[0], maps, [0, 1, 2, 3, 4]))
    paper = parse_options(Options, {**pulse.PAPER, "steps": 10})
    search = Search(golden.tensor("pulse/run/ref")[0], paper, net, torch.float32, 0)
    answer = search.answers[0]
    search.step(0)
    golden.check("run.lr0", answer.small[None].clamp(0, 1))
    for j in (1, 2):
        search.step(j)
    # Adam's first step is a sign: where a gradient is near 0, rounding decides. Exact arithmetic (float64) is as
    # far from the stored variables as float32 is here, on average 0.0033 and 0.0069, so the tolerances are ours.
    stored = golden.stored
    assert (answer.v.detach() - torch.from_numpy(stored["run.latent"])).abs().mean() < 0.005
    for i in range(5):
        assert (answer.maps[i].detach() - torch.from_numpy(stored[f"run.noise{i}"])).abs().mean() < 0.012
    search.step(3)
    assert (answer.small - torch.from_numpy(stored["run.lr3"])[0]).clamp(0, 1).abs().mean() < 0.01
    for name, allowed in (("L2", 3e-4), ("GEOCROSS", 0.04)):
        assert search.lines[name] == pytest.approx(stored[f"run.{name}"].tolist(), abs=allowed)


@pytest.mark.weights
def test_the_kept_gaussian_is_that_of_the_weights(weights_of):
    net = weights_of("mobilestylegan-ffhq-1024")
    mean, std = pulse.kept_fits()[pulse.fingerprint(net.mapping)]
    rough = sphere.gaussian_fit(net.mapping, 512, torch.device("cpu"), net.gain, draws=8192)
    assert ((rough[0] - mean) / std).abs().max() < 5 / 8192**0.5  # five standard errors
    assert (rough[1] / std - 1).abs().max() < 5 / 8192**0.5


@pytest.mark.weights
def test_the_real_search_comes_nearer_with_every_few_steps(weights_of):
    net = weights_of("mobilestylegan-ffhq-1024")
    low = torch.tensor([0.6, 0.45, 0.4]).view(3, 1, 1) * torch.linspace(0.6, 1, 32).expand(3, 32, 32)
    search = Search(low, Options(steps=3, schedule="fixed", rate=0.2), net, torch.float32, 0)
    for j in range(3):
        search.step(j)
    line = search.lines["L2"]
    assert line[-1] < 0.8 * line[0]
