"""Blind ratings: which result people prefer, and what mean opinion score they give.

`catalogue` is the fixed set of pictures, `build` makes it, `service` leads a user through rounds, `pairing` chooses the
pairs, `storage` keeps the votes, `exchange` exports and merges them, `exclusion`, `bradley_terry`, `opinion` and
`outcome` evaluate them, `cli` is the command.
"""

from __future__ import annotations

from gansr.method import MethodError


class RatingError(MethodError):
    """A rating is not possible now. The text says why and what to do."""
