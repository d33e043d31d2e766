"""The Hub source, against a local server that speaks the Hub's protocol and fails in every way it can."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http

from gansr import weights
from gansr.weights import sources
from tests.support import tiny_weights as weights_house
from tests.support.hub_server import COMMIT, Server
from tests.support.tiny_weights import DATA, SHA256, Steps, Told

FILE = f"/someone/nets/resolve/{COMMIT}/tiny.safetensors"
HUB = {"kind": "hub", "repo_id": "someone/nets", "revision": COMMIT, "filename": "tiny.safetensors"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    weights_house.house(tmp_path, monkeypatch)
    weights_house.write_manifest(tiny=weights_house.entry(HUB))
    for module in (file_download, _http):  # the client's own pauses between its own attempts
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None))
    with Server() as server:
        server.files[FILE] = DATA
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


def fetch(steps: Steps | None = None, told: Told | None = None) -> Path:
    return sources.fetch("tiny", told, (steps or Steps()).patience)


def in_cache() -> list[Path]:
    from gansr.weights import cache

    return [p for p in cache.folder().iterdir() if not p.name.endswith(".lock")]


def test_a_good_file_is_fetched_verified_and_loaded(server):
    told = Told()
    path = fetch(told=told)
    assert path.read_bytes() == DATA
    assert told.shares == sorted(told.shares) and told.shares[-1] == 1.0
    assert in_cache() == [path], "nothing else is left behind"
    assert weights.load("tiny").conv.weight.shape == (2, 3, 3, 3)


def test_a_flipped_bit_is_downloaded_once_more(server):
    server.faults = [("GET", "flip")]
    assert fetch().read_bytes() == DATA
    assert server.count("GET") == 2


def test_a_file_wrong_twice_is_an_error_and_is_not_kept(server):
    server.faults = [("GET", "flip")] * 3
    with pytest.raises(weights.WeightsError, match=f"{SHA256} is pinned: thrown away, not opened"):
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
    steps = Steps()
    with pytest.raises(weights.WeightsError, match=r"could not be downloaded.*tried 3 times"):
        fetch(steps)
    assert steps.pauses == [1.0, 2.0]
    assert in_cache() == []


@pytest.mark.parametrize(("method", "fault"), [("HEAD", "stall"), ("GET", "stall"), ("GET", "stall-midway")])
def test_a_silent_server_is_given_up_and_asked_again(server, method, fault):
    server.faults = [(method, fault)]
    told = Told()
    assert fetch(Steps(stall=0.25, tries=8), told).read_bytes() == DATA
    assert any("sent nothing for too long" in text for text, _ in told.lines)


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


def test_import_downloads_an_authors_file_from_the_hub_when_told_to(server, tmp_path):
    import torch

    torch.save({"params": weights_house.state()}, tmp_path / "theirs.pt")
    theirs = {
        **HUB,
        "revision": "main",
        "filename": "theirs.pt",
        "converter": "tests.support.tiny_weights:converter",
    }
    server.files["/someone/nets/resolve/main/theirs.pt"] = (tmp_path / "theirs.pt").read_bytes()
    weights_house.write_manifest(tiny=weights_house.entry(theirs, sha256=None))
    with pytest.raises(
        weights.WeightsError, match=r"weights import tiny` downloads theirs\.pt of someone/nets"
    ):
        fetch()
    assert server.asked == [], "nothing unpinned is fetched unasked"
    sha256, _ = sources.bring("tiny", [], None, Steps().patience)
    assert sha256 == SHA256 == weights.digest("tiny")


def test_an_authors_file_with_another_hash_than_published_is_not_converted(server, tmp_path):
    theirs = {
        **HUB,
        "revision": "main",
        "filename": "theirs.pt",
        "converter": "tests.support.tiny_weights:converter",
        "file_sha256": "0" * 64,
    }
    server.files["/someone/nets/resolve/main/theirs.pt"] = b"something else"
    weights_house.write_manifest(tiny=weights_house.entry(theirs, sha256=None))
    with pytest.raises(weights.WeightsError, match=f"{'0' * 64} is pinned: thrown away"):
        sources.bring("tiny", [], None, Steps().patience)
