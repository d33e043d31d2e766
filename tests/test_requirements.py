"""Every package that the code imports is declared, and pinned among the tested versions."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT

OURS = {"app", "gansr", "tests"}
# Imported only where it exists already, so no requirement of ours: ZeroGPU Spaces install it.
PROVIDED = {"spaces"}


def declared(*files: str) -> set[str]:
    """The distributions that requirements files name, in normalised form."""
    lines = [
        line.partition("#")[0].strip() for file in files for line in (ROOT / file).read_text().splitlines()
    ]
    return {
        normalised(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines if line and not line.startswith("-")
    }


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def third_party(folder: str) -> dict[str, str]:
    """Top-level module → a file that imports it, of all third-party modules that a folder imports."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(ROOT)))
    local = OURS | {path.stem for path in (ROOT / "tests").glob("*.py")}
    return {
        name: file for name, file in found.items() if name not in sys.stdlib_module_names | local | PROVIDED
    }


def undeclared(folder: str, known: set[str]) -> dict[str, str]:
    by_module = packages_distributions()
    return {
        name: file
        for name, file in third_party(folder).items()
        if not known & {normalised(each) for each in by_module.get(name, [name])}
    }


def runtime() -> tuple[str, ...]:
    """The requirements of the program: of a Space, and of backends that are installed on request."""
    return tuple(path.name for path in ROOT.glob("requirements*.txt") if path.name != "requirements-dev.txt")


@pytest.mark.parametrize(
    ("folder", "files"), [("gansr", runtime()), ("tests", (*runtime(), "requirements-dev.txt"))]
)
def test_every_imported_package_is_declared(folder, files):
    assert undeclared(folder, declared(*files)) == {}


def test_an_undeclared_import_is_found(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "folder" / "a.py").write_text("import json\ndef f():\n    from yaml.nodes import Node\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert undeclared("folder", {"numpy"}) == {"yaml": str(Path("folder") / "a.py")}
    assert undeclared("folder", {"pyyaml", "yaml"}) == {}


def test_every_declared_package_has_a_tested_version():
    pinned = declared("constraints.txt")
    assert declared("requirements.txt", "requirements-dev.txt") <= pinned
