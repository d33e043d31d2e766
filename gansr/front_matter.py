"""The front matter of README.md: the YAML block between two lines of dashes, which configures the Space."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_BLOCK = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)


def read(text: str) -> dict[str, Any]:
    """The fields of a README's front matter. Raises ValueError where there is none or it is not a table."""
    from huggingface_hub import RepoCard

    _block(text)
    try:
        return RepoCard(text).data.to_dict()
    except Exception as error:  # of its YAML reader, which is no package of ours
        raise ValueError(f"the front matter cannot be read: {error}") from error


def with_field(text: str, name: str, value: str | Sequence[str] | None) -> str:
    """The README with one field of its front matter set, added at its end, or removed (None). The rest stays as it is.

    Raises ValueError where there is no front matter.
    """
    block = _block(text)
    lines = "" if value is None else _lines(name, value)
    field = re.compile(rf"^{re.escape(name)}:.*\n(?:[ \t-].*\n)*", re.MULTILINE)
    changed = field.sub(lambda _: lines, block, count=1) if field.search(block) else block + lines
    return f"---\n{changed}---\n{text[_BLOCK.match(text).end() :]}"  # pyright: ignore[reportOptionalMemberAccess]


def _block(text: str) -> str:
    found = _BLOCK.match(text)
    if found is None:
        raise ValueError("README.md begins with no front matter")
    return found[1]


def _lines(name: str, value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return f"{name}: {json.dumps(value, ensure_ascii=False)}\n"
    if not value:
        return f"{name}: []\n"
    return f"{name}:\n" + "".join(f"  - {each}\n" for each in value)
