"""Which of several kernels an operator gets: the one that is expected to be the fastest."""

from collections.abc import Mapping

from penstock.boards.cores import is_timed
from penstock.ir.graph import Graph
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import WINOGRAD_TILES, KernelChoice, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.winograd import VARIANTS
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.planning.estimate.estimate import call_cycles
from penstock.planning.estimate.features import call_features


def fastest_program(
    graph: Graph,
    core: str | None,
    choice: KernelChoice = KernelChoice.AUTO,
    tiles: tuple[int, ...] = WINOGRAD_TILES,
) -> KernelGraph:
    """Return a graph in the kernels of a core, convolutions by Winograd where that is faster.

    Compared are cycles in memory that never waits: where data are is not known yet. On a core that
    has no estimate the largest tiles are taken.

    Args:
        graph: what is to be computed.
        core: by the name that compilers give it; None is this computer.
        choice: what the user asks for.
        tiles: sides of outputs that Winograd convolutions may make together.

    Raises:
        UnsupportedError: as `select_kernels`.
    """
    kernels = kernel_set(core, choice)
    program = select_kernels(graph, kernels, winograd=tiles)
    if core is None or not is_timed(core) or not _uses_winograd(program):
        return program
    ways = {side: select_kernels(graph, kernels, winograd=(side,)) for side in tiles}
    ways[0] = select_kernels(graph, kernels, winograd=())
    costs = {side: _operator_cycles(way, core) for side, way in ways.items()}
    chosen = {}
    for position in costs[0]:
        fastest = min(costs, key=lambda side: costs[side][position])
        chosen[position] = (fastest,) if fastest else ()
    if all(sides == () for sides in chosen.values()):
        return ways[0]
    return select_kernels(graph, kernels, winograd=chosen)


def _uses_winograd(program: KernelGraph) -> bool:
    return any(call.kernel.name in VARIANTS for call in program.calls)


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
