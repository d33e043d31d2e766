"""Weights from the Hugging Face Hub, through huggingface_hub, with what it leaves out.

`hf_hub_download` does not compare a file with its sha256, does not retry a reset in mid-body or a 500, and can wait
minutes on a server that is silent. So each attempt runs on a thread of its own, in a folder of its own, and is given
up when no byte has come for a while; what arrives is hashed here, thrown away and downloaded once more if it
is wrong. A file that the user's own Hub cache holds already (a Space preloads it) is used without a request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gansr.weights.manifest import Hub, WeightsError
from gansr.weights.patience import Patience, Progress, Temporary, insist, megabytes
from gansr.weights.tensors import sha256_of


def download(source: Hub, sha256: str | None, folder: Path, patience: Patience, told: Progress) -> Path:
    """The source's file, which hashes to `sha256` (None: unknown, the caller pins it), somewhere under `folder`.

    The server is the one huggingface_hub knows (HF_ENDPOINT). Raises WeightsError if the file is not there, the
    server not reachable, or what arrives wrong twice.
    """
    kept = _preloaded(source)
    if kept is not None and sha256 is not None and sha256_of(kept) == sha256:
        return kept
    what = f"{source.filename} of {source.repo_id}"
    for turn in range(2):
        attempts = iter(range(patience.tries))
        path = insist(
            what,
            lambda t=turn, a=attempts: _attempt(source, folder / f"{t}-{next(a)}", patience, told),
            patience,
            told,
        )
        if sha256 is None or (found := sha256_of(path)) == sha256:
            return path
        path.unlink()
        told(f"{what} arrived damaged" + ("; downloading it again" if turn == 0 else ""), None)
    raise WeightsError(f"{what} hashes to {found}, {sha256} is pinned: thrown away, not opened")


def _preloaded(source: Hub) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(source.repo_id, source.filename, revision=source.revision)
    return Path(path).resolve() if isinstance(path, str) else None


def _attempt(source: Hub, folder: Path, patience: Patience, told: Progress) -> Path:
    """One download on a thread. Raises Temporary if it stalls or fails in passing, WeightsError if refused."""
    from huggingface_hub import hf_hub_download

    moved, ended = threading.Event(), threading.Event()
    outcome: list[Any] = []

    def work() -> None:
        try:
            path = hf_hub_download(
                source.repo_id,
                source.filename,
                revision=source.revision,
                cache_dir=folder,
                etag_timeout=min(10.0, patience.stall),
                tqdm_class=_meter(source.filename, moved, told),
            )
            outcome.append(Path(path).resolve())
        except BaseException as error:
            outcome.append(error)
        ended.set()
        moved.set()

    threading.Thread(target=work, daemon=True, name="hub download").start()
    end = patience.clock() + patience.deadline
    while not ended.is_set():
        if not moved.wait(min(patience.stall, max(end - patience.clock(), 0.0))):
            late = patience.clock() >= end
            raise Temporary("the deadline passed" if late else "the server sent nothing for too long")
        moved.clear()
    if isinstance(outcome[0], BaseException):
        raise _judged(source, outcome[0]) from outcome[0]
    return outcome[0]


def _meter(what: str, moved: threading.Event, told: Progress) -> type:
    """A progress bar that draws nothing and reports the bytes."""
    from tqdm import tqdm

    class Meter(tqdm):
        def __init__(self, *args: Any, **options: Any):
            self.have, self.whole = options.get("initial") or 0, options.get("total")
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.have += n or 0
            moved.set()
            if self.whole:
                text = f"downloading {what}: {megabytes(self.have)} of {megabytes(self.whole)}"
                told(text, min(self.have / self.whole, 1.0))
            return None

    return Meter


def _judged(source: Hub, error: BaseException) -> Exception:
    """What huggingface_hub raised → Temporary, or a WeightsError that says what to do."""
    from huggingface_hub import errors

    there = f"{source.repo_id}/{source.filename} at {source.revision[:12]}"
    rules: tuple[tuple[type | tuple[type, ...], Callable[[], Exception]], ...] = (
        (errors.OfflineModeIsEnabled, lambda: WeightsError("the Hub is switched off (HF_HUB_OFFLINE)")),
        (errors.LocalEntryNotFoundError, lambda: _unreachable(there)),
        (
            errors.GatedRepoError,
            lambda: WeightsError(
                f"{source.repo_id} wants its terms accepted on its page, then `hf auth login`"
            ),
        ),
        (
            (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError),
            lambda: WeightsError(f"the Hub has no {there}"),
        ),
    )
    for kinds, verdict in rules:
        if isinstance(error, kinds):
            return verdict()
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None and status < 500 and status not in (408, 429):
        return WeightsError(f"the Hub refused {there}: {status}")
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in (
        "httpx",
        "httpx2",
        "httpcore",
    ):
        return Temporary(f"the server answered {status}" if status else _first_line(error))
    return WeightsError(f"the Hub's client failed on {there}: {type(error).__name__}: {_first_line(error)}")


def _unreachable(there: str) -> WeightsError:
    return WeightsError(
        f"the Hub cannot be reached and {there} is not in the cache; go online once, or import it"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
