"""Several values of an option: a comparison of a method with itself.

"layer=8|16|32" stands for three runs of the method. So the papers' ablations are comparisons: the composing layer and
the number of codes of mGANprior, KernelGAN's generators, GLEAN without its bank, PULSE without its sphere.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence

from gansr.options import OptionError, plain_values
from gansr.request import Request

BETWEEN = "|"
MOST = 8  # runs of one method


def variations(texts: Mapping[str, str]) -> list[dict[str, str]]:
    """Options as text, some of them with several values between bars → every combination; the last option changes
    fastest. Raises OptionError where there are more than MOST."""
    values = {
        name: list(dict.fromkeys(part.strip() for part in text.split(BETWEEN)))
        for name, text in texts.items()
    }
    if (count := math.prod(map(len, values.values()))) > MOST:
        raise OptionError(
            f"these are {count} combinations of values; at most {MOST} of a method are compared"
        )
    return [dict(zip(values, each)) for each in itertools.product(*values.values())]


def labels(requests: Sequence[Request]) -> list[tuple[str, str]]:
    """The name and the title of each request. Where there are several of a method, both say which of its options
    differ: ("mganprior-layer-8", "mGANprior, layer=8")."""
    found: list[tuple[str, str]] = []
    for request in requests:
        method = request.method
        others = [plain_values(other.options) for other in requests if other.method is method]
        own = plain_values(request.options)
        differing = [name for name in own if any(other.get(name) != own[name] for other in others)]
        parts = [f"{name}={own[name]}" for name in differing]
        name = re.sub(r"[^a-z0-9.]+", "-", "-".join((method.name, *parts)).lower()).strip("-")
        found.append((name, ", ".join((method.title, *parts))))
    return found
