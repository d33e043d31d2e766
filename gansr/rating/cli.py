"""python -m gansr rating build · export FILE · import FILE · merge DATABASE… · outcome"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gansr.pipeline import local
from gansr.rating import RatingError, build, exchange
from gansr.rating.catalogue import CLASSES, FOLDER, read
from gansr.rating.outcome import Outcome
from gansr.rating.service import Rating
from gansr.rating.storage import FILE, Store, folder
from gansr.rating.vote import QUESTIONS


def add_parser(commands: Any) -> None:
    """`rating` among the sub-commands of python -m gansr."""
    parser = commands.add_parser("rating", help="blind ratings: the pictures, the votes, the outcome")
    actions = parser.add_subparsers(dest="action", required=True)
    made = actions.add_parser("build", help="compute the rated pictures (an hour on two cores)")
    made.add_argument("names", nargs="*", metavar="NAME", help="only these examples; default: all")
    made.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    made.set_defaults(handler=_build)
    exported = actions.add_parser("export", help="write all votes")
    exported.add_argument("file", type=Path, metavar="FILE", help="a .jsonl file, or .csv for a table")
    exported.set_defaults(handler=_export)
    imported = actions.add_parser("import", help="add the votes of exported .jsonl files")
    imported.add_argument("files", nargs="+", type=Path, metavar="FILE")
    imported.set_defaults(handler=_import)
    merged = actions.add_parser("merge", help="add the votes of other replicas' databases")
    merged.add_argument("databases", nargs="+", type=Path, metavar="DATABASE", help=f"a {FILE}")
    merged.set_defaults(handler=_merge)
    shown = actions.add_parser("outcome", help="strengths, ranks and mean opinion scores")
    shown.add_argument("--question", choices=QUESTIONS, default=QUESTIONS[0])
    shown.add_argument(
        "--class", dest="kind", choices=CLASSES, default="", help="only pictures of this class"
    )
    shown.set_defaults(handler=_outcome)


def _store() -> Store:
    return Store(folder() / FILE)


def _build(parsed: argparse.Namespace) -> int:
    build.build(local(parsed.device), parsed.names)
    print(f"{FOLDER}: {sum(build.sizes()) / 1e6:.1f} MB")
    return 0


def _export(parsed: argparse.Namespace) -> int:
    store = _store()
    votes = store.votes()
    text = exchange.table(votes) if parsed.file.suffix == ".csv" else exchange.jsonl(store)
    parsed.file.write_text(text, "utf-8")
    print(f"{len(votes)} votes → {parsed.file}")
    return 0


def _import(parsed: argparse.Namespace) -> int:
    store = _store()
    for path in parsed.files:
        try:
            with path.open(encoding="utf-8") as lines:
                print(f"{path}: {exchange.read_lines(lines, store)} new votes")
        except (OSError, UnicodeDecodeError) as error:
            raise RatingError(f"{path} cannot be read: {error}") from None
    return 0


def _merge(parsed: argparse.Namespace) -> int:
    store = _store()
    for path in parsed.databases:
        print(f"{path}: {exchange.merge(path, store)} new votes")
    return 0


def _outcome(parsed: argparse.Namespace) -> int:
    rating = Rating(read(), _store())
    print(_text(rating.outcome(parsed.question, parsed.kind), rating), end="")
    return 0


def _text(found: Outcome, rating: Rating) -> str:
    catalogue = rating.archive()
    out = [
        f"{found.votes} votes of {found.raters} raters; excluded sessions: {sum(found.counted.excluded.values())}"
    ]
    if found.groups > 1:
        out.append("No ranks yet: the votes do not connect all methods.")
    for one in found.strengths if found.groups == 1 else ():
        out.append(
            f"{one.rank}. {catalogue.title(one.entry)} ({one.entry}): {one.strength:+.2f} [{one.low:+.2f}, "
            f"{one.high:+.2f}], rank {one.best_rank} to {one.worst_rank}, {one.votes} votes"
        )
    for each in found.opinions:
        out.append(
            f"{catalogue.title(each.entry)} ({each.entry}): {each.mean:.2f} [{each.low:.2f}, {each.high:.2f}], "
            f"{each.votes} votes"
        )
    out += [f"{one.title}: rank correlation {one.correlation:+.2f}" for one in found.agreements]
    return "\n".join(out) + "\n"
