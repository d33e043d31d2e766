"""Several methods on one picture: what each gets, in which order they run, and how they compare.

A method that takes squares of a fixed side (those for faces do) sees another part of a photograph than one that
takes any picture. So where one of the chosen methods wants a square, all get the same one: the chosen face,
aligned as FFHQ is, or the middle of the picture, at the largest side that is wanted. A test with a known answer
shrinks it from 1024 px, and less for a method that needs more pixels. A person may let a method have the whole
picture after all (`Cut.whole`).

Methods run one after the other, cheap ones first; a failure stays in its own lane. The dear measures of every
result are taken once all results are there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from torch import Tensor

from gansr import faces, weights
from gansr.engine import Engine, Job, like_input
from gansr.method import Frame, InputError, Method
from gansr.metrics import METRICS
from gansr.ops.colour import to8bit
from gansr.ops.degrade import Degradation
from gansr.ops.resize import imresize
from gansr.options import OptionError, options_of, parse_options
from gansr.papers import METHODS
from gansr.picture import Picture, PictureError, read_text, to_png
from gansr.prepare import Prepared, Request, prepare
from gansr.serve import DETECTOR, TOLD, Frames, Order, Update, order, receipt, serve

LARGE = 1024  # px: the square that a test with a known answer shrinks
FACTORS = (4, 8, 16)  # of a test with a known answer, where no method wants a side of its own
CHEAP = len(list(itertools.takewhile(lambda metric: not metric.weights, METRICS)))

State = Literal["waiting", "running", "done", "error", "blocked"]
Remedy = Literal["", "middle", "whole", "shrink"]
REMEDIES: dict[Remedy, str] = {
    "middle": "Use the middle square",
    "whole": "Give it the whole picture",
    "shrink": "Shrink the picture for it",
}


@dataclass(frozen=True)
class Cut:
    """What a lane's method is given of the person's picture. Goes into the receipt."""

    side: int | None = None  # all get a square, `side` px small
    align: bool = True  # the square is the face, aligned; else the middle
    face: int = 0
    factor: int | None = None  # of the test with a known answer; None: the method's own
    whole: bool = False  # this method gets the picture as it is, whatever the others get
    pixels: int | None = None  # shrunk to at most so many pixels first


@dataclass
class Lane:
    """One method's part of a comparison: how it stands now. `update` holds the newest frame and readings."""

    order: Order
    cut: Cut
    source: Picture | None = None
    truth: Picture | None = None  # where the person has both pictures
    prepared: Prepared | None = None
    state: State = "waiting"
    text: str = ""
    remedy: Remedy = ""
    update: Update | None = None
    aligned: bool = False  # the picture is a face aligned as FFHQ is

    @property
    def method(self) -> Method:
        return self.order.method

    @property
    def frame(self) -> Frame | None:
        return self.update.frame if self.update else None

    def cost(self) -> float:
        """Floating-point operations, roughly."""
        assert self.prepared is not None
        height, width = self.prepared.low.shape[-2:]
        return self.method.cost(height, width, self.order.options).operations


# ----------------------------------------------------------------------------------- what each is given


def common_side(orders: Iterable[Order]) -> int | None:
    """The largest side that one of the methods wants, px; None where all take any picture."""
    wanted = [o.method.accepts.side(o.options) for o in orders if o.method.accepts.side]
    return max(wanted, default=None)


def wants_face(orders: Iterable[Order]) -> bool:
    return any(o.method.accepts.seeks_face(o.options) for o in orders)


def given(
    picture: Picture,
    cut: Cut,
    order: Order,
    detector: Callable[[], Any],
    squares: dict[Any, Picture] | None = None,
) -> Picture:
    """The picture that `prepare` gets for one method. `squares` remembers the common square. Raises TOLD."""
    whole = cut.whole or cut.side is None
    key, squares = (cut.side, cut.align, cut.face, order.request.task), {} if squares is None else squares
    if not whole and key not in squares:
        squares[key] = _square(picture, cut, order.request, detector)
    subject = picture if whole else squares[key]
    known, scale = order.request.task == "known answer", order.method.scale(order.method, order.options)
    if not whole and order.method.accepts.side is None:
        assert cut.side is not None
        edge = _enough(cut.side, order.method.accepts.min_side) * scale if known else cut.side
        return _resized(subject, (edge, edge))
    if known and cut.factor and whole and order.method.accepts.side is None:
        return _by_factor(subject, cut.factor, scale)
    if cut.pixels is not None:
        return _at_most(subject, cut.pixels * (scale**2 if known else 1))
    return subject


def _enough(side: int, least: int) -> int:
    """The common side; for a method that needs more, the next power of two: where the answer is known there are
    pixels enough."""
    return side if side >= least else 1 << (least - 1).bit_length()


def _square(picture: Picture, cut: Cut, request: Request, detector: Callable[[], Any]) -> Picture:
    """The common square, as large as it is there (1024 px where it is a face or a known answer)."""
    height, width = picture.rgb.shape[-2:]
    if (height, width) == (cut.side, cut.side) and request.task == "enlarge":
        return picture
    if cut.align:
        found = faces.detect(picture.rgb, detector())
        if not found:
            raise InputError(
                "no face was found: use a picture in which a face is larger and seen from the front"
            )
        if cut.face >= len(found):
            raise InputError(f"face {cut.face + 1} was asked for; {len(found)} were found")
        cut_out = faces.align(picture.rgb, found[cut.face].points, LARGE)
        note = f"face {cut.face + 1} of {len(found)}, aligned as FFHQ is, for every method"
        return replace(
            picture,
            rgb=cut_out.image,
            alpha=None,
            sha256="",
            notices=(*picture.notices, note, *cut_out.notices),
        )
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = picture.rgb[:, top : top + edge, left : left + edge]
    note = (f"the middle {edge}×{edge} px, for every method",) if height != width else ()
    square = replace(picture, rgb=middle, alpha=None, notices=(*picture.notices, *note), sha256="")
    return _resized(square, (LARGE, LARGE)) if request.task == "known answer" else square


def _by_factor(picture: Picture, factor: int, scale: int) -> Picture:
    """So large that the method's own factor makes of it what `factor` makes of the whole."""
    if scale > factor:
        return picture
    height, width = picture.rgb.shape[-2] // factor * scale, picture.rgb.shape[-1] // factor * scale
    return _resized(picture, (height, width)) if min(height, width) else picture


def _at_most(picture: Picture, pixels: int) -> Picture:
    height, width = picture.rgb.shape[-2:]
    share = (pixels / (height * width)) ** 0.5
    return picture if share >= 1 else _resized(picture, (int(height * share), int(width * share)))


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    if picture.rgb.shape[-2:] == size:
        return picture
    alpha = None if picture.alpha is None else imresize(picture.alpha, size).clamp(0, 1)
    note = f"shrunk to {size[1]}×{size[0]} px first" if size[0] < picture.rgb.shape[-2] else ""
    notices = (*picture.notices, note) if note else picture.notices
    rgb = to8bit(imresize(picture.rgb, size).clamp(0, 1))
    return replace(picture, rgb=rgb, alpha=alpha, notices=notices, sha256="")


# ------------------------------------------------------------------------------------------ the lanes


def lanes(
    picture: Picture,
    orders: Sequence[Order],
    engine: Engine,
    factor: int | None = None,
    remedied: Mapping[str, Remedy] | None = None,
) -> list[Lane]:
    """A lane for each order, checked: what a method cannot take is `blocked`, with the reason and the remedy.

    `remedied` names the remedies that were chosen, by method.
    """
    side, chosen = common_side(orders), dict(remedied or {})
    face = wants_face(orders) and all(o.request.align for o in orders) and "middle" not in chosen.values()
    made, squares = [], {}
    for one in orders:
        remedy = chosen.get(one.method.name, "")
        pixels = one.method.accepts.max_pixels if remedy == "shrink" else None
        cut = Cut(side, face, one.request.face, factor, remedy == "whole", pixels)
        made.append(_checked(Lane(one, cut), picture, engine, squares))
    return made


def _checked(lane: Lane, picture: Picture, engine: Engine, squares: dict[Any, Picture]) -> Lane:
    if lane.cut.side is not None and not lane.cut.whole:  # the common square is found once, here
        lane.order = replace(lane.order, request=replace(lane.order.request, align=False))
    try:
        _importable(lane.order)
        lane.source = given(picture, lane.cut, lane.order, lambda: engine.net(DETECTOR), squares)
        request = lane.order.request
        lane.prepared = prepare(
            lane.source, lane.method, lane.order.options, request, lambda: engine.net(DETECTOR)
        )
        one = lane.order
        job = Job(lane.method, lane.prepared.low, one.options, one.seed, one.precision)
        engine.check(job)
        lane.aligned = lane.prepared.quad is not None or (
            lane.cut.align and not lane.cut.whole and bool(lane.cut.side)
        )
        about = engine.seconds(job)
        lane.text = "waiting for its turn" + ("" if about is None else f", about {max(about, 1):.0f} s")
    except TOLD as error:
        lane.state, lane.text, lane.remedy = "blocked", str(error), _remedy(lane)
    return lane


def _remedy(lane: Lane) -> Remedy:
    if lane.source is None:
        return "middle" if lane.cut.align and lane.cut.side and not lane.cut.whole else ""
    if lane.prepared is None:
        return ""
    height, width = lane.prepared.low.shape[-2:]
    if height * width > lane.method.accepts.max_pixels and lane.method.accepts.side is None:
        return "shrink"
    if lane.cut.side and not lane.cut.whole and min(height, width) < lane.method.accepts.min_side:
        return "whole"
    return ""


def _importable(wanted: Order) -> None:
    """Raise WeightsError where the weights must first be brought by the person."""
    for name in wanted.method.needs(wanted.method, wanted.options).values():
        kinds = {source.kind for source in weights.entries()[name].sources}
        if kinds == {"yours"} and not weights.ready(name):
            raise weights.WeightsError(
                f"the weights {name} are not here: bring the authors' file with "
                f"`python -m gansr weights import`, or choose others"
            )


def run(made: Sequence[Lane], engine: Engine, frames: Frames) -> Iterator[Lane]:
    """Run every lane that is not blocked, cheap ones first; yields a lane whenever something in it is new.

    Closing the iterator stops the method that runs at its next step. Raises nothing of a method's own.
    """
    begun: list[tuple[Lane, Iterator[Update]]] = []
    try:
        for lane in sorted((one for one in made if one.state != "blocked"), key=Lane.cost):
            assert lane.source is not None
            begun.append((lane, serve(lane.source, lane.order, engine, frames, lane.truth)))
            yield from _advance(*begun[-1], lambda update: len(update.readings) >= CHEAP)
        for lane, updates in begun:
            if lane.state == "done":
                yield from _advance(lane, updates, lambda update: False)
    finally:
        for _, updates in begun:
            updates.close()  # type: ignore[attr-defined]  # serve is a generator


def _advance(lane: Lane, updates: Iterator[Update], enough: Callable[[Update], bool]) -> Iterator[Lane]:
    try:
        for update in updates:
            _take(lane, update)
            yield lane
            if enough(update):
                return
    except TOLD as error:
        lane.state, lane.text = "error", str(error)
        yield lane
    except Exception as error:
        logging.getLogger(__name__).exception("%s broke down", lane.method.name)
        lane.state, lane.text = "error", f"a fault of ours ({type(error).__name__}); the others go on"
        yield lane


def _take(lane: Lane, update: Update) -> None:
    if update.frame is None:
        lane.state, lane.text = "running", update.text
        return
    lane.update, lane.prepared = update, update.prepared
    frame = update.frame
    lane.state = "done" if update.finished else "running"
    if update.finished:
        height, width = frame.image.shape[-2:]
        before = "" if lane.prepared is None else "{1}×{0} → ".format(*lane.prepared.low.shape[-2:])
        lane.text = f"{before}{width}×{height} · {frame.computed:.1f} s"
    elif frame.step == 0:
        lane.text = "waiting for the device" if frame.waited > 0.5 else "starting"
    else:
        lane.text = f"step {frame.step} of {frame.steps} · {frame.computed:.1f} s"


# ------------------------------------------------------------------------------- what is laid beside them


def largest(made: Iterable[Lane]) -> Lane | None:
    """The lane with the largest result: its input and truth stand for all."""

    def pixels(lane: Lane) -> int:
        assert lane.prepared is not None
        scale = lane.method.scale(lane.method, lane.order.options)
        return lane.prepared.low[0].numel() * scale**2

    return max((lane for lane in made if lane.prepared is not None), key=pixels, default=None)


def bicubic(lane: Lane) -> Tensor:
    """The bicubic enlargement of a lane's input, (3,sH,sW) in [0,1]."""
    assert lane.prepared is not None
    scale = lane.method.scale(lane.method, lane.order.options)
    return like_input(imresize(lane.prepared.low, scale).clamp(0, 1), lane.prepared.grey)


# ------------------------------------------------------------------------------------------- receipts


def lane_receipt(lane: Lane, device: str) -> dict[str, Any]:
    """`serve.receipt`, and what was cut from the picture before."""
    assert lane.prepared is not None and lane.frame is not None
    return receipt(lane.order, lane.prepared, lane.frame, device) | {"cut": asdict(lane.cut)}


def lane_png(lane: Lane, device: str) -> bytes:
    """The result as a PNG with its receipt in the text chunk `gansr`."""
    assert lane.prepared is not None and lane.frame is not None
    image, recipe = lane.frame.image, json.dumps(lane_receipt(lane, device))
    alpha = lane.prepared.alpha_for(image)
    return to_png(image, alpha, grey=lane.prepared.grey, text={"gansr": recipe})


def read_receipt(source: Any) -> dict[str, Any]:
    """The receipt in a result's PNG. Raises PictureError where there is none."""
    text = read_text(source).get("gansr")
    if text is None:
        raise PictureError(
            "this PNG carries no receipt: it was not made here, or was saved anew by another program"
        )
    try:
        recipe = json.loads(text)
    except ValueError:
        raise PictureError("the receipt in this PNG is damaged") from None
    if not isinstance(recipe, dict) or not isinstance(recipe.get("method"), str):
        raise PictureError("the receipt in this PNG is not one that is understood here")
    return recipe


def order_of(recipe: Mapping[str, Any]) -> tuple[Order, Cut]:
    """Receipt → the order that it came from. Raises OptionError; what was read from files cannot be restored."""
    method = next((m for m in METHODS if m.name == recipe["method"]), None)
    if method is None:
        raise OptionError(f"the receipt names the method {str(recipe['method'])[:40]!r}, which is not here")
    known = options_of(method.options)
    options = _mapping(recipe.get("options"))
    values = {k: v for k, v in options.items() if k in known and known[k][0].read is None}
    asked, shrinking = _mapping(recipe.get("request")), {}
    shrinking = {k: v for k, v in _mapping(asked.get("degradation")).items() if k in options_of(Degradation)}
    task = "known answer" if asked.get("task") == "known answer" else "enlarge"
    face = asked.get("face") if isinstance(asked.get("face"), int) else 0
    request = Request(
        task, parse_options(Degradation, shrinking), asked.get("align") is not False, int(face or 0)
    )
    wanted = order(method, values, request, recipe.get("seed", 0), recipe.get("precision", "fast"))
    return wanted, _cut(_mapping(recipe.get("cut")))


def _cut(values: Mapping[str, Any]) -> Cut:
    def whole_number(name: str) -> int | None:
        value = values.get(name)
        return (
            value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 2**24 else None
        )

    face = values.get("face")
    return Cut(
        whole_number("side"),
        values.get("align") is not False,
        face if isinstance(face, int) and 0 <= face < 100 else 0,
        whole_number("factor"),
        values.get("whole") is True,
        whole_number("pixels"),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def input_hash(low: Tensor) -> str:
    """As `serve.receipt` writes it."""
    return hashlib.sha256(low.mul(65535).round().int().numpy().tobytes()).hexdigest()
