"""What recipes choose between; without torch."""

from enum import Enum


class Criterion(Enum):
    """How much a filter matters."""

    L1 = "l1"
    L2 = "l2"
    NORMALIZATION = "batch-norm"
    """The factor of its batch normalization: Liu et al. 2017."""
    TAYLOR = "taylor"
    """How much the loss would change without it, to first order: Molchanov et al. 2019."""


class Pattern(Enum):
    """Which weights become 0 together."""

    SINGLE = "single"
    BLOCKS = "2x2"
    """Two neighbouring output channels by two neighbouring input channels."""


class WeightFormat(Enum):
    """What weights are stored as."""

    INT8 = "int8"
    INT4 = "int4"
    """But for depthwise filters and those of the first layer: few, and each of them matters."""
    MIXED = "mixed"
    """int4 where it is minded least, in as many layers as a size or a latency demands."""
