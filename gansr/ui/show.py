"""Frames, readings and views → HTML. Every text that is not ours is escaped; no request leaves the page."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from gansr.engine import MetricResult
from gansr.method import Curve, Frame, Heat, Method, View
from gansr.ops.resize import imresize
from gansr.picture import to_png

PREVIEW = 512  # longest side of a live picture, px
ARROWS = {"higher": "↑", "lower": "↓"}
SEQUENTIAL = ((0.0, 0.0, 0.02), (0.32, 0.07, 0.48), (0.85, 0.28, 0.28), (0.99, 0.68, 0.22), (0.99, 1.0, 0.75))
DIVERGING = ((0.13, 0.4, 0.67), (0.57, 0.77, 0.87), (0.97, 0.97, 0.97), (0.96, 0.65, 0.51), (0.7, 0.09, 0.17))


def preview(image: Tensor, side: int = PREVIEW) -> Tensor:
    """(3,H,W) in [0,1], made no larger than `side`; small pictures stay as they are."""
    height, width = image.shape[-2:]
    if max(height, width) <= side:
        return image
    factor = side / max(height, width)
    return imresize(image, (max(1, round(height * factor)), max(1, round(width * factor)))).clamp(0, 1)


def data_uri(image: Tensor) -> str:
    return "data:image/png;base64," + base64.b64encode(to_png(image)).decode()


def status(method: Method, frame: Frame, notices: Iterable[str] = (), *, done: bool = False) -> str:
    """One line: how far, how long it waited and computed, and what the person must be told."""
    if done:
        head = "Done"
    elif frame.step == 0:
        head = "Waiting for the device" if frame.waited > 0.5 else "Bicubic first; computing"
    else:
        head = f"Step {frame.step} of {frame.steps}"
    waited, computed = frame.waited, frame.computed
    share = 100 * frame.step / max(frame.steps, 1)
    readings = " · ".join(f"{escape(k)} {_number(v)}" for k, v in frame.readings.items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*notices, *frame.notices))
    return (
        f'<div class="status" role="status" aria-live="polite"><b>{escape(method.title)} · {head}</b>'
        f'<span class="took">waited {waited:.1f} s · computed {computed:.1f} s</span>'
        f'<div class="bar"><i style="width:{share:.0f}%"></i></div>'
        f"<div class='readings'>{readings}</div><ul>{notes}</ul></div>"
    )


def message(text: str) -> str:
    return f'<div class="status" role="status" aria-live="polite"><b>{escape(text)}</b></div>'


def caution(method: Method) -> str:
    """What the person must know of any result, standing where the result is."""
    return (
        f'<p class="caution">Detail that the small picture does not hold is <b>invented</b> by the method; '
        f"LR-consistency below tells how well the result agrees with what was given. "
        f"{escape(method.caution)} <span>Licence: {escape(method.paper.licence)}</span></p>"
    )


def readings(rows: Sequence[MetricResult], baseline: Mapping[str, float] | None = None) -> str:
    """The measurements as a table: value, unit, which way is better, bicubic beside it, and what it means.
    What could not be measured stands below, once a reason."""
    if not rows:
        return ""
    cells = "".join(_row(row, baseline or {}) for row in rows if row.value is not None)
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.value is None:
            reasons.setdefault(row.reason, []).append(row.metric.title)
    missing = "".join(f"<li>{escape(', '.join(names))}: {escape(why)}</li>" for why, names in reasons.items())
    return (
        '<table class="measures"><thead><tr><th scope="col">Measure</th><th scope="col">Result</th>'
        f'<th scope="col">Bicubic</th></tr></thead><tbody>{cells}</tbody></table>'
        + (f'<div class="unmeasured">Not measured:<ul>{missing}</ul></div>' if missing else "")
    )


def brief(rows: Sequence[MetricResult]) -> str:
    """What was measured, in one line."""
    said = (
        f"{r.metric.title} {_value(r.value, r.metric.digits)} {r.metric.unit}"
        for r in rows
        if r.value is not None
    )
    return " · ".join(text.strip() for text in said)


def _row(row: MetricResult, baseline: Mapping[str, float]) -> str:
    metric, other = row.metric, baseline.get(row.metric.name)
    assert row.value is not None
    name = f'{escape(metric.title)} <abbr title="{metric.better} is better">{ARROWS[metric.better]}</abbr>'
    against = "" if other is None else f"{_value(other, metric.digits)} {escape(metric.unit)}"
    wins = other is None or (row.value >= other if metric.better == "higher" else row.value <= other)
    value = f"{_value(row.value, metric.digits)} {escape(metric.unit)}"
    return (
        f'<tr><th scope="row">{name}<small>{escape(metric.explain)}</small></th>'
        f"<td>{f'<b>{value}</b>' if wins else value}</td><td>{against if wins else f'<b>{against}</b>'}</td></tr>"
    )


def _value(value: float, digits: int) -> str:
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def views(items: Mapping[str, View]) -> str:
    """Pictures, maps and curves beside the result, each a figure with its caption."""
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
    """A map of numbers with its scale below."""
    values = heat.values.float()
    least = float(values.min()) if heat.min is None else heat.min
    most = float(values.max()) if heat.max is None else heat.max
    if heat.signed:
        most = max(abs(least), abs(most))
        least = -most
    colours = coloured((values - least) / max(most - least, 1e-12), DIVERGING if heat.signed else SEQUENTIAL)
    if not heat.cells:
        colours = preview(colours, 320)
    ramp = coloured(torch.linspace(0, 1, 64)[None], DIVERGING if heat.signed else SEQUENTIAL)
    unit = f" {escape(heat.unit)}" if heat.unit else ""
    pixels = ' class="pixels"' if heat.cells or max(values.shape) <= 96 else ""
    return (
        f'<img{pixels} alt="" src="{data_uri(colours)}"><div class="scale"><span>{_number(least)}</span>'
        f'<img alt="" src="{data_uri(ramp)}"><span>{_number(most)}{unit}</span></div>'
    )


def coloured(values: Tensor, stops: Sequence[tuple[float, float, float]] = SEQUENTIAL) -> Tensor:
    """(H,W) in [0,1] → (3,H,W), linear between the stops."""
    table = torch.tensor(stops).T  # (3, stops)
    position = values.nan_to_num().clamp(0, 1) * (len(stops) - 1)
    below = position.floor().long().clamp(max=len(stops) - 2)
    return torch.lerp(table[:, below], table[:, below + 1], (position - below)[None])


def curve_svg(curve: Curve, width: int = 320, height: int = 180) -> str:
    """Lines over the steps as SVG, at most 160 points each, with the last values in the legend."""
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
