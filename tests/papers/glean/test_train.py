"""Training of our GLEAN, tiny and without weights: it learns, and an interruption changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.nets.alexnet import LpipsAlex
from gansr.nets.mobilestylegan import MobileStyleGAN
from gansr.nets.vgg import LpipsVgg
from gansr.papers.glean import losses
from gansr.papers.glean.config import Config, Stage, learning_rate, read_config
from gansr.papers.glean.degraded import degraded, drawn
from gansr.papers.glean.own import GleanOwn
from gansr.papers.glean.report import downscaled, psnr, report
from gansr.papers.glean.synthetic import cache, face, rows_of
from gansr.papers.glean.train import Resources, Training, exported
from gansr.papers.glean.train_command import real_faces
from gansr.papers.training_loop import delete_parts, save
from gansr.weights.tensors import parse
from tests.papers.glean.test_own import CHANNELS

NET = {
    "side": 8, "factor": 8, "bank": CHANNELS, "style": 12, "channels": 8, "growth": 4, "blocks": 1, "wide": 8,
    "pyramid": 8, "latent": 8, "decoder": (8, 8, 8), "taps": (4, 4, 4),
}  # fmt: skip
STAGES = (
    Stage("plain", "train", 3, 2e-3, bank=False, batch=2),
    Stage("invert", "invert", 3, 1e-3, batch=2),
    Stage("full", "train", 4, 2e-3, batch=2, alex=0.1, adversary=0.01),
)
CONFIG = Config(STAGES, net=NET, faces=6, window=6, precision="float32")


@pytest.fixture(scope="module")
def resources() -> Resources:
    torch.manual_seed(3)
    bank = MobileStyleGAN(CHANNELS, style=12, mapping_layers=2).requires_grad_(False).eval()
    g = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 64)[:, None, None] * np.ones((1, 64, 1))
    faces = [(ramp + g.uniform(0, 55, 3)).astype(np.uint8) for _ in range(CONFIG.faces)]
    return Resources(bank, LpipsVgg(), LpipsAlex(), np.stack(faces), np.arange(CONFIG.faces))


def steps(training: Training, count: int) -> list[float]:
    return [float(training.do_step()["total"]) for _ in range(count)]


def test_the_loss_falls(resources):
    stages = (
        Stage("plain", "train", 15, 5e-3, bank=False, batch=2),
        Stage("full", "train", 15, 5e-3, batch=2, adversary=0.01),
    )
    training = Training(replace(CONFIG, stages=stages), resources)
    found = steps(training, 15)
    assert np.mean(found[-5:]) < 0.95 * np.mean(found[:5])
    before = {k: v.clone() for k, v in training.net.state_dict().items() if ".tap." in k}
    steps(training, 3)
    assert any(not torch.equal(training.net.state_dict()[k], v) for k, v in before.items())


def test_inversion_learns_the_features_and_touches_nothing_else(resources):
    training = Training(replace(CONFIG, stages=(Stage("invert", "invert", 30, 5e-3),)), resources)
    before = {k: v.clone() for k, v in training.net.state_dict().items()}
    found = steps(training, 30)
    assert np.mean(found[-5:]) < np.mean(found[:5])
    changed = {k.split(".")[0] for k, v in training.net.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"pyramid", "squeeze", "latent", "fusions"}


@pytest.mark.parametrize("cut", [2, 6, 8])
def test_an_interrupted_run_goes_on_bit_by_bit(resources, tmp_path, cut):
    whole = Training(CONFIG, resources)
    found = steps(whole, 10)
    first = Training(CONFIG, resources)
    begun = steps(first, cut)
    torch.save(first.state(), tmp_path / "checkpoint.pt")
    second = Training(CONFIG, resources)
    second.restore(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    assert begun + steps(second, 10 - cut) == found
    assert second.done
    for name in ("net", "average", "discriminator"):
        ours, theirs = getattr(second, name).state_dict(), getattr(whole, name).state_dict()
        assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


def test_a_finished_run_keeps_its_state_and_can_be_lengthened(resources):
    first = Training(replace(CONFIG, stages=STAGES[1:2]), resources)
    steps(first, 3)
    again = Training(first.config, resources)
    again.restore(first.state())
    assert again.done and again.images == first.images
    for name in ("net", "average", "discriminator"):
        ours, theirs = getattr(again, name).state_dict(), getattr(first, name).state_dict()
        assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    longer = Training(replace(CONFIG, stages=STAGES[1:]), resources)
    longer.restore(first.state())
    whole = Training(longer.config, resources)
    steps(whole, 3)
    assert steps(longer, 4) == steps(whole, 4)


def test_real_faces_are_downscaled_and_must_be_square(tmp_path):
    with pytest.raises(ValueError, match="holds no picture"):
        real_faces(tmp_path, 64)
    Image.new("RGB", (128, 128), (9, 8, 7)).save(tmp_path / "a.png")
    found = real_faces(tmp_path, 64)
    assert found.shape == (1, 64, 64, 3) and found.dtype == np.uint8 and (found == (9, 8, 7)).all()
    Image.new("RGB", (128, 64)).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="128×64 px: an aligned face is square"):
        real_faces(tmp_path, 64)


def test_the_exported_file_is_the_averaged_network(resources):
    training = Training(CONFIG, resources)
    steps(training, 2)
    net = GleanOwn(**NET)
    net.load_state_dict(parse(exported(training.average)), strict=True)
    low = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(net(low), training.average(low), atol=2e-3, rtol=0)


def test_another_configuration_can_begin_from_a_runs_networks(resources):
    first = Training(CONFIG, resources)
    steps(first, 2)
    control = Training(replace(CONFIG, stages=(Stage("control", "train", 3, 1e-3, bank=False),)), resources)
    control.restore(first.state(), only_nets=True)
    assert control.images == first.images and (control.stage, control.step) == (0, 0)
    assert all(torch.equal(a, b) for a, b in zip(control.net.parameters(), first.average.parameters()))


def test_the_bank_stays_frozen_and_shared_nets_stay_as_they_are(resources):
    before = {k: v.clone() for k, v in resources.bank.state_dict().items()}
    training = Training(replace(CONFIG, precision="bfloat16"), resources)
    steps(training, 10)
    assert all(torch.equal(v, before[k]) for k, v in resources.bank.state_dict().items())
    assert not any(p.requires_grad for p in training.bank.parameters())


def test_the_learning_rate_rises_stays_and_falls_to_nothing():
    stage = Stage("a", "train", 100, 1.0, tail=0.5, warm=10)
    assert learning_rate(stage, 0) == pytest.approx(0.1)
    assert learning_rate(stage, 30) == 1
    assert learning_rate(stage, 75) == pytest.approx(0.5)
    assert learning_rate(stage, 99) < 0.01


def test_windows_reach_the_borders_and_the_losses_see_them(resources):
    training = Training(CONFIG, resources)
    seen = set()
    for _ in range(200):
        window, inner = training.windows()
        assert 0 <= window.top <= 2 and window.side == 6
        seen.add((window.top, window.top + inner.top, window.top + inner.top + inner.side))
    assert {top for top, *_ in seen} == {0, 1, 2}
    assert min(begin for _, begin, _ in seen) == 0 and max(end for *_, end in seen) == 8


def test_the_losses_are_lpips(resources):
    a, b = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    found = losses.perceptual(resources.lpips, *(losses.taps(resources.lpips, x * 2 - 1) for x in (a, b)))
    torch.testing.assert_close(found, resources.lpips(a, b).mean(), rtol=1e-4, atol=1e-6)


def test_faces_are_made_once_and_taken_up_again(tmp_path, resources):
    made, said = [], []

    def draw(rows):
        made.append(len(rows))
        made_now = resources.bank.synthesis(rows)
        return made_now / made_now.std((1, 2, 3), keepdim=True)  # random weights give grey

    def faces(count, draw=draw):
        return cache(
            tmp_path, resources.bank, count=count, seed=5, side=64, cut=True, draw=draw, progress=said.append
        )

    first = np.array(faces(6))
    assert first.shape == (6, 64, 64, 3) and first.std() > 0
    assert np.array_equal(faces(6), first) and len(made) == 2  # nothing new is drawn
    done = next(tmp_path.glob("*.done"))
    done.write_text("3")
    assert np.array_equal(faces(6), first) and len(made) == 3


@pytest.mark.parametrize("name", ["open_memmap", "write_text"])
def test_faces_of_a_run_killed_while_it_wrote_are_taken_up_again(tmp_path, resources, monkeypatch, name):
    """Stopped between the creation of a file and its content."""

    def faces():
        return cache(
            tmp_path, resources.bank, count=2, seed=5, side=64, cut=True, draw=resources.bank.synthesis,
            progress=lambda text: None,
        )  # fmt: skip

    def killed(path, *args):
        path.write_bytes(b"")
        raise KeyboardInterrupt

    place = np.lib.format if name == "open_memmap" else type(tmp_path)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(place, name, killed)
        faces()
    assert faces().shape == (2, 64, 64, 3)


def test_a_checkpoint_is_whole_or_the_previous_one(tmp_path, resources, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    training = Training(CONFIG, resources)
    save(training, path)

    def killed(state, part):
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    steps(training, 1)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(torch, "save", killed)
        save(training, path)
    assert torch.load(path, weights_only=True)["at"] == [0, 0, 0]
    (tmp_path / "checkpoint.pt.part").write_bytes(b"half")  # of a process killed by SIGKILL
    delete_parts(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_face_is_a_function_of_its_number_and_mixes_at_a_row(resources):
    again = [face(1, i, 12) for i in (4, 4)]
    assert torch.equal(again[0].codes, again[1].codes) and again[0].psi == again[1].psi
    many = [face(1, i, 12) for i in range(200)]
    assert 0.2 < np.mean([f.change < 1 for f in many]) < 0.4
    assert all(0.5 <= f.psi <= 0.9 for f in many)
    assert all(face(1, i, 12, cut=False).side == 1 for i in range(20))
    mixed = next(f for f in many if f.change < 1)
    rows = rows_of(resources.bank, [mixed], torch.zeros(12))[0]
    at = round(mixed.change * resources.bank.style_rows)
    assert torch.equal(rows[0], rows[at - 1]) and torch.equal(rows[at], rows[-1])
    assert not torch.equal(rows[at - 1], rows[at])


def test_the_report_compares_with_bicubic():
    truths = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    lookup = {downscaled(t, 8).sum().item(): t for t in truths}
    found = report(lambda low: lookup[low.sum().item()][None], truths, 8, lambda a, b: psnr(a, b + 1))
    assert found["psnr"] == pytest.approx(120) and found["psnr_gain"] > 20
    assert found["consistency_bicubic"] < found["consistency"]


def test_a_configuration_with_an_unknown_field_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"stages": [], "stepz": 3}))
    with pytest.raises(TypeError, match="stepz"):
        read_config(path)


# ------------------------------------------------------------------------------------------- the robust model

ROBUST = replace(
    CONFIG,
    net=NET | {"projected": False},
    parts=("trunk", "stages", "out"),
    degraded=1.0,
    shrunk=0.0,
    stages=(Stage("robust", "train", 4, 2e-3, batch=2, adversary=0.01),),
)


def test_the_robust_training_starts_from_weights_and_leaves_the_other_parts_as_they_are(resources):
    begun = Training(CONFIG, resources)
    steps(begun, 2)
    training = Training(ROBUST, resources)
    training.start_from(begun.average.state_dict())
    steps(training, 4)
    before, after = begun.average.state_dict(), training.average.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"trunk", "stages", "out"}


def test_without_the_projection_the_result_is_the_input_put_back_plus_the_networks_output(resources):
    torch.manual_seed(0)
    net = GleanOwn(**ROBUST.net)
    low = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        found = net(low)
        r = net.upper(net.lower(net.finest(low * 2 - 1), None), None, ())
    expected = (net.projection.back_project(low * 2 - 1) + r) / 2 + 0.5
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(net.projection.downscale(found), low, atol=1e-3)
    assert torch.allclose(net.projection.downscale(net(low, project=True)), low, atol=1e-5)


def test_random_degradations_stay_within_their_bounds_and_a_share_of_none_is_bicubic():
    generator = torch.Generator().manual_seed(0)
    found = [drawn(8, generator) for _ in range(400)]
    blurred = [d for d in found if d.operator == "gaussian"]
    assert 150 < len(blurred) < 250
    assert all(8 * 0.35 <= d.width <= 8 * 1.2 for d in blurred)
    assert 0.4 < sum(d.noise > 0 for d in found) / 400 < 0.8 and max(d.noise for d in found) <= 15
    assert 0.4 < sum(d.jpeg < 100 for d in found) / 400 < 0.8 and min(d.jpeg for d in found) >= 30
    truth = torch.rand(3, 64, 64, generator=generator)
    assert torch.equal(degraded(truth, 8, 0.0, generator), downscaled(truth, 8))
    twice = [degraded(truth, 8, 1.0, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*twice) and not torch.equal(twice[0], downscaled(truth, 8))
