"""`python -m gansr weights publish OWNER/NAME`: the files that are here, into a Hub repository of yours.

What is uploaded: every file with a pinned hash whose licence allows redistribution (`terms` in the manifest), its
licence texts, and a model card. Everything goes in one commit. The manifest then names the repository at that commit as
the first source of each file, and README.md's front matter names the repository and the files that a Space fetches
while it is built.

A file that the repository has already is not uploaded again, and keeps its commit. So a second call changes nothing,
and a call after a broken one goes on: what was sent completely is kept by the Hub under its hash.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansr import front_matter
from gansr.weights import cache, edit, files, manifest
from gansr.weights.card import card, file_of, text_of
from gansr.weights.manifest import Entry, Hub, Own, Registry, WeightsError, Yours
from gansr.weights.progress import megabytes
from gansr.weights.tensors import sha256, sha256_of

Content = Path | bytes
HELP = "for developers: upload cached files, as far as their licences allow, to a Hub repository of yours"
CARD = "README.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("repository", metavar="OWNER/NAME")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that are on this machine")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be done; nothing is sent or written"
    )


@dataclass(frozen=True)
class Plan:
    """What a call does: names → the file to upload (bytes: joined from its parts), and names → why a file stays."""

    chosen: Mapping[str, Content]
    skipped: Mapping[str, str]


def publish(args: argparse.Namespace) -> int:
    """Run the command. → 0. Raises WeightsError where nothing may be published or the Hub refuses."""
    plan = planned(args.names)
    for name, why in plan.skipped.items():
        print(f"not published: {name}: {why}")
    if not plan.chosen:
        raise WeightsError(
            "there is nothing to publish: `python -m gansr weights fetch` brings what can be had"
        )
    contents: dict[str, Content] = {file_of(manifest.entry(n)): content for n, content in plan.chosen.items()}
    for name in plan.chosen:
        for text in manifest.entry(name).terms.texts:
            contents[text_of(text)] = manifest.PATH.parent / text
    with hub_errors(args.repository):
        commit = _uploaded(args.repository, plan, contents, args.dry_run)
    if args.dry_run:
        return 0
    for name in plan.chosen:
        edit.rewrite(name, lambda row, name=name: _put_first(row, args.repository, name, commit[name]))
    if update_readme():
        print("README.md: the front matter names the repository")
    return 0


# -------------------------------------------------------------------------------------------------- the plan


def planned(names: Sequence[str]) -> Plan:
    """The named entries, default all that are on this machine, divided into what may be published and what not.

    A named entry that is not here, or has no pinned hash, is skipped with that reason as well.
    """
    every = manifest.entries()
    chosen: dict[str, Content] = {}
    skipped: dict[str, str] = {}
    for name in names or [name for name, entry in every.items() if cache.cached(entry) is not None]:
        entry = manifest.entry(name)
        if not entry.terms.redistribution:
            skipped[name] = entry.terms.why
        elif entry.sha256 is None:
            skipped[name] = f"its hash is not pinned; `python -m gansr weights pin {name}` writes it"
        elif (path := cache.verified(entry)) is None:
            skipped[name] = "it is not on this machine"
        else:
            chosen[name] = cache.content(entry) if entry.source(Own) else path
    return Plan(chosen, skipped)


def made_from(entry: Entry) -> str:
    """What an entry's file was made from, in words, from its sources other than our own repository."""
    for source in entry.sources:
        if isinstance(source, Own):
            return "trained by gansr"
        if isinstance(source, Registry):
            members = ", ".join(member.rpartition("/")[2] for member in source.members)
            return (
                f"{members} in {source.archive} (sha256 {source.archive_sha256}) of the Python package index"
            )
        if isinstance(source, Hub) and source.converter is not None:
            return f"{source.filename} of https://huggingface.co/{source.repo_id}"
        if isinstance(source, Yours):
            return f"{', '.join(source.files)}: {source.where}"
    return "not stated"


# ------------------------------------------------------------------------------------------------ the upload


def _uploaded(repository: str, plan: Plan, contents: dict[str, Content], dry_run: bool) -> dict[str, str]:
    """Upload what the repository lacks → name of each entry → the commit that has its file."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    head, there = _listing(api, repository, dry_run)
    every = manifest.entries()
    in_repository = {*plan.chosen, *(name for name, entry in every.items() if ours(entry, repository))}
    entries = [every[name] for name in in_repository]
    contents |= {CARD: card(repository, entries, {e.name: made_from(e) for e in entries}).encode()}
    new = [path for path, content in contents.items() if not _same(there.get(path), content)]
    for path in new:
        print(f"{'would upload' if dry_run else 'uploading'}: {path}, {megabytes(_size(contents[path]))}")
    if dry_run:
        print(f"{repository}: {len(contents) - len(new)} of {len(contents)} files are there already")
        return {}
    if new:
        adds = [CommitOperationAdd(path, contents[path]) for path in new]
        head = api.create_commit(repository, adds, commit_message="Weights of gansr", parent_commit=head).oid
        print(f"uploaded {len(new)} files to {repository}, commit {head}")
    else:
        print(f"{repository} has all {len(contents)} files already")
    commits: dict[str, str] = {}
    for name in plan.chosen:
        before = ours(every[name], repository)
        commits[name] = before.revision if before and file_of(every[name]) not in new else str(head)
    return commits


def _listing(api: Any, repository: str, dry_run: bool) -> tuple[str | None, dict[str, Any]]:
    """The repository's newest commit, and path → its file there. The repository is created if it is missing."""
    from huggingface_hub import RepoFile
    from huggingface_hub.errors import RepositoryNotFoundError

    if not dry_run:
        api.create_repo(repository, exist_ok=True)
    try:
        head = api.repo_info(repository).sha
        files = list(api.list_repo_tree(repository, recursive=True, revision=head))
    except RepositoryNotFoundError:
        print(f"would create: {repository}")
        return None, {}
    except Exception as error:
        if not dry_run or getattr(error, "response", None) is not None:
            raise
        print(f"the Hub does not answer ({error}): whether {repository} has some of it already is not known")
        return None, {}
    return head, {each.path: each for each in files if isinstance(each, RepoFile)}


def _same(there: Any, content: Content) -> bool:
    """Whether a file of the repository (None: there is none) has this content."""
    from huggingface_hub.utils.sha import git_hash

    if there is None or there.size != _size(content):
        return False
    if there.lfs:
        return there.lfs.sha256 == (sha256(content) if isinstance(content, bytes) else sha256_of(content))
    return there.blob_id == git_hash(content if isinstance(content, bytes) else content.read_bytes())


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def ours(entry: Entry, repository: str | None = None) -> Hub | None:
    """The entry's file in our Hub repository (any, or this one), or None."""
    return next(
        (
            source
            for source in entry.sources
            if isinstance(source, Hub) and source.converter is None and repository in (None, source.repo_id)
        ),
        None,
    )


@contextmanager
def hub_errors(repository: str) -> Generator[None]:
    """What the Hub's client raises → WeightsError that says what to do."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        cause = error.__cause__ or error
        text = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:300]
        if status in (401, 403) or type(error).__name__ == "LocalTokenNotFoundError":
            text += ". Log in with `hf auth login`, or set HF_TOKEN to a token that may write to it"
        elif status == 402:
            text += ". A Gradio Space on cpu-basic needs a paid plan: take --hardware zero-a10g"
        elif "xet" in str(error).lower():
            text += ". HF_HUB_DISABLE_XET=1 uploads without Xet"
        raise WeightsError(f"{repository}: the Hub did not take it: {text}") from error


# --------------------------------------------------------------------------------- the manifest and README.md


def _put_first(row: dict[str, Any], repository: str, name: str, commit: str) -> None:
    """Make the repository's file the first source; one of another repository of ours is replaced."""
    block = {"kind": "hub", "repo_id": repository, "revision": commit}
    block["filename"] = file_of(manifest.parse_entry(name, row))
    others = [s for s in row["sources"] if s["kind"] != "hub" or s.get("converter") is not None]
    row["sources"] = [block, *others]


def generated(entries: Iterable[Entry]) -> dict[str, list[str] | None]:
    """The fields of the front matter that follow from the manifest.

    `models`: our repositories. `preload_from_hub`: their files that are not in this checkout, "repository files
    commit", which a Space fetches while it is built.
    """
    found = [(entry, block) for entry in entries if (block := ours(entry)) is not None]
    groups: dict[tuple[str, str], list[str]] = {}
    for entry, block in found:
        if entry.source(Own) is None:
            groups.setdefault((block.repo_id, block.revision), []).append(block.filename)
    preload = [
        f"{repo} {','.join(sorted(names))} {commit}" for (repo, commit), names in sorted(groups.items())
    ]
    return {"models": sorted({block.repo_id for _, block in found}), "preload_from_hub": preload or None}


def update_readme(path: Path | None = None) -> bool:
    """Write what is `generated` into README.md's front matter. → whether it has changed."""
    path = path or manifest.PATH.parent / "README.md"
    before = path.read_text(encoding="utf-8")
    after = before
    for name, value in generated(manifest.entries().values()).items():
        after = front_matter.with_field(after, name, value)
    if after != before:
        files.write(path, after.encode())
    return after != before
