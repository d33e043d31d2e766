"""KernelGAN's networks against the authors' numbers, the plain layers and by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gansr.papers.kernelgan.bench_plain import (
    PlainDiscriminator,
    PlainGenerator,
    discriminator_from,
    generator_from,
)
from gansr.papers.kernelgan.networks import Discriminator, Downscale, Generator, kernel_rows
from tests.papers.kernelgan.pictures import noise_picture
from tests.support.golden import Golden

pytestmark = pytest.mark.usefixtures("one_thread")


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
    plain, optimised = PlainGenerator(), generator_from(state)
    plain.load_state_dict(state, strict=True)
    plain, optimised, x = plain.to(dtype), optimised.to(dtype), golden.tensor("kg/g_input").to(dtype)
    aim = torch.randn(1, 3, 26, 26, generator=torch.Generator().manual_seed(0)).to(dtype)
    outputs = plain(x), optimised(x[0])[None]
    for output in outputs:
        (output * aim).mean().backward()
    torch.testing.assert_close(outputs[0], outputs[1], atol=tolerance, rtol=0)
    torch.testing.assert_close(plain.kernel(), optimised.kernel(), atol=tolerance, rtol=0)
    for mine, theirs in zip(optimised.parameters(), plain.parameters()):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=tolerance, rtol=0)


def test_the_generator_correlates_with_its_kernel():
    """A generator whose kernel is a single entry off the middle takes the pixel at that offset."""
    net = generator_from({str(i): torch.zeros_like(p) for i, p in enumerate(Generator().layers)})
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
    golden.check(
        "D.state2.first_layer.weight_v", discriminator_from(golden.state("D")).power_iterations(2).v[1]
    )


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
    plain, optimised = PlainDiscriminator(), discriminator_from(golden.state("D")).double()
    plain.load_state_dict(golden.state("D"), strict=True)
    plain = plain.double().train()
    x = noise_picture(26, 52).double().unfold(2, 26, 26).permute(2, 0, 1, 3).contiguous()
    aim = torch.randn(2, 20, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mine = optimised(x)
    theirs = torch.cat([plain(x[:1]), plain(x[1:])])[:, 0]
    torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=0)
    (mine * aim).mean().backward()
    (theirs * aim).mean().backward()
    layers: Any = plain
    first, blocks = layers.first_layer, [layers.feature_block[3 * i] for i in range(5)]
    pairs: list[tuple[Any, Any]] = [
        (optimised.first.grad, first.weight_orig.grad.flatten(1)),
        (optimised.last_bias.grad, layers.final_layer[0].bias.grad),
    ]
    pairs += [(optimised.hidden.grad, torch.stack([b.weight_orig.grad.flatten(1) for b in blocks]))]
    pairs += [(optimised.last.grad, layers.final_layer[0].weight_orig.grad.flatten(1))]
    pairs += [
        (optimised.gain.grad, torch.stack([layers.feature_block[3 * i + 1].weight.grad for i in range(5)]))
    ]
    pairs += [
        (optimised.shift.grad, torch.stack([layers.feature_block[3 * i + 1].bias.grad for i in range(5)]))
    ]
    for a, b in pairs:
        torch.testing.assert_close(a, b, atol=1e-10, rtol=0)
    for layer in (first, *blocks):  # so the biases need not be computed
        assert layer.bias.grad.abs().max() < 1e-12


def test_an_opinion_is_a_pass_that_changes_nothing():
    d = Discriminator(torch.Generator().manual_seed(0))
    x = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(1))
    before = {name: value.clone() for name, value in d.state_dict().items()}
    opinion = d.opinion(x)
    assert all(torch.equal(value, before[name]) for name, value in d.state_dict().items())
    assert torch.equal(opinion, d(x[None])[0].detach())


def test_initial_weights_have_the_authors_spread():
    g = Generator(torch.Generator().manual_seed(0)).requires_grad_(False)
    d = Discriminator(torch.Generator().manual_seed(0)).requires_grad_(False)
    assert float(g.layers[1].std()) == pytest.approx(0.1 * (2 / (2 * 64 * 25)) ** 0.5, rel=0.02)
    assert float(d.first.std()) == pytest.approx(0.1 * (2 / (147 + 64 * 49)) ** 0.5, rel=0.05)
    assert float(d.gain.mean()) == pytest.approx(1, abs=0.005)
    assert float(d.gain.std()) == pytest.approx(0.02, rel=0.15)
    assert not d.first_bias.any() and not d.shift.any()


def test_the_product_of_rows_is_the_convolution():
    k = torch.randn(13, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    x = noise_picture(64, 64).double()
    aim = torch.randn(3, 26, 26, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = F.conv2d(x[:, None], k[None, None], stride=2)[:, 0]
    optimised = Downscale.apply(k, kernel_rows(x))
    torch.testing.assert_close(optimised, plain)
    for a, b in zip(*(torch.autograd.grad((y * aim).sum(), k) for y in (plain, optimised))):
        torch.testing.assert_close(a, b)


def test_one_layer_is_its_kernel_and_takes_its_gradient():
    net = Generator(torch.Generator().manual_seed(0), deep=False)
    assert [tuple(layer.shape) for layer in net.layers] == [(1, 1, 13, 13)]
    kernel, composed = net.compose()
    assert torch.equal(kernel, net.kernel()) and not kernel.requires_grad
    back = torch.randn(13, 13, generator=torch.Generator().manual_seed(1))
    (grad,) = net.gradients(composed, back)
    assert torch.equal(torch.autograd.grad(net.kernel(), net.layers[0], back)[0], grad)


def test_the_gradients_of_the_deep_generator_are_those_of_autograd():
    net = Generator(torch.Generator().manual_seed(0)).double()
    _, composed = net.compose()
    back = torch.randn(13, 13, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = torch.autograd.grad(net.kernel(), list(net.layers), back)
    for mine, other in zip(net.gradients(composed, back), expected, strict=True):
        assert torch.allclose(mine, other, rtol=1e-12)
