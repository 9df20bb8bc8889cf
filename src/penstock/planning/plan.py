"""Planning: a kernel program and a board in, a home for every byte out."""

from penstock.boards.board import Board
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.arena import lower_bound_bytes, pack_buffers
from penstock.planning.code_size import code_bytes
from penstock.planning.execution_plan import Arena, ExecutionPlan, Placement
from penstock.planning.lifetimes import align, plan_buffers
from penstock.planning.placement import STACK_BYTES, Demand, place_sections

HOST = "host"
"""Name of the board when the integrator decides where things go."""


def plan_execution(
    program: KernelGraph,
    board: Board | None,
    *,
    weights_in: str | None = None,
    arena_in: str | None = None,
) -> ExecutionPlan:
    """Return a plan: offsets in the arena, and a memory region for each section.

    Args:
        program: kernel calls in execution order.
        board: None plans for the host: no regions, no limits.
        weights_in: region that must hold the weights; None chooses.
        arena_in: region that must hold the arena; None chooses.

    Raises:
        CapacityError: something does not fit the board.
        InputError: a region asked for does not exist or cannot hold such data.
    """
    arena = plan_arena(program)
    state, state_bytes = plan_state(program)
    placement: Placement | None = None
    if board is not None:
        demand = Demand(
            code_bytes=code_bytes(program),
            weights_bytes=sum(align(array.nbytes) for array in program.constants.values()),
            arena_bytes=arena.size_bytes + state_bytes,
            stack_bytes=STACK_BYTES,
        )
        placement = place_sections(demand, board, weights_in=weights_in, arena_in=arena_in)
    return ExecutionPlan(
        program=program,
        arena=arena,
        state_offset_bytes=state,
        state_bytes=state_bytes,
        placement=placement,
        board=board.name if board is not None else HOST,
    )


def plan_arena(program: KernelGraph, *, in_place: bool = True, search: bool = True) -> Arena:
    """Return offsets of all computed tensors and scratch buffers.

    Args:
        program: kernel calls in execution order.
        in_place: whether outputs may take the address of inputs that die.
        search: whether the local search follows the greedy orders.
    """
    buffers = plan_buffers(program, in_place=in_place)
    packing = pack_buffers(buffers, search=search)
    # Tensors without elements have an address too, though nobody reads there.
    names = (*program.graph.inputs, *(name for call in program.calls for name in call.writes))
    offset = {
        name: 0
        for name in (*names, *program.aliases)
        if not program.graph.tensors[name].is_variable
    }
    scratch: dict[int, int] = {}
    for buffer, start in zip(buffers, packing.offsets, strict=True):
        offset.update(dict.fromkeys(buffer.tensors, start))
        if buffer.scratch_step is not None:
            scratch[buffer.scratch_step] = start
    return Arena(
        size_bytes=packing.size_bytes,
        lower_bound_bytes=lower_bound_bytes(buffers),
        offset_bytes=offset,
        scratch_offset_bytes=scratch,
    )


def plan_state(program: KernelGraph) -> tuple[dict[str, int], int]:
    """Return the offsets of variable tensors, one after the other, and their extent."""
    offsets: dict[str, int] = {}
    end = 0
    for name, tensor in program.graph.tensors.items():
        if tensor.is_variable:
            offsets[name] = end
            end += align(tensor.size_bytes)
    return offsets, end
