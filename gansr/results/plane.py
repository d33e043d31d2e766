"""Perception against distortion (Blau and Michaeli, "The Perception-Distortion Tradeoff", CVPR 2018): one dot a series.

    x  distortion: PSNR (higher is better) or RMSE (lower)    y  perception: LPIPS or NIQE (lower)

A dot has the 95 % intervals of its means, a colour for its LR-consistency and a size for its seconds. On the Pareto
front are the dots that no other dot is better than in one axis and at least as good as in the other. `points` is pure:
records → points; `svg` draws them. The page draws the same points itself (gansr/ui/results_page).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from gansr.metrics.lpips import LPIPS_ALEX, LPIPS_VGG
from gansr.metrics.niqe import NIQE
from gansr.metrics.psnr import PSNR_RGB, PSNR_Y
from gansr.results.means import Mean, Series, value_of
from gansr.results.records import Record, RecordError
from gansr.results.tables import Row, table

AXES = {
    metric.name: f"{metric.title} ({metric.unit})" if metric.unit else metric.title
    for metric in (PSNR_Y, PSNR_RGB, LPIPS_ALEX, LPIPS_VGG, NIQE)
} | {"rmse_y": "RMSE-Y"}
DISTORTION = ("psnr_y", "psnr_rgb", "rmse_y")
PERCEPTION = ("lpips_alex", "lpips_vgg", "niqe")
HIGHER = ("psnr_y", "psnr_rgb")  # axes on which more is better
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 460, 64, 150, 16, 48  # px
CLOSE, FAR = 50.0, 25.0  # dB of LR-consistency at the ends of the colours
COLOURS = ((194, 65, 12), (124, 111, 130), (29, 78, 216))  # far from the input … close to it


@dataclass(frozen=True)
class Point:
    """A dot: one series."""

    name: str
    series: Series
    x: Mean
    y: Mean
    consistency: Mean | None
    seconds: float
    on_front: bool
    pictures: tuple[tuple[str, float, float], ...]  # (picture, x, y)


@dataclass(frozen=True)
class Plane:
    title: str  # "Set5 ×4"
    x: str  # of DISTORTION
    y: str  # of PERCEPTION
    points: tuple[Point, ...]


def points(records: Iterable[Record], dataset: str, factor: int, x: str, y: str) -> Plane:
    """The dots of a dataset at a factor. Raises RecordError where the records have none."""
    found, title = [record for record in records if record.dataset == dataset], f"{dataset} ×{factor}"
    rows = [row for row in (table(dataset, found).rows if found else ()) if row.dataset == title]
    if plane := of_rows(title, rows, x, y):
        return plane
    raise RecordError(f"there are no records of {title} with {x} and {y}")


def of_rows(title: str, rows: Sequence[Row], x: str, y: str) -> Plane | None:
    """The dots of rows of one problem; None where none of them has both values."""
    drawn = [(row, row.mean(x), row.mean(y)) for row in rows]
    known = [(row, a, b) for row, a, b in drawn if a is not None and b is not None]
    if not known:
        return None
    front = pareto([(a.value, b.value) for _, a, b in known], x in HIGHER)
    made = [_point(row, a, b, index in front, x, y) for index, (row, a, b) in enumerate(known)]
    return Plane(title, x, y, tuple(made))


def pareto(values: Sequence[tuple[float, float]], x_higher: bool) -> set[int]:
    """The indices of the points that none dominates. y: lower is better; x: higher or lower."""
    sign = -1 if x_higher else 1
    cost = [(sign * x, y) for x, y in values]
    return {i for i, one in enumerate(cost) if not any(_dominates(other, one) for other in cost)}


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether `one` is at least as good in both and not the same."""
    return one != other and one[0] <= other[0] and one[1] <= other[1]


def _point(row: Row, a: Mean, b: Mean, on_front: bool, x: str, y: str) -> Point:
    assert row.series is not None
    each = [(record.picture, value_of(record, x), value_of(record, y)) for record in row.series.records]
    pictures = tuple((name, at, up) for name, at, up in each if at is not None and up is not None)
    seconds = row.series.mean("seconds")
    assert seconds is not None  # every record has them
    return Point(row.title, row.series, a, b, row.mean("consistency"), seconds.value, on_front, pictures)


# --------------------------------------------------------------------------------------------------- SVG


def radius(seconds: float) -> float:
    """px: 4 for nothing, 2.5 more for each tenfold above 0.1 s; at most 14."""
    return min(14.0, 4 + 2.5 * math.log10(1 + 10 * max(0.0, seconds)))


def colour(consistency: float | None) -> str:
    """ "rgb(…)": from orange (differs from the input) to blue (agrees with it); grey where it is not known."""
    if consistency is None:
        return "rgb(128,128,128)"
    at = 2 * min(1.0, max(0.0, (consistency - FAR) / (CLOSE - FAR)))
    low, high = (COLOURS[0], COLOURS[1]) if at < 1 else (COLOURS[1], COLOURS[2])
    share = at - (at >= 1)
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(low, high))
    return f"rgb({red},{green},{blue})"


def ticks(low: float, high: float) -> list[float]:
    """3 to 9 round numbers in low … high, low < high."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def limits(plane: Plane, per_picture: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ends of x and of y: the dots with their intervals, or all pictures, and a margin."""
    xs = [edge for p in plane.points for edge in _edges(p.x)]
    ys = [edge for p in plane.points for edge in _edges(p.y)]
    if per_picture:
        xs += [x for p in plane.points for _, x, _ in p.pictures]
        ys += [y for p in plane.points for _, _, y in p.pictures]
    return _wider(xs), _wider(ys)


def _edges(mean: Mean) -> tuple[float, float]:
    half = mean.interval or 0.0
    return mean.value - half, mean.value + half


def _wider(values: Sequence[float]) -> tuple[float, float]:
    margin = 0.06 * (max(values) - min(values)) or 0.5
    return min(values) - margin, max(values) + margin


class _Scale:
    """Values → px."""

    def __init__(self, ends: tuple[float, float], start: float, end: float):
        self.ends, self.start, self.end = ends, start, end

    def __call__(self, value: float) -> float:
        low, high = self.ends
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)


def svg(plane: Plane, per_picture: bool = False) -> str:
    """The plane as an SVG of its own: white ground, system fonts, nothing from outside. Down and, for PSNR, right is
    better."""
    across, up = limits(plane, per_picture)
    x, y = _Scale(across, LEFT, WIDTH - RIGHT), _Scale(up, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(plane.title)}: {escape(AXES[plane.x])}, {escape(AXES[plane.y])}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        *_grid(plane, x, y),
    ]
    on_front = sorted((p for p in plane.points if p.on_front), key=lambda p: p.x.value)
    line = " ".join(f"{x(p.x.value)},{y(p.y.value)}" for p in on_front)
    parts.append(
        f'<polyline class="front" points="{line}" fill="none" stroke="#444" stroke-dasharray="4 3"/>'
    )
    for point in plane.points:
        parts += _dots(point, x, y) if per_picture else []
    for point in plane.points:
        parts += _dot(point, x, y)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(plane: Plane, x: _Scale, y: _Scale) -> list[str]:
    parts: list[str] = []
    for value in ticks(*x.ends):
        at = x(value)
        parts.append(f'<line x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{at}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#444">{value:g}</text>'
        )
    for value in ticks(*y.ends):
        at = y(value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4}" text-anchor="end" fill="#444">{value:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    arrow = "→" if plane.x in HIGHER else "←"
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(AXES[plane.x])} {arrow} better</text>'
    )
    at = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text x="14" y="{at}" text-anchor="middle" transform="rotate(-90 14 {at})">'
        f"{escape(AXES[plane.y])} ← better</text>"
    )
    return parts


def _dots(point: Point, x: _Scale, y: _Scale) -> list[str]:
    fill = colour(point.consistency.value if point.consistency else None)
    return [
        f'<circle class="picture" cx="{x(a)}" cy="{y(b)}" r="2.5" fill="{fill}" fill-opacity="0.5">'
        f"<title>{escape(point.name)}, {escape(name)}</title></circle>"
        for name, a, b in point.pictures
    ]


def _dot(point: Point, x: _Scale, y: _Scale) -> list[str]:
    at, up = x(point.x.value), y(point.y.value)
    (left, right), (low, high) = _edges(point.x), _edges(point.y)
    size = radius(point.seconds)
    fill = colour(point.consistency.value if point.consistency else None)
    bars = f'<path d="M{x(left)} {up}H{x(right)}M{at} {y(low)}V{y(high)}" stroke="#888" fill="none"/>'
    dot = f'<circle class="mean" cx="{at}" cy="{up}" r="{size:.1f}" fill="{fill}" stroke="#fff"/>'
    return [bars, dot, f'<text x="{at + size + 4}" y="{up - 4}">{escape(point.name)}</text>']
