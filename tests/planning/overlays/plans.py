"""Plans with overlays for no board in particular: any fast memory, any number of channels."""

from dataclasses import dataclass

import hypothesis.strategies as st

from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.parts import Space
from penstock.planning.overlays.plan import house_packs, overlay
from penstock.planning.plan import HOST, plan_arena, plan_state


@dataclass(frozen=True)
class Wish:
    """What `plan_overlays` is asked for, in shares of what a program would like to have.

    Attributes:
        share: of the arena that holds everything, and of the constants: fast memory.
        alignment_bytes: of slots.
        channel_count: of the DMA controller.
        tight_share: the same of tightly coupled memory.
        near_share: of the constants, those that lie near.
        prefetches: whether copies start a tile early.
    """

    share: float
    alignment_bytes: int = 16
    channel_count: int = 8
    tight_share: float = 0.0
    near_share: float = 1.0
    prefetches: bool = True


WISHES = st.builds(
    Wish,
    st.sampled_from([0.05, 0.15, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.85, 1.2, 3.0]),
    st.sampled_from([16, 32]),
    st.integers(3, 8),
    st.one_of(st.just(0.0), st.floats(0.02, 0.6)),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([True, True, True, False]),
)


def space_for(program: KernelGraph, wish: Wish) -> Space:
    constants = sum(array.nbytes for array in program.constants.values())
    wanted = plan_arena(program, search=False).size_bytes + min(constants, 32 * 1024)
    unit = wish.alignment_bytes
    return Space(
        "sram",
        int(wanted * wish.share) // unit * unit,
        unit,
        wish.channel_count,
        int(wanted * wish.tight_share) // unit * unit,
        wish.prefetches,
    )


def plan_overlays(program: KernelGraph, wish: Wish) -> ExecutionPlan:
    """Return a plan for the host; raises CapacityError as `overlay` does."""
    space = space_for(program, wish)
    overlaid = overlay(program, space)
    assert overlaid.arena.size_bytes <= space.capacity_bytes
    assert overlaid.program.tight_bytes <= space.tight_bytes
    assert overlaid.program.channel_count <= space.channel_count
    packs = sum(pack.size_bytes for pack in overlaid.program.packs)
    state, state_bytes = plan_state(program)
    return ExecutionPlan(
        program=program,
        arena=overlaid.arena,
        state_offset_bytes=state,
        state_bytes=state_bytes,
        placement=None,
        board=HOST,
        overlays=house_packs(program, overlaid.program, int(packs * wish.near_share)),
    )
