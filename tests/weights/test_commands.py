"""The command `python -m gansr weights`. No network; fetching is tested with the servers of test_hub.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gansr import weights
from gansr.weights import edit, manifest, tensors
from tests.support import tiny_weights
from tests.support.tiny_weights import DATA, SHA256, YOURS, place, run


def theirs(folder: Path, state: dict[str, Tensor] | None = None) -> Path:
    """The authors' file that the entry "tiny" is made from."""
    torch.save({"params": tiny_weights.state() if state is None else state}, folder / "theirs.pt")
    return folder / "theirs.pt"


def test_import_converts_checks_and_pins_locally(checkout, capsys):
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS, sha256=None))
    assert not weights.ready("tiny") and weights.digest("tiny") is None
    assert run("import", "tiny", str(theirs(checkout))) == 0
    said = capsys.readouterr().out
    assert SHA256 in said and "weights pin tiny" in said
    assert weights.ready("tiny") and weights.digest("tiny") == SHA256
    assert weights.load("tiny").count.item() == 7
    assert run("verify") == 0
    assert json.loads(manifest.PATH.read_text())["tiny"]["sha256"] is None


def test_pin_writes_what_was_imported_into_the_manifest(checkout):
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS, sha256=None))
    assert run("pin", "tiny") == 1
    run("import", "tiny", str(theirs(checkout)))
    assert run("pin", "tiny") == 0
    row = json.loads(manifest.PATH.read_text())["tiny"]
    assert (row["sha256"], row["bytes"]) == (SHA256, len(DATA))


def test_import_takes_our_own_safetensors(checkout):
    (checkout / "a.safetensors").write_bytes(DATA)
    assert run("import", "tiny", str(checkout / "a.safetensors")) == 0
    assert weights.ready("tiny")


def test_import_must_meet_the_manifests_hash(checkout, capsys):
    assert run("import", "tiny", str(theirs(checkout, tiny_weights.state(seed=3)))) == 1
    assert f"the manifest pins {SHA256}" in capsys.readouterr().err
    assert not weights.ready("tiny")


def test_import_says_at_once_which_keys_do_not_fit(checkout, capsys):
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS, sha256=None))
    odd = tiny_weights.state(width=5)
    odd["extra"] = odd.pop("count")
    assert run("import", "tiny", str(theirs(checkout, odd))) == 1
    said = capsys.readouterr().err
    assert "1 missing: count; 1 unexpected: extra; 2 of the wrong shape: conv.weight is (5, 3, 3, 3)" in said
    assert not weights.ready("tiny")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Get theirs.pt (from us), then run `python -m gansr weights import tiny theirs.pt`"),
        (("nowhere.pt",), "there is no file nowhere.pt"),
        (("{theirs}", "{theirs}"), "made from 1 files: theirs.pt"),
        (("{junk}",), "junk.pt was not opened"),
    ],
)
def test_import_says_what_it_needs(checkout, capsys, words, said):
    (checkout / "junk.pt").write_bytes(b"junk")
    names = {"theirs": theirs(checkout), "junk": checkout / "junk.pt"}
    assert run("import", "tiny", *(word.format(**names) for word in words)) == 1
    assert said in capsys.readouterr().err


def test_import_compares_the_hash_that_the_authors_publish(checkout, capsys):
    tiny_weights.write_manifest(tiny=tiny_weights.entry({**YOURS, "file_sha256": ["ffff"]}))
    assert run("import", "tiny", str(theirs(checkout))) == 1
    assert "the published file begins with ffff" in capsys.readouterr().err


def test_verify_finds_a_flipped_bit(checkout, capsys):
    place(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    assert run("verify") == 1
    assert "BAD" in capsys.readouterr().out


def test_list_says_where_each_entry_is(checkout, capsys):
    rows = {"tiny": tiny_weights.entry(YOURS), "open": tiny_weights.entry(YOURS, sha256=None)}
    tiny_weights.write_manifest(**rows)
    place()
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"tiny +0\.0 MB  here +none", lines[0]) and "needs a file" in lines[1]
    assert run("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in listed] == ["here", "needs a file"]
    assert listed[0]["sources"][0]["kind"] == "yours"


def test_pin_with_a_file_puts_new_weights_of_our_own_into_the_repository_in_parts(checkout, monkeypatch):
    new = tensors.serialise(tiny_weights.state(seed=5))
    monkeypatch.setattr(edit, "MAX_PART", 300)
    (checkout / "models").mkdir()
    (checkout / "models" / "tiny.safetensors").write_bytes(DATA)
    source = tiny_weights.own(tiny_safetensors=DATA)
    source["files"][0]["path"] = "models/tiny.safetensors"
    tiny_weights.write_manifest(tiny=tiny_weights.entry(source))
    (checkout / "trained.safetensors").write_bytes(new)
    assert run("pin", "tiny", "--file", str(checkout / "trained.safetensors")) == 0
    parts = sorted(path.name for path in (checkout / "models").iterdir())
    assert parts == ["tiny-00001-of-00002.safetensors", "tiny-00002-of-00002.safetensors"]
    assert weights.digest("tiny") == tensors.sha256(new)
    weights._recent.clear()
    assert torch.equal(weights.load("tiny").conv.bias, tiny_weights.state(seed=5)["conv.bias"])


def test_pin_uses_a_part_that_another_entry_has(checkout, monkeypatch):
    """A fine-tuned network often differs in some tensors only: the others are not stored twice."""
    monkeypatch.setattr(edit, "MAX_PART", 300)
    (checkout / "models").mkdir()
    rows = {}
    for name in ("tiny", "tuned"):
        (checkout / "models" / f"{name}.safetensors").write_bytes(DATA)
        source = tiny_weights.own(tiny_safetensors=DATA)
        source["files"][0]["path"] = f"models/{name}.safetensors"
        rows[name] = tiny_weights.entry(source)
    tiny_weights.write_manifest(**rows)
    state = tiny_weights.state(seed=5)
    for name, value in (("tiny", state), ("tuned", state | {"conv.bias": state["conv.bias"] + 1})):
        (checkout / "trained.safetensors").write_bytes(tensors.serialise(value))
        assert run("pin", name, "--file", str(checkout / "trained.safetensors")) == 0
    files = {path.name for path in (checkout / "models").iterdir()}
    pinned = {p["path"] for p in json.loads(manifest.PATH.read_text())["tuned"]["sources"][0]["files"]}
    shared = {path for path in pinned if "/tiny-" in path}
    assert len(shared) == 1 and len(pinned) == 2 and len(files) == 3
    weights._recent.clear()
    assert torch.equal(weights.load("tuned").conv.bias, state["conv.bias"] + 1)
    assert torch.equal(weights.load("tuned").conv.weight, weights.load("tiny").conv.weight)
