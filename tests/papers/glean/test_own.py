"""Our GLEAN on MobileStyleGAN, tiny: what holds whatever it is trained to."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gansr.engine import Engine, Job
from gansr.inputs import DETECTOR, Inputs, MethodInput
from gansr.method import Heat, InputError
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.ops.colour import to8bit
from gansr.ops.resize import imresize
from gansr.options import OptionError, parse_options
from gansr.papers.glean import (
    BANK,
    FUSED,
    GLEAN,
    LARGER,
    MODELS,
    NO_BANK,
    NO_FEATURES,
    OWN,
    OWN_512,
    ROBUST,
    ROBUST_512,
    ROW,
    Options,
    fit,
)
from gansr.papers.glean.bench import ASTRONAUT, SEED, compared, of_one_size
from gansr.papers.glean.degraded import degraded
from gansr.papers.glean.own import GleanOwn, Window, blocks_of
from gansr.papers.glean.report import psnr
from gansr.papers.glean.synthetic import synthesise
from gansr.picture import Picture
from gansr.request import decode

CHANNELS = (16, 16, 16, 16, 8)  # at 4², 8², …, 64²; the picture has 128²


def tiny(seed: int = 0, side: int = 8) -> tuple[GleanOwn, MobileStyleGAN]:
    torch.manual_seed(seed)
    bank = MobileStyleGAN(CHANNELS, style=12, mapping_layers=2).requires_grad_(False).eval()
    for block in blocks_of(bank):
        for conv in (block.conv1, block.conv2):
            conv.noise.normal_()
    net = GleanOwn(
        side=side, factor=64 // side, bank=CHANNELS, style=12, channels=8, growth=4, blocks=1, wide=8, pyramid=8,
        latent=8, decoder=(8, 8, 8) if side == 8 else (8, 8), taps=(4, 4, 4),
    )  # fmt: skip
    net.calibrate(bank, torch.Generator().manual_seed(0), codes=64)
    return net.requires_grad_(False).eval(), bank


def awake(seed: int = 0, side: int = 8) -> tuple[GleanOwn, MobileStyleGAN]:
    """Tiny, with the layers that begin at zero set to something."""
    net, bank = tiny(seed, side)
    g = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        if not parameter.any():
            parameter.copy_(torch.randn(parameter.shape, generator=g))
    net.out.weight.mul_(5)
    return net, bank


def test_the_result_downscales_to_exactly_its_input():
    net, bank = awake()
    low = torch.rand(2, 3, 8, 8)
    for used in (bank, None):
        torch.testing.assert_close(imresize(net(low, used), 1 / 8), low, atol=1e-5, rtol=0)
    assert (imresize(net(low, bank, project=False), 1 / 8) - low).abs().max() > 1e-3


def test_an_untrained_network_leaves_the_bank_unchanged_and_does_not_use_it():
    net, bank = tiny()
    low = torch.rand(1, 3, 8, 8)
    assert torch.equal(net(low, bank), net(low, None))
    encoded, rows = net.encode(net.finest(low * 2 - 1))
    *features, _ = net.bank_features(encoded, rows, bank)
    every = torch.cat((rows, rows[:, -1:].expand(-1, bank.style_rows - net.rows, -1)), 1)
    for i, mine in enumerate(features):
        torch.testing.assert_close(mine, bank.first(every, i))


def test_the_bank_and_the_encoders_features_change_the_picture():
    net, bank = awake()
    low = torch.rand(1, 3, 8, 8)
    both, alone, blind = net(low, bank), net(low, None), net(low, bank, features=False)
    for other in (alone, blind):
        assert (both - other).abs().max() > 1e-3


def test_a_window_gives_the_wholes_picture_away_from_its_edges():
    net, bank = awake(side=16)
    parts = net.lower(net.finest(torch.rand(1, 3, 16, 16) * 2 - 1), bank)
    whole = net.upper(parts, bank, net.noises(bank))
    window = Window(1, 2, 12)
    part = net.upper(net.cut(parts, window), bank, net.noises(bank, window))
    inner = slice(12, -12)  # the reach of the convolutions: one at 16², three at 32², two at 64²
    expected = window.cut(whole, 4)[..., inner, inner]
    torch.testing.assert_close(part[..., inner, inner], expected, rtol=1e-3, atol=1e-3)


def test_another_size_and_another_bank_are_refused():
    net, _ = tiny()
    with pytest.raises(ValueError, match="takes 8×8"):
        net(torch.rand(1, 3, 9, 9))
    with pytest.raises(ValueError, match="does not fit"):
        GleanOwn(side=32, factor=4)


# ------------------------------------------------------------------------------------------ the method


def run(options: Options, seed: int = 0):
    made = awake()
    nets = {OWN: made[0], BANK: made[1]}
    asked = []

    def load(name):
        asked.append(name)
        return nets[name]

    low = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(seed))
    frame = Engine("cpu", load=load).upscale(Job(GLEAN, low, options, precision="exact"))
    return low, frame, asked


@pytest.fixture
def eight(monkeypatch):
    """The default model takes 8² here, so that the method can run with the tiny network."""
    monkeypatch.setitem(MODELS, OWN, replace(MODELS[OWN], side=8, size=64))


def test_glean_yields_once_and_shows_the_latent_rows(eight):
    _, frame, asked = run(Options())
    assert (frame.step, frame.steps) == (1, 1)
    view = frame.views["latent rows"]
    assert isinstance(view, Heat)
    drawn = view.values
    assert drawn.shape == (13 * ROW, 12)
    assert torch.equal(drawn[0], drawn[ROW - 1]) and not torch.equal(drawn[0], drawn[ROW])
    assert asked == [OWN, BANK]


def test_without_the_bank_the_bank_is_not_even_loaded(eight):
    _, frame, asked = run(Options(parts=NO_BANK))
    assert asked == [OWN] and not frame.views
    assert (frame.image - run(Options())[1].image).abs().max() > 1e-3
    assert (run(Options(parts=NO_FEATURES))[1].image - run(Options())[1].image).abs().max() > 1e-3


def test_a_fused_scale_more_changes_the_banks_features_from_there_on():
    """Blocks at 4², 8² (the input's side): before the first fusion nothing differs, then what was fused so far."""
    net, bank = awake()
    finest = net.finest(torch.rand(1, 3, 8, 8) * 2 - 1)
    encoded, rows = net.encode(finest)
    found = [net.bank_features(encoded, rows, bank, fused)[:-1] for fused in (0, 1, 2)]
    # by hand: no fusion is the generator alone; the first takes in the coarsest features, the second the finest
    every = torch.cat((rows, rows[:, -1:].expand(-1, bank.style_rows - net.rows, -1)), 1)
    for i, alone in enumerate(found[0]):
        torch.testing.assert_close(alone, bank.first(every, i))
    at4 = net.fusions[0](bank.first(every, 0), encoded[1], net.levels[0])
    torch.testing.assert_close(found[1][0], at4)
    torch.testing.assert_close(found[2][0], at4)
    torch.testing.assert_close(found[2][1], net.fusions[1](found[1][1], encoded[0], net.levels[1]))
    whole = net.bank_features(encoded, rows, bank)[:-1]
    assert all(map(torch.equal, found[2], whole)) and not torch.equal(found[1][2], found[2][2])


def test_without_a_fused_scale_the_bank_is_the_one_without_features_and_the_decoder_keeps_its_input():
    net, bank = awake()
    finest = net.finest(torch.rand(1, 3, 8, 8) * 2 - 1)
    none, blind, both = (
        net.lower(finest, bank, fused=0),
        net.lower(finest, bank, False),
        net.lower(finest, bank),
    )
    assert none.bank is not None and blind.bank is not None and both.bank is not None
    assert torch.equal(none.bank, blind.bank) and not torch.equal(none.bank, both.bank)
    assert torch.equal(none.features, finest) and not blind.features.any()


def test_the_option_says_up_to_which_side_the_bank_is_fused(eight):
    """The tiny network has scales at 4² and 8²."""
    made = {fused: run(Options(fused=fused))[1].image for fused in FUSED}
    assert torch.equal(made["8"], made["all"]) and torch.equal(made["16"], made["all"])
    for one, other in (("none", "4"), ("4", "8"), ("none", "8")):
        assert (made[one] - made[other]).abs().max() > 1e-3
    alone = run(Options(fused="none", parts=NO_FEATURES))[1].image
    assert torch.equal(alone, run(Options(parts=NO_FEATURES))[1].image)


# ------------------------------------------------------------------- a model of another side and factor

OTHER = LARGER


@pytest.fixture
def other(monkeypatch) -> Engine:
    """An engine with random weights for our model of 16² → 256², kept in float16 as files are."""
    torch.manual_seed(0)
    bank = MobileStyleGAN().requires_grad_(False).eval()
    net = GleanOwn(side=16, factor=16, decoder=(128, 96, 64, 48), taps=(64, 64, 64, 32))
    for parameter in net.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    state = {name: value.half().float() for name, value in net.state_dict().items()}
    net.load_state_dict(state, strict=True)
    monkeypatch.setattr("gansr.papers.glean.bench.OURS", (OWN, OTHER))
    nets = {OTHER: net.requires_grad_(False).eval(), BANK: bank}
    return Engine("cpu", load=nets.__getitem__)


def test_a_model_of_another_side_and_factor_runs_as_ours(other):
    request = decode(GLEAN, {"model": OTHER, "align": False})
    assert (request.side, request.scale, request.weights) == (16, 16, {"model": OTHER, "bank": BANK})
    picture = Picture(torch.rand(3, 300, 280, generator=torch.Generator().manual_seed(0)), None, False, ())
    given = Inputs(lambda: None).make(picture, request)
    assert given.low.shape == (3, 16, 16) and "shrunk to 16×16 px (MATLAB bicubic)" in given.notices
    exact = other.upscale(Job(GLEAN, given.low, request.options, precision="exact"))
    assert exact.image.shape == (3, 256, 256)
    unclamped = other.net(OTHER)(given.low[None], other.net(BANK))[0]
    torch.testing.assert_close(imresize(unclamped, 1 / 16), given.low, atol=1e-4, rtol=0)
    torch.testing.assert_close(unclamped.clamp(0, 1), exact.image, atol=1e-3, rtol=0)
    for values in ({"parts": NO_BANK}, {"fused": "8"}):
        options = Options(model=OTHER, **values)
        different = other.upscale(Job(GLEAN, given.low, options, precision="exact")).image
        assert different.shape == (3, 256, 256) and not torch.equal(different, exact.image), values
    three = other.upscale(Job(GLEAN, given.low, Options(model=OTHER, fused="16"), precision="exact")).image
    assert torch.equal(three, exact.image), "it has scales at 4², 8² and 16²"
    with pytest.raises(InputError, match="takes a square picture of 16×16 px; this one is 32×32"):
        other.check(Job(GLEAN, torch.rand(3, 32, 32), request.options))


def test_a_comparison_takes_our_model_for_its_problem(other):
    for model, side, scale, chosen in (
        (OWN, 32, 8, OWN),
        (OWN, 16, 16, OTHER),
        (OTHER, 32, 8, OWN),
        (OWN, 64, 8, OWN_512),
        (ROBUST, 64, 8, ROBUST_512),  # the kind of input stays
        (ROBUST_512, 32, 8, ROBUST),
        (ROBUST_512, 16, 16, OTHER),
        (OWN, 128, 8, OWN),  # none is made for it
        ("glean-cat-8x", 16, 16, "glean-cat-8x"),
        (OWN, 0, 4, OWN),
    ):
        assert fit(Options(model=model), side, scale).model == chosen, (model, side, scale)


def test_the_bench_takes_each_model_at_its_own_size(other):
    assert of_one_size() == [[OWN], [OTHER]]
    truths = [torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(1))]
    other.net = {"lpips-alex": lambda a, b: (a - b).abs().mean()}.__getitem__  # type: ignore[method-assign]

    def repeated(low: torch.Tensor) -> torch.Tensor:
        assert low.shape == (3, 16, 16)
        return low.repeat_interleave(16, 1).repeat_interleave(16, 2)

    rows = dict(compared(other, {"ours": repeated}, truths, 16))
    assert set(rows) == {"bicubic x16", "ours"}


def test_the_bank_is_not_changed_by_a_fast_run(eight):
    made = awake()
    before = {k: v.clone() for k, v in made[1].state_dict().items()}
    job = Job(GLEAN, torch.rand(3, 8, 8), Options(), precision="fast")
    fast = Engine("cpu", load={OWN: made[0], BANK: made[1]}.get).upscale(job)
    assert torch.isfinite(fast.image).all()
    assert all(torch.equal(v, before[k]) for k, v in made[1].state_dict().items())
    assert made[0].projection.up.dtype == torch.float32


def test_the_optimised_networks_are_kept_between_runs(eight, monkeypatch):
    made = awake()
    engine = Engine("cpu", load={OWN: made[0], BANK: made[1]}.get)
    job = Job(GLEAN, torch.rand(3, 8, 8), Options(), precision="exact")
    first = engine.upscale(job)
    monkeypatch.setattr(GleanOwn, "optimised", None)  # a second optimisation would fail
    assert torch.equal(engine.upscale(job).image, first.image)


def test_a_wrong_size_and_parts_of_another_model_are_refused_in_words():
    with pytest.raises(InputError, match="takes a square picture of 32×32 px; this one is 40×32"):
        Engine("cpu", load=lambda name: None).check(Job(GLEAN, torch.rand(3, 32, 40), Options()))
    with pytest.raises(OptionError, match=r"parts can be taken away from glean-face-x8, .* only"):
        parse_options(Options, {"model": "glean-cat-8x", "parts": NO_BANK})


# ------------------------------------------------------------------------------------- what is shipped


@pytest.fixture(scope="module")
def shipped(weights_of) -> Engine:
    return Engine("cpu", load=weights_of)


def measured(engine: Engine, truths: list[torch.Tensor], **options) -> dict[str, float]:
    def answer(low: torch.Tensor) -> torch.Tensor:
        return to8bit(engine.upscale(Job(GLEAN, low, Options(**options))).image)

    rows = compared(engine, {"ours": answer}, truths, 8)
    return {metric: value for model, (metric, value) in rows if model == "ours"}


def aligned_astronaut(engine: Engine) -> MethodInput:
    return Inputs(lambda: engine.net(DETECTOR)).make(ASTRONAUT, decode(GLEAN, {"task": "known answer"}))


@pytest.mark.weights
def test_the_shipped_model_beats_bicubic_on_a_real_face_and_keeps_the_input(shipped):
    known = aligned_astronaut(shipped)
    assert known.truth is not None
    found = measured(shipped, [known.truth])
    assert found["psnr_gain_db"] > 0.8 and found["lpips_drop"] > 0.6 and found["consistency"] > 43


@pytest.mark.weights
def test_the_shipped_model_beats_bicubic_on_faces_it_never_saw_and_needs_its_bank(shipped):
    bank = shipped.net(BANK)
    made = synthesise(bank, SEED, range(3), 256, False, bank.synthesis)
    truths = [face.permute(2, 0, 1).float() / 255 for face in made]
    whole, alone = (measured(shipped, truths, parts=parts) for parts in ("both", NO_BANK))
    assert whole["psnr_gain_db"] > 0.8 and whole["lpips_drop"] > 0.65 and whole["consistency"] > 43
    assert whole["lpips_alex"] < alone["lpips_alex"] - 0.03


@pytest.mark.weights
def test_the_shipped_models_of_512_beat_bicubic_on_a_face_they_never_saw(shipped):
    bank = shipped.net(BANK)
    (made,) = synthesise(bank, SEED, range(1), 512, False, bank.synthesis)
    truth = made.permute(2, 0, 1).float() / 255
    found = measured(shipped, [truth], model=OWN_512)
    assert found["psnr_gain_db"] > 1 and found["lpips_drop"] > 0.65 and found["consistency"] > 60
    low = degraded(truth, 8, 1.0, torch.Generator().manual_seed(0))
    clean, robust = (
        shipped.upscale(Job(GLEAN, low, Options(model=name))).image for name in (OWN_512, ROBUST_512)
    )
    plain, lpips = imresize(low, 8, rounded=True), shipped.net("lpips-alex")
    worst, middle, best = (float(lpips(image[None], truth[None])) for image in (plain, clean, robust))
    assert best < middle < worst and best < 0.6 * worst


@pytest.mark.weights
def test_the_fast_precision_gives_the_exact_ones_picture(shipped):
    low = aligned_astronaut(shipped).low
    fast, exact = (shipped.upscale(Job(GLEAN, low, Options(), precision=p)).image for p in ("fast", "exact"))
    assert psnr(fast, exact) > 55
