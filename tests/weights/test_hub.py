"""The Hub source, against a local server that speaks the Hub's protocol and fails in every way it can."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http

from gansr import weights
from gansr.weights import cache, sources, tensors
from gansr.weights.progress import silent
from tests.support import tiny_weights
from tests.support.hub_server import COMMIT, Server
from tests.support.tiny_weights import DATA, SHA256, InstantRetries, ProgressLog

FILE = f"/someone/nets/resolve/{COMMIT}/tiny.safetensors"
HUB = {"kind": "hub", "repo_id": "someone/nets", "revision": COMMIT, "filename": "tiny.safetensors"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    tiny_weights.isolate(tmp_path, monkeypatch)
    tiny_weights.write_manifest(tiny=tiny_weights.entry(HUB))
    for module in (file_download, _http):  # the client's own pauses between its own attempts
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None))
    with Server() as server:
        server.files[FILE] = DATA
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


def fetch(retries: InstantRetries | None = None, log: ProgressLog | None = None) -> Path:
    return sources.fetch("tiny", log or ProgressLog(), (retries or InstantRetries()).policy)


def in_cache() -> list[Path]:
    return [p for p in cache.folder().iterdir() if not p.name.endswith(".lock")]


def test_a_good_file_is_fetched_verified_and_loaded(server):
    log = ProgressLog()
    path = fetch(log=log)
    assert path.read_bytes() == DATA
    assert log.shares == sorted(log.shares) and log.shares[-1] == 1.0
    assert in_cache() == [path], "nothing else is left behind"
    assert weights.load("tiny").conv.weight.shape == (2, 3, 3, 3)


def test_a_flipped_bit_is_downloaded_once_more(server):
    server.faults = [("GET", "flip")]
    assert fetch().read_bytes() == DATA
    assert server.count("GET") == 2


def test_a_file_wrong_twice_is_an_error_and_is_not_kept(server):
    server.faults = [("GET", "flip")] * 3
    with pytest.raises(weights.WeightsError, match=f"{SHA256} is pinned: deleted, not opened"):
        fetch()
    assert server.count("GET") == 2
    assert in_cache() == [] and not weights.ready("tiny")


@pytest.mark.parametrize(
    ("method", "fault"),
    [("GET", "truncate"), ("GET", "reset"), ("GET", "500"), ("GET", "503"), ("HEAD", "500")],
)
def test_a_failure_in_passing_is_tried_again(server, method, fault):
    server.faults = [(method, fault)]
    assert fetch().read_bytes() == DATA


@pytest.mark.parametrize("fault", ["reset", "500"])
def test_a_lasting_failure_ends_after_the_tries_with_pauses_that_double(server, fault):
    server.faults = [("GET", fault)] * 100
    retries = InstantRetries()
    with pytest.raises(weights.WeightsError, match=r"could not be downloaded.*tried 3 times"):
        fetch(retries)
    assert retries.pauses == [1.0, 2.0]
    assert in_cache() == []


@pytest.mark.parametrize(("method", "fault"), [("HEAD", "stall"), ("GET", "stall"), ("GET", "stall-midway")])
def test_a_silent_server_is_given_up_and_asked_again(server, method, fault):
    server.faults = [(method, fault)]
    log = ProgressLog()
    assert fetch(InstantRetries(stall=0.25, tries=8), log).read_bytes() == DATA
    assert any("sent nothing for too long" in text for text, _ in log.lines)


def test_a_missing_file_is_refused_at_once_and_named(server):
    server.files.clear()
    with pytest.raises(weights.WeightsError, match=r"the Hub has no someone/nets/tiny\.safetensors at 0123"):
        fetch()
    assert server.count("GET") == 0 and server.count("HEAD") == 1


def test_a_warm_cache_asks_nobody(server):
    fetch()
    before = list(server.asked)
    assert weights.ready("tiny")
    fetch()
    weights.state("tiny")
    assert server.asked == before


def test_offline_with_a_cold_cache_says_so(server, monkeypatch):
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:1/{repo_id}/{revision}/{filename}"
    )
    with pytest.raises(
        weights.WeightsError, match=r"cannot be reached and .* is not in the cache; go online once"
    ):
        fetch()


def test_the_hubs_offline_switch_is_named(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(weights.WeightsError, match=r"HF_HUB_OFFLINE|cannot be reached"):
        fetch()
    assert server.asked == []


def test_a_file_preloaded_into_the_hubs_cache_is_used_without_a_request(server, tmp_path):
    snapshot = tmp_path / "hub" / "models--someone--nets" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "tiny.safetensors").write_bytes(DATA)
    assert fetch().read_bytes() == DATA
    assert server.asked == []


def test_a_damaged_preloaded_file_is_not_used(server, tmp_path):
    snapshot = tmp_path / "hub" / "models--someone--nets" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "tiny.safetensors").write_bytes(DATA[:-1] + b"?")
    assert fetch().read_bytes() == DATA
    assert server.count("GET") == 1


def test_two_first_users_make_one_download(server):
    found, together = [], threading.Barrier(2)

    def user() -> None:
        together.wait()
        found.append(fetch())

    users = [threading.Thread(target=user) for _ in range(2)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]
    assert server.count("GET") == 1


def test_a_file_changed_while_the_program_runs_is_fetched_anew(server):
    path = fetch()
    path.write_bytes(DATA[:-1] + b"?")
    assert fetch().read_bytes() == DATA
    path.write_bytes(DATA[:-8])
    assert weights.state("tiny")["count"] == 7
    assert server.count("GET") == 3


def test_a_file_changed_between_its_verification_and_its_use_is_fetched_anew(server, monkeypatch):
    fetch()
    read, changed = tensors.read_verified, []

    def changed_first(path: Path, expected: str) -> bytes:
        if not changed:  # by another program, with the times put back
            facts = path.stat()
            path.write_bytes(DATA[:-1] + b"?")
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            changed.append(path)
        return read(path, expected)

    monkeypatch.setattr(tensors, "read_verified", changed_first)
    assert weights.state("tiny")["count"] == 7
    assert server.count("GET") == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_at_once_and_leaves_nothing(server, monkeypatch, code):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(file_download, "http_get", full)
    retries = InstantRetries()
    with pytest.raises(weights.WeightsError, match=r"the disk of [^.]*/cache is full.*Free some space"):
        fetch(retries)
    assert retries.pauses == [] and in_cache() == []


# ------------------------------------------------------------------------------------- authors' files

THEIRS = {
    "kind": "hub",
    "repo_id": "someone/nets",
    "revision": "main",
    "filename": "theirs.pt",
    "converter": "tests.support.tiny_weights:converter",
}


def authors_file(**changes: Any) -> bytes:
    content = io.BytesIO()
    torch.save({"params": tiny_weights.state(**changes)}, content)
    return content.getvalue()


def offer(server: Server, content: bytes, **rows: dict[str, Any]) -> str:
    """Put the authors' file on the server, and an entry into the manifest that pins this file and not its result."""
    sha256 = tensors.sha256(content)
    server.files["/someone/nets/resolve/main/theirs.pt"] = content
    source = {**THEIRS, "file_sha256": sha256}
    tiny_weights.write_manifest(tiny=tiny_weights.entry(source, sha256=None), **rows)
    return sha256


def test_a_file_with_a_pinned_hash_is_fetched_converted_and_the_hash_of_the_result_recorded(server):
    content = authors_file()
    made_from = offer(server, content)
    assert not weights.missing_file(["tiny"]) and not weights.ready("tiny") and weights.digest("tiny") is None
    assert weights.load("tiny").count.item() == 7
    assert weights.ready("tiny") and weights.digest("tiny") == SHA256
    assert cache.pins()["tiny"] == {"sha256": SHA256, "bytes": len(DATA), "from": [made_from]}
    before = list(server.asked)
    assert fetch().read_bytes() == DATA
    assert server.asked == before, "the recorded file is used without a request"


def test_the_recorded_hash_is_checked_from_then_on(server):
    offer(server, authors_file())
    path = fetch()
    path.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    assert fetch().read_bytes() == DATA, "a damaged file is fetched again"
    path.unlink()
    offer(server, authors_file(seed=1))  # the same name now pins another file, so its result is another
    with pytest.raises(weights.WeightsError, match=f"{SHA256} is pinned in .*pins.json; delete its line"):
        fetch()
    assert not path.exists()


def test_a_pinned_file_that_arrives_wrong_is_never_converted(server, monkeypatch):
    offer(server, authors_file())
    monkeypatch.setattr(sources, "convert", lambda *given: pytest.fail("it was converted"))
    server.faults = [("GET", "flip")] * 2
    with pytest.raises(weights.WeightsError, match="is pinned: deleted, not opened"):
        fetch()
    assert not weights.ready("tiny") and cache.pins() == {}


def test_a_pinned_file_that_does_not_fit_the_net_is_not_recorded(server):
    offer(server, authors_file(width=5))
    with pytest.raises(
        weights.WeightsError, match=r"conv\.weight is \(5, 3, 3, 3\), \(2, 3, 3, 3\) is needed"
    ):
        fetch()
    assert not weights.ready("tiny") and cache.pins() == {}


def test_a_file_without_a_pinned_hash_is_downloaded_only_by_import(server):
    server.files["/someone/nets/resolve/main/theirs.pt"] = authors_file()
    tiny_weights.write_manifest(tiny=tiny_weights.entry(THEIRS, sha256=None))
    with pytest.raises(
        weights.WeightsError, match=r"weights import tiny` downloads theirs\.pt of someone/nets"
    ):
        fetch()
    assert server.asked == [] and weights.missing_file(["tiny"])
    sha256, _ = sources.import_files("tiny", [], policy=InstantRetries().policy)
    assert sha256 == SHA256 == weights.digest("tiny")


def test_an_authors_file_with_another_hash_than_published_is_not_converted(server):
    theirs = {**THEIRS, "file_sha256": "0" * 64}
    server.files["/someone/nets/resolve/main/theirs.pt"] = b"something else"
    tiny_weights.write_manifest(tiny=tiny_weights.entry(theirs, sha256=None))
    with pytest.raises(weights.WeightsError, match=f"{'0' * 64} is pinned: deleted"):
        sources.import_files("tiny", [], policy=InstantRetries().policy)


# ----------------------------------------------------------------------------------------- the command


@pytest.fixture
def command(monkeypatch):
    """command("fetch", "tiny") → the exit status of `python -m gansr weights fetch tiny`, without pauses."""
    monkeypatch.setattr(sources.fetch, "__defaults__", (silent, InstantRetries().policy))
    return tiny_weights.run


def test_fetch_without_names_fetches_all_that_can_be_fetched(server, command, capsys):
    by_hand = {"kind": "yours", "where": "from us", "converter": THEIRS["converter"], "files": ["a.pt"]}
    offer(
        server,
        authors_file(),
        ours=tiny_weights.entry(HUB),
        unpinned=tiny_weights.entry(THEIRS, sha256=None),
        **{"by-hand": tiny_weights.entry(by_hand, sha256=None)},
    )
    assert command("fetch") == 0 and command("verify") == 0
    assert weights.ready("tiny") and weights.ready("ours")
    assert not weights.ready("unpinned") and not weights.ready("by-hand")
    capsys.readouterr()
    assert command("list", "--json") == 0
    states = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert states == {
        "tiny": "here, not pinned",
        "ours": "here",
        "unpinned": "needs a file",
        "by-hand": "needs a file",
    }


def test_fetch_without_names_leaves_out_what_no_server_sends_unless_it_is_pinned(
    server, command, capsys, monkeypatch
):
    extra = {"second": tiny_weights.entry({**THEIRS, "file_sha256": "1" * 64}, sha256=None)}
    offer(server, authors_file(), **extra)
    closed = "http://127.0.0.1:1/{repo_id}/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", closed)
    assert command("fetch") == 0
    assert "their server does not answer: tiny, second" in capsys.readouterr().err
    assert command("fetch", "tiny") == 1, "a named one is a failure"
    tiny_weights.write_manifest(ours=tiny_weights.entry(HUB))
    assert command("fetch") == 1, "and so is a pinned one"


def test_fetch_without_names_fails_for_a_wrong_file(server, command, capsys):
    offer(server, authors_file())
    server.faults = [("GET", "flip")] * 2
    assert command("fetch") == 1
    assert "is pinned: deleted, not opened" in capsys.readouterr().err
