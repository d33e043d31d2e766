"""The front matter of README.md: read, and changed a field at a time."""

from __future__ import annotations

import pytest

from gansr import front_matter

TEXT = "---\ntitle: A\nmodels:\n  - old/one\n  - old/two\nsdk: gradio\n---\n\n# Title\n\n---\nmodels: below\n"


def test_the_fields_are_read():
    assert front_matter.read(TEXT) == {"title": "A", "models": ["old/one", "old/two"], "sdk": "gradio"}


@pytest.mark.parametrize("text", ["# no front matter\n", "---\ntitle: A\n", "---\n: : :\n  x\n---\n"])
def test_what_is_no_front_matter_is_refused(text):
    with pytest.raises(ValueError, match="front matter"):
        front_matter.read(text)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (["new/one a,b 1"], "models:\n  - new/one a,b 1\n"),
        ([], "models: []\n"),
        ("x", 'models: "x"\n'),
        (None, ""),
    ],
)
def test_a_field_is_replaced_and_the_rest_stays(value, lines):
    changed = front_matter.with_field(TEXT, "models", value)
    assert changed == TEXT.replace("models:\n  - old/one\n  - old/two\n", lines)
    assert front_matter.with_field(changed, "models", value) == changed


def test_a_new_field_stands_at_the_end():
    assert front_matter.with_field(TEXT, "preload", ["a"]).startswith(
        TEXT[: TEXT.index("---\n\n")] + "preload:\n  - a\n"
    )
    assert front_matter.with_field(TEXT, "preload", None) == TEXT
