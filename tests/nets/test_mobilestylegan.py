"""MobileStyleGAN: the wavelet by hand, block boundaries, optimised forms, and the picture of the real weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gansr.bench import mobilestylegan_plain
from gansr.nets.compiled import OptimisedMobileStyleGAN
from gansr.nets.mobilestylegan import Block, MobileStyleGAN, inverse_haar
from gansr.weights import WeightsError
from gansr.weights.converters.mobilestylegan import Graph, _blocks, openvino


@pytest.fixture(scope="module")
def tiny() -> MobileStyleGAN:
    torch.manual_seed(0)
    return MobileStyleGAN(channels=(16, 8, 12), style=10, mapping_layers=2).requires_grad_(False).eval()


def rows_of(net: MobileStyleGAN, batch: int, seed: int = 0) -> Tensor:
    return torch.randn(batch, net.style_rows, net.style, generator=torch.Generator().manual_seed(seed))


def test_inverse_wavelet_of_one_pixel_is_the_four_signs():
    x = torch.tensor([8.0, 4.0, 2.0, 1.0]).view(1, 4, 1, 1)  # LL, LH, HL, HH
    assert inverse_haar(x).squeeze().tolist() == [[15, 9], [5, 3]]  # l±lh±hl±hh, signs of the specification


def test_inverse_wavelet_undoes_the_wavelet():
    x = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(1))
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    forward = torch.cat((a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d), dim=1) / 4
    torch.testing.assert_close(inverse_haar(forward), x)


def test_wavelet_channels_do_not_mix():
    x = torch.zeros(1, 12, 2, 2)
    x[:, 1] = 1  # the low pass of channel 1
    assert inverse_haar(x)[0].amax((1, 2)).tolist() == [0, 1, 0]


def test_picture_has_the_side_and_the_rows_it_states(tiny: MobileStyleGAN):
    assert (tiny.style_rows, tiny.side, tiny.shapes) == (8, 32, ((16, 4), (8, 8), (12, 16)))
    assert tiny.synthesis(rows_of(tiny, 2)).shape == (2, 3, 32, 32)
    assert tiny(torch.randn(1, 10, generator=torch.Generator().manual_seed(0))).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("boundary", [0, 1, 2])
def test_first_and_rest_compose_to_the_whole_at_each_boundary(tiny: MobileStyleGAN, boundary: int):
    rows = rows_of(tiny, 2)
    features = tiny.first(rows[:, : 1 + 3 * boundary], boundary)  # the later rows are not needed
    assert features.shape[1:] == (tiny.shapes[boundary][0], *[tiny.shapes[boundary][1]] * 2)
    rows_of_rest = rows.clone()
    rows_of_rest[:, : 1 + 3 * boundary] = torch.nan  # the earlier rows are not used
    assert torch.equal(tiny.rest(features, rows_of_rest, boundary), tiny.synthesis(rows))


def test_a_batch_is_its_pictures_one_by_one(tiny: MobileStyleGAN):
    rows = rows_of(tiny, 3)
    one_by_one = torch.cat([tiny.synthesis(rows[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(tiny.synthesis(rows), one_by_one)


def test_every_row_gets_a_gradient_and_no_weight_does(tiny: MobileStyleGAN):
    rows = rows_of(tiny, 1).requires_grad_()
    tiny.synthesis(rows).square().sum().backward()
    assert rows.grad is not None and (rows.grad[0].norm(dim=1) > 0).all()
    assert all(p.grad is None for p in tiny.parameters())


def test_scaling_activations_equals_scaling_weights(tiny: MobileStyleGAN):
    """StyleGAN2 modulates weights; the same, by hand, for the first block of one image."""
    rows = rows_of(tiny, 1)
    x = tiny.first(rows, 0)
    block = tiny.body.blocks[0]
    assert isinstance(block, Block)
    up, conv1, conv2 = (tiny.styles[k](rows[:, k])[0] for k in (1, 2, 3))
    y = inverse_haar(x * up.view(1, -1, 1, 1))
    for conv, scale in ((block.conv1, conv1), (block.conv2, conv2)):
        y = F.conv2d(y, conv.depthwise, padding=1, groups=y.shape[1])
        assert isinstance(conv.noise, torch.Tensor)
        y = F.conv2d(y, conv.pointwise * scale.view(1, -1, 1, 1), conv.bias) + conv.noise
        y = F.leaky_relu(y, 0.2)
    torch.testing.assert_close(tiny.first(rows, 1), y, rtol=1e-4, atol=1e-5)


@pytest.mark.weights
def test_the_picture_of_the_real_weights_has_the_reference_range(weights_of):
    net = weights_of("mobilestylegan-ffhq-1024")
    z = torch.randn(1, 512, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        picture = net(z)
    # seed 0, untruncated, by OpenVINO's float32: darkest −1.56507, brightest 1.35206; loose, see the net's docstring
    assert picture.shape == (1, 3, 1024, 1024)
    torch.testing.assert_close(picture.amin(), torch.tensor(-1.56507), rtol=0, atol=1e-3)
    torch.testing.assert_close(picture.amax(), torch.tensor(1.35206), rtol=0, atol=1e-3)


def test_converter_finds_constants_by_name_and_by_the_layer_that_consumes_them(tmp_path):
    (tmp_path / "a.bin").write_bytes(np.array([9, 1, 2, 3], "<f4").tobytes())
    (tmp_path / "a.xml").write_text(
        """<net><layers>
        <layer id="0" name="x" type="Parameter"/>
        <layer id="1" name="1531" type="Const"><data element_type="f32" shape="1, 3" offset="4" size="12"/></layer>
        <layer id="2" name="sum" type="Add"/>
        </layers><edges>
        <edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
        <edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
        </edges></net>"""
    )
    graph = Graph(tmp_path / "a.xml", tmp_path / "a.bin")
    assert graph.constants["1531"].tolist() == graph.into("sum").tolist() == [[1, 2, 3]]
    assert graph.sources("sum") == ("1531", "x") and graph.of("Add") == ["sum"]
    with pytest.raises(WeightsError, match=r"a\.xml is not MobileStyleGAN's graph"):
        openvino(*(tmp_path / name for name in ("a.xml", "a.bin", "a.xml", "a.bin")))


def test_converter_sorts_the_wavelets_channels_into_blocks():
    # the graph's order: LL of 2 channels, then LH, HL, HH of the first, then of the second
    assert _blocks(8).tolist() == [0, 1, 2, 5, 3, 6, 4, 7]


# ---------------------------------------------------------------------------- optimised for a search


@pytest.fixture
def deep() -> MobileStyleGAN:
    """Five blocks: one more than stay uncompiled."""
    torch.manual_seed(1)
    net = MobileStyleGAN((8, 8, 8, 8, 8, 4), style=6, mapping_layers=1)
    return net.requires_grad_(False).eval()


def test_optimised_in_float32_is_the_net_itself_at_each_boundary(tiny: MobileStyleGAN):
    rows, form = rows_of(tiny, 2), OptimisedMobileStyleGAN(tiny, torch.float32).snapshot()
    assert (form.form, form.shapes, form.style_rows) == ("eager float32", tiny.shapes, 8)
    for k in range(3):
        torch.testing.assert_close(form.rest(form.first(rows, k), rows, k), tiny.synthesis(rows))


def test_optimised_in_bfloat16_does_not_change_the_net_and_gives_float32(tiny: MobileStyleGAN):
    rows, form = rows_of(tiny, 1), OptimisedMobileStyleGAN(tiny, torch.bfloat16).snapshot()
    picture, exact = form.synthesis(rows), tiny.synthesis(rows)
    assert form.first(rows, 1).dtype == torch.bfloat16 and picture.dtype == torch.float32
    assert tiny.body.picture.weight.dtype == torch.float32
    assert (picture - exact).norm() < 0.03 * exact.norm()


def test_once_compiled_a_search_runs_compiled_and_gives_the_same(deep: MobileStyleGAN, monkeypatch):
    calls = []

    def compile_(function, dynamic):
        return lambda *args: calls.append(len(args)) or function(*args)

    monkeypatch.setattr(torch, "compile", compile_)
    monkeypatch.setattr("shutil.which", lambda name: "/a/compiler")
    rows, optimised = rows_of(deep, 1).requires_grad_(), OptimisedMobileStyleGAN(deep, torch.float32)
    before = optimised.snapshot()
    thread = optimised.compile_in_background()
    assert thread is not None and optimised.compile_in_background() is None  # only once
    thread.join()
    assert optimised.state == "compiled" and before.form == "eager float32"
    after, first_calls = optimised.snapshot(), len(calls)
    assert after.form == "compiled float32"
    (eager,) = torch.autograd.grad(before.synthesis(rows).square().sum(), rows)
    assert len(calls) == first_calls  # a snapshot does not change
    (compiled,) = torch.autograd.grad(after.synthesis(rows).square().sum(), rows)
    assert len(calls) == first_calls + 1
    torch.testing.assert_close(compiled, eager)
    with torch.no_grad():
        after.synthesis(rows)  # other calls than the compiled one: no gradients, several pictures
    after.synthesis(rows_of(deep, 2).requires_grad_())
    assert len(calls) == first_calls + 1


def test_where_compiling_fails_or_is_impossible_the_search_stays_eager(
    deep: MobileStyleGAN, tiny, monkeypatch
):
    def broken(function, dynamic):
        raise RuntimeError("no header")

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr("shutil.which", lambda name: "/a/compiler")
    failing, small = (OptimisedMobileStyleGAN(net, torch.float32) for net in (deep, tiny))
    thread = failing.compile_in_background()
    assert thread is not None
    thread.join()
    assert failing.state == "eager: RuntimeError"
    assert failing.snapshot().form == "eager float32"
    assert small.compile_in_background() is None
    assert small.state == "eager: too small to compile"
    monkeypatch.setattr("shutil.which", lambda name: None)
    no_compiler = OptimisedMobileStyleGAN(deep, torch.bfloat16)
    assert no_compiler.compile_in_background() is None
    assert no_compiler.state == "eager: no C++ compiler"


@torch.no_grad()
def test_the_net_equals_its_graph_written_plainly(tiny: MobileStyleGAN):
    for i, noise in enumerate(tiny.buffers()):
        noise.normal_(generator=torch.Generator().manual_seed(i))
    rows, near = rows_of(tiny, 2), partial(torch.testing.assert_close, atol=1e-5, rtol=1e-4)
    near(mobilestylegan_plain.synthesis(tiny, rows), tiny.synthesis(rows))
    features = mobilestylegan_plain.first(tiny, rows, 1)
    near(features, tiny.first(rows, 1))
    near(mobilestylegan_plain.rest(tiny, features, rows, 1), tiny.rest(features, rows, 1))
