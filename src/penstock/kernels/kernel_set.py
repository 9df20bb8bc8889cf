"""Which of the C library's kernels a core can run, and which are the fastest there."""

from enum import Enum

from penstock.boards.cores import core_facts


class KernelChoice(Enum):
    """What a user may ask for."""

    AUTO = "auto"  # the fastest that the core has instructions for
    REFERENCE = "reference"  # plain C, everywhere


class WeightChoice(Enum):
    """What a user may ask for."""

    AUTO = "auto"  # in fewer bytes than int8 where that is faster, or where nothing else fits
    DENSE = "dense"  # as int8
    SMALL = "small"  # in as few bytes as there is a kernel for


class Encoding(Enum):
    """How filters may be stored in fewer bytes than int8 takes."""

    SPARSE = "sparse"  # without their zeros
    INT4 = "int4"  # in four bits


class KernelSet(Enum):
    """Kernels beside those in plain C, by what the core must have."""

    REFERENCE = "reference"  # none
    DSP_SINGLE = "dsp, one instruction at a time"  # two products of int16 in one instruction
    DSP_DUAL = "dsp, two instructions at a time"  # the same, in another order
    MVE = "helium"  # vectors of 16 bytes; what has no kernel for these takes that of DSP_SINGLE


WINOGRAD_TILES = (4, 2)
"""Sides of the outputs that Winograd convolutions make together."""
LARGE_WINOGRAD_KERNELS = "Winograd convolutions of 4x4 outputs"
WINOGRAD_KERNELS = "Winograd convolutions"
LARGE_FILTERS = "filters as int8 that can take fewer bytes"
SMALL_FILTERS = "filters in fewer bytes than int8 takes"
FAST_KERNELS = "fast kernels"
"""The last five: what a plan may have to leave out, for people."""


ENCODED_NAMES = {Encoding.SPARSE: "_sparse_", Encoding.INT4: "_int4_"}
"""What is in the C names of kernels whose filters are stored so."""


def kernel_encoding(name: str) -> Encoding | None:
    """Return how a kernel, by its C name, has its filters; None for int8."""
    return next((way for way, part in ENCODED_NAMES.items() if part in name), None)


def is_dsp_kernel(name: str) -> bool:
    """Return whether a kernel, by its C name, is for the DSP extension."""
    return "_dsp_" in name


def is_mve_kernel(name: str) -> bool:
    """Return whether a kernel, by its C name, is for Helium."""
    return "_mve_" in name


def kernel_set(core: str | None, choice: KernelChoice = KernelChoice.AUTO) -> KernelSet:
    """Return the kernels for a core, by the name that compilers give it; None is this computer."""
    if core is None or choice is KernelChoice.REFERENCE:
        return KernelSet.REFERENCE
    facts = core_facts(core)
    if not facts.has_dsp:
        return KernelSet.REFERENCE
    if facts.has_mve:
        return KernelSet.MVE
    return KernelSet.DSP_DUAL if facts.issue_width > 1 else KernelSet.DSP_SINGLE
