"""Tables of means, with the published figure beside ours and the protocol of every number.

`table` makes the table of a paper (srgan, kernelgan, glean, mganprior) or of a dataset of the records. A row without
records says why it is not measured here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gansr import papers
from gansr.metric import ARROWS
from gansr.metrics import METRICS
from gansr.results.means import Mean, Series, series_of
from gansr.results.protocol import MEASURED, protocol, shrunk_by
from gansr.results.published import PUBLISHED, Published, published
from gansr.results.records import BICUBIC, Record


class TableError(ValueError):
    """There is no such table. The text names those there are."""


@dataclass(frozen=True)
class Column:
    name: str  # of a metric, or "seconds"
    title: str
    unit: str
    better: str  # "higher" or "lower"
    digits: int


@dataclass(frozen=True)
class Row:
    """One method on one dataset."""

    title: str
    dataset: str  # "Set5 ×4"
    series: Series | None = None  # None where nothing is measured here
    published: Published | None = None
    reason: str = ""  # why nothing is measured here

    def mean(self, name: str) -> Mean | None:
        """Of a column."""
        return self.series.mean(name) if self.series is not None else None

    def told(self, name: str) -> float | None:
        """The published figure of a column."""
        return self.published.values.get(name) if self.published is not None else None


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...] = field(init=False)

    @property
    def has_gaps(self) -> bool:
        """Whether a row says why it is not measured here."""
        return any(row.reason for row in self.rows)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "columns", tuple(c for c in COLUMNS if any(_has(row, c) for row in self.rows))
        )


COLUMNS = (
    *(Column(m.name, m.title, m.unit, m.better, m.digits) for m in METRICS),
    Column("seconds", "Time", "s", "lower", 2),
)
NO_FACES = (
    "no set of faces may be published with this project; docs/faces.md has the means over faces of the user"
)
NOT_MEASURED: Mapping[str, tuple[tuple[str, str, str], ...]] = {  # table → (row, dataset, why)
    "srgan": (
        ("Bicubic, as the paper prints it", "Set5, Set14", "its published figures are not confirmed at the source"),
        ("Mean opinion score", "Set5, Set14", "it needs 26 raters"),
    ),
    "kernelgan": (("Other methods of the table", "DIV2KRK", "its published figures are not confirmed at the source"),),
    "glean": (
        ("Faces ×8, our own weights", "faces", NO_FACES),
    ),
    "mganprior": (
        ("Table 1, inversion", "LSUN, CelebA-HQ", "the paper's generators and pictures are not here"),
        ("Table 3, enlarging faces ×16", "CelebA-HQ", NO_FACES),
        ("Table 4, inpainting", "LSUN", "the paper's generators and pictures are not here"),
    ),
}  # fmt: skip
TITLES = {
    "srgan": "SRGAN, table 2: Set5 and Set14 ×4",
    "kernelgan": "KernelGAN: pictures of which the blur is not known",
    "glean": "GLEAN: faces and cats",
    "mganprior": "mGANprior, tables 1, 3 and 4",
}
NAMES = tuple(TITLES)


def table(name: str, records: Iterable[Record]) -> Table:
    """The table of a paper, or of a dataset that the records have. Raises TableError."""
    found = list(records)
    if name in TITLES:
        return Table(name, TITLES[name], tuple(_of_paper(name, found)))
    datasets = sorted({record.dataset for record in found})
    if name not in datasets:
        raise TableError(f"there is no table {name!r}; there are: {', '.join([*NAMES, *datasets])}")
    return Table(name, name, tuple(_of_dataset(record for record in found if record.dataset == name)))


def title_of(record: Record) -> str:
    """A method and its variant: "SRGAN (srresnet)"."""
    title = "Bicubic" if record.method == BICUBIC else papers.by_name(record.method).title
    return f"{title} ({record.variant})" if record.variant else title


def problem_of(record: Record) -> str:
    """The dataset with the factor, and the degradation where it is not bicubic: "Set5 ×4"."""
    usual = shrunk_by(record) == "MATLAB bicubic"
    return f"{record.dataset} ×{record.factor}" + ("" if usual else f", {shrunk_by(record)}")


# -------------------------------------------------------------------------------------------------- rows


def _has(row: Row, column: Column) -> bool:
    return row.mean(column.name) is not None or row.told(column.name) is not None


def _of_dataset(records: Iterable[Record]) -> list[Row]:
    """A row for each series; where two have one title, with what makes them differ."""
    found = series_of(records)
    titles = [(title_of(series.first), problem_of(series.first)) for series in found]
    rows: list[Row] = []
    for series, (title, dataset) in zip(found, titles):
        first = series.first
        if titles.count((title, dataset)) > 1:
            title += f" · {first.version} · {first.numerics['device']} · seed {first.seed}"
        rows.append(
            Row(title, dataset, series, published(first.method, first.variant, first.dataset, first.factor))
        )
    return rows


def _of_paper(name: str, records: Sequence[Record]) -> list[Row]:
    """Of each dataset the rows of bicubic and of the paper's method, the newest series of each; then what is published
    for other datasets, and what is not measured here."""
    rows: list[Row] = []
    for dataset in sorted({record.dataset for record in records if record.method == name}, key=_by_number):
        newest: dict[tuple[str, str], Row] = {}
        for row in _of_dataset(r for r in records if r.dataset == dataset and r.method in (BICUBIC, name)):
            assert row.series is not None
            other = newest.get(key := (title_of(row.series.first), row.dataset))
            if other is None or _rank(row) > _rank(other):
                newest[key] = row
        rows += [Row(title, *_rest(row)) for (title, _), row in newest.items()]
    shown = {id(row.published) for row in rows}
    for one in PUBLISHED:
        if one.method == name and id(one) not in shown:
            title = papers.by_name(name).title + (f" ({one.variant})" if one.variant else "")
            why = f"there are no records of {one.dataset} ×{one.factor}"
            rows.append(Row(title, f"{one.dataset} ×{one.factor}", None, one, why))
    return rows + [Row(title, dataset, reason=why) for title, dataset, why in NOT_MEASURED.get(name, ())]


def _rest(row: Row) -> tuple[str, Series | None, Published | None]:
    return row.dataset, row.series, row.published


def _rank(row: Row) -> tuple[int, str]:
    assert row.series is not None
    return (len(row.series.records), row.series.first.date)


def _by_number(dataset: str) -> tuple[str, int]:
    """Set5 before Set14."""
    letters = dataset.rstrip("0123456789")
    return (letters, int(dataset[len(letters) :] or 0))


# ----------------------------------------------------------------------------------------------- exports


def heading(column: Column) -> str:
    """ "PSNR-Y (dB) ↑"."""
    return f"{column.title} {unit_of(column)}".strip()


def unit_of(column: Column) -> str:
    """What stands behind the title: "(dB) ↑"."""
    unit = f"({column.unit}) " if column.unit else ""
    return f"{unit}{ARROWS[column.better]}".strip()


def written(row: Row, column: Column) -> tuple[str, str, str]:
    """The mean, its interval and the published figure, each empty where there is none."""
    mean, told = row.mean(column.name), row.told(column.name)
    half = mean.interval if mean is not None else None
    return (
        "" if mean is None else f"{mean.value:.{column.digits}f}",
        "" if half is None else f"{half:.{column.digits}f}",
        "" if told is None else f"{told:.{column.digits}f}",
    )


def headings(made: Table) -> list[str]:
    """Of all columns, the first and the last ones too."""
    gaps = ["Not measured here, because"] * made.has_gaps
    return ["Method", "Pictures", "n", *map(heading, made.columns), *gaps]


def cells(made: Table, row: Row) -> list[str]:
    """A row as texts, below `headings`: "29.19 ± 2.66 (published 29.40)", or a dash."""
    values = [_cell(written(row, column)) for column in made.columns]
    return [row.title, row.dataset, _count(row), *values, *[row.reason] * made.has_gaps]


def markdown(made: Table) -> str:
    """A Markdown table; below it the protocol of each row, and the source of each published figure."""
    heads, lines = headings(made), [f"**{made.title}**", ""]
    lines.append("| " + " | ".join(heads) + " |")
    lines.append("|---|---|---:|" + "---:|" * len(made.columns) + "---|" * made.has_gaps)
    lines += ["| " + " | ".join(cells(made, row)) + " |" for row in made.rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(made))]) + "\n"


def notes(made: Table) -> list[str]:
    """The protocol in sentences: of the metrics, of each row, of what is published; and why something is missing."""
    found = [f"{column.title}: {MEASURED[column.name]}." for column in made.columns]
    for row in made.rows:
        where = f"{row.title}, {row.dataset}"
        if row.series is not None:
            found.append(f"{where}: " + "; ".join(f"{k}: {text}" for k, text in protocol(row.series)) + ".")
        else:
            found.append(f"{where}: not measured here, because {row.reason}.")
        if row.published is not None:
            one = row.published
            found.append(f"{where}, published: {one.source}. Protocol: {one.protocol}.")
    return found


def comma_separated(made: Table) -> str:
    """CSV, a line for each row, full precision; missing values are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [f"{c.name}{suffix}" for c in made.columns for suffix in ("", "_interval95", "_published")]
    keys = (
        "n",
        "shrunk_by",
        "weights",
        "seed",
        "device",
        "torch",
        "version",
        "date",
        "verification",
        "not_measured",
    )
    writer.writerow(["method", "pictures", *names, *keys])
    for row in made.rows:
        told = dict(protocol(row.series)) if row.series is not None else {}
        cells: list[float | str] = []
        for column in made.columns:
            mean, other = row.mean(column.name), row.told(column.name)
            half = mean.interval if mean is not None else None
            cells += ["" if value is None else value for value in (mean and mean.value, half, other)]
        fields = (
            "Pictures",
            "Shrunk by",
            "Weights",
            "Seed",
            "Device",
            "Torch",
            "Version",
            "Date",
            "Verification",
        )
        writer.writerow(
            [row.title, row.dataset, *cells, *(told.get(name, "") for name in fields), row.reason]
        )
    return out.getvalue()


def latex(made: Table) -> str:
    """A LaTeX table in the style of booktabs; the protocol stands in comments below it."""
    shown = made.columns
    lines = [rf"\begin{{tabular}}{{llr{'r' * len(shown)}{'l' * made.has_gaps}}}", r"\toprule"]
    heads = ["Method", "Pictures", "$n$"]
    for column in shown:
        unit = f" ({column.unit})" if column.unit else ""
        arrow = {"higher": r" $\uparrow$", "lower": r" $\downarrow$"}.get(column.better, "")
        heads.append(_tex(column.title + unit) + arrow)
    heads += ["Not measured here, because"] * made.has_gaps
    lines += [" & ".join(heads) + r" \\", r"\midrule"]
    for row in made.rows:
        values = [_tex_cell(written(row, column)) for column in shown]
        first, last = (
            [_tex(row.title), _tex(row.dataset), _tex(_count(row))],
            [_tex(row.reason)] * made.has_gaps,
        )
        lines.append(" & ".join([*first, *values, *last]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {note}" for note in notes(made))]
    return "\n".join(lines) + "\n"


FORMATS: Mapping[str, Callable[[Table], str]] = {"md": markdown, "csv": comma_separated, "tex": latex}


def _count(row: Row) -> str:
    return str(len(row.series.records)) if row.series is not None else "–"


def _cell(texts: tuple[str, str, str]) -> str:
    mean, half, told = texts
    ours = f"{mean} ± {half}" if half else mean or "–"
    return f"{ours} (published {told})" if told else ours


def _tex_cell(texts: tuple[str, str, str]) -> str:
    mean, half, told = texts
    ours = rf"${mean} \pm {half}$" if half else f"${mean}$" if mean else "--"
    return f"{ours} ({told})" if told else ours


def _tex(text: str) -> str:
    """Text with LaTeX's special signs escaped."""
    special = {"\\": r"\textbackslash{}", "×": r"$\times$", "·": r"$\cdot$", "°": r"$^\circ$", "–": "--",
               "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}  # fmt: skip
    escaped = {sign: f"\\{sign}" for sign in "&%$#_{}"}
    return "".join((special | escaped).get(sign, sign) for sign in text)
