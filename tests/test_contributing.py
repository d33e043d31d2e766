"""CONTRIBUTING.md's example works: its files, added to a copy of the project, give a paper that is found everywhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gansr.picture import open_picture
from gansr.receipt import read
from tests.conftest import ROOT

# `path`, words, a blank line, and a code block
FILE = re.compile(r"^`([\w./]+)`[^\n]*\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRY = re.compile(r"^### 8\. Try it\n\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = ROOT / "assets" / "examples" / "chelsea-small-x4.png"

# The page serves, and the client asks Toy's API; prints what they found as JSON.
ASK = f"""
import json, warnings
from gansr.ui.page import LAUNCH, build
page = build()
tabs = [block.id for block in page.blocks.values() if type(block).__name__ == "Tab"]
_, url, _ = page.launch(**{{**LAUNCH, "prevent_thread_lock": True, "quiet": True}})
warnings.simplefilter("ignore")
from gradio_client import Client, handle_file
client = Client(url, verbose=False)
path, report = client.predict(picture=handle_file({str(PICTURE)!r}), strength=0.5, api_name="/toy")
print(json.dumps({{"tabs": tabs, "path": path, "report": report}}))
page.close(verbose=False)
"""


def documented() -> dict[str, str]:
    """Path → content of every file in CONTRIBUTING.md's example."""
    return dict(FILE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))


def tried() -> list[list[str]]:
    """The commands of "Try it", in words, without the interpreter."""
    found = TRY.search((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert found is not None
    lines = [shlex.split(line) for line in found[1].splitlines()]
    assert all(line[0] == ".venv/bin/python" for line in lines)
    return [line[1:] for line in lines]


class Project:
    """A copy of the project with the example added."""

    def __init__(self, folder: Path):
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.environment = environment | {"GANSR_CACHE": str(folder / "cache"), "GANSR_COMPILE": "0"}

    def python(self, *words: str) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    for name in ("gansr", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "goldens"))
    for name in ("assets", "app.py", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    files = documented()
    entries = json.loads((ROOT / "weights_manifest.json").read_text()) | json.loads(
        files.pop("weights_manifest.json")
    )
    (folder / "weights_manifest.json").write_text(json.dumps(entries))
    papers = folder / "gansr" / "papers" / "__init__.py"
    papers.write_text(with_the_line(papers.read_text(), files.pop("gansr/papers/__init__.py")))
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    made = Project(folder)
    for command in tried():
        if command[0] == "-c" or command[2] == "weights":
            made.python(*command)
    yield made


def with_the_line(source: str, block: str) -> str:
    """`gansr/papers/__init__.py` with the documented import and tuple; no other method may be lost by it."""
    (before,) = re.findall(r"^METHODS.*$", source, re.MULTILINE)
    (after,) = re.findall(r"^METHODS.*$", block, re.MULTILINE)
    assert after.replace(", TOY)", ")") == before, "CONTRIBUTING.md shows another METHODS than there is"
    return source.replace(before, block.strip())


def test_the_example_is_complete():
    assert {name.rpartition("/")[2] for name in documented()} == {
        "network.py", "__init__.py", "convert.py", "weights_manifest.json", "bench.py", "test_toy.py"
    }  # fmt: skip
    assert {"gansr/papers/toy/__init__.py", "gansr/papers/__init__.py"} <= set(documented())


def test_the_files_keep_the_style(project: Project):
    pytest.importorskip("ruff")
    python = [name for name in documented() if name.endswith(".py") and "toy" in name]
    project.python("-m", "ruff", "format", "--check", *python)
    project.python("-m", "ruff", "check", *python)


def test_every_command_that_is_shown_runs(project: Project):
    shown = [words for words in tried() if words[1] == "gansr" and words[2] != "weights"]
    said = {words[2]: project.python(*words) for words in shown}
    assert set(said) == {"toy", "replay", "compare", "bench"}
    assert "identical: every file of the result is the same" in said["replay"]
    assert said["bench"].split()[:3] == ["speed", "toy", "seconds"]
    low, result = open_picture(PICTURE).rgb, open_picture(project.folder / "toy.png").rgb
    assert result.shape[1:] == (2 * low.shape[1], 2 * low.shape[2])
    assert read(project.folder / "toy.png")["request"]["strength"] == 1.5
    assert "Toy" in (project.folder / "toy" / "table.md").read_text()
    assert (project.folder / "toy" / "toy.png").is_file()


def test_the_import_and_the_pin_are_in_the_manifest(project: Project):
    entry = json.loads((project.folder / "weights_manifest.json").read_text())["toy-gain"]
    assert entry["bytes"] > 0
    assert [path.name for path in (project.folder / "cache").glob("toy-gain-*")] == [
        f"toy-gain-{entry['sha256'][:16]}.safetensors"
    ]


def test_the_page_has_its_tab_and_the_api_its_name(project: Project):
    found = json.loads(project.python("-c", ASK).splitlines()[-1])
    assert "toy" in found["tabs"]
    assert found["report"]["receipt"]["request"]["strength"] == 0.5
    assert read(found["path"])["method"] == "toy"


def test_the_contract_layout_and_own_tests_pass(project: Project):
    (words,) = [words for words in tried() if words[1] == "pytest"]
    said = project.python(*words, "-vv", "-p", "no:cacheprovider")
    for where in (r"papers/test_contract\.py::\w+\[toy\]", r"papers/toy/test_toy\.py", r"test_layout\.py"):
        assert re.search(rf"^tests/{where}.* PASSED", said, re.MULTILINE), said
