"""Every package that the code imports is declared, and locked: an exact version, and the hashes of its files."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.markers import Marker

from tests.conftest import ROOT, missing

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


# ------------------------------------------------------------------------------------------- lock files

LOCKS = ("run", "dev", "ray", "torch", "torch-cpu")


def locked(name: str) -> dict[str, tuple[str, ...]]:
    """ "package==version ; marker" → the hashes, of all packages of a lock file. Fails for any other line."""
    found = {}
    text = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        assert re.fullmatch(r"[a-z0-9-]+==[\w.+]+( ; .+)?", requirement), line
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement
        found[requirement] = tuple(hashes)
    return found


def versions(requirements: Iterable[str]) -> dict[str, set[str]]:
    """Package → its versions."""
    found: dict[str, set[str]] = {}
    for requirement in requirements:
        package, version = requirement.partition(";")[0].strip().split("==")
        found.setdefault(normalised(package.partition("[")[0]), set()).add(version)
    return found


def exact(file: str) -> list[str]:
    """The lines "package==version" of a requirements file."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [line for line in lines if "==" in line]


def test_every_line_of_the_lock_files_has_a_version_and_hashes():
    for name in LOCKS:
        assert locked(name), name


@pytest.mark.parametrize(
    ("file", "lock"),
    [("requirements.txt", "run"), ("requirements-dev.txt", "dev"), ("requirements-ray.txt", "ray")],
)
def test_the_lock_has_the_versions_that_the_requirements_name(file, lock):
    wanted, there = versions(exact(file)), versions(locked(lock))
    assert {package: there.get(package) for package in wanted} == wanted
    assert declared(file) - {"torch"} == set(wanted), "every requirement but torch has an exact version"


def test_a_package_in_two_lock_files_has_the_same_version_in_both():
    known = versions(locked("run"))
    for name in ("dev", "torch", "torch-cpu", "ray"):  # the tests install all of them together
        other = versions(locked(name))
        assert {p: v for p, v in other.items() if p in known} == {p: known[p] for p in other if p in known}, (
            name
        )
        known |= other if name == "dev" else {}
    assert versions(locked("torch-cpu"))["torch"] == {
        version + "+cpu" for version in versions(locked("torch"))["torch"]
    }


@pytest.mark.parametrize("python", ["3.10.13", "3.11.9", "3.12.12"])  # ZeroGPU's, and between them
def test_the_lock_has_one_version_of_every_package_for_each_python_of_a_space(python):
    """uv resolved it for all of them (`make lock`); here the markers are evaluated as pip does on a Space."""
    here = {
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "python_full_version": python,
    }

    def applies(marker: str) -> bool:
        return Marker(marker).evaluate(here)

    for lock in ("run", "torch"):
        found = [line.partition(" ; ")[::2] for line in locked(lock)]
        there = [requirement for requirement, marker in found if not marker or applies(marker)]
        packages = [requirement.partition("==")[0] for requirement in there]
        assert len(packages) == len(set(packages)), lock
        needed = {"torch"} if lock == "torch" else declared("requirements.txt") - {"torch"}
        assert needed <= set(packages)


@pytest.mark.parametrize(("python", "torch"), [("3.10.13", "2.8.0"), ("3.12.12", "2.13.0")])
def test_the_requirements_resolve_on_each_python_of_zerogpu_beside_what_a_space_adds(tmp_path, python, torch):
    """The oldest and the newest torch of ZeroGPU; a Space installs these extras of gradio, and spaces, besides."""
    gradio = next(line for line in exact("requirements.txt") if line.startswith("gradio=="))
    added = [gradio.replace("gradio", "gradio[oauth,mcp]"), "spaces", f"torch=={torch}"]
    (tmp_path / "added.in").write_text("\n".join(added) + "\n")
    words = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--only-binary", ":all:", "--no-header"]
    words += ["--python-version", python, "--python-platform", "x86_64-manylinux_2_28", "--no-annotate"]
    words += [str(ROOT / "requirements.txt"), str(tmp_path / "added.in")]
    found = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    if found.returncode and re.search(r"[Ff]ailed to fetch|error sending request|dns error", found.stderr):
        missing("there is no package index here")
    assert found.returncode == 0, found.stderr
    there = versions(line for line in found.stdout.splitlines() if "==" in line)
    assert there["torch"] == {torch} and "spaces" in there
    wanted = [line for line in exact("requirements.txt") if applies_on(line, python)]
    assert {package: there[package] for package in versions(wanted)} == versions(wanted)


def applies_on(line: str, python: str) -> bool:
    """Whether a line of requirements counts on a Python of a Space."""
    short = python.rpartition(".")[0]
    marker = line.partition(";")[2].strip()
    return not marker or Marker(marker).evaluate({"python_version": short, "python_full_version": python})


def wheel(folder: Path, content: str) -> str:
    """Put the wheel of a package "tiny" into `folder` → its sha256."""
    info = "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = {
        "tiny.py": content,
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": info,
        "tiny-1.0.dist-info/RECORD": "",
    }
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(zipfile.ZipInfo(name), text)  # a fixed date: equal content, equal hash
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_that_was_swapped_is_not_installed(tmp_path):
    """As `make run` installs, from a folder instead of an index."""
    makefile = (ROOT / "Makefile").read_text()
    flags = re.search(r"^INSTALL = \$\(BIN\)/pip (.+)$", makefile, re.MULTILINE)
    assert flags is not None and makefile.count("pip install") == 1, "no other way in"
    lock, target = tmp_path / "lock.txt", tmp_path / "installed"
    lock.write_text(f"tiny==1.0 --hash=sha256:{wheel(tmp_path, 'ours = 1')}\n")
    words = [sys.executable, "-m", "pip", *flags[1].split(), "--no-index", "--disable-pip-version-check"]
    words += ["--find-links", str(tmp_path), "--target", str(target), "-r", str(lock)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}

    def install() -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, env=environment, check=False)

    wheel(tmp_path, "swapped = 1")
    refused = install()
    assert refused.returncode == 1 and "DO NOT MATCH THE HASHES" in refused.stderr
    assert not (target / "tiny.py").exists()
    wheel(tmp_path, "ours = 1")
    assert install().returncode == 0 and (target / "tiny.py").read_text() == "ours = 1"
