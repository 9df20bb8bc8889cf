"""Published networks as tables, at width 1: docs/networks.md. `penstock build` needs no torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.errors import InputError

WIDTH_MAX = 4.0
RESOLUTIONS = (32, 512)
CLASSES_MAX = 1 << 16
SEED_MAX = (1 << 64) - 1
FILTER_BITS = (8, 4)
_CHANNEL_MULTIPLE = 4


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual block: expand 1×1, depthwise 3×3, project 1×1, add if shaped alike.

    Attributes:
        channels: of the output.
        stride: of the depthwise convolution.
        expansion: hidden channels per input channel; 1 leaves out the first convolution.
    """

    channels: int
    stride: int
    expansion: float


@dataclass(frozen=True, slots=True)
class Network:
    """An image classifier at width 1.

    Attributes:
        stem_channels: of the 3×3 convolution that halves the image.
        blocks: in order.
        head_channels: of the 1×1 convolution whose result is averaged.
        feature_channels: of the 1×1 convolution behind the average.
    """

    stem_channels: int
    blocks: tuple[Block, ...]
    head_channels: int
    feature_channels: int


MBV3 = Network(
    stem_channels=16,
    blocks=(
        Block(16, 1, 1),
        Block(24, 2, 4),
        Block(24, 1, 3),
        Block(40, 2, 3),
        *(Block(40, 1, 3),) * 2,
        Block(80, 2, 6),
        Block(80, 1, 5),
        *(Block(80, 1, 2.3),) * 2,
        *(Block(112, 1, 6),) * 2,
        Block(160, 2, 6),
        *(Block(160, 1, 6),) * 2,
    ),
    head_channels=960,
    feature_channels=1280,
)
"""MobileNetV3-Large with 3×3 filters and ReLU6 throughout, without squeeze-and-excitation.

Source: Howard et al., "Searching for MobileNetV3", 2019, table 1; the simplification and the
expansions are those of the networks that TinyOps (Sadiq et al., 2022) published results of.
"""

NETWORKS: Mapping[str, Network] = {"mbv3": MBV3}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """Which network to build; wrong values raise InputError.

    Attributes:
        name: one of `NETWORKS`.
        width: factor of all channels, above 0 and up to `WIDTH_MAX`.
        resolution: rows and columns of the RGB image.
        classes: scores of the output.
        seed: of the weights.
        zeros: share of the filters of 1x1 convolutions and of the fully connected layer that are 0.
        bits: of all filters: 8, or 4.
    """

    name: str
    width: float = 1.0
    resolution: int = 160
    classes: int = 1000
    seed: int = 0
    zeros: float = 0.0
    bits: int = 8

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise InputError(
                f"there is no network {self.name!r} to build",
                help=f"the networks are {', '.join(NETWORKS)}",
            )
        if not 0 < self.width <= WIDTH_MAX:
            raise InputError(
                f"the width is {self.width:g}; allowed is above 0, up to {WIDTH_MAX:g}",
                help="1 has the published channels, 0.5 about half of them",
            )
        _expect_between("resolution", self.resolution, *RESOLUTIONS)
        _expect_between("number of classes", self.classes, 1, CLASSES_MAX)
        _expect_between("seed", self.seed, 0, SEED_MAX)
        if not 0 <= self.zeros < 1:
            raise InputError(
                f"the share of zeros is {self.zeros:g}; allowed is 0 or more, below 1",
                help="0.75 keeps every fourth filter value",
            )
        if self.bits not in FILTER_BITS:
            raise InputError(
                f"filters cannot have {self.bits} bits, only "
                + " or ".join(str(bits) for bits in FILTER_BITS),
                help="8 gives int8 filters, 4 such within [-8, 7]",
            )


def _expect_between(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(
            f"the {what} is {value}; allowed is {low} to {high}",
            help="`penstock build --help` shows what is built by default",
        )


def round_channels(channels: float) -> int:
    """Return channels as a multiple of 4, rounded up.

    MobileNets usually round to the nearest multiple of 8. Of the ways tried, only this one has the
    multiply-accumulates and parameters that were published for all of four widths.
    """
    return _CHANNEL_MULTIPLE * math.ceil(channels / _CHANNEL_MULTIPLE)
