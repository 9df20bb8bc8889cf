"""Which of several kernels an operator gets: the fastest that is expected, or the smallest."""

from collections.abc import Mapping

from penstock.ir.graph import Graph
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import (
    WINOGRAD_TILES,
    Encoding,
    KernelChoice,
    KernelSet,
    WeightChoice,
    kernel_set,
)
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.encodings import possible_encodings
from penstock.kernels.selection.winograd import VARIANTS
from penstock.planning.estimate.coefficients import has_coefficients, load_coefficients
from penstock.planning.estimate.estimate import call_cycles
from penstock.planning.estimate.features import call_features

_Way = tuple[tuple[int, ...], Encoding | None]
"""Sides of outputs of Winograd convolutions, and how filters are stored."""
_PLAIN: _Way = ((), None)


def fastest_program(
    graph: Graph,
    core: str | None,
    choice: KernelChoice = KernelChoice.AUTO,
    tiles: tuple[int, ...] = WINOGRAD_TILES,
    weights: WeightChoice = WeightChoice.AUTO,
) -> KernelGraph:
    """Return a graph in the kernels of a core: by Winograd, or without zeros, where that is faster.

    Compared are cycles in memory that never waits: where data are is not known yet. On a core that
    has no estimate the largest tiles are taken, and filters as int8.

    Args:
        graph: what is to be computed.
        core: by the name that compilers give it; None is this computer.
        choice: what the user asks for.
        tiles: sides of outputs that Winograd convolutions may make together.
        weights: how the user wants filters to be stored.

    Raises:
        UnsupportedError: as `select_kernels`.
    """
    if weights is WeightChoice.SMALL:
        return smallest_program(graph, core, choice)
    kernels = kernel_set(core, choice)
    program = select_kernels(graph, kernels, winograd=tiles)
    if core is None or not has_coefficients(core):
        return program
    ways = {_PLAIN: program}
    if _uses_winograd(program):
        ways = {((side,), None): _select(graph, kernels, ((side,), None)) for side in tiles}
        ways[_PLAIN] = _select(graph, kernels, _PLAIN)
    if weights is WeightChoice.AUTO:
        ways |= _encoded(graph, kernels)
    if len(ways) == 1:
        return program
    return _choose(graph, kernels, ways, {w: _operator_cycles(p, core) for w, p in ways.items()})


def smallest_program(
    graph: Graph, core: str | None, choice: KernelChoice = KernelChoice.AUTO
) -> KernelGraph:
    """Return a graph in the kernels of a core that have the smallest constants.

    Arguments and errors are those of `fastest_program`.
    """
    kernels = kernel_set(core, choice)
    ways = {_PLAIN: _select(graph, kernels, _PLAIN)} | _encoded(graph, kernels)
    return _choose(graph, kernels, ways, {w: _operator_bytes(p) for w, p in ways.items()})


def constant_bytes(program: KernelGraph) -> int:
    """Return the bytes of all constants of a program."""
    return sum(array.nbytes for array in program.constants.values())


def _encoded(graph: Graph, kernels: KernelSet) -> dict[_Way, KernelGraph]:
    ways: list[_Way] = [((), encoding) for encoding in possible_encodings(graph)]
    return {way: _select(graph, kernels, way) for way in ways}


def _select(graph: Graph, kernels: KernelSet, way: _Way) -> KernelGraph:
    return select_kernels(graph, kernels, winograd=way[0], encodings=way[1])


def _choose(
    graph: Graph,
    kernels: KernelSet,
    ways: Mapping[_Way, KernelGraph],
    costs: Mapping[_Way, Mapping[int, float]],
) -> KernelGraph:
    """Return the program in which each operator has the way of the least cost, or the first."""
    best = {at: min(ways, key=lambda way: costs[way][at]) for at in costs[_PLAIN]}
    taken = set(best.values())
    if len(taken) <= 1:
        return ways[next(iter(taken), _PLAIN)]
    tiles = {at: sides for at, (sides, _) in best.items()}
    encodings = {at: encoding for at, (_, encoding) in best.items() if encoding is not None}
    return select_kernels(graph, kernels, winograd=tiles, encodings=encodings)


def _uses_winograd(program: KernelGraph) -> bool:
    return any(call.kernel.name in VARIANTS for call in program.calls)


def _operator_bytes(program: KernelGraph) -> Mapping[int, float]:
    """Return the bytes of the constants of each operator, by its position."""
    sizes: dict[int, float] = {}
    for call in program.calls:
        own = sum(program.constants[name].nbytes for name in call.constants)
        sizes[call.operator] = sizes.get(call.operator, 0.0) + own
    return sizes


def _operator_cycles(program: KernelGraph, core: str) -> Mapping[int, float]:
    """Return the cycles of each operator, by its position."""
    coefficients = load_coefficients(core)
    cycles: dict[int, float] = {}
    for call in program.calls:
        own, _ = call_cycles(
            coefficients.kernel(call.kernel.name),
            call_features(program, call),
            0.0,
            shares_memory=False,
            buffers_stores=False,
        )
        cycles[call.operator] = cycles.get(call.operator, 0.0) + own
    return cycles
