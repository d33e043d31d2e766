"""KernelGAN's networks, losses, schedule, crops and training against the authors' numbers and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gansr.ops.resize import imresize
from gansr.papers.kernelgan import bench_plain as P
from gansr.papers.kernelgan import networks as N
from gansr.papers.kernelgan.bench_plain import (
    PlainDiscriminator,
    PlainGenerator,
    PlainTrainer,
    discriminator_from,
    generator_from,
)
from tests.support.golden import Golden

pytestmark = pytest.mark.usefixtures("one_thread")


def noise_picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


# networks


def test_generator_and_its_kernel_are_the_authors():
    golden = Golden("kernelgan_networks")
    net = generator_from(golden.state("G"))
    assert sum(p.numel() for p in net.parameters()) == 150_656
    golden.check("G.out", net(golden.tensor("kg/g_input")[0])[None])
    golden.check("G.kernel", net.kernel())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_the_equivalent_kernel_gives_the_layers_output_and_gradients(dtype, tolerance):
    golden = Golden("kernelgan_networks")
    state = golden.state("G")
    plain, fast = PlainGenerator(), generator_from(state)
    plain.load_state_dict(state, strict=True)
    plain, fast, x = plain.to(dtype), fast.to(dtype), golden.tensor("kg/g_input").to(dtype)
    aim = torch.randn(1, 3, 26, 26, generator=torch.Generator().manual_seed(0)).to(dtype)
    outputs = plain(x), fast(x[0])[None]
    for output in outputs:
        (output * aim).mean().backward()
    torch.testing.assert_close(outputs[0], outputs[1], atol=tolerance, rtol=0)
    torch.testing.assert_close(plain.kernel(), fast.kernel(), atol=tolerance, rtol=0)
    for mine, theirs in zip(fast.parameters(), plain.parameters()):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=tolerance, rtol=0)


def test_the_generator_correlates_with_its_kernel():
    """A generator whose kernel is a single entry off the middle takes the pixel at that offset."""
    net = generator_from({str(i): torch.zeros_like(p) for i, p in enumerate(N.Generator().layers)})
    with torch.no_grad():
        for layer, at in zip(net.layers, [(1, 5), (2, 2), (1, 1), (0, 0), (0, 0), (0, 0)]):
            layer[0, 0, at[0], at[1]] = 1
    x = noise_picture(64, 64)
    assert net.kernel().nonzero().tolist() == [[4, 8]]
    torch.testing.assert_close(net(x), x[:, 4 : 4 + 52 : 2, 8 : 8 + 52 : 2])


def test_discriminator_and_its_state_are_the_authors():
    golden = Golden("kernelgan_networks")
    net = discriminator_from(golden.state("D"))
    assert sum(p.numel() for p in net.parameters()) == 30_977
    x = golden.tensor("kg/d_input")
    golden.check("D.out1", net(x)[:, None])
    golden.check("D.out2", net(x)[:, None])
    golden.check("D.state2.first_layer.weight_u", net.u_first)
    golden.check("D.state2.feature_block.9.weight_u", net.u_hidden[3])


def test_the_last_right_singular_vector_is_the_authors():
    golden = Golden("kernelgan_networks")
    golden.check("D.state2.first_layer.weight_v", discriminator_from(golden.state("D")).norms(2).v[1])


def test_the_plain_discriminator_is_the_authors_also_in_eval_mode():
    golden = Golden("kernelgan_networks")
    net = PlainDiscriminator()
    net.load_state_dict(golden.state("D"), strict=True)
    net.train()
    x = golden.tensor("kg/d_input")
    golden.check("D.out1", net(x))
    golden.check("D.out2", net(x))
    for key in (
        "feature_block.1.running_mean",
        "feature_block.1.running_var",
        "feature_block.13.running_var",
    ):
        golden.check(f"D.state2.{key}", net.state_dict()[key])
    golden.check("D.state2.final_layer.0.weight_u", net.state_dict()["final_layer.0.weight_u"])
    golden.check("D.out_eval", net.eval()(x))


def test_one_pass_over_two_pictures_is_two_passes_with_all_gradients():
    golden = Golden("kernelgan_networks")
    plain, fast = PlainDiscriminator(), discriminator_from(golden.state("D")).double()
    plain.load_state_dict(golden.state("D"), strict=True)
    plain = plain.double().train()
    x = noise_picture(26, 52).double().unfold(2, 26, 26).permute(2, 0, 1, 3).contiguous()
    aim = torch.randn(2, 20, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mine = fast(x)
    theirs = torch.cat([plain(x[:1]), plain(x[1:])])[:, 0]
    torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=0)
    (mine * aim).mean().backward()
    (theirs * aim).mean().backward()
    first, blocks = plain.first_layer, [plain.feature_block[3 * i] for i in range(5)]
    pairs = [
        (fast.first.grad, first.weight_orig.grad.flatten(1)),
        (fast.last_bias.grad, plain.final_layer[0].bias.grad),
    ]
    pairs += [(fast.hidden.grad, torch.stack([b.weight_orig.grad.flatten(1) for b in blocks]))]
    pairs += [(fast.last.grad, plain.final_layer[0].weight_orig.grad.flatten(1))]
    pairs += [(fast.gain.grad, torch.stack([plain.feature_block[3 * i + 1].weight.grad for i in range(5)]))]
    pairs += [(fast.shift.grad, torch.stack([plain.feature_block[3 * i + 1].bias.grad for i in range(5)]))]
    for a, b in pairs:
        torch.testing.assert_close(a, b, atol=1e-10, rtol=0)
    for layer in (first, *blocks):  # why the biases need no computing
        assert layer.bias.grad.abs().max() < 1e-12


def test_initial_weights_have_the_authors_spread():
    g, d = (
        net(torch.Generator().manual_seed(0)).requires_grad_(False) for net in (N.Generator, N.Discriminator)
    )
    assert float(g.layers[1].std()) == pytest.approx(0.1 * (2 / (2 * 64 * 25)) ** 0.5, rel=0.02)
    assert float(d.first.std()) == pytest.approx(0.1 * (2 / (147 + 64 * 49)) ** 0.5, rel=0.05)
    assert float(d.gain.mean()) == pytest.approx(1, abs=0.005)
    assert float(d.gain.std()) == pytest.approx(0.02, rel=0.15)
    assert not d.first_bias.any() and not d.shift.any()


# losses


TERMS = {
    "sum2one": ("sum_to_one", P.sum_loss),
    "boundaries": ("boundaries", P.boundary_loss),
    "centralized": ("centralised", P.centre_loss),
    "sparse": ("sparse", P.sparse_loss),
}
OFF = {"sum_to_one": 0.0, "boundaries": 0.0, "centralised": 0.0, "sparse": 0.0}


@pytest.mark.parametrize("name", ["gauss", "noise"])
@pytest.mark.parametrize("term", TERMS)
def test_loss_terms_and_gradients_are_the_authors(name, term):
    golden = Golden("kernelgan_losses")
    weight, plain = TERMS[term]
    k = golden.tensor(name).requires_grad_()
    loss = plain(k)
    loss.backward()
    value, grad = N.constraints(k.detach(), N.penalty_mask(), N.Schedule(**{**OFF, weight: 1.0}))
    for mine, slope in ((loss, k.grad), (value, grad)):
        golden.check(f"{name}.{term}", mine)
        golden.check(f"{name}.{term}.grad", slope)


def test_loss_terms_of_two_pixels_by_hand():
    k = torch.zeros(13, 13)
    k[0, 6] = k[6, 6] = 1.0
    mask = N.penalty_mask()
    edge = 30 * (1 - np.exp(-36 / (2 * 169)))
    by_hand = {
        "sum_to_one": 1,
        "centralised": (3.5**2 + 0.5**2) / 2,  # mass at (3, 6), wanted (6.5, 6.5)
        "sparse": 2 / 169,
        "boundaries": edge / 169,
    }
    for weight, wanted in by_hand.items():
        value, _ = N.constraints(k, mask, N.Schedule(**{**OFF, weight: 1.0}))
        assert float(value) == pytest.approx(wanted, rel=1e-5), weight
    together, _ = N.constraints(k, mask, N.Schedule(**dict.fromkeys(OFF, 2.0)))
    assert float(together) == pytest.approx(2 * sum(by_hand.values()), rel=1e-5)


def test_penalty_mask_is_the_authors():
    golden = Golden("kernelgan_losses")
    golden.check("penalty_mask", N.penalty_mask())
    assert not N.penalty_mask()[2:11, 2:11].any()


def test_bicubic_and_gan_losses_are_the_authors():
    golden = Golden("kernelgan_losses")
    down = N.bicubic_target(golden.tensor("kg/loss/g_in")[0], paper=True)
    out = golden.tensor("kg/loss/g_out")[0]
    golden.check("bicubic.downscaled", down[None])
    golden.check("bicubic.shaved", N.shave(down)[None])
    golden.check("bicubic", (out - N.shave(down)).square().mean())
    judged = golden.tensor("kg/loss/dmap")
    golden.check("gan.real", P.gan_loss(judged, True))
    golden.check("gan.fake", P.gan_loss(judged, False))


def test_our_bicubic_aim_is_matlabs_per_channel_and_theirs_is_grey_and_three_times_too_bright():
    x = noise_picture(40, 48)
    ours, theirs = N.bicubic_target(x), N.bicubic_target(x, paper=True)
    inner = (slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(ours[inner], imresize(x, 0.5)[inner], atol=1e-6, rtol=0)
    torch.testing.assert_close(theirs[0], theirs[2])
    assert float(theirs.mean() / ours.mean()) == pytest.approx(3, rel=1e-4)


def test_the_schedule_is_the_authors():
    golden = Golden("kernelgan_losses")
    schedule = N.Schedule()
    early = dict(enumerate([0.39, 0.38, 0.5, 0.3, 0.3, 0.3], start=150))
    rows = []
    for i in range(3000):
        schedule.update(i, 1.0 if i < 150 else early.get(i, 0.3))
        row = (schedule.rate, schedule.bicubic, schedule.centralised, schedule.sparse, schedule.is_near)
        if not rows or rows[-1][1:] != row:
            rows.append((i, *row))
    keys = ("iteration", "lr", "lambda_bicubic", "lambda_centralized", "lambda_sparse", "similar_flag")
    for key, column in zip(keys, zip(*rows)):
        golden.check(f"schedule.{key}", np.asarray(column, dtype=np.float64))


@pytest.mark.parametrize("paper", [True, False])
def test_a_shorter_schedule_has_the_same_order_and_ours_keeps_its_rate_longer(paper):
    schedule = N.Schedule(600, paper=paper)
    seen = []
    for i in range(600):
        schedule.update(i, 0.01)
        seen.append((schedule.bicubic, schedule.sparse, schedule.rate))
    assert [seen[i][0] for i in (39, 40, 80, 120)] == pytest.approx([5, 0.05, 5e-4, 5e-6])
    assert seen[79][1] == 0 and seen[80][1] == 5
    falls = [i for i in range(1, 600) if seen[i][2] < seen[i - 1][2]]
    assert falls == ([150, 300, 450] if paper else [480])


# crops


def cut(golden: Golden) -> torch.Tensor:
    return N.prepare(golden.tensor("picture").permute(2, 0, 1).float() / 255, real=False)


def test_maps_and_crops_are_the_authors():
    golden = Golden("kernelgan_data")
    picture = cut(golden)
    assert list(picture.permute(1, 2, 0).shape) == golden.about["after_cut_shape"]
    golden.check("gradmap", N.gradient_map(picture, paper=True))
    golden.check("gradmap_small", N.gradient_map(imresize(picture.double(), 0.5, paper=True), paper=True))
    for_g, for_d = N.probability_maps(picture, paper=True)
    golden.check("prob_G", for_g)
    golden.check("prob_D", for_d)
    draw = np.random.RandomState(3)
    for letter, probability, side in (("G", for_g, 64), ("D", for_d, 26)):
        centres = N.draw_centres(probability, torch.from_numpy(draw.random_sample(3000)))
        corners = N.top_left(centres, 130, 150, side)
        np.testing.assert_array_equal(centres[:50], golden.stored[f"centres_{letter}"])
        np.testing.assert_array_equal(corners[:50], golden.stored[f"topleft_{letter}"])


def test_the_first_crops_are_the_authors_with_the_noise_written_back():
    golden = Golden("kernelgan_data")
    trainer = N.Trainer(cut(golden), torch.Generator().manual_seed(0), steps=2, paper=True)
    trainer.corners = [golden.stored[f"topleft_{letter}"].tolist() for letter in "GD"]
    noise = np.random.RandomState(5).randn(26, 26, 3).astype(np.float32)
    trainer._noise = lambda: torch.from_numpy(noise).permute(2, 0, 1)
    before, seen = trainer.picture.clone(), []
    trainer.iterate = lambda *given: seen.extend(given)
    trainer.step()
    golden.check("crop_G0", seen[0][None])
    golden.check("crop_D0_seed5", seen[2][None])
    golden.check("image_changed", (trainer.picture - before).abs().max() / 2)


def test_our_noise_leaves_the_picture_alone():
    trainer = N.Trainer(noise_picture(80, 84), torch.Generator().manual_seed(0), steps=3)
    before = trainer.picture.clone()
    trainer.step()
    assert torch.equal(trainer.picture, before)


def test_our_gradient_map_clips_the_magnitude_too():
    picture = torch.linspace(0, 0.5, 80).expand(3, 80, 80).clone()  # a slope, and one strong edge
    picture[:, 30:50, 40] += 0.4
    ours, theirs = N.gradient_map(picture), N.gradient_map(picture, paper=True)
    assert (
        theirs[10:20, 10:20].min() > 0 and not ours[10:20, 10:20].any()
    )  # the slope is not of the strongest
    assert float(ours.mean()) == pytest.approx(1) and float(theirs.mean()) == pytest.approx(1)


def test_a_flat_picture_is_cropped_uniformly():
    for_g, for_d = N.probability_maps(torch.full((3, 64, 64), 0.5))
    torch.testing.assert_close(
        for_g, torch.full_like(for_g, 1 / 64**2)
    )  # no centre is left of the crop's side
    assert float(for_d.sum()) == pytest.approx(1)
    inner = for_d[20:44, 20:44]
    torch.testing.assert_close(inner, inner[0, 0].expand(24, 24))


def test_crops_lie_inside_and_start_at_even_pixels():
    corners = N.top_left(torch.arange(70 * 90), 90, 70, 64)
    assert int(corners.min()) == 0 and corners.max(0).values.tolist() == [6, 26]
    assert not (corners % 2).any()


# training


def golden_steps(golden: Golden):
    for i in range(3):
        yield (*(golden.tensor(f"kg/train/{letter}{i}")[0] for letter in "gd"), array_noise(golden, i))


def array_noise(golden: Golden, i: int) -> torch.Tensor:
    from tests.support.golden import array

    return torch.from_numpy(array(f"kg/dnoise/{i}", (1, 3, 26, 26)))[0] / 255


def golden_trainer(golden: Golden) -> N.Trainer:
    trainer = N.Trainer(noise_picture(64, 64), torch.Generator().manual_seed(0), paper=True)
    trainer.for_g, trainer.for_d = generator_from(golden.state("G")), discriminator_from(golden.state("D"))
    trainer._begin(3000)
    return trainer


def authors_norms(g: N.Generator, d: N.Discriminator) -> list[torch.Tensor]:
    blocks = [t for i in range(5) for t in (d.hidden_bias[i], d.hidden[i], d.gain[i], d.shift[i])]
    return [t.detach().norm() for t in (*g.layers, d.first_bias, d.first, *blocks, d.last_bias, d.last)]


def test_the_gradients_of_the_first_iteration_are_the_authors():
    golden = Golden("kernelgan_networks")
    trainer = golden_trainer(golden)
    trainer.schedule.centralised, trainer.schedule.sparse = 1.0, 5.0
    _, real, noise = next(golden_steps(golden))
    x = golden.tensor("kg/g_input")[0]
    grads = []
    take = trainer._update
    trainer._update = lambda optimiser, given: (grads.extend(given), take(optimiser, given))
    step = trainer.iterate(x, N.shave(N.bicubic_target(x, paper=True)), real, noise)
    golden.check("step0.loss_gan", torch.tensor(step.generator))
    golden.check("step0.grad.first_layer.weight", grads[0])
    golden.check("step0.grad.final_layer.weight", grads[5])
    for i in range(4):
        golden.check(f"step0.gradnorm.feature_block.{i}.weight", grads[i + 1].norm())
    schedule = N.Schedule(centralised=1.0, sparse=5.0)
    value, _ = N.constraints(step.kernel, N.penalty_mask(), schedule)
    golden.check("step0.constraints", value + schedule.bicubic * step.bicubic)


def test_three_whole_iterations_are_the_authors():
    golden = Golden("kernelgan_networks")
    trainer = golden_trainer(golden)
    kernels, bicubic, norms = [], [], []
    for x, real, noise in golden_steps(golden):
        step = trainer.iterate(x, N.shave(N.bicubic_target(x, paper=True)), real, noise)
        kernels.append(step.kernel)
        bicubic.append(step.bicubic)
        norms.append(torch.stack(authors_norms(trainer.for_g, trainer.for_d)))
    golden.check("train3.kernels", torch.stack(kernels))
    golden.check("train3.loss_bicubic", torch.tensor(bicubic))
    golden.check("train3.G.first_layer.weight", trainer.for_g.layers[0])
    golden.check("train3.D.first_layer.weight_u", trainer.for_d.u_first)
    golden.check("train3.param_norms", torch.stack(norms))


def test_three_whole_plain_iterations_are_the_authors():
    """So that the speed is measured against the real thing."""
    golden = Golden("kernelgan_networks")
    trainer = PlainTrainer()
    trainer.for_g.load_state_dict(golden.state("G"), strict=True)
    trainer.for_d.load_state_dict(golden.state("D"), strict=True)
    results = [trainer.iterate(x[None], real[None], noise[None]) for x, real, noise in golden_steps(golden)]
    golden.check("train3.kernels", torch.stack([k for k, _ in results]))
    golden.check("train3.loss_bicubic", torch.tensor([b for _, b in results]))
    golden.check("train3.D.first_layer.weight_u", trainer.for_d.state_dict()["first_layer.weight_u"])


def test_our_kernel_is_of_the_last_step_and_theirs_of_the_pass_before():
    for paper in (False, True):
        trainer = N.Trainer(noise_picture(80, 80), torch.Generator().manual_seed(0), 5, paper)
        for _ in range(2):
            step = trainer.step()
        assert torch.equal(trainer.kernel(), step.kernel) is paper


def test_the_same_seed_gives_the_same_kernel_and_another_another():
    kernels = []
    for seed in (1, 1, 2):
        trainer = N.Trainer(noise_picture(80, 80), torch.Generator().manual_seed(seed), 3)
        for _ in range(3):
            trainer.step()
        kernels.append(trainer.kernel())
    assert torch.equal(kernels[0], kernels[1]) and not torch.equal(kernels[0], kernels[2])


def test_an_iteration_sets_its_own_grad_mode():
    trainer = N.Trainer(noise_picture(80, 80), torch.Generator().manual_seed(0), 2)
    before = trainer.kernel()
    with torch.no_grad():
        trainer.step()
    assert not torch.equal(trainer.kernel(), before)


def test_the_product_of_rows_is_the_convolution():
    k = torch.randn(13, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    x = noise_picture(64, 64).double()
    aim = torch.randn(3, 26, 26, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = F.conv2d(x[:, None], k[None, None], stride=2)[:, 0]
    fast = N._Shrink.apply(k, N.rows_of(x))
    torch.testing.assert_close(fast, plain)
    for a, b in zip(*(torch.autograd.grad((y * aim).sum(), k) for y in (plain, fast))):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("paper", "weight"), [(True, 5.0), (False, 45.0)])
def test_a_generator_that_does_not_follow_is_pulled_harder_by_ours_only(paper, weight):
    schedule = N.Schedule(600, paper=paper)
    for i in range(120):
        assert schedule.bicubic == (5 if i <= 40 else weight)
        schedule.update(i, 0.9)
    for i in range(121, 201):
        schedule.update(i, 0.01)
    assert schedule.bicubic == pytest.approx(weight / 1e4) and schedule.sparse == 5


def test_a_mid_grey_picture_does_not_count_as_near_before_anything_is_learned():
    """An absolute threshold would: its bicubic aim is small by itself, and G, weighed down, would stay zero."""
    trainer = N.Trainer(0.5 + 0.1 * (noise_picture(80, 80) - 0.5), torch.Generator().manual_seed(0), 400)
    steps = [trainer.step() for _ in range(6)]
    assert all(step.bicubic < 0.4 / 9 for step in steps)
    assert not trainer.schedule.is_near and trainer.schedule.bicubic == 5


def test_the_bicubic_phase_ends_once_the_generator_follows():
    trainer = N.Trainer(noise_picture(80, 80), torch.Generator().manual_seed(0), 40)
    x = trainer.picture[:, :64, :64]
    aim = N._Shrink.apply(trainer.for_g.kernel().detach(), N.rows_of(x))  # G hits it exactly
    trainer.schedule.rate = 0.0
    for _ in range(4):
        trainer.iterate(x, aim, trainer.picture[:, :26, :26], torch.zeros(3, 26, 26))
    assert trainer.schedule.is_near
