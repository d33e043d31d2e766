"""The rooms of the house: arrows point down only, and what is optional stays optional."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# room → what it may import of ours, besides itself
MAY = {
    "options": (),
    "memory": (),
    "method": (),
    "metric": (),
    "picture": (),
    "ops": ("options", "picture"),  # picture: what a JPEG makes of a picture
    "nets": ("ops",),
    "papers": ("method", "options", "nets", "ops", "picture"),  # picture: a kernel as a PNG file
    "metrics": ("metric", "method", "nets", "ops", "faces"),
    "faces": ("method", "ops"),
    "weights": ("method", "nets", "ops"),
    "engine": ("memory", "weights", "method", "papers", "metric", "metrics", "ops"),
    "prepare": ("faces", "method", "ops", "picture"),
    "compare": (
        "serve", "engine", "faces", "weights", "method", "options", "papers", "metrics", "ops", "picture", "prepare",
    ),
    "serve": (
        "engine", "faces", "weights", "method", "options", "papers", "metrics", "ops", "picture", "prepare",
    ),
}  # fmt: skip
# Measuring, training and converting stand beside a paper's algorithm and may use what stands above it.
BESIDE = (
    "bench.py",
    "bench_plain.py",
    "train.py",
    "train_command.py",
    "synthetic.py",
    "losses.py",
    "convert.py",
)
ALONE = ("papers", "metrics")  # their modules never import each other


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def modules() -> list[Path]:
    return sorted((ROOT / "gansr").rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT / "gansr").parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path",
    [p for p in modules() if room(p) in MAY and p.name not in BESIDE],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_arrows_point_down_only(path):
    allowed = (room(path), *MAY[room(path)], "__version__")
    for name in imports(path):
        if name.startswith("gansr."):
            assert name.split(".")[1] in allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("folder", ALONE)
def test_methods_and_metrics_never_import_each_other(folder):
    for path in (ROOT / "gansr" / folder).glob("[a-z]*.py"):
        siblings = [
            n for n in imports(path) if n.startswith(f"gansr.{folder}.") and path.stem not in n.split(".")
        ]
        assert not siblings, f"{path.name} imports {siblings}"


def test_only_the_page_knows_gradio():
    for path in modules():
        if room(path) != "ui":
            outside = [n for n in imports(path) if n.split(".")[0] in ("gradio", "spaces")]
            assert not outside, f"{path.relative_to(ROOT)} imports {outside}"


def test_only_zerogpus_own_module_knows_spaces():
    for path in modules():
        if path.name != "gpu.py":
            assert not [n for n in imports(path) if n.split(".")[0] == "spaces"]


def test_only_picture_knows_pillow():
    for path in modules():
        if room(path) != "picture":
            outside = [n for n in imports(path) if n.split(".")[0] in ("PIL", "pillow_heif")]
            assert not outside, f"{path.relative_to(ROOT)} imports {outside}"


def test_the_methods_import_without_gradio_spaces_and_onnxruntime():
    blocked = (
        "import sys\n"
        "for name in ('gradio', 'spaces', 'onnxruntime', 'h5py'): sys.modules[name] = None\n"
        "import gansr.papers\n"
        "print(len(gansr.papers.METHODS))"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1


def test_nothing_below_the_engine_unpickles():
    for path in modules():
        if path.name != "authors.py" and "train" not in path.parts:
            assert not [n for n in imports(path) if n.split(".")[0] == "pickle"], path
