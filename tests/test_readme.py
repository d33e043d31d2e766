"""README.md and CONTRIBUTING.md name what is there: commands, files, papers, modules."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import Any

import pytest

from gansr import __main__, papers
from gansr.papers.srgan import LOSSES
from gansr.results import records, tables
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m gansr (.*)$", README, re.MULTILINE)
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "assets/models/README.md",
    "assets/examples/README.md",
    "docs/cluster.md",
    "docs/faces.md",
    "docs/measured.md",
    "docs/directions.md",
    "docs/results.md",
    "docs/papers.md",
    "docs/rating.md",
    "docs/scale.md",
)


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line parses its arguments and runs nothing."""
    parse = argparse.ArgumentParser.parse_args

    def parsed(self: argparse.ArgumentParser, *arguments: Any) -> argparse.Namespace:
        found = parse(self, *arguments)
        found.handler = lambda _: 0
        return found

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_flags_that_are_shown(command: str, parse_only: None):
    assert __main__.main(shlex.split(command, comments=True)) == 0


def test_commands_of_every_kind_are_shown():
    assert {command.split()[0] for command in COMMANDS} >= {
        "srgan",
        "compare",
        "replay",
        "weights",
        "train",
        "results",
        "bench",
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_linked_files_exist(document: str):
    path = ROOT / document
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]


def test_the_table_of_papers_has_every_paper():
    table = README.partition("| paper |")[2].partition("\n\n")[0]
    for method in papers.METHODS:
        assert f"]({method.paper.link}" in table and str(method.paper.year) in table


def test_the_table_of_modules_has_every_module():
    table = README.partition("| module |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)(?:\.py|/)`", table))
    there = {path.stem for path in (ROOT / "gansr").iterdir() if not path.name.startswith("__pycache__")}
    assert named == there - {"__init__", "version"}


def test_the_bench_of_every_paper_is_named():
    text = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")
    for method in papers.METHODS:
        assert not method.bench or f"`bench {method.name}" in text


def table_of_readme(head: str) -> list[list[str]]:
    """The cells below the line that begins with `head`, by line."""
    lines = README.partition(f"| {head}")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def means(name: str, dataset: str, pictures: int) -> dict[str, dict[str, float]]:
    """Method → metric → mean, of a table of results/."""
    found = dict[str, dict[str, float]]()
    made = tables.table(name, records.read_folder(ROOT / "results"))
    for row in made.rows:
        if row.series is not None and row.dataset == dataset:
            assert len(row.series.records) == pictures, row.title
            values = {column.name: row.mean(column.name) for column in made.columns}
            found[row.title] = {key: mean.value for key, mean in values.items() if mean is not None}
    return found


@pytest.mark.parametrize(("dataset", "pictures"), [("Set5", 5), ("Set14", 14)])
def test_the_quality_on_benchmark_pictures_is_that_of_the_records(dataset: str, pictures: int):
    found = means(dataset, f"{dataset} ×4", pictures)
    cells = next(cells for title, *cells in table_of_readme("| bicubic |") if title == f"{dataset} ×4")
    columns = ("Bicubic", "SRGAN (srresnet)", "SRGAN (srgan)", "KernelGAN + ZSSR", "ESRGAN")
    for title, cell in zip(columns, cells, strict=True):
        psnr, ssim = found[title]["psnr_y"], found[title]["ssim_y"]
        assert cell == f"{psnr:.2f} / {ssim:.3f}".replace(" 0.", " ."), title


@pytest.mark.parametrize(("dataset", "pictures"), [("Set5", 5), ("Set14", 14)])
def test_the_table_of_the_content_losses_is_that_of_the_records(dataset: str, pictures: int):
    found = means(dataset, f"{dataset} ×4", pictures)
    text = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")
    table = text.partition(f"| {dataset} ×4 | PSNR-Y")[2].partition("\n\n")[0].splitlines()[2:]
    lines = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table]
    names = {"bicubic": "Bicubic"} | {title: f"SRGAN ({model})" for model, (title, _) in LOSSES.items()}
    assert [title for title, *_ in lines] == list(names)
    for title, *cells in lines:
        mean = found[names[title]]
        wanted = (("psnr_y", 2), ("ssim_y", 3), ("lpips_vgg", 3), ("lpips_alex", 3), ("niqe", 2))
        assert cells == [f"{mean[name]:.{digits}f}" for name, digits in wanted], title


def test_the_quality_on_faces_is_that_of_the_records():
    found = means("gallery", "gallery ×8", 6)
    lines = table_of_readme("six faces")
    assert len(lines) == len(found) == 6
    for title, *cells in lines:
        mean = next(mean for name, mean in found.items() if name.lower().startswith(title.lower()))
        expected = (("psnr_y", 2), ("consistency", 1), ("lpips_alex", 3), ("identity", 2))
        assert cells == [f"{mean[name]:.{digits}f}" for name, digits in expected], title


def test_files_that_the_security_page_names_are_there():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|") and "`" in line]
    rows = [row[2:] for row in cells if len(row) == 4]
    assert len(rows) > 20
    for where, test in rows:
        folder = ""
        for name in re.findall(r"`([\w/.]+(?:\.py|/))`", where):
            folder = name.rpartition("/")[0] if "/" in name else folder
            assert any((ROOT / "gansr" / each).exists() for each in (name, f"{folder}/{name}")), name
        folder = ""
        for name in re.findall(r"`([\w/.]+(?:\.py|/))`", test):
            folder = name.rpartition("/")[0] if "/" in name else folder or "tests/ui/middleware"
            assert any((ROOT / each).exists() for each in (name, f"{folder}/{name}")), name


def test_make_attack_runs_every_attack():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    programs = {
        path.stem
        for path in (ROOT / "tests" / "attack").glob("*.py")
        if path.read_text(encoding="utf-8").endswith("(main())\n")
    }
    listed = makefile.partition("ATTACKS = ")[2].partition("\n\n")[0]
    assert programs and programs == set(re.findall(r"[a-z]+[a-z0-9_]*", re.sub(r"--\w+ \d+", "", listed)))
