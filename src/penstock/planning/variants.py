"""The same program under other rules of placement: what `penstock compare` sets side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.boards.ideal import RAM, ideal_board
from penstock.boards.roomy import roomy_board
from penstock.errors import CapacityError, UnsupportedError
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.options import (
    DEFAULT_PLAN_OPTIONS,
    PlanOptions,
    reserve_memory,
    with_joined_banks,
)
from penstock.planning.overlaid import plan_overlaid
from penstock.planning.overlay_site import find_site
from penstock.planning.plan import plan_execution
from penstock.progress import Progress, silent


class Variant(Enum):
    """A rule of placement."""

    INTERNAL = "internal"  # weights and activations inside the microcontroller
    EXTERNAL = "external"  # all of them outside
    PLACEMENT = "placement"  # the fastest that fits, internal before external
    OVERLAYS = "overlays"  # kernels work on tiles inside, which DMA brings from wherever they are
    ROOMY = "roomy"  # overlays as if internal memory were unlimited, but as slow as it is
    IDEAL = "ideal"  # as if internal memory without wait states were unlimited


@dataclass(frozen=True, slots=True, eq=False)
class PlannedVariant:
    """A plan, and the board that it is for.

    Attributes:
        plan: the same kernel calls in each variant.
        board: the board asked for, but for ``ROOMY`` and ``IDEAL``.
    """

    plan: ExecutionPlan
    board: Board


def plan_variant(
    program: KernelGraph,
    board: Board,
    variant: Variant,
    options: PlanOptions = DEFAULT_PLAN_OPTIONS,
    progress: Progress = silent,
) -> PlannedVariant:
    """Plan a program under one rule; adjacent banks are one memory where it takes that.

    Args:
        program: kernel calls in execution order.
        board: the real one.
        variant: which rule.
        options: of *placement* and *overlays*; the others leave no choice but what stays free.
        progress: told what is going on, where the effort is full.

    Raises:
        CapacityError: the rule leaves too little memory.
        UnsupportedError: the board has no memory of the kind that the rule asks for.
    """
    try:
        return _plan_variant(program, board, variant, options, progress)
    except CapacityError:
        joined = with_joined_banks(board, options)
        if joined == board:
            raise
    return _plan_variant(program, joined, variant, options, progress)


def _plan_variant(
    program: KernelGraph, board: Board, variant: Variant, options: PlanOptions, progress: Progress
) -> PlannedVariant:
    less = reserve_memory(board, options)
    if variant is Variant.OVERLAYS:
        return PlannedVariant(plan_overlaid(program, less, options, progress), board)
    if variant is Variant.ROOMY:
        return _roomy(program, less, options, progress)
    planned = _PLANNERS[variant](program, less, options)
    # What is reserved is there all the same.
    return planned if variant is Variant.IDEAL else replace(planned, board=board)


def _internal(program: KernelGraph, board: Board, _: PlanOptions) -> PlannedVariant:
    inside = tuple(region for region in board.regions if not region.is_external)
    plan = plan_execution(program, replace(board, regions=inside))
    return PlannedVariant(plan, board)


def _external(program: KernelGraph, board: Board, _: PlanOptions) -> PlannedVariant:
    """Weights lie beside the arena if both fit there and the image fits in flash."""
    arena = _largest(board, lambda region: region.is_writable)
    if arena is None:
        raise UnsupportedError(f"board {board.name!r} has no external memory that can be written")
    try:
        plan = plan_execution(program, board, weights_in=arena.name, arena_in=arena.name)
    except CapacityError:
        flash = _largest(board, lambda region: region.kind is MemoryKind.QSPI_FLASH)
        if flash is None:
            raise
        plan = plan_execution(program, board, weights_in=flash.name, arena_in=arena.name)
    return PlannedVariant(plan, board)


def _largest(board: Board, is_fit: Callable[[MemoryRegion], bool]) -> MemoryRegion | None:
    fit = [region for region in board.regions if region.is_external and is_fit(region)]
    return max(fit, key=lambda region: region.size_bytes, default=None)


def _placement(program: KernelGraph, board: Board, options: PlanOptions) -> PlannedVariant:
    homes = {"weights_in": options.weights_in, "arena_in": options.arena_in}
    return PlannedVariant(plan_execution(program, board, **homes), board)


def _roomy(
    program: KernelGraph, board: Board, options: PlanOptions, progress: Progress
) -> PlannedVariant:
    """Nothing is outside: overlays bring weights from flash, and each tensor stays where it is."""
    ram = find_site(program, board, options).memories.fast.name
    roomy = roomy_board(board, ram)
    inside = replace(options, weights_in=None)
    return PlannedVariant(plan_overlaid(program, roomy, inside, progress), roomy)


def _ideal(program: KernelGraph, board: Board, _: PlanOptions) -> PlannedVariant:
    """Weights lie beside the arena: loads of a Cortex-M4 overlap within one memory only."""
    ideal = ideal_board(board)
    return PlannedVariant(plan_execution(program, ideal, weights_in=RAM, arena_in=RAM), ideal)


_PLANNERS: Mapping[Variant, Callable[[KernelGraph, Board, PlanOptions], PlannedVariant]] = {
    Variant.INTERNAL: _internal,
    Variant.EXTERNAL: _external,
    Variant.PLACEMENT: _placement,
    Variant.IDEAL: _ideal,
}
