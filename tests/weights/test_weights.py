"""Manifest, authors' formats, safetensors, cache, nets and the command. No network, but for one marked test."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from gansr import weights
from gansr.weights import authors, cache, commands, manifest, sources, tensors
from gansr.weights.manifest import Hub, Registry, Yours
from tests.conftest import missing
from tests.support import tiny_weights
from tests.support.tiny_weights import DATA, SHA256, InstantRetries, ProgressLog

ENTRIES = manifest.entries(Path(__file__).parents[2] / "weights_manifest.json")
YOURS = {
    "kind": "yours",
    "where": "from us",
    "converter": "tests.support.tiny_weights:converter",
    "files": ["theirs.pt"],
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    tiny_weights.isolate(tmp_path, monkeypatch)
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS))
    return tmp_path


def place(data: bytes = DATA) -> Path:
    """Put a file for "tiny" into the cache, with any content."""
    path = cache.folder() / f"tiny-{SHA256[:16]}.safetensors"
    path.write_bytes(data)
    return path


def theirs(folder: Path, state: dict | None = None) -> Path:
    torch.save({"params": tiny_weights.state() if state is None else state}, folder / "theirs.pt")
    return folder / "theirs.pt"


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["weights", *words])
    return args.handler(args)


# -------------------------------------------------------------------------------------------- the manifest


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_says_what_it_is_and_where_it_comes_from(name):
    entry = ENTRIES[name]
    assert entry.net == "onnx" or issubclass(manifest.resolve(entry.net), nn.Module)
    assert len(entry.licence) > 3 and len(entry.trained_on) > 3
    converters = [getattr(source, "converter", None) for source in entry.sources]
    assert all(path is None or callable(manifest.resolve(path)) for path in converters)
    kinds = [type(source) for source in entry.sources]
    assert Yours not in kinds[:-1], "files that the user imports come last"
    if entry.sha256 is None:
        assert any(kind in (Yours, Hub, Registry) for kind in kinds)


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if e.sha256])
def test_every_pinned_entry_has_a_source_besides_the_user(name):
    assert any(not isinstance(source, Yours) for source in ENTRIES[name].sources)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"licence": " "}, "tiny.licence is empty"),
        ({"sha256": "ABC"}, "not 64 small hexadecimal digits"),
        ({"bytes": None}, "both sha256 and bytes"),
        ({"sources": []}, "no sources"),
        ({"surprise": 1}, "unknown fields: surprise"),
        ({"sources": [{"kind": "ftp"}]}, "malformed"),
        ({"sources": [{"kind": "own", "path": "../secret"}]}, "is outside this repository"),
        ({"sources": [{"kind": "own", "path": "/etc/passwd"}]}, "is outside this repository"),
        (
            {"sources": [{"kind": "hub", "repo_id": "a/b", "revision": "main", "filename": "c"}]},
            "not a commit",
        ),
        ({"sources": [{**YOURS, "files": 2}]}, "must list the names of the files to import"),
    ],
)
def test_a_malformed_entry_is_refused_by_name(change, said):
    with pytest.raises(weights.WeightsError, match=f"tiny.*{re.escape(said)}|{re.escape(said)}"):
        manifest.parse_entry("tiny", {**tiny_weights.entry(YOURS), **change})


def test_an_unknown_name_lists_the_known_ones(checkout):
    with pytest.raises(weights.WeightsError, match="no weights called 'tinny'; the manifest has: tiny"):
        weights.load("tinny")


# ---------------------------------------------------------------------------------------- authors' formats


class Evil:
    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("opened", [authors.pickled_arrays, authors.torch_file])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, opened):
    mark = tmp_path / "ran"
    evil = {"a": np.zeros(2), "b": Evil(f"touch {mark}")}
    if opened is authors.pickled_arrays:
        (tmp_path / "evil.ckpt").write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, tmp_path / "evil.ckpt")
    with pytest.raises(
        weights.WeightsError, match=r"(?s)evil.ckpt was not opened.*system.*Nothing in it was run"
    ):
        opened(tmp_path / "evil.ckpt")
    assert not mark.exists()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_pickled_arrays_of_either_numpy_are_read(tmp_path, protocol, module):
    tree = {"Conv_0": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}, "scale": np.float32(3)}
    data = pickle.dumps(tree, protocol)
    if protocol == 2:  # in text, so the other numpy's name can be put in
        data = data.replace(b"numpy._core.multiarray", module.encode())
    (tmp_path / "a.ckpt").write_bytes(data)
    found = authors.pickled_arrays(tmp_path / "a.ckpt")
    np.testing.assert_array_equal(found["Conv_0"]["kernel"], tree["Conv_0"]["kernel"])
    assert found["scale"] == 3


@pytest.mark.parametrize("content", [{"a": "text"}, {"a": np.array([None])}, [1, 2], {"a": {"b": 3}}])
def test_a_pickle_of_anything_but_numbers_is_refused(tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(pickle.dumps(content))
    with pytest.raises(weights.WeightsError, match="was not opened"):
        authors.pickled_arrays(tmp_path / "a.ckpt")


@pytest.mark.parametrize("opened", [authors.pickled_arrays, authors.torch_file, authors.h5_arrays])
@pytest.mark.parametrize("content", [b"", b"\x80\x02garbage", b"<html>not found</html>" * 50])
def test_a_damaged_file_is_refused_in_words(tmp_path, opened, content):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(weights.WeightsError, match=r"a\.bin was not opened"):
        opened(tmp_path / "a.bin")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_checkpoint_is_read_with_its_numpy_numbers(tmp_path, zipped):
    saved = {"state_dict": OrderedDict(a=torch.ones(2)), "best": np.float64(31.5), "epoch": 3}
    torch.save(saved, tmp_path / "a.pth.tar", _use_new_zipfile_serialization=zipped)
    found = authors.torch_file(tmp_path / "a.pth.tar")
    assert found["state_dict"]["a"].tolist() == [1, 1] and found["best"] == 31.5 and found["epoch"] == 3


def test_hdf5_gives_arrays_by_path_and_refuses_what_lies_outside(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["model/conv/kernel"] = np.ones((2, 3), np.float32)
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    assert {k: v.shape for k, v in authors.h5_arrays(tmp_path / "a.h5").items()} == {
        "model/conv/kernel": (2, 3)
    }
    (tmp_path / "secret").write_bytes(b"01234567")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("stolen", (8,), "u1", external=[(str(tmp_path / "secret"), 0, 8)])
    with pytest.raises(weights.WeightsError, match="stolen is stored in another file"):
        authors.h5_arrays(tmp_path / "b.h5")


# --------------------------------------------------------------------------------------------- safetensors


def test_one_state_dict_is_one_file_whatever_the_order_and_the_strides():
    state = tiny_weights.state()
    turned = {k: v.clone() for k, v in reversed(state.items())}
    turned["conv.weight"] = turned["conv.weight"].contiguous(memory_format=torch.channels_last)
    assert tensors.serialise(turned) == DATA
    assert SHA256 == "a97a2f94640482ca0bb3b263c2ae06474cc86ad06295f2e22e0a1d099d81aa47"


def test_what_is_written_is_what_is_read():
    state = {
        **tiny_weights.state(),
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "one": torch.tensor(1.0),
    }
    found = tensors.parse(tensors.serialise(state))
    assert found["half"].dtype == torch.float32, "stored halves are widened"
    assert found["count"].dtype == torch.int64
    for key, value in state.items():
        assert torch.equal(found[key], value.to(found[key].dtype)) and found[key].shape == value.shape


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_numbers_are_refused(bad):
    state = {**tiny_weights.state(), "conv.bias": torch.tensor([0.0, bad])}
    with pytest.raises(weights.WeightsError, match=r"conv\.bias holds values that are not finite"):
        tensors.serialise(state)
    import safetensors.torch

    with pytest.raises(weights.WeightsError, match=r"conv\.bias holds values that are not finite"):
        tensors.parse(safetensors.torch.save(state))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234",
        DATA[:-1],
        DATA + b"x",
        (1 << 40).to_bytes(8, "little") + DATA[8:],
        b"\x05" + b"\0" * 7 + b"hello",
    ],
)
def test_a_malformed_file_is_refused_in_words(data):
    with pytest.raises(weights.WeightsError):
        tensors.parse(data)


def test_a_header_beyond_the_cap_is_not_read():
    header = b"{}".ljust(tensors.MAX_HEADER + 8)  # valid, were it not for its length
    with pytest.raises(weights.WeightsError, match="header claims 4194312 bytes"):
        tensors.parse(len(header).to_bytes(8, "little") + header)


# ------------------------------------------------------------------------------------------- cache and nets


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


@pytest.mark.parametrize("data", [DATA[:-1] + bytes([DATA[-1] ^ 1]), DATA[:-8], b""])
def test_a_damaged_file_in_the_cache_is_never_used(checkout, data):
    path = place(data)
    with pytest.raises(weights.WeightsError, match=r"weights import tiny theirs\.pt"):
        weights.state("tiny")
    assert len(data) != len(DATA) or not path.exists()


def test_a_file_changed_after_it_was_verified_is_not_opened(checkout):
    path = place()
    weights.fetch("tiny")
    facts = path.stat()
    place(DATA[:-1] + b"?")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(weights.WeightsError, match="it was not opened"):
        weights.state("tiny")


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
    tiny_weights.write_manifest(tiny=tiny_weights.entry({"kind": "own", "path": "own.safetensors"}))
    assert weights.ready("tiny") and weights.fetch("tiny") == checkout / "own.safetensors"
    (checkout / "own.safetensors").write_bytes(DATA[:-1] + b"?")
    with pytest.raises(
        weights.WeightsError, match=r"own\.safetensors is missing .* or not what the manifest pins"
    ):
        weights.fetch("tiny")
    assert (checkout / "own.safetensors").exists(), "a file of the repository is not deleted"


def test_a_cache_that_cannot_be_created_says_what_to_do(checkout, monkeypatch):
    (checkout / "file").write_text("")
    monkeypatch.setenv("GANSR_CACHE", str(checkout / "file" / "cache"))
    assert not weights.ready("tiny")
    with pytest.raises(weights.WeightsError, match="set GANSR_CACHE to a folder"):
        weights.fetch("tiny")


def test_the_folder_of_a_killed_download_is_deleted_after_a_day(checkout):
    old, new = cache.folder() / ".work-old", cache.folder() / ".work-new"
    for left in (old, new):
        left.mkdir()
        (left / "archive").write_bytes(b"half")
    os.utime(old, (0, 0))
    with cache.work_folder() as folder:
        assert folder.is_dir() and new.is_dir() and not old.exists()
    assert not folder.exists()


def test_another_process_that_downloads_is_waited_for_until_the_deadline(checkout):
    hold = (
        "import sys, filelock\n"
        "lock = filelock.FileLock(sys.argv[1])\n"
        "lock.acquire()\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    lock = cache.folder() / ".tiny.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        log, policy = ProgressLog(), InstantRetries().policy
        short = type(policy)(deadline=0.05, stall=0.01)
        with pytest.raises(weights.WeightsError, match="another process has been downloading"):
            sources.fetch("tiny", log, short)
        assert log.lines == [("waiting for the same download, which another process has begun", None)]
        holder.kill()


# --------------------------------------------------------------------------------------------- the command


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
    assert re.match(r"tiny +0\.0 MB  here +none", lines[0]) and "import by hand" in lines[1]
    assert run("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in listed] == ["here", "import by hand"]
    assert listed[0]["sources"][0]["kind"] == "yours"


def test_publish_uploads_and_writes_the_commit_into_the_manifest(checkout, capsys):
    place()
    tiny_weights.write_manifest(
        tiny=tiny_weights.entry(YOURS), unpinned=tiny_weights.entry(YOURS, sha256=None)
    )
    uploaded = {}

    class Api:
        def create_repo(self, repo, exist_ok):
            assert exist_ok

        def create_commit(self, repo, operations, commit_message):
            uploaded.update({o.path_in_repo: Path(o.path_or_fileobj).read_bytes() for o in operations})
            return SimpleNamespace(oid="ab" * 20)

    args = argparse.Namespace(repository="we/nets", names=["tiny"])
    for _ in range(2):  # a second publication replaces the first
        assert commands.publish(args, Api()) == 0
    assert uploaded == {"tiny.safetensors": DATA}
    row = json.loads(manifest.PATH.read_text())["tiny"]
    block = {"kind": "hub", "repo_id": "we/nets", "revision": "ab" * 20, "filename": "tiny.safetensors"}
    assert row["sources"] == [block, YOURS]
    with pytest.raises(weights.WeightsError, match="must be pinned"):
        commands.publish(argparse.Namespace(repository="we/nets", names=["unpinned"]), Api())


# --------------------------------------------------------------------------------------------- the real one


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
