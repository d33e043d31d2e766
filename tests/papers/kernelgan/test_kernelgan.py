"""KernelGAN as a method: what it accepts, what it shows and what it hands out."""

from __future__ import annotations

import dataclasses
import io
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import io as scipy_io

from gansr.engine import Job
from gansr.method import Curve, Heat, InputError, MethodError, Nets, refusal
from gansr.ops.kernel_files import kernel_files
from gansr.ops.kernels import bicubic_kernel, centre_of_mass, gaussian_kernel, quadruple, stretched
from gansr.ops.resize import imresize
from gansr.options import OptionError, options_of, parse_options
from gansr.papers.kernelgan import KERNELGAN, Options, cost, estimate, run
from gansr.papers.kernelgan.enlarge import Kernels, stages
from gansr.papers.kernelgan.estimate import (
    AGREEMENT,
    SPREAD,
    agreement,
    kernel_warnings,
    small_picture_notice,
    spread,
)
from gansr.papers.kernelgan.match import fitted_gaussian
from gansr.papers.kernelgan.trainer import Trainer
from gansr.papers.kernelgan.zssr import Zssr
from tests.papers.kernelgan.pictures import SHORT, frames, textured

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def plain():
    """Kernel and ZSSR on one picture, of odd sides; 60 iterations learn no kernel, and theirs is used all the same."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(estimate, "is_learned", lambda kernel: True)
        return frames(textured(85, 92))


def test_frames_count_up_to_the_last(plain):
    steps = [frame.step for frame in plain]
    assert steps == sorted(set(steps)) and steps[-1] == 70
    assert {frame.steps for frame in plain} == {70}
    assert steps[:3] == [10, 20, 30] and steps[-10:] == list(range(61, 71))  # ten iterations, then each step
    assert {frame.image.shape for frame in plain} == {(3, 170, 184)}


def test_the_kernel_is_shown_while_it_is_learned(plain):
    views = plain[2].views
    kernel = views["Estimated kernel"]
    assert isinstance(kernel, Heat) and kernel.cells and kernel.values.shape == (13, 13)
    assert isinstance(views["Losses"], Curve) and set(views["Losses"].lines) == {
        "generator",
        "discriminator",
        "bicubic",
    }
    assert [len(line) for line in views["Cross-sections"].lines.values()] == [13, 13]
    assert views["Implied small picture"].shape == (3, 43, 46)
    opinion = views["What the discriminator takes for the picture"]
    assert isinstance(opinion, Heat) and (opinion.min, opinion.max) == (0, 1)
    assert opinion.values.shape == (37, 37) and 0 < opinion.values.min() < opinion.values.max() < 1
    assert not torch.equal(plain[0].views["Estimated kernel"].values, kernel.values)


def test_zssr_shows_its_error_and_rate_and_the_kernel_stays(plain):
    views = plain[-3].views
    assert set(views) == {"Estimated kernel", "Cross-sections", "Reconstruction error", "Learning rate"}
    assert plain[-3].readings["learning rate"] < 1e-3
    assert not torch.equal(plain[5].image, plain[-1].image)


def test_the_last_frame_describes_and_hands_out_the_kernel(plain):
    last = plain[-1]
    kernel = np.load(io.BytesIO(last.files["kernel_x2.npy"]))
    np.testing.assert_array_equal(scipy_io.loadmat(io.BytesIO(last.files["kernel_x2.mat"]))["Kernel"], kernel)
    assert last.files["kernel_x2.png"].startswith(b"\x89PNG")
    assert kernel.sum() == pytest.approx(1)
    assert last.readings["kernel side (px)"] == kernel.shape[0]
    side = kernel.shape[0] // 2 + 0.5
    assert centre_of_mass(torch.from_numpy(kernel)) == pytest.approx((side, side), abs=0.05)
    for name in (
        "wide axis σ (px)",
        "narrow axis σ (px)",
        "angle of the wide axis (°)",
        "reconstruction error",
    ):
        assert math.isfinite(last.readings[name])


def test_the_same_seed_gives_the_same_picture(plain, monkeypatch):
    monkeypatch.setattr(estimate, "is_learned", lambda kernel: True)
    again, other = frames(textured(85, 92))[-1], frames(textured(85, 92), seed=1)[-1]
    assert torch.equal(again.image, plain[-1].image)
    assert not torch.equal(other.image, plain[-1].image)


def test_kernel_only_hands_out_both_kernels_and_the_cubic():
    low = textured(84, 84)
    last = frames(low, mode="kernel only", scale=4)[-1]
    two, four = (torch.from_numpy(np.load(io.BytesIO(last.files[f"kernel_x{s}.npy"]))) for s in (2, 4))
    torch.testing.assert_close(four, quadruple(two))
    torch.testing.assert_close(last.image, imresize(low, 4).clamp(0, 1))
    assert last.step == last.steps == 60


def test_four_times_goes_over_two():
    found = Kernels(bicubic_kernel(2), bicubic_kernel(4))
    options = Options(scale=4, zssr_iterations=101)
    assert [(s, n) for s, _, n in stages(found, options)] == [(2, 50), (4, 51)]
    gradual = stages(found, dataclasses.replace(options, gradual=True))
    assert [s for s, _, _ in gradual] == [1.5, 2, 3, 4] and sum(n for *_, n in gradual) == 101
    assert gradual[0][1] is None and gradual[3][1] is found.wanted
    own = Kernels(None, bicubic_kernel(4))
    assert [s for s, *_ in stages(own, options)] == [4]


def test_three_times_is_one_training_unless_gradual():
    found = Kernels(bicubic_kernel(2), bicubic_kernel(3))
    options = Options(scale=3, zssr_iterations=101)
    assert [(s, n) for s, _, n in stages(found, options)] == [(3, 101)]
    gradual = stages(found, dataclasses.replace(options, gradual=True))
    assert [s for s, *_ in gradual] == [1.5, 2, 3] and gradual[1][1] is found.two


def test_three_times_hands_out_the_stretched_kernel():
    last = frames(textured(85, 92), mode="kernel + ZSSR", scale=3)[-1]
    two, three = (torch.from_numpy(np.load(io.BytesIO(last.files[f"kernel_x{s}.npy"]))) for s in (2, 3))
    torch.testing.assert_close(three, stretched(two, 2, 3))
    assert last.image.shape == (3, 255, 276) and torch.isfinite(last.image).all()


def test_gradual_ensemble_real_and_four_times_run():
    low = textured(84, 90)
    for values in (
        {"gradual": True, "ensemble": True},
        {"scale": 4, "photo": "real", "noise_scale": 2.0},
        {"scale": 3, "photo": "real", "gradual": True},
    ):
        last = frames(low, zssr_iterations=24, **{"mode": "kernel + ZSSR", **values})[-1]
        assert last.image.shape == (3, 84 * values.get("scale", 2), 90 * values.get("scale", 2))
        assert last.step == last.steps == 84 and torch.isfinite(last.image).all()


def test_paper_runs_to_its_end():
    last = frames(textured(84, 84), paper=True)[-1]
    assert last.step == last.steps == 70 and last.image.shape == (3, 168, 168)


def test_zssr_alone_takes_a_gaussian_or_a_kernel_of_ones_own(tmp_path):
    low = textured(84, 84)
    gaussian = frames(low, mode="ZSSR only", kernel="gaussian", width=2.0, other_width=1.0, angle=30.0)[-1]
    (tmp_path / "k.mat").write_bytes(kernel_files("k", gaussian_kernel(2.0, 1.0, 30.0))["k.mat"])
    own = frames(low, mode="ZSSR only", kernel="file", kernel_file=str(tmp_path / "k.mat"))[-1]
    bicubic = frames(low, mode="ZSSR only")[-1]
    assert own.steps == 10 and isinstance(own.views["Kernel"], Heat)
    torch.testing.assert_close(own.image, gaussian.image, atol=4e-2, rtol=0)
    assert (bicubic.image - gaussian.image).abs().max() > 5e-2


def test_a_file_that_is_wanted_and_not_there_is_asked_for():
    with pytest.raises(InputError, match=r"add a \.mat, \.npy or \.csv"):
        frames(textured(84, 84), mode="ZSSR only", kernel="file")


def test_a_bad_kernel_file_is_refused_as_an_option(tmp_path):
    np.save(tmp_path / "k.npy", np.zeros((3, 3)))
    with pytest.raises(OptionError, match="sum must be positive"):
        parse_options(Options, {"kernel_file": str(tmp_path / "k.npy")})


def test_a_picture_too_small_is_refused_with_the_smallest_side():
    said = refusal(KERNELGAN, 47, 200, Options())
    assert said is not None and "at least 48 px" in said and "200×47" in said
    assert refusal(KERNELGAN, 48, 48, Options()) is None


@pytest.mark.parametrize(("side", "scale"), [(48, 2), (48, 4), (64, 2), (64, 4)])
def test_a_small_picture_is_enlarged_with_a_notice(side, scale):
    last = frames(textured(side, side), scale=scale, crop=64)[-1]
    assert last.step == last.steps and last.image.shape == (3, side * scale, side * scale)
    assert torch.isfinite(last.image).all()
    assert f"{side}×{side} px" in last.notices[0] and f"crops of {side - 8} px" in last.notices[0]


def test_a_picture_of_72_px_or_more_needs_no_notice_of_its_size(plain):
    assert not any("is small" in notice for notice in plain[-1].notices)
    assert small_picture_notice(torch.zeros(3, 72, 72), torch.zeros(3, 64, 64)) == ()


def test_a_grey_picture_stays_grey_and_a_flat_one_flat():
    grey = textured(84, 84)[:1].expand(3, -1, -1)
    last = frames(grey)[-1]
    assert torch.isfinite(last.image).all() and last.image.std() > 0
    flat = frames(torch.full((3, 84, 84), 0.5))[-1]
    torch.testing.assert_close(flat.image, torch.full_like(flat.image, 0.5), atol=0.05, rtol=0)


def test_not_a_number_while_learning_the_kernel_stops_with_the_last_good_one(monkeypatch):
    step = Trainer.step
    broken = lambda t: dataclasses.replace(step(t), generator_loss=math.nan) if t.done == 37 else step(t)  # noqa: E731
    monkeypatch.setattr(Trainer, "step", broken)
    last = frames(textured(84, 84))[-1]
    assert last.step == last.steps
    assert "not a number at iteration 37 of 60" in last.notices[0] and "last good kernel" in last.notices[0]
    assert np.isfinite(np.load(io.BytesIO(last.files["kernel_x2.npy"]))).all()


def test_a_kernel_that_was_not_learned_is_not_to_be_trusted():
    last = frames(textured(84, 84), iterations=1)[-1]
    assert "do not trust it" in last.notices[0] and last.step == last.steps
    assert any("enlarged with a Gaussian instead" in notice for notice in last.notices)
    used = last.views["Kernel used"]
    assert isinstance(used, Heat) and torch.equal(used.values, fitted_gaussian(textured(84, 84)).float())
    theirs = frames(textured(84, 84), iterations=1, paper=True)[-1]
    assert "Kernel used" not in theirs.views and "Gaussian" not in "".join(theirs.notices)
    good, bad = gaussian_kernel(1.5, 1.0, 0), torch.zeros(13, 13)
    assert kernel_warnings([good, good]) == ()
    assert kernel_warnings([good, bad])[0].startswith("1 of 2 starts learned no kernel")


def test_the_agreement_of_the_starts_is_the_mean_cosine_of_their_kernels():
    one, wider = torch.zeros(3, 3), torch.zeros(5, 5)
    one[1, 1] = 1.0
    wider[2, 2] = wider[2, 3] = 0.5
    apart = torch.zeros(3, 3)
    apart[0, 0] = 1.0
    assert agreement([one, 2 * one]) == pytest.approx(1.0)
    assert agreement([one, apart]) == 0.0
    assert agreement([one, wider]) == pytest.approx(0.5**0.5)
    assert agreement([one, wider, apart]) == pytest.approx(0.5**0.5 / 3)
    assert spread([one, apart])[1, 1] == pytest.approx(0.5**0.5)  # 1 and 0: the deviation of two is ½·√2
    last = [frames(textured(84, 84), mode="kernel only", iterations=200, seeds=seeds)[-1] for seeds in (2, 1)]
    said = [" ".join(frame.notices) for frame in last]
    assert "2 random starts agree to" in said[0] and "agree" not in said[1]
    assert SPREAD in last[0].views and SPREAD not in last[1].views
    two, alone = (each.readings for each in last)
    assert 0.5 < two[AGREEMENT] <= 1 and AGREEMENT not in alone


def test_not_a_number_from_the_start_is_an_error(monkeypatch):
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda t: dataclasses.replace(step(t), bicubic_loss=math.inf))
    with pytest.raises(MethodError, match="another seed"):
        frames(textured(84, 84))


def test_not_a_number_in_zssr_stops_with_the_last_good_result(monkeypatch):
    step = Zssr.step
    monkeypatch.setattr(Zssr, "step", lambda z: math.nan if z.done == 6 else step(z))
    last = frames(textured(84, 84), mode="ZSSR only")[-1]
    assert last.step == last.steps and torch.isfinite(last.image).all()
    assert "broke down at step 6" in last.notices[0]


def test_every_preset_is_valid_and_the_first_is_quick():
    for values in KERNELGAN.presets.values():
        parse_options(Options, values)
    assert next(iter(KERNELGAN.presets)) == "Quick"
    assert {
        name: default for name, (_, default) in options_of(Options).items() if name in SHORT
    } == KERNELGAN.presets["Quick"]


def test_a_job_survives_pickling():
    job = Job(KERNELGAN, textured(84, 84), Options(**SHORT, kernel_file=gaussian_kernel(1.5, 1.0, 0)))
    again = pickle.loads(pickle.dumps(job))
    assert again.method.run is run and again.method.presets == KERNELGAN.presets
    assert torch.equal(again.low, job.low) and torch.equal(again.options.kernel_file, job.options.kernel_file)


def test_what_changes_the_factor_makes_the_input_again():
    """In a test of quality the picture is shrunk by the method's factor, which is 1 in the kernel lab."""
    changing = {name for name, (described, _) in options_of(Options).items() if described.changes_input}
    assert changing == {"scale", "lab"}


def test_more_work_costs_more():
    more = (Options(ensemble=True), Options(seeds=3), Options(crop=128))
    costs = [cost(128, 128, options).operations for options in (Options(), *more)]
    assert min(costs[1:]) > costs[0]
    alone = Options(mode="kernel only")
    costs = [cost(side, side, alone).operations for side in (48, 64, 84, 200)]
    assert 0.5 * costs[2] < costs[0] < costs[1] < costs[2] == costs[3] == alone.iterations * 1e9
    small, large = (cost(side, side, Options(crop=128)).operations for side in (48, 128))
    assert small < large / 2  # ZSSR's crops are no larger than the picture
    assert cost(256, 256, Options(scale=4)).memory > cost(256, 256, Options()).memory


def test_frames_are_yielded_outside_any_grad_mode():
    """The page resumes a generator on any thread; grad mode must neither leak out nor be counted on."""
    low = textured(84, 84)
    with torch.no_grad():
        seen = []
        for frame in run(low, Options(**SHORT), Nets(), torch.Generator().manual_seed(0)):
            assert not torch.is_grad_enabled()
            seen.append(frame)
    assert torch.equal(seen[-1].image, frames(low)[-1].image)
