"""KernelGAN's training against the authors' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansr.papers.kernelgan.bench_plain import PlainTrainer, discriminator_from, generator_from
from gansr.papers.kernelgan.losses import bicubic_target, centre_crop, constraints, penalty_mask
from gansr.papers.kernelgan.networks import Discriminator, Downscale, Generator, kernel_rows
from gansr.papers.kernelgan.schedule import Schedule
from gansr.papers.kernelgan.trainer import Trainer
from tests.papers.kernelgan.pictures import golden_picture, noise_picture, textured
from tests.support.golden import Golden, array

pytestmark = pytest.mark.usefixtures("one_thread")


def golden_steps(golden: Golden):
    for i in range(3):
        yield (*(golden.tensor(f"kg/train/{letter}{i}")[0] for letter in "gd"), array_noise(golden, i))


def array_noise(golden: Golden, i: int) -> torch.Tensor:
    return torch.from_numpy(array(f"kg/dnoise/{i}", (1, 3, 26, 26)))[0] / 255


def golden_trainer(golden: Golden) -> Trainer:
    trainer = Trainer(noise_picture(64, 64), torch.Generator().manual_seed(0), paper=True)
    trainer.g, trainer.d = generator_from(golden.state("G")), discriminator_from(golden.state("D"))
    trainer._reset(3000)
    return trainer


def authors_norms(g: Generator, d: Discriminator) -> list[torch.Tensor]:
    blocks = [t for i in range(5) for t in (d.hidden_bias[i], d.hidden[i], d.gain[i], d.shift[i])]
    return [t.detach().norm() for t in (*g.layers, d.first_bias, d.first, *blocks, d.last_bias, d.last)]


def test_the_gradients_of_the_first_iteration_are_the_authors(monkeypatch):
    golden = Golden("kernelgan_networks")
    trainer = golden_trainer(golden)
    trainer.schedule.centralised, trainer.schedule.sparse = 1.0, 5.0
    _, real, noise = next(golden_steps(golden))
    x = golden.tensor("kg/g_input")[0]
    grads = []
    update = trainer._update

    def record(optimiser, given):
        grads.extend(given)
        update(optimiser, given)

    monkeypatch.setattr(trainer, "_update", record)
    step = trainer.iterate(x, centre_crop(bicubic_target(x, paper=True)), real, noise)
    golden.check("step0.loss_gan", torch.tensor(step.generator_loss))
    golden.check("step0.grad.first_layer.weight", grads[0])
    golden.check("step0.grad.final_layer.weight", grads[5])
    for i in range(4):
        golden.check(f"step0.gradnorm.feature_block.{i}.weight", grads[i + 1].norm())
    schedule = Schedule(centralised=1.0, sparse=5.0)
    value, _ = constraints(step.kernel, penalty_mask(), schedule)
    golden.check("step0.constraints", value + schedule.bicubic * step.bicubic_loss)


def test_three_whole_iterations_are_the_authors():
    golden = Golden("kernelgan_networks")
    trainer = golden_trainer(golden)
    kernels, bicubic, norms = [], [], []
    for x, real, noise in golden_steps(golden):
        step = trainer.iterate(x, centre_crop(bicubic_target(x, paper=True)), real, noise)
        kernels.append(step.kernel)
        bicubic.append(step.bicubic_loss)
        norms.append(torch.stack(authors_norms(trainer.g, trainer.d)))
    golden.check("train3.kernels", torch.stack(kernels))
    golden.check("train3.loss_bicubic", torch.tensor(bicubic))
    golden.check("train3.G.first_layer.weight", trainer.g.layers[0])
    golden.check("train3.D.first_layer.weight_u", trainer.d.u_first)
    golden.check("train3.param_norms", torch.stack(norms))


def test_three_whole_plain_iterations_are_the_authors():
    """So that the speed is measured against the real thing."""
    golden = Golden("kernelgan_networks")
    trainer = PlainTrainer()
    trainer.g.load_state_dict(golden.state("G"), strict=True)
    trainer.d.load_state_dict(golden.state("D"), strict=True)
    results = [trainer.iterate(x[None], real[None], noise[None]) for x, real, noise in golden_steps(golden)]
    golden.check("train3.kernels", torch.stack([k for k, _ in results]))
    golden.check("train3.loss_bicubic", torch.tensor([b for _, b in results]))
    golden.check("train3.D.first_layer.weight_u", trainer.d.state_dict()["first_layer.weight_u"])


def test_crops_of_another_side_give_what_the_plain_networks_give():
    torch.manual_seed(0)
    plain = PlainTrainer()
    trainer = Trainer(noise_picture(40, 40), torch.Generator().manual_seed(0), paper=True)
    trainer.g, trainer.d = generator_from(plain.g.state_dict()), discriminator_from(plain.d.state_dict())
    trainer._reset(3000)
    for i in range(3):
        x, real = 2 * noise_picture(40, 40, i) - 1, 2 * noise_picture(14, 14, i) - 1
        noise = noise_picture(14, 14, 9) / 255
        kernel, bicubic = plain.iterate(x[None], real[None], noise[None])
        step = trainer.iterate(x, centre_crop(bicubic_target(x, paper=True), 14), real, noise)
        torch.testing.assert_close(step.kernel, kernel, atol=1e-6, rtol=1e-4)
        assert step.bicubic_loss == pytest.approx(bicubic, rel=1e-4)


@pytest.mark.parametrize("paper", [False, True])
def test_a_small_picture_is_learned_from_in_smaller_crops(paper, monkeypatch):
    trainer = Trainer(noise_picture(40, 44), torch.Generator().manual_seed(0), 20, paper)
    iterate, shapes = trainer.iterate, set[tuple[int, ...]]()

    def record(*given):
        shapes.add(tuple(crop.shape[-1] for crop in given))
        return iterate(*given)

    monkeypatch.setattr(trainer, "iterate", record)
    step, failure = trainer.advance(20)
    assert shapes == {(40, 14, 14, 14)} and step is not None and not failure
    (lowest, rightmost), _ = (torch.tensor(corners).max(0).values.tolist() for corners in trainer.corners)
    assert lowest == 0 and rightmost == 4


def test_our_kernel_is_of_the_last_step_and_theirs_of_the_pass_before():
    for paper in (False, True):
        trainer = Trainer(noise_picture(80, 80), torch.Generator().manual_seed(0), 5, paper)
        for _ in range(2):
            step = trainer.step()
        assert torch.equal(trainer.kernel(), step.kernel) is paper


def test_the_same_seed_gives_the_same_kernel_and_another_another():
    kernels = []
    for seed in (1, 1, 2):
        trainer = Trainer(noise_picture(80, 80), torch.Generator().manual_seed(seed), 3)
        for _ in range(3):
            trainer.step()
        kernels.append(trainer.kernel())
    assert torch.equal(kernels[0], kernels[1]) and not torch.equal(kernels[0], kernels[2])


def test_an_iteration_sets_its_own_grad_mode():
    trainer = Trainer(noise_picture(80, 80), torch.Generator().manual_seed(0), 2)
    before = trainer.kernel()
    with torch.no_grad():
        trainer.step()
    assert not torch.equal(trainer.kernel(), before)


def test_a_mid_grey_picture_does_not_count_as_near_before_anything_is_learned():
    """An absolute threshold would: its bicubic aim is small by itself, and G, weighed down, would stay zero."""
    trainer = Trainer(0.5 + 0.1 * (noise_picture(80, 80) - 0.5), torch.Generator().manual_seed(0), 400)
    steps = [trainer.step() for _ in range(6)]
    assert all(step.bicubic_loss < 0.4 / 9 for step in steps)
    assert not trainer.schedule.is_similar and trainer.schedule.bicubic == 5


def test_the_bicubic_phase_ends_once_the_generator_follows():
    trainer = Trainer(noise_picture(80, 80), torch.Generator().manual_seed(0), 40)
    x = trainer.picture[:, :64, :64]
    aim = Downscale.apply(trainer.g.kernel().detach(), kernel_rows(x))  # G hits it exactly
    trainer.schedule.rate = 0.0
    for _ in range(4):
        trainer.iterate(x, aim, trainer.picture[:, :26, :26], torch.zeros(3, 26, 26))
    assert trainer.schedule.is_similar


def test_our_noise_leaves_the_picture_alone():
    trainer = Trainer(noise_picture(80, 84), torch.Generator().manual_seed(0), steps=3)
    before = trainer.picture.clone()
    trainer.step()
    assert torch.equal(trainer.picture, before)


def test_the_first_crops_are_the_authors_with_the_noise_written_back(monkeypatch):
    golden = Golden("kernelgan_data")
    trainer = Trainer(golden_picture(golden), torch.Generator().manual_seed(0), steps=2, paper=True)
    trainer.corners = [golden.stored[f"topleft_{letter}"].tolist() for letter in "GD"]
    noise = np.random.RandomState(5).randn(26, 26, 3).astype(np.float32)
    monkeypatch.setattr(trainer, "_noise", lambda: torch.from_numpy(noise).permute(2, 0, 1))
    before, seen = trainer.picture.clone(), []
    monkeypatch.setattr(trainer, "iterate", lambda *given: seen.extend(given))
    trainer.step()
    golden.check("crop_G0", seen[0][None])
    golden.check("crop_D0_seed5", seen[2][None])
    golden.check("image_changed", (trainer.picture - before).abs().max() / 2)


@pytest.mark.parametrize("paper", [False, True])
def test_a_generator_that_stays_zero_begins_anew_unless_paper(paper, monkeypatch):
    monkeypatch.setattr("gansr.papers.kernelgan.trainer.PATIENCE", 4)

    def made() -> Trainer:
        return Trainer(textured(84, 84), torch.Generator().manual_seed(0), 20, paper)

    trainer = made()
    with torch.no_grad():
        for layer in trainer.g.layers:
            layer.zero_()
    trainer.advance(4)
    assert trainer.begun == (0 if paper else 4) and trainer.done == 4
    assert all(bool(layer.any()) is not paper for layer in trainer.g.layers)
    assert trainer.schedule.steps == (20 if paper else 16)
    other, state, random = made(), trainer.state(), trainer.rng.get_state()
    other.restore(state)
    other.rng.set_state(random)
    assert torch.equal(trainer.step().kernel, other.step().kernel)
    assert torch.equal(trainer.kernel(), other.kernel())
