"""Progress of a download or a conversion, reported through a function."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, "float | None"], None]  # (what is happening, share done 0…1 or None)


def silent(text: str, share: float | None) -> None:
    """A progress function that shows nothing."""


def megabytes(count: float) -> str:
    """A number of bytes → "12.3 MB" (millions of bytes)."""
    return f"{count / 1e6:.1f} MB"
