"""The static site: its files, and that nothing comes from outside."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gansr.gallery import COMPARED
from gansr.results import records, site
from tests.support.results_data import small_set


def test_the_files_are_there_and_every_link_leads_to_one(tmp_path: Path):
    written = site.write(tmp_path, small_set())
    page = (tmp_path / "index.html").read_text("utf-8")
    links = re.findall(r'(?:href|src)="([^"#]+)"', page)
    assert len(links) > 10
    assert [link for link in links if tmp_path / link not in written] == []
    assert records.read(tmp_path / "records.jsonl") == small_set()
    assert (tmp_path / "planes" / "Set5-x4.svg").read_text("utf-8").startswith("<svg")
    for name in ("srgan", "kernelgan", "glean", "mganprior", "Set5"):
        for suffix in ("md", "csv", "tex"):
            assert (tmp_path / "tables" / f"{name}.{suffix}").stat().st_size > 100


def test_nothing_comes_from_outside_and_no_machine_path_is_inside(tmp_path: Path):
    for path in site.write(tmp_path, small_set()):
        if path.suffix == ".webp":
            continue
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text, path.name
        assert str(tmp_path) not in text and str(Path.home()) not in text, path.name


def test_the_finished_comparisons_are_shown_with_their_pictures(tmp_path: Path):
    written = site.write(tmp_path, small_set())
    page = (tmp_path / "index.html").read_text("utf-8")
    for example in COMPARED:
        assert f"<h3>{example.title}</h3>" in page
        assert tmp_path / "gallery" / f"{example.name}-truth.webp" in written


def test_the_data_is_what_the_page_gets(tmp_path: Path):
    site.write(tmp_path, small_set())
    text = (tmp_path / "data.js").read_text("utf-8")
    data = json.loads(text.removeprefix("const RESULTS = ").removesuffix(";\n"))
    assert [problem["title"] for problem in data["problems"]] == ["Set5 ×4"]


def test_what_else_is_in_the_folder_stays(tmp_path: Path):
    (tmp_path / "gallery.html").write_text("mine")
    site.write(tmp_path, small_set())
    assert (tmp_path / "gallery.html").read_text() == "mine"


def test_the_tables_of_the_papers_say_what_is_missing(tmp_path: Path):
    site.write(tmp_path, small_set())
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "no set of faces may be published with this project" in page
    assert "29.50 ± 6.35 (published 29.40)" in page
