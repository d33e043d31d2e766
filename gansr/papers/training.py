"""The training commands of the papers: python -m gansr train NAME ….

A paper that trains weights here names a module in `Method.train`. The module has `add_arguments(parser)` and
`run(parsed) -> int`, the exit status; its docstring is the command's description.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

from gansr import papers


def trainings() -> dict[str, str]:
    """Name of a method → import path of its training command, of all methods that have one."""
    return {method.name: method.train for method in papers.METHODS if method.train}


def add_parser(commands: Any) -> None:
    """Add `train` to the sub-commands of python -m gansr, with one sub-command per paper that trains weights."""
    parser = commands.add_parser("train", help="train the weights that this project ships")
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, path in trainings().items():
        module = import_module(path)
        command = names.add_parser(
            name,
            help=f"train the weights of {name}",
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(handler=module.run)
