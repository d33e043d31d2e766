"""KernelGAN's generator with ReLUs, and the linear filter that comes nearest to it."""

from __future__ import annotations

import pytest
import torch

from gansr.options import OptionError
from gansr.papers.kernelgan.losses import bicubic_target, centre_crop
from gansr.papers.kernelgan.networks import Downscale, Generator, kernel_rows
from gansr.papers.kernelgan.nonlinear import NonLinearTrainer, forward, nearest_kernel
from gansr.papers.kernelgan.options import Options
from tests.papers.kernelgan.pictures import noise_picture

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_linear_filter_is_nearest_to_itself():
    x, kernel = (
        noise_picture(64, 64).double(),
        torch.randn(13, 13, generator=torch.Generator().manual_seed(1)),
    )
    y = Downscale.apply(kernel.double(), kernel_rows(x))
    assert (nearest_kernel(x, y).float() - kernel).abs().max() < 2e-3


def test_with_relus_it_is_not_linear_and_without_it_is_the_linear_generator(monkeypatch):
    g = Generator(torch.Generator().manual_seed(0)).double()
    x, y = (noise_picture(40, 40, seed).double() - 0.5 for seed in (1, 2))
    assert not torch.allclose(forward(g, x + y), forward(g, x) + forward(g, y), rtol=1e-3)
    monkeypatch.setattr(torch.Tensor, "relu", lambda x: x)
    torch.testing.assert_close(forward(g, x), Downscale.apply(g.kernel(), kernel_rows(x)))


def test_a_step_descends_the_generators_loss_as_autograd_does(monkeypatch):
    """mean|D(G(x)) − 1| + λ mse(G(x), target), differentiated by autograd as a whole."""
    trainer = NonLinearTrainer(noise_picture(64, 64), torch.Generator().manual_seed(0), 20)
    x, real = 2 * noise_picture(64, 64, 3) - 1, 2 * noise_picture(26, 26, 4) - 1
    target, noise = centre_crop(bicubic_target(x), 26), noise_picture(26, 26, 5) / 255
    u = trainer.d.u_first.clone(), trainer.d.u_hidden.clone()
    iterations = trainer.d.power_iterations(3).rows(0, 1)
    trainer.d.u_first, trainer.d.u_hidden = u
    fake = forward(trainer.g, x)
    deceived = (trainer.d(fake[None], iterations) - 1).abs().mean()
    loss = deceived + trainer.schedule.bicubic * (fake - target).square().mean()
    expected = torch.autograd.grad(loss, list(trainer.g.layers))
    found, update = [], trainer._update
    monkeypatch.setattr(trainer, "_update", lambda o, grads: (found.append(list(grads)), update(o, grads)))
    step = trainer.iterate(x, target, real, noise)
    for mine, theirs in zip(found[0], expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-6)
    assert step.generator_loss == pytest.approx(deceived.item(), rel=1e-5)
    assert step.kernel.shape == (13, 13)


def test_it_learns_and_goes_on_from_a_state():
    def made() -> NonLinearTrainer:
        return NonLinearTrainer(noise_picture(64, 64), torch.Generator().manual_seed(0), 6)

    whole = made()
    first, _ = whole.advance(3)
    state, random = whole.state(), whole.rng.get_state()
    last, _ = whole.advance(3)
    again = made()
    again.restore(state)
    again.rng.set_state(random)
    resumed, _ = again.advance(3)
    assert first is not None and last is not None and resumed is not None
    assert torch.equal(resumed.kernel, last.kernel) and not torch.equal(first.kernel, last.kernel)
    assert torch.equal(again.kernel(), whole.kernel())


def test_one_layer_has_no_relu():
    with pytest.raises(OptionError, match="must be deep"):
        Options(deep=False, relu=True)
