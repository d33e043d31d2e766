"""The manifest: the real one, and rows that are refused."""

from __future__ import annotations

import re

import pytest
from torch import nn

from gansr import weights
from gansr.weights import manifest
from gansr.weights.manifest import Hub, Registry, Yours
from tests.conftest import ROOT
from tests.support import tiny_weights
from tests.support.tiny_weights import FREE, YOURS

ENTRIES = manifest.entries(ROOT / "weights_manifest.json")


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


PART = {"path": "a.safetensors", "sha256": "0" * 64, "bytes": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"licence": " "}, "tiny.licence is empty"),
        ({"sha256": "ABC"}, "not 64 small hexadecimal digits"),
        ({"bytes": None}, "both sha256 and bytes"),
        ({"sources": []}, "no sources"),
        ({"surprise": 1}, "unknown fields: surprise"),
        ({"sources": [{"kind": "ftp"}]}, "malformed"),
        (
            {"sources": [{"kind": "own", "files": [{**PART, "path": "../secret"}]}]},
            "is outside this repository",
        ),
        (
            {"sources": [{"kind": "own", "files": [{**PART, "path": "/etc/passwd"}]}]},
            "is outside this repository",
        ),
        ({"sources": [{"kind": "own", "files": [{**PART, "sha256": "0"}]}]}, "is not 64 small hexadecimal"),
        ({"sources": [{"kind": "own", "files": []}]}, "must list the names of its files"),
        ({"terms": {"commercial": True, "redistribution": True}}, "are malformed"),
        ({"terms": {"commercial": True, "redistribution": "yes", "why": "so"}}, "need two booleans"),
        ({"terms": {**FREE, "texts": ["../LICENSE"]}}, "is outside this repository"),
        (
            {"sources": [{"kind": "hub", "repo_id": "a/b", "revision": "main", "filename": "c"}]},
            "not a commit",
        ),
        ({"sources": [{**YOURS, "files": 2}]}, "must list the names of its files"),
    ],
)
def test_a_malformed_entry_is_refused_by_name(change, said):
    with pytest.raises(weights.WeightsError, match=f"tiny.*{re.escape(said)}|{re.escape(said)}"):
        manifest.parse_entry("tiny", {**tiny_weights.entry(YOURS), **change})


def test_an_unknown_name_lists_the_known_ones(checkout):
    with pytest.raises(weights.WeightsError, match="no weights called 'tinny'; the manifest has: tiny"):
        weights.load("tinny")
