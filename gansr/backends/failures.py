"""Errors with a text for the user, as a worker in another process hands them over: of what it raises, often only the
name of the class arrives, or a text with the worker's own stack."""

from __future__ import annotations

from dataclasses import dataclass

from gansr import weights
from gansr.method import InputError, MethodError
from gansr.options import OptionError

ERRORS = (InputError, MethodError, OptionError, weights.WeightsError)  # with a text for the user


def reason(error: Exception) -> str:
    """What the user is told of an error: its text where it has one for the user, else its class."""
    return str(error) if isinstance(error, ERRORS) else f"an internal error ({type(error).__name__})"


@dataclass(frozen=True)
class Failure:
    """An error of ERRORS as a value."""

    kind: str  # the name of the class
    text: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """The value of `error`, whose class is one of ERRORS or below one."""
        names = {kind.__name__ for kind in ERRORS}
        return cls(next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in names), str(error))

    def error(self) -> Exception:
        """The error, to be raised where the job was asked for."""
        return next(kind for kind in ERRORS if kind.__name__ == self.kind)(self.text)
