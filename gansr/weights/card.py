"""The model card of our Hub repository: its README.md, with a section for each file."""

from __future__ import annotations

from collections.abc import Iterable

from gansr.weights.manifest import Entry
from gansr.weights.progress import megabytes

HEAD = """---
license: other
license_name: one-for-each-file
license_link: https://huggingface.co/{repository}/blob/main/README.md
pipeline_tag: image-to-image
tags:
  - super-resolution
  - gan
  - safetensors
---

# Weights of gansr

Networks of GAN super-resolution papers in one layout, for gansr, a page that runs PULSE, GLEAN, mGANprior and SRGAN on
your picture. gansr takes each file at a pinned commit and compares its sha256 before it opens it.

**Each file has its own licence.** Where a section says that commercial use is not allowed, it is not. The licence texts
are in `licences/`.

| file | size | commercial use | licence |
|---|---|---|---|
{table}
"""

SECTION = """
## {name}

- File: `{file}`, {size}, sha256 `{sha256}`
- Network: `{net}`{config}
- Trained on: {trained_on}
- Licence: {licence}. {why}{texts}
- Made from: {source}
{figures}
```python
from gansr import weights

net = weights.load("{name}")  # {kind}
```

Without gansr:

```python
from huggingface_hub import hf_hub_download
{load}
```
"""

TENSORS = """from safetensors.torch import load_file

state = load_file(hf_hub_download("{repository}", "{file}"))"""
ONNX = """import onnxruntime

session = onnxruntime.InferenceSession(hf_hub_download("{repository}", "{file}"))"""


def card(repository: str, entries: Iterable[Entry], sources: dict[str, str]) -> str:
    """The card of the repository with these entries. `sources` says of each entry, by name, what it was made from."""
    entries = sorted(entries, key=lambda entry: entry.name)
    rows = (
        f"| [{file_of(entry)}](#{entry.name.replace('.', '')}) | {megabytes(entry.bytes or 0)} "
        f"| {'yes' if entry.terms.commercial else '**no**'} | {entry.licence} |"
        for entry in entries
    )
    head = HEAD.format(repository=repository, table="\n".join(rows))
    return head + "".join(_section(repository, entry, sources[entry.name]) for entry in entries)


def file_of(entry: Entry) -> str:
    """The name of the entry's file in the repository."""
    return entry.name + entry.suffix


def text_of(path: str) -> str:
    """The name in the repository of a licence text that lies at `path` here."""
    return f"licences/{'apache-2.0.txt' if path == 'LICENSE' else path.rpartition('/')[2]}"


def _section(repository: str, entry: Entry, source: str) -> str:
    onnx, names = entry.net == "onnx", [f"[{text_of(t)}]({text_of(t)})" for t in entry.terms.texts]
    return SECTION.format(
        name=entry.name,
        file=file_of(entry),
        size=megabytes(entry.bytes or 0),
        sha256=entry.sha256,
        net=entry.net,
        config=f" with {dict(entry.config)}" if entry.config else "",
        trained_on=entry.trained_on,
        licence=entry.licence,
        why=entry.terms.why,
        texts=f" Texts: {', '.join(names)}." if names else "",
        source=source,
        figures=f"- Measured: {entry.figures}\n" if entry.figures else "",
        kind="an onnxruntime session" if onnx else "frozen, float32, on the CPU",
        load=(ONNX if onnx else TENSORS).format(repository=repository, file=file_of(entry)),
    )
