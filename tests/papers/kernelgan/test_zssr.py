"""ZSSR against the authors' numbers and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gansr.ops.kernels import bicubic_kernel, gaussian_kernel, shift_kernel
from gansr.ops.resize import imresize
from gansr.papers.kernelgan import zssr as Z
from tests.support.golden import Golden, array

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("zssr")


def last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(1, 2, 0)


def picture_of(golden: Golden) -> torch.Tensor:
    return golden.tensor("picture").permute(2, 0, 1).float() / 255


def net_of(golden: Golden) -> Z.ZssrNet:
    net = Z.ZssrNet()
    for mine, theirs in zip(net.layers, golden.state("net").values()):
        mine.data.copy_(theirs.permute(3, 2, 0, 1))
    return net


def trainer_of(golden: Golden, **options) -> Z.Zssr:
    """The authors' state before training (the generator is not asked for anything)."""
    kernel = shift_kernel(golden.tensor("kernel"), 2, paper=True)
    options = {"net": net_of(golden), "paper": True, **options}
    return Z.Zssr(picture_of(golden), kernel, 2, torch.Generator().manual_seed(0), **options)


def textured(height: int, width: int, seed: int = 0) -> torch.Tensor:
    noise = torch.rand(3, height // 4 + 1, width // 4 + 1, generator=torch.Generator().manual_seed(seed))
    return imresize(noise, 4.0)[:, :height, :width].clamp(0, 1)


def test_kernel_map_and_son_are_the_authors(golden):
    trainer = trainer_of(golden)
    golden.check("kernel_shifted", trainer.kernel)
    golden.check("loss_map", trainer.loss_weights[0])
    golden.check("son", last(Z.make_son(trainer.low, trainer.kernel, 2)))
    golden.check("son_up", last(trainer.son))


def test_the_network_is_the_authors(golden):
    net, trainer = net_of(golden), trainer_of(golden)
    assert sum(p.numel() for p in net.parameters()) == 224_640
    with torch.no_grad():
        golden.check("net_raw", last(net(trainer.son[None])[0]))
    golden.check("forward_pass", last(trainer._restore(trainer.son)))
    golden.check("sr", last(trainer.preview(2)))


def test_back_projection_and_the_final_result_are_the_authors(golden):
    trainer = trainer_of(golden)
    assert trainer.kernel is not None
    sr = trainer.preview(2)
    golden.check("back_projection1", last(Z.back_project(sr, trainer.low, trainer.kernel, 2, paper=True)))
    golden.check("final", last(trainer.result(back_projections=2)))


def test_the_ensemble_of_eight_is_the_authors(golden):
    golden.check("final_ensemble", last(trainer_of(golden).result(back_projections=1, ensemble=True)))


def test_the_father_is_cut_where_the_authors_cut_it(golden):
    """Their draws are (which augmentation, x, y); the corner is rounded."""
    trainer = trainer_of(golden)
    _, x, y = np.random.RandomState(11).random_sample(3)
    corner = trainer.corner((float(y), float(x)))
    assert list(corner) == golden.stored["augment.found_at"].tolist()
    golden.check("augment.father", last(Z.crop_at(trainer.low, *corner, 128)))


def test_five_training_steps_are_the_authors(golden):
    trainer = trainer_of(golden)
    row, column = golden.stored["augment.found_at"].tolist()
    father, weight = (Z.crop_at(x, row, column, 128) for x in (trainer.low, trainer.loss_weights))
    son = Z.enlarge(Z.make_son(father, trainer.kernel, 2), 2, (128, 128), paper=True)
    losses = []
    for _ in range(5):
        losses.append(trainer.train_on(father, son, weight, 1e-3))
        trainer.done += 1
    golden.check("train5.loss", torch.tensor(losses))
    golden.check("train5.filter_0", trainer.net.layers[0].permute(2, 3, 1, 0))


def test_torchs_adam_would_not_be_theirs(golden):
    """Why epsilon moves with the step under `paper`."""
    trainer = trainer_of(golden, paper=False)
    row, column = golden.stored["augment.found_at"].tolist()
    father, weight = (Z.crop_at(x, row, column, 128) for x in (trainer.low, trainer.loss_weights))
    son = Z.enlarge(Z.make_son(father, trainer.kernel, 2), 2, (128, 128), paper=True)
    losses = []
    for _ in range(5):
        losses.append(trainer.train_on(father, son, weight, 1e-3))
        trainer.done += 1
    with pytest.raises(AssertionError, match="off by"):
        golden.check("train5.loss", torch.tensor(losses))


@pytest.mark.parametrize(("numpy115", "key"), [(True, "numpy115"), (False, "new_numpy")])
def test_the_stopping_rule_is_the_authors_in_both_numpys(golden, numpy115, key):
    plateau = Z.PlateauSchedule(numpy115)
    rates, steps, stop = [plateau.rate], [0], -1
    for i in range(3000):
        if i % 50 == 0:
            error = 0.01 * math.exp(-i / 300) + 0.002 + 1e-4 * float(array(f"zssr/mse/{i}", (1,))[0])
            plateau.add_test(i, error)
        ends = plateau.update(i)
        if plateau.rate != rates[-1]:
            rates.append(plateau.rate)
            steps.append(i)
        if ends:
            stop = i
            break
    golden.check(f"policy.{key}.lr", np.asarray(rates, dtype=np.float32))
    assert steps == golden.stored[f"policy.{key}.iterations"].tolist()
    assert [stop] == golden.stored[f"policy.{key}.stop"].tolist()


def test_slope_and_deviation_by_hand():
    slope, deviation = Z.fit_slope([0, 1, 2], [0.0, 3.0, 0.0], lost=2)
    assert slope == 0 and deviation == pytest.approx(math.sqrt(6 / 1 / 2))
    x, y = [0, 50, 100, 150, 200], [5.0, 4.2, 3.1, 2.2, 0.9]
    fit, covariance = np.polyfit(x, y, 1, cov=True)
    slope, deviation = Z.fit_slope(x, y)
    assert slope == pytest.approx(fit[0]) and deviation == pytest.approx(math.sqrt(covariance[0, 0]))
    assert Z.fit_slope(x, y, 4)[1] == pytest.approx(math.sqrt(3) * deviation)


def test_errors_that_fall_steadily_never_stop_training():
    plateau = Z.PlateauSchedule()
    for i in range(3000):
        if i % 50 == 0:
            plateau.add_test(i, 1.0 - i / 3000)
        assert not plateau.update(i)
    assert plateau.rate == 1e-3


def test_errors_that_stand_still_stop_it_before_step_900():
    plateau = Z.PlateauSchedule()
    for i in range(3000):
        if i % 50 == 0:
            plateau.add_test(i, 1.0 + (i // 50 % 2))
        if plateau.update(i):
            break
    assert i == 899


def test_initial_weights_have_the_spread_of_he_or_of_the_authors():
    ours, theirs = (
        Z.ZssrNet(torch.Generator().manual_seed(0), paper).requires_grad_(False) for paper in (False, True)
    )
    assert float(ours.layers[3].std()) == pytest.approx((2 / 576) ** 0.5, rel=0.02)
    assert float(ours.layers[7].std()) == pytest.approx(0.01 * (2 / 576) ** 0.5, rel=0.1)
    for layer in theirs.layers[1:]:
        assert float(layer.std()) == pytest.approx((0.1 / 576) ** 0.5, rel=0.1)


def test_one_back_projection_by_hand():
    """Nearest-like kernel, flat pictures: the missing brightness is added everywhere, and clipped."""
    dot = torch.zeros(3, 3)
    dot[1, 1] = 1
    large, low = torch.full((3, 8, 8), 0.25), torch.full((3, 4, 4), 0.75)
    torch.testing.assert_close(Z.back_project(large, low, dot, 2), torch.full((3, 8, 8), 0.75))
    assert Z.back_project(large, low * 2, dot, 2).max() == 1


def test_back_projection_brings_the_result_nearer_to_its_input():
    low, kernel = textured(40, 48), gaussian_kernel(1.2, 0.8, 30)
    y = imresize(low, 2.0).clamp(0, 1)
    errors = []
    for _ in range(3):
        errors.append(float((Z.make_son(y, kernel, 2) - low).square().mean()))
        y = Z.back_project(y, low, kernel, 2)
    assert errors[0] > 2 * errors[1] > 2 * errors[2]


def test_each_symmetry_is_undone():
    x = textured(12, 20)
    seen = []
    for which in range(8):
        view = Z.transform(x, which)
        assert torch.equal(Z.transform_back(view, which), x)
        seen.append(view.flatten(1)[0, :40].tolist())
    assert len({tuple(s) for s in seen}) == 8


def test_our_sons_are_cut_from_the_whole_pictures_and_theirs_have_a_rim():
    low, kernel = textured(64, 72), gaussian_kernel(1.5, 1.5, 0)
    trainer = Z.Zssr(low, kernel, 2, torch.Generator().manual_seed(0), steps=1, crop=32)
    for _ in range(8):
        father, son, _ = trainer._sample()
        theirs = Z.enlarge(Z.make_son(father, kernel, 2), 2, (32, 32))
        inner = (slice(None), slice(10, -10), slice(10, -10))
        torch.testing.assert_close(son[inner], theirs[inner], atol=1e-6, rtol=0)
        assert (son - theirs).abs().max() > 1e-3


def test_fathers_and_sons_lie_on_each_other():
    """Of a slope the enlarged son is the slope, whatever way the crop lies on the coarse grid."""
    slope = torch.linspace(0, 1, 80).expand(3, 64, 80)
    trainer = Z.Zssr(slope, bicubic_kernel(2), 2, torch.Generator().manual_seed(0), steps=1, crop=24)
    places = set()
    for _ in range(40):
        father, son, _ = trainer._sample()
        if father.min() > 0.2 and father.max() < 0.8:  # away from the mirrored rim
            torch.testing.assert_close(son, father, atol=1e-5, rtol=0)
            places.add(round(float(father[0, 0, 0]) * 79) % 2)
    assert places == {0, 1}


def test_a_small_picture_is_padded_with_black_of_no_weight_under_paper_only():
    low = textured(100, 140)
    trainers = [
        Z.Zssr(low, bicubic_kernel(2), 2, torch.Generator().manual_seed(0), paper=paper)
        for paper in (True, False)
    ]
    assert trainers[0]._source.shape == (3, 128, 140) and trainers[1]._source is low
    assert not trainers[0]._source[:, 100:].any() and not trainers[0]._source_weights[:, 100:].any()
    assert [trainer.crop for trainer in trainers] == [128, 98]


def test_training_restores_a_blurred_picture_better_than_the_cubic():
    low, kernel = textured(64, 64), gaussian_kernel(1.2, 1.2, 0)
    trainer = Z.Zssr(low, kernel, 2, torch.Generator().manual_seed(0), steps=60, crop=32)
    before = float((trainer.son - low).square().mean())
    while not trainer.ended:
        trainer.step()
    assert trainer.done == 60 and trainer.test() < 0.8 * before


def test_strips_show_nowhere(monkeypatch):
    trainer = Z.Zssr(textured(40, 44), bicubic_kernel(2), 2, torch.Generator().manual_seed(0), crop=32)
    with torch.no_grad():
        trainer.net.layers[7].normal_(0, 0.02, generator=torch.Generator().manual_seed(1))
    whole = trainer.preview(2)
    monkeypatch.setattr(Z, "STRIP_PIXELS", 88 * 7)
    torch.testing.assert_close(trainer.preview(2), whole, atol=1e-5, rtol=0)


def test_the_loss_map_of_one_edge_by_hand():
    picture = torch.zeros(3, 20, 20)
    picture[:, :, 10:] = 1  # |gx| = ½ in columns 9 and 10: a 5×5 sum of 5, or of 2.5 at its ends
    found = Z.loss_map(picture)[0]
    assert float(found.mean()) == pytest.approx(1)
    assert float(found[10, 9] / found[10, 7]) == pytest.approx(2)
    assert found[10, 6] == 0 and not found[:3].any() and not found[:, -3:].any()
    assert torch.equal(Z.loss_map(picture * 0), torch.ones(1, 20, 20))


def test_bfloat16_moves_the_result_by_less_than_half_a_grey_level_on_average():
    low, kernel = textured(64, 64), gaussian_kernel(1.2, 1.2, 0)
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        trainer = Z.Zssr(low, kernel, 2, torch.Generator().manual_seed(0), steps=30, crop=32, dtype=dtype)
        while not trainer.ended:
            trainer.step()
        results.append(trainer.result())
    assert (results[0] - results[1]).abs().mean() < 0.5 / 255
