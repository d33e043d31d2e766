"""The layout: who may import whom, what stays optional, how long a file may be, and that tests mirror the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "gansr"
CONTRACTS = ("method", "metric", "request")
LONGEST = 420  # lines
# Measuring, training and converting stand beside a paper's algorithm and may use what stands above it.
BESIDE = (
    "bench",
    "bench_plain",
    "train",
    "train_command",
    "training_loop",
    "pairs",
    "synthetic",
    "losses",
    "convert",
)
# folder or module → what it may import of ours, besides itself
MAY = {
    "options": (),
    "clean_start": (),
    "deploy": ("clean_start", "front_matter", "version", "weights"),
    "front_matter": (),
    "container": (),
    "memory": ("container",),
    "metric": (),
    "picture": ("memory",),
    "method": ("options",),
    "job": ("method", "papers"),
    "speeds": ("job", "method"),
    "rotation": (),
    "turns": ("method", "rotation"),
    "progress": ("method",),
    "ops": ("options", "picture"),
    "nets": ("ops",),
    "faces": ("ops",),
    "papers": ("method", "options", "nets", "ops", "picture"),
    "metrics": ("metric", "method", "nets", "ops", "faces"),
    "weights": ("front_matter", "method", "nets", "ops", "version"),
    "problem": ("options",),
    "request": ("method", "options", "ops", "problem"),
    "engine": ("job", "memory", "weights", "method", "metric", "ops", "progress", "speeds", "turns"),
    "uploads": ("picture",),
    "inputs": ("faces", "method", "ops", "picture", "problem", "request", "uploads"),
    "faults": ("engine", "method", "metric", "metrics", "ops", "picture"),
    "receipt": ("papers", "weights", "inputs", "method", "options", "picture", "problem", "request", "version"),
    "backends": (
        "engine", "job", "metrics", "ops", "papers", "progress", "rotation", "weights", "method", "options", "speeds",
    ),
    "pipeline": (
        "backends", "engine", "faces", "faults", "inputs", "job", "method", "metric", "metrics", "ops", "options",
        "picture", "request", "weights",
    ),
    "gallery": (),
    "results": ("gallery", "method", "metric", "metrics", "ops", "papers", "request", "version"),
    "compare": (
        "backends",
        "engine", "inputs", "method", "metric", "metrics", "ops", "options", "papers", "picture", "pipeline",
        "problem", "progress", "receipt", "request", "weights",
    ),
    "rating": (
        "compare", "engine", "gallery", "inputs", "method", "metrics", "ops", "options", "papers", "picture",
        "pipeline", "problem", "receipt", "request", "weights",
    ),
}  # fmt: skip
# package → the only place that imports it
ONLY = {
    "gradio": "ui",
    "spaces": "backends/zerogpu",
    "ray": "backends/ray",
    "PIL": "picture",
    "pillow_heif": "picture",
}
OPTIONAL = ("gradio", "spaces", "onnxruntime", "h5py", "ray")
# Tests of several modules together, and where they are.
TOGETHER = (
    "test_app",
    "test_bad_inputs",
    "test_contributing",
    "test_device",
    "test_gpu",
    "test_layout",
    "test_readme",
    "test_requirements",
    "papers/test_contract",
    "ui/test_api",
)


@cache
def modules() -> dict[str, Path]:
    """Dotted name → file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imported(module: str, *, lazily: bool = True) -> tuple[str, ...]:
    """Everything that a module imports, dotted, names included; with or without what its functions import."""
    tree = ast.parse(modules()[module].read_text())
    return tuple(name for node in _nodes(tree, lazily) for name in _names(node))


def _nodes(tree: ast.AST, lazily: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue  # types only
        if lazily or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            yield from _nodes(node, lazily)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def ours(module: str, *, lazily: bool = True) -> set[str]:
    """The modules of this package that a module imports."""
    found = set()
    for name in imported(module, lazily=lazily):
        while name.startswith("gansr") and name not in modules():
            name = name.rpartition(".")[0]
        if name.startswith("gansr.") and name != module:
            found.add(name)
    return found


def room(module: str) -> str:
    return [*module.split("."), ""][1]


def beside(module: str) -> bool:
    return room(module) == "papers" and module.rpartition(".")[2] in BESIDE


@pytest.mark.parametrize("module", [name for name in modules() if room(name) in MAY and not beside(name)])
def test_imports_point_down_only(module):
    allowed = (room(module), *MAY[room(module)])
    assert not [name for name in ours(module) if room(name) not in allowed]


def test_no_module_imports_itself_through_others():
    waiting = {module: ours(module, lazily=False) for module in modules()}
    while free := [module for module, needs in waiting.items() if not needs & set(waiting)]:
        for module in free:
            del waiting[module]
    assert not waiting, f"a circle among {sorted(waiting)}"


@pytest.mark.parametrize("folder", ["papers", "metrics"])
def test_papers_and_metrics_never_import_each_other(folder):
    for module in modules():
        parts = module.split(".")
        if parts[1:2] == [folder] and len(parts) > 2 and not beside(module):
            others = [name.split(".") for name in ours(module) if name.startswith(f"gansr.{folder}.")]
            assert not [other for other in others if other[2] != parts[2]], module


def test_ops_and_nets_import_no_contract():
    for module in modules():
        if room(module) in ("ops", "nets"):
            assert not [name for name in ours(module) if room(name) in CONTRACTS], module


@pytest.mark.parametrize(("package", "place"), ONLY.items())
def test_one_place_alone_imports(package, place):
    for module, path in modules().items():
        where = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if where != place and not where.startswith(f"{place}/"):
            assert not [name for name in imported(module) if name.split(".")[0] == package], module


def test_papers_import_without_what_is_optional():
    blocked = (
        "import sys\n"
        f"for name in {OPTIONAL}: sys.modules[name] = None\n"
        "import gansr.papers\n"
        "print(len(gansr.papers.METHODS))"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1


def test_nothing_unpickles_but_the_reader_of_the_authors_files_and_what_our_own_processes_tell_each_other():
    for module in modules():
        if module not in ("gansr.weights.authors", "gansr.backends.ray.messages"):
            assert "pickle" not in {name.split(".")[0] for name in imported(module)}, module


def test_no_file_is_long():
    for folder in ("gansr", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".css", ".html", ".js"):
                assert len(path.read_text().splitlines()) <= LONGEST, path.relative_to(ROOT)


def test_no_file_in_git_is_larger_than_a_space_takes():
    """10 MB, of files that are not in LFS; what is ignored by git is not looked at."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=ROOT, check=False)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    if listed.returncode:  # not a git checkout
        paths = [path for path in (ROOT / "assets").rglob("*") if path.is_file()]
    assert paths and not [path for path in paths if path.exists() and path.stat().st_size > 10_000_000]


def test_tests_mirror_the_package():
    """Every test file stands where its module stands; one module's test may be split: test_search_goldens.py."""
    stems = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in modules().values()}
    stems |= {stem.removesuffix("/__init__") for stem in stems}
    for path in (ROOT / "tests").rglob("test_*.py"):
        where = path.relative_to(ROOT / "tests").with_suffix("").as_posix()
        folder, _, name = where.rpartition("/")
        if where in TOGETHER or folder in ("attack", "browser"):
            continue
        tested = (f"{folder}/" if folder else "") + name.removeprefix("test_")
        own = folder.rpartition("/")[2] == name.removeprefix("test_")  # tests/papers/pulse/test_pulse.py
        split = any(tested.startswith(f"{stem}_") for stem in stems)
        assert tested in stems or own or split, f"tests/{where}.py tests no module"
