"""Weights from the Hugging Face Hub, through huggingface_hub, with three things it does not do.

`hf_hub_download` does not compare a file with its sha256, does not retry a connection reset in mid-body or a 500, and
can wait for minutes on a silent server. So each attempt is watched (gansr.weights.retry), in a folder of its own. The
file is hashed; a wrong one is deleted and downloaded once more.

huggingface_hub's own cache is read and not written: a file that is there already (`preload_from_hub` of a Space, `hf
download`) is verified and used without a request, where it lies. We put nothing there, because other programs take
files from it without comparing a hash.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gansr.weights import files
from gansr.weights.manifest import Hub, Unreachable, WeightsError
from gansr.weights.progress import Progress, megabytes
from gansr.weights.retry import RetryPolicy, TemporaryFailure, watched, with_retries
from gansr.weights.tensors import sha256_of


def download(source: Hub, sha256: str | None, folder: Path, policy: RetryPolicy, progress: Progress) -> Path:
    """The source's file somewhere under `folder`, verified against `sha256` (None: not known, nothing is compared).

    The server is huggingface_hub's (HF_ENDPOINT). Raises Unreachable if it does not answer, WeightsError if it does
    not have the file or sends a wrong one twice.
    """
    there = preloaded(source)
    if there is not None and sha256 is not None and sha256_of(there) == sha256:
        return there
    what = f"{source.filename} of {source.repo_id}"
    numbers = itertools.count()
    found = ""
    for last in (False, True):
        path = with_retries(
            what,
            lambda: _attempt(source, folder / f"attempt-{next(numbers)}", policy, progress),
            policy,
            progress,
        )
        found = sha256_of(path)
        if sha256 in (None, found):
            return path
        path.unlink()
        progress(f"{what} arrived damaged" + ("" if last else "; downloading it again"), None)
    raise WeightsError(f"{what} hashes to {found}, {sha256} is pinned: deleted, not opened")


def preloaded(source: Hub) -> Path | None:
    """The source's file in huggingface_hub's own cache, not verified; None where it is not there. No request."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(source.repo_id, source.filename, revision=source.revision)
    return Path(path).resolve() if isinstance(path, str) else None


def _attempt(source: Hub, folder: Path, policy: RetryPolicy, progress: Progress) -> Path:
    """One download. Raises TemporaryFailure if it stalls or breaks off, WeightsError if it is refused."""
    from huggingface_hub import hf_hub_download

    def work(moved: Callable[[], None]) -> Path:
        path = hf_hub_download(
            source.repo_id,
            source.filename,
            revision=source.revision,
            cache_dir=folder,
            etag_timeout=min(10.0, policy.stall),
            tqdm_class=_progress_bar(source.filename, moved, progress),
        )
        return Path(path).resolve()

    try:
        return watched(work, policy)
    except TemporaryFailure:
        raise
    except BaseException as error:
        if isinstance(error, OSError) and files.disk_error(error):
            raise files.not_written(folder.parent, error) from error
        raise _classified(source, error) from error


def _progress_bar(what: str, moved: Callable[[], None], progress: Progress) -> type:
    """A tqdm class that draws nothing and passes the bytes on to `progress`."""
    from tqdm import tqdm

    class Bar(tqdm):  # pyright: ignore[reportMissingTypeArgument]: generic in its stubs only
        def __init__(self, *args: Any, **options: Any):
            self.have, self.whole = options.get("initial") or 0, options.get("total")
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.have += n or 0
            moved()
            if self.whole:
                text = f"downloading {what}: {megabytes(self.have)} of {megabytes(self.whole)}"
                progress(text, min(self.have / self.whole, 1.0))
            return None

    return Bar


def _classified(source: Hub, error: BaseException) -> Exception:
    """An error of huggingface_hub → TemporaryFailure, or a WeightsError that says what to do."""
    from huggingface_hub import errors

    there = f"{source.repo_id}/{source.filename} at {source.revision[:12]}"
    rules: tuple[tuple[type | tuple[type, ...], Callable[[], Exception]], ...] = (
        (errors.OfflineModeIsEnabled, lambda: Unreachable("the Hub is switched off (HF_HUB_OFFLINE)")),
        (errors.LocalEntryNotFoundError, lambda: _unreachable(there)),
        (
            errors.GatedRepoError,
            lambda: WeightsError(
                f"{source.repo_id} has terms to accept on its page; then run `hf auth login`"
            ),
        ),
        (
            (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError),
            lambda: WeightsError(f"the Hub has no {there}"),
        ),
    )
    for kinds, made in rules:
        if isinstance(error, kinds):
            return made()
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None and status < 500 and status not in (408, 429):
        return WeightsError(f"the Hub refused {there}: {status}")
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in (
        "httpx",
        "httpx2",
        "httpcore",
    ):
        return TemporaryFailure(f"the server answered {status}" if status else _first_line(error))
    return WeightsError(f"the Hub's client failed on {there}: {type(error).__name__}: {_first_line(error)}")


def _unreachable(there: str) -> Unreachable:
    return Unreachable(
        f"the Hub cannot be reached and {there} is not in the cache; go online once, or import it"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
