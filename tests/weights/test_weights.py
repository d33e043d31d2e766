"""Nets made from weights. Two tests use the real ones."""

from __future__ import annotations

import pytest
import torch

from gansr import weights
from gansr.weights import cache, manifest, tensors
from gansr.weights.edit import MAX_PART
from tests.conftest import ROOT, missing
from tests.support import tiny_weights
from tests.support.tiny_weights import DATA, YOURS, place

ENTRIES = manifest.entries(ROOT / "weights_manifest.json")


def test_a_net_comes_frozen_and_is_shared(checkout):
    place()
    net = weights.load("tiny")
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    assert torch.equal(net.conv.bias, tiny_weights.state()["conv.bias"])
    assert weights.load("tiny") is net


def test_loading_leaves_the_global_random_generator_alone(checkout):
    place()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    weights._recent.clear()
    weights.load("tiny")
    assert torch.equal(torch.rand(3), expected)


def test_weights_that_do_not_fit_the_net_say_how(checkout):
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS, config={"width": 3}))
    place()
    weights._recent.clear()
    with pytest.raises(
        weights.WeightsError, match=r"2 of the wrong shape: conv.weight is \(2, 3, 3, 3\), \(3, 3"
    ):
        weights.load("tiny")


def test_our_own_file_is_read_from_the_checkout_and_verified(checkout):
    (checkout / "own.safetensors").write_bytes(DATA)
    tiny_weights.write_manifest(tiny=tiny_weights.entry(tiny_weights.own(own_safetensors=DATA)))
    assert weights.ready("tiny") and weights.fetch("tiny") == checkout / "own.safetensors"
    (checkout / "own.safetensors").write_bytes(DATA[:-1] + b"?")
    with pytest.raises(
        weights.WeightsError, match=r"own\.safetensors is missing .* or not what the manifest pins"
    ):
        weights.fetch("tiny")
    assert (checkout / "own.safetensors").exists(), "a file of the repository is not deleted"
    with pytest.raises(weights.WeightsError, match=r"`git checkout -- own\.safetensors` restores it"):
        weights.state("tiny")
    place()
    assert weights.state("tiny")["count"] == 7, "a good copy in the cache is used instead"


def test_our_own_file_in_parts_is_joined_to_the_same_bytes(checkout):
    parts = tensors.split(DATA, 300)
    assert len(parts) > 1 and tensors.joined(parts) == DATA and tensors.split(DATA, 10**6) == [DATA]
    names = [f"{letter}.safetensors" for letter in "abc"[: len(parts)]]
    for name, data in zip(names, parts):
        (checkout / name).write_bytes(data)
    source = tiny_weights.own(**{name.replace(".", "_"): data for name, data in zip(names, parts)})
    tiny_weights.write_manifest(tiny=tiny_weights.entry(source))
    weights._recent.clear()
    assert weights.ready("tiny") and weights.load("tiny").count.item() == 7
    assert weights.fetch("tiny") == checkout / "a.safetensors"
    assert not list((checkout / "cache").glob("*.safetensors")), "they are read where they are"
    (checkout / names[-1]).unlink()
    assert not weights.ready("tiny")
    with pytest.raises(weights.WeightsError, match=r"`git checkout -- a\.safetensors b\.safetensors"):
        weights.state("tiny")


def test_parts_that_join_to_another_file_than_pinned_are_not_opened(checkout):
    other = tensors.serialise(tiny_weights.state(seed=1))
    (checkout / "own.safetensors").write_bytes(other)
    tiny_weights.write_manifest(tiny=tiny_weights.entry(tiny_weights.own(own_safetensors=other)))
    with pytest.raises(weights.WeightsError, match=r"the parts of tiny join to .*; .* is pinned"):
        weights.state("tiny")


def test_glean_face_joins_to_its_pinned_hash(monkeypatch, tmp_path):
    """In a fresh clone, without a cache."""
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path))
    entry = ENTRIES["glean-face-x8"]
    assert tensors.sha256(cache.content(entry)) == entry.sha256
    own = entry.source(manifest.Own)
    assert own is not None and all(part.bytes <= MAX_PART for part in own.files)


@pytest.mark.weights
def test_srresnet_comes_from_the_registry_and_hashes_to_the_pin():
    name = "srresnet-krasserm-x4"
    try:
        path = weights.fetch(name)
    except weights.WeightsError as error:
        missing(f"the weights {name} are not available: {error}")
    assert tensors.sha256_of(path) == ENTRIES[name].sha256
    assert weights.load(name).scale == 4


@pytest.mark.weights
def test_the_face_detector_is_a_session_of_onnxruntime(weights_of):
    session = weights_of("scrfd-500m")
    assert session.get_providers() == ["CPUExecutionProvider"] and len(session.get_inputs()) == 1
