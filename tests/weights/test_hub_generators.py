"""The five StyleGAN2 generators on the Hub: a choice in a tab and Run fetch, convert and use the authors' file.

The files are random, in the authors' layout, with few channels, and so are the networks; sides and names are the real
ones. The manifest is the real one but for the hashes of these files.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import torch

from gansr import metrics, weights
from gansr.backends.local import Local
from gansr.engine import Engine
from gansr.nets import stylegan2
from gansr.papers.mganprior import MGANPRIOR
from gansr.papers.pulse import PULSE
from gansr.pipeline import Pipeline
from gansr.ui import service
from gansr.weights import cache, manifest, tensors
from tests.conftest import ROOT
from tests.support import authors_files
from tests.support.hub_client import point_at
from tests.support.hub_repos import HubRepos, Repo
from tests.support.tab_handler import drawn

NAMES = ("stylegan2-ffhq-1024", "stylegan2-cat", "stylegan2-church", "stylegan2-car", "stylegan2-horse")
PICTURE = str(ROOT / "assets" / "examples" / "coffee.png")


def few(side: int, multiplier: int = 2) -> int:
    """Channels of the features of any side."""
    return 4


@pytest.fixture
def hub(tmp_path, monkeypatch, one_thread):
    """The authors' repository on a Hub on loopback, an empty cache, and an engine without networks in memory."""
    monkeypatch.setattr(stylegan2, "channels_at", few)
    monkeypatch.setattr(metrics, "METRICS", ())
    rows = json.loads(manifest.PATH.read_text(encoding="utf-8"))
    files: dict[str, bytes] = {}
    for seed, name in enumerate(NAMES):
        content, row = io.BytesIO(), rows[name]
        torch.save(authors_files.stylegan2(row["config"]["size"], few, seed), content)
        for source in row["sources"]:
            sha256 = tensors.sha256(content.getvalue())
            source["file_sha256"] = sha256 if source["kind"] == "hub" else [sha256]
        files[row["sources"][0]["filename"]] = content.getvalue()
    (tmp_path / "weights_manifest.json").write_text(json.dumps(rows))
    monkeypatch.setattr(manifest, "PATH", tmp_path / "weights_manifest.json")
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path / "cache"))
    weights._recent.clear()
    engine = Engine("cpu", load=weights.load, pace=0.0)
    monkeypatch.setattr(service, "PIPELINE", Pipeline(engine, Local(engine)))
    with HubRepos() as hub:
        point_at(hub.url, tmp_path, monkeypatch)
        repo = Repo("model")
        repo.commit(files, "the authors' files")
        hub.repos["model", rows[NAMES[0]]["sources"][0]["repo_id"]] = repo
        yield hub
    weights._recent.clear()


def said(page: Any, **chosen: Any) -> str:
    """What the status says during a run, all of it."""
    updates = page.run(picture=PICTURE, **chosen)
    return "\n".join(str(update.get(page.results.status, "")) for update in updates if update)


def fetched(hub: HubRepos) -> set[str]:
    """The names of the files that were asked for."""
    return {path.rpartition("/")[2] for _, path in hub.asked if "/resolve/" in path}


def test_each_is_fetched_verified_converted_and_recorded(hub):
    for name in NAMES:
        assert not weights.ready(name) and not weights.missing_file([name])
        net = weights.load(name)
        assert net.side == manifest.entry(name).config["size"]
        assert cache.pins()[name]["from"] == [manifest.entry(name).sources[0].file_sha256]  # type: ignore[union-attr]
    asked = len(hub.asked)
    for name in NAMES:
        weights.state(name)
    assert len(hub.asked) == asked, "the recorded files are used without a request"


def test_pulse_runs_on_churches_after_one_choice(hub):
    text = said(drawn(PULSE), generator="stylegan2-church", steps=2, side="32")
    assert "Done" in text and fetched(hub) == {"stylegan2-church-config-f.pt"}, text
    assert weights.ready("stylegan2-church") and not weights.ready("stylegan2-cat")


def test_mganprior_runs_on_churches_after_one_choice(hub):
    text = said(drawn(MGANPRIOR), generator="stylegan2-church", job="colour", iterations=2, codes=2)
    assert "Done" in text and fetched(hub) == {"stylegan2-church-config-f.pt"}, text
    assert weights.ready("stylegan2-church")
