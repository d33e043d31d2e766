"""An estimate of a run's operations and memory, from the shapes of its generator alone."""

from __future__ import annotations

import itertools
from dataclasses import replace

from gansr.method import Cost, Steps
from gansr.nets import encoder
from gansr.nets.mobilestylegan import FFHQ_CHANNELS
from gansr.nets.pggan import shapes_of as pggan_shapes
from gansr.papers.mganprior.options import GENERATORS, SWEEP, SWEPT, Options, begins_encoded, plan_of

USUAL_CODES = 20  # of the runs that times are given for
VGG_PRODUCTS = 12.3e9  # VGG16 up to ReLU 3_3 at 256×256 px


def cost(height: int, width: int, options: Options) -> Cost:
    """Floating-point operations of all iterations, forward and backward, and peak bytes: what one iteration keeps in
    float32, and the networks. (height, width): of the input, px."""
    if options.layer == SWEEP:
        each = [cost(height, width, replace(options, layer=layer)) for layer in SWEPT]
        steps = tuple(itertools.chain.from_iterable(one.steps for one in each))
        return Cost(sum(one.operations for one in each), max(one.memory for one in each), steps)
    plan, side = plan_of(options), GENERATORS[options.generator]
    f1, f2, kept_f1, kept_f2 = _work(options.generator, plan.layer)
    vgg = VGG_PRODUCTS if options.vgg else 0.0
    count = plan.iterations * (2 if options.job == "mix" else 1)
    operations = 4.0 * count * (plan.codes * f1 + f2 + vgg)
    weights = 3 * (1e8 if not options.generator.startswith("mobile") else 4e7) + (3e8 if options.vgg else 0)
    weights += encoder.MEMORY if begins_encoded(options) else 0
    pictures = 4.0 * 3 * (6 * side**2 + 8 * height * width)
    steps = Steps(f"layer {plan.layer}", count, (plan.codes * f1 + f2) / (USUAL_CODES * f1 + f2))
    return Cost(operations, 4.0 * (plan.codes * kept_f1 + kept_f2) + weights + pictures, (steps,))


def _work(generator: str, layer: int) -> tuple[float, float, float, float]:
    """For one code: the products of F1 and of F2, and the values that F1 and F2 keep for the gradient."""
    products, kept = [0.0, 0.0], [0.0, 0.0]
    shapes = _shapes(generator)
    separable = generator.startswith("mobile")
    convolutions = 2 if not generator.startswith("pggan") else 1  # between two boundaries
    for (c, _), (out, side) in itertools.pairwise(shapes):
        dense = 9.0 * out * (c + out if convolutions == 2 else c)
        depthwise = c / 4 * (9 + out) + out * (9 + out)
        part = int(side > layer)
        products[part] += (depthwise if separable else dense) * side**2
        kept[part] += (9 if separable else 4 * convolutions) * out * side**2
    return products[0], products[1], kept[0], kept[1]


def _shapes(generator: str) -> tuple[tuple[int, int], ...]:
    """(channels, side in px) at the boundaries of a generator, without building it."""
    if generator.startswith("pggan"):
        return pggan_shapes(GENERATORS[generator])
    if generator.startswith("mobile"):
        return tuple((c, 4 << k) for k, c in enumerate(FFHQ_CHANNELS))
    sides = [4 << k for k in range((GENERATORS[generator] // 4).bit_length())]
    return tuple((min(512, 32768 // side), side) for side in sides)
