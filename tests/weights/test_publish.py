"""`weights publish` against a Hub on loopback, through the real client; and loading what it published."""

from __future__ import annotations

import json

import pytest

from gansr import front_matter, weights
from gansr.weights import cache, manifest, publish, sources, tensors
from gansr.weights.progress import silent
from tests.conftest import ROOT
from tests.support import tiny_weights
from tests.support.hub_client import point_at
from tests.support.hub_repos import HubRepos
from tests.support.tiny_weights import DATA, FREE, YOURS, InstantRetries, run

# of huggingface_hub's own upload of LFS objects
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

OTHER = tensors.serialise(tiny_weights.state(seed=1))
OWN = tensors.serialise(tiny_weights.state(seed=2))


def row(data: bytes, *sources: dict, **changes) -> dict:
    facts = {"sha256": tensors.sha256(data), "bytes": len(data), "terms": FREE}
    return tiny_weights.entry(*sources, **{**facts, **changes})


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub, and a checkout with four entries on this machine: one imported, one not to be given away, one of our
    own in two parts, one that is not pinned; and one that is not here."""
    tiny_weights.isolate(tmp_path, monkeypatch)
    monkeypatch.setattr(sources.fetch, "__defaults__", (silent, InstantRetries().policy))
    (tmp_path / "README.md").write_text("---\ntitle: t\nmodels: []\nsdk: gradio\n---\n\n# Text\n")
    (tmp_path / "licence.txt").write_text("The text.\n")
    parts = tensors.split(OWN, 300)
    for letter, data in zip("ab", parts):
        (tmp_path / f"{letter}.safetensors").write_bytes(data)
    tiny_weights.write_manifest(
        tiny=row(DATA, YOURS, terms={**FREE, "texts": ["licence.txt"]}, figures="PSNR 30 dB"),
        closed=row(OTHER, YOURS, terms={**FREE, "redistribution": False, "why": "For research only."}),
        mine=row(OWN, tiny_weights.own(a_safetensors=parts[0], b_safetensors=parts[1])),
        unpinned=tiny_weights.entry(YOURS, sha256=None, terms=FREE),
        absent=row(b"absent", YOURS),
    )
    cache.store(manifest.entry("tiny"), DATA, tensors.sha256(DATA))
    cache.store(manifest.entry("closed"), OTHER, tensors.sha256(OTHER))
    cache.pin("unpinned", tensors.sha256(OTHER), len(OTHER), [])
    cache.store(manifest.entry("unpinned"), OTHER, tensors.sha256(OTHER))
    with HubRepos() as hub:
        point_at(hub.url, tmp_path, monkeypatch)
        yield hub


def head(hub: HubRepos) -> dict[str, bytes]:
    return hub.repos["model", "we/nets"].files


def rows() -> dict[str, dict]:
    return json.loads(manifest.PATH.read_text())


def readme() -> str:
    return (manifest.PATH.parent / "README.md").read_text()


def on_an_empty_machine() -> None:
    for path in cache.folder().glob("*.safetensors"):
        path.unlink()
    weights._recent.clear()


def test_publish_uploads_what_may_be_given_away_and_names_it(hub, capsys):
    assert run("publish", "we/nets") == 0
    said = capsys.readouterr().out
    assert "not published: closed: For research only." in said
    assert "not published: unpinned: its hash is not pinned" in said
    assert set(head(hub)) == {
        ".gitattributes", "README.md", "tiny.safetensors", "mine.safetensors", "licences/licence.txt"
    }  # fmt: skip
    assert head(hub)["tiny.safetensors"] == DATA and head(hub)["mine.safetensors"] == OWN
    commit = hub.repos["model", "we/nets"].head
    block = {"kind": "hub", "repo_id": "we/nets", "revision": commit, "filename": "tiny.safetensors"}
    assert rows()["tiny"]["sources"] == [block, YOURS]
    assert rows()["mine"]["sources"][0] == {**block, "filename": "mine.safetensors"}
    assert rows()["closed"]["sources"] == rows()["unpinned"]["sources"] == [YOURS]
    fields = front_matter.read(readme())
    assert fields["models"] == ["we/nets"] and fields["title"] == "t"
    assert fields["preload_from_hub"] == [f"we/nets tiny.safetensors {commit}"], (
        "the parts lie in the checkout"
    )
    assert readme().endswith("---\n\n# Text\n")


def test_a_second_call_uploads_nothing_and_changes_nothing(hub, capsys):
    assert run("publish", "we/nets") == 0
    before = manifest.PATH.read_text(), readme(), hub.uploads(), hub.commits()
    assert run("publish", "we/nets") == 0
    assert (manifest.PATH.read_text(), readme(), hub.uploads(), hub.commits()) == before
    assert "we/nets has all 4 files already" in capsys.readouterr().out


def test_a_file_that_stays_the_same_keeps_its_commit(hub):
    assert run("publish", "we/nets", "tiny") == 0
    first = rows()["tiny"]["sources"][0]["revision"]
    assert run("publish", "we/nets", "mine") == 0
    assert rows()["tiny"]["sources"][0]["revision"] == first != rows()["mine"]["sources"][0]["revision"]
    assert set(head(hub)) >= {"tiny.safetensors", "mine.safetensors"}
    assert b"## tiny" in head(hub)["README.md"] and b"## mine" in head(hub)["README.md"]


def test_a_dry_run_sends_and_writes_nothing(hub, capsys):
    before = manifest.PATH.read_text(), readme()
    assert run("publish", "we/nets", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "would create: we/nets" in said and "would upload: tiny.safetensors, 0.0 MB" in said
    assert (manifest.PATH.read_text(), readme()) == before and not hub.repos
    assert not [method for method, _ in hub.asked if method != "GET"]
    assert run("publish", "we/nets") == 0 and run("publish", "we/nets", "--dry-run") == 0
    assert "we/nets: 4 of 4 files are there already" in capsys.readouterr().out


def test_a_dry_run_without_a_network_lists_the_files(hub, capsys, tmp_path, monkeypatch):
    point_at("http://127.0.0.1:1", tmp_path, monkeypatch)
    assert run("publish", "we/nets", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "the Hub does not answer" in said and "would upload: mine.safetensors" in said


def test_an_upload_that_broke_off_goes_on_with_what_is_missing(hub, capsys):
    hub.refused["POST", "/commit/main"] = 500
    before = manifest.PATH.read_text()
    assert run("publish", "we/nets") == 1
    assert "we/nets: the Hub did not take it" in capsys.readouterr().err
    assert manifest.PATH.read_text() == before and hub.uploads() == 2
    del hub.refused["POST", "/commit/main"]
    assert run("publish", "we/nets") == 0
    assert hub.uploads() == 2, "the objects that were sent are not sent again"
    assert head(hub)["tiny.safetensors"] == DATA


def test_without_a_token_it_says_how_to_log_in(hub, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert run("publish", "we/nets") == 1
    assert "Log in with `hf auth login`, or set HF_TOKEN" in capsys.readouterr().err


def test_only_named_entries_that_may_not_be_given_away_publish_nothing(hub, capsys):
    assert run("publish", "we/nets", "closed", "absent") == 1
    assert "absent: it is not on this machine" in capsys.readouterr().out and not hub.repos


def test_the_card_says_what_a_user_of_the_file_needs(hub):
    run("publish", "we/nets")
    card = head(hub)["README.md"].decode()
    assert front_matter.read(card)["license"] == "other"
    for needed in (
        "- Trained on: noise", "- Licence: none. It is ours.", "[licences/licence.txt](licences/licence.txt)",
        tensors.sha256(DATA), "PSNR 30 dB", "theirs.pt: from us", "trained by gansr", 'weights.load("tiny")',
        'hf_hub_download("we/nets", "tiny.safetensors")',
    ):  # fmt: skip
        assert needed in card, needed


def test_what_was_published_loads_from_the_hub_alone_and_then_offline(hub, monkeypatch, tmp_path):
    run("publish", "we/nets")
    on_an_empty_machine()
    hub.asked.clear()
    assert weights.load("tiny").count.item() == 7
    assert any(path.endswith("tiny.safetensors") for _, path in hub.asked), "it came from the Hub"
    point_at("http://127.0.0.1:1", tmp_path, monkeypatch)
    weights._recent.clear()
    assert weights.ready("tiny") and weights.state("tiny")["count"] == 7


def test_what_a_space_preloads_is_used_where_it_lies(hub, tmp_path):
    """`preload_from_hub` is a download by huggingface_hub into its own cache, at the commit."""
    from huggingface_hub import hf_hub_download

    run("publish", "we/nets")
    on_an_empty_machine()
    (preload,) = front_matter.read(readme())["preload_from_hub"]
    repository, names, commit = preload.split()
    for name in names.split(","):
        hf_hub_download(repository, name, revision=commit, cache_dir=tmp_path / "hub")
    hub.asked.clear()
    assert weights.ready("tiny") and weights.load("tiny").count.item() == 7
    assert hub.asked == [] and not list(cache.folder().glob("*.safetensors")), "nothing is copied"
    assert (tmp_path / "hub").resolve() in weights.fetch("tiny").resolve().parents


def test_the_client_refuses_a_hub_without_xet_with_the_way_round(hub, capsys, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    assert run("publish", "we/nets") == 1
    assert "HF_HUB_DISABLE_XET=1 uploads without Xet" in capsys.readouterr().err


# --------------------------------------------------------------------------------------- the real manifest


def test_every_entry_says_what_its_licence_allows():
    for name, entry in manifest.entries(ROOT / "weights_manifest.json").items():
        assert entry.terms is not manifest.NOT_STATED, name
        assert all((ROOT / text).is_file() for text in entry.terms.texts), name
        nvidia = [text for text in entry.terms.texts if "nvidia" in text]
        assert nvidia or "StyleGAN2" not in entry.trained_on + entry.net, (
            f"{name}: NVIDIA's text goes with it"
        )
        assert not (nvidia and entry.terms.commercial), name
        assert not (entry.terms.commercial and "on-commercial" in entry.licence), name


def test_the_front_matter_names_what_the_manifest_names():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    fields = front_matter.read(text)
    wanted = publish.generated(manifest.entries(ROOT / "weights_manifest.json").values())
    assert {name: fields.get(name) for name in wanted} == wanted


def test_figures_of_the_cards_are_those_of_the_documents():
    documents = "".join(
        (ROOT / path).read_text() for path in ("README.md", "docs/measured.md", "assets/models/README.md")
    )
    documents = documents.replace("*", "")
    for name, entry in manifest.entries(ROOT / "weights_manifest.json").items():
        for figure in [word for word in entry.figures.split() if word[0].isdigit() or word[0] == "."]:
            assert figure.rstrip(",:;") in documents, f"{name}: {figure}"
