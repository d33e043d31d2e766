"""The released GLEAN: the authors' numbers through the converter, its keys, its order, on tiny sizes by hand."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F

from gansr.papers.glean import convert
from gansr.papers.glean.convert import from_mmagic, mmagic
from gansr.papers.glean.released import GLEAN
from gansr.weights import WeightsError
from tests.support.golden import Golden

RELEASED = {"glean_cat_8x": (32, 256), "glean_cat_16x": (16, 256), "glean_ffhq_16x": (64, 1024)} | {
    "glean_in128out1024": (128, 1024)
}
TINY = {"style": 8, "multiplier": 1, "channels": 8, "blocks": 1}


def on_meta(in_size: int, out_size: int, **config) -> GLEAN:
    with torch.device("meta"):
        return GLEAN(in_size, out_size, **config)


def listed(text: str, name: str) -> dict[str, torch.Tensor]:
    """The keys and shapes of one network of glean.keys.txt, as tensors without content."""
    part = text.split(f"# {name}:")[1].split("# trainable")[0]
    rows = re.findall(r"^(\S+) \(([\d, ]*)\) float32$", part, flags=re.M)
    return {
        key: torch.empty([int(n) for n in shape.replace(",", " ").split()], device="meta")
        for key, shape in rows
    }


def test_glean_gives_the_authors_numbers():
    golden = Golden("glean_32to256")
    state = {f"generator.{key}": value for key, value in golden.state("glean").items()}
    net = on_meta(32, 256)
    net.load_state_dict(from_mmagic(state), strict=True, assign=True)
    net.requires_grad_(False).eval()
    del state
    x = golden.tensor("glean/x32")
    encoded, rows = net.encoder(x)
    for i, features in enumerate(encoded):
        golden.check(f"encoder{i}", features[:, :8])
    golden.check("latent", rows)
    fused, raised = [], []
    for fusion in net.fusions:
        fusion.register_forward_hook(lambda *a: fused.append(a[2]))
    for raising in net.raises:
        raising.register_forward_hook(lambda *a: raised.append(F.pixel_shuffle(a[2], 2)))
    bank = net.bank_features(encoded, rows)
    out = net.decode(encoded[0], bank)
    for side, features in zip((4, 8, 16, 32), fused):
        golden.check(f"fusion_out{side}", features[:, :4])
    for features in bank:
        golden.check(f"bank{features.shape[-1]}", features[:, :4])
    for i, features in enumerate(raised):
        golden.check(f"decoder{i}", features[:, :4])
    golden.check("out", out)


@pytest.mark.parametrize("name", RELEASED)
def test_every_key_of_a_released_model_has_its_place(name, shared, monkeypatch):
    text = (shared / "specs" / "glean.keys.txt").read_text()
    state = listed(text, name)
    without_content = {**convert.LEAVES, "conv.blur.kernel": ("", lambda kernel: None)}
    monkeypatch.setattr(convert, "LEAVES", without_content)
    assert len(state) > 860
    on_meta(*RELEASED[name]).load_state_dict(from_mmagic(state), strict=True, assign=True)


def test_a_key_too_many_or_too_few_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"generator\.encoder\.0\.strange"):
        from_mmagic(
            {"generator.encoder.0.strange": torch.zeros(1), "generator.decoder.1.0.bias": torch.zeros(1)}
        )
    path = tmp_path / "srgan.pth"
    torch.save({"state_dict": {"generator.conv_first.weight": torch.zeros(1)}}, path)
    with pytest.raises(WeightsError, match=r"fusion_out\.0\.weight is missing"):
        mmagic(path)


def test_a_released_file_loads_in_half_its_size(tmp_path, shared, monkeypatch):
    monkeypatch.setattr("gansr.weights.authors.ROOM", 10_000)  # one number stands for a whole tensor
    text = (shared / "specs" / "glean.keys.txt").read_text()
    state = {key: torch.zeros(1).expand(t.shape) for key, t in listed(text, "glean_cat_16x").items()}
    kernel = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 16
    state = {key: kernel if key.endswith("kernel") else value for key, value in state.items()}
    path = tmp_path / "glean.pth"
    torch.save({"meta": {}, "state_dict": {**state, "discriminator.x": torch.zeros(1)}}, path)
    made = mmagic(path)
    assert {value.dtype for value in made.values()} == {torch.float16}
    on_meta(16, 256).load_state_dict(made, strict=True, assign=True)


def test_shape_and_size():
    torch.manual_seed(0)
    net = GLEAN(8, 32, **TINY).requires_grad_(False)
    low = torch.rand(2, 3, 8, 8)
    assert net(low).shape == (2, 3, 32, 32)
    assert torch.isfinite(net(low)).all()
    with pytest.raises(ValueError, match="takes 8×8"):
        net(torch.rand(1, 3, 9, 8))


def test_fusion_takes_the_bank_first_and_happens_up_to_the_inputs_side():
    """Order by hand: constant → row 0; [bank, feature of that side] → rows 1, 2; at 8² again; then kept."""
    torch.manual_seed(0)
    net = GLEAN(8, 16, **TINY).requires_grad_(False)
    low = torch.rand(1, 3, 8, 8)
    found, rows = net.encoder(low * 2 - 1)
    layers = net.bank.layers
    x = layers[0](net.bank.constant, rows[:, 0])
    x = net.fusions[0](torch.cat((x, found[1]), 1))
    x = layers[2](layers[1](x, rows[:, 1]), rows[:, 2])
    x = net.fusions[1](torch.cat((x, found[0]), 1))
    x = layers[4](layers[3](x, rows[:, 3]), rows[:, 4])
    h = torch.cat((F.pixel_shuffle(net.raises[0](found[0]), 2), x), 1)
    y = net.out(F.leaky_relu(net.end(h), 0.2))
    torch.testing.assert_close(net(low), y / 2 + 0.5)


def test_the_noise_of_the_file_is_used():
    torch.manual_seed(0)
    net = GLEAN(8, 16, **TINY).requires_grad_(False)
    low = torch.rand(1, 3, 8, 8)
    state = net.state_dict()  # shares its tensors with the network
    for key, value in state.items():
        if key.endswith(".strength"):
            value.fill_(1)
    before = net(low)
    assert torch.equal(before, net(low))
    state["bank.layers.3.noise"].add_(1)
    assert not torch.allclose(before, net(low))
