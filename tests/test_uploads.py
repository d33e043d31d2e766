"""Visitors' files lose their metadata at the first opening; hash, notices and refusals stay known."""

from __future__ import annotations

import io
import threading

import pytest
from PIL import Image

from gansr.picture import PictureError, limits, open_picture
from gansr.uploads import Uploads
from tests.support.bad_inputs import photo
from tests.support.heif_files import exif_of

MARK = b"Marker-of-a-visitor"


def jpeg() -> bytes:
    out = io.BytesIO()
    photo().save(out, "JPEG", exif=exif_of(6, gps=True), comment=MARK)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


@pytest.fixture
def uploads(folder):
    return Uploads(lambda path: path.is_relative_to(folder))


def test_the_stored_file_has_no_metadata_after_its_first_opening(uploads, folder):
    path = folder / "a.jpg"
    path.write_bytes(jpeg())
    first = uploads.open(path)
    stored = path.read_bytes()
    assert MARK not in stored and MARK in jpeg()
    assert "the place where it was taken (GPS) was removed" in first.notices
    assert "the place where it was taken (GPS) was removed" not in open_picture(stored).notices
    assert [file.name for file in folder.iterdir()] == ["a.jpg"]


def test_hash_and_notices_are_those_of_the_visitors_file(uploads, folder):
    path = folder / "a.jpg"
    path.write_bytes(jpeg())
    before = uploads.key(path)
    first, again = uploads.open(path), uploads.open(str(path))
    assert uploads.key(path) == uploads.key(str(path)) == before
    assert first.sha256 == again.sha256 == open_picture(jpeg()).sha256 != open_picture(path).sha256
    assert first.notices == again.notices == open_picture(jpeg()).notices
    assert first.rgb.equal(again.rgb)


def test_a_file_is_rewritten_once(uploads, folder):
    path = folder / "a.jpg"
    path.write_bytes(jpeg())
    uploads.open(path)
    facts = path.stat()
    uploads.open(path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)


def test_the_same_file_uploaded_again_is_cleaned_again(uploads, folder):
    path = folder / "a.jpg"
    for _ in range(2):
        path.write_bytes(jpeg())
        uploads.open(path)
        assert MARK not in path.read_bytes()


def test_a_file_elsewhere_is_never_changed(uploads, tmp_path):
    path = tmp_path / "mine.jpg"
    path.write_bytes(jpeg())
    uploads.open(path)
    (tmp_path / "no.jpg").write_bytes(jpeg()[:90])
    with pytest.raises(PictureError):
        uploads.open(tmp_path / "no.jpg")
    assert path.read_bytes() == jpeg()
    assert (tmp_path / "no.jpg").read_bytes() == jpeg()[:90]


def test_a_file_without_metadata_stays_as_it_is(uploads, folder):
    path = folder / "a.png"
    photo().save(path)
    content, facts = path.read_bytes(), path.stat()
    uploads.open(path)
    assert path.read_bytes() == content
    assert path.stat().st_ino == facts.st_ino


def test_a_refused_file_is_emptied_and_its_refusal_told_again(uploads, folder):
    path = folder / "large.jpg"
    out = io.BytesIO()
    Image.new("L", (8200, 8)).save(out, "JPEG", comment=MARK)
    path.write_bytes(out.getvalue())
    texts = []
    for _ in range(2):
        with pytest.raises(PictureError) as caught:
            uploads.open(path)
        texts.append(str(caught.value))
        assert path.read_bytes() == b""
    assert texts[0] == texts[1] and texts[0].startswith("too large: 8200×8")


def test_a_missing_file_is_told_and_not_made(uploads, folder):
    with pytest.raises(PictureError, match="cannot be read"):
        uploads.open(folder / "gone.png")
    assert not list(folder.iterdir())


def test_a_full_disk_leaves_the_file_and_the_picture(uploads, folder, monkeypatch, caplog):
    path = folder / "a.jpg"
    path.write_bytes(jpeg())

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gansr.picture.metadata.tempfile.mkstemp", full)
    assert uploads.open(path).rgb.shape == (3, 40, 30)
    assert path.read_bytes() == jpeg()
    assert "a.jpg" not in caplog.text and "keeps its metadata" in caplog.text
    monkeypatch.undo()
    uploads.open(path)
    assert MARK not in path.read_bytes()


def test_only_so_many_files_are_remembered(folder):
    uploads = Uploads(lambda path: True, most=3)
    for i in range(9):
        (folder / f"{i}.jpg").write_bytes(jpeg())
        uploads.open(folder / f"{i}.jpg")
    assert len(uploads._originals) == 3


def test_threads_that_open_one_file_get_one_hash(uploads, folder):
    path = folder / "a.jpg"
    path.write_bytes(jpeg())
    found, entered = [], threading.Barrier(6)

    def work() -> None:
        entered.wait()
        for _ in range(10):
            found.append(uploads.open(path))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {picture.sha256 for picture in found} == {open_picture(jpeg()).sha256}
    assert len({picture.notices for picture in found}) == 1


def test_what_was_made_of_an_upload_keeps_its_notices(uploads, folder):
    path, shown = folder / "a.jpg", folder / "a.png"
    path.write_bytes(jpeg())
    first = uploads.open(path)
    Image.open(io.BytesIO(jpeg())).convert("RGB").save(shown)
    plain = open_picture(shown)
    assert plain.notices != first.notices
    uploads.stands_for(shown, first.notices)
    opened = uploads.open(shown)
    assert opened.notices == first.notices and opened.sha256 == plain.sha256


def test_what_was_made_here_is_never_emptied_when_it_is_refused(uploads, folder, monkeypatch):
    path = folder / "result.png"
    photo().convert("RGB").save(path)
    before = path.read_bytes()
    uploads.stands_for(path, ("result of a run",))
    monkeypatch.setattr(limits, "MAX_PIXELS", 10)
    with pytest.raises(PictureError, match="too large"):
        uploads.open(path)
    assert path.read_bytes() == before
