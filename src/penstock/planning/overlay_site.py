"""What overlays find on a board: which memory is fast, which is far, and what goes where."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.boards.copying import CHANNELS_MAX, dma_controller, driver_channels
from penstock.boards.paths import is_tightly_coupled
from penstock.boards.timing import DmaController
from penstock.errors import CapacityError, InputError, UnsupportedError
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.code_size import overlaid_code_bytes
from penstock.planning.execution_plan import ALIGNMENT_BYTES, ExecutionPlan, Placement
from penstock.planning.options import DEFAULT_PLAN_OPTIONS, PlanOptions
from penstock.planning.overlays.choices import Ground
from penstock.planning.overlays.parts import Space
from penstock.planning.overlays.plan import Overlaid, house_packs
from penstock.planning.overlays.program import Block, OverlayProgram
from penstock.planning.placement import STACK_BYTES, check_code, place_stack
from penstock.planning.plan import plan_state
from penstock.units import format_bytes

_FAST_KINDS = (MemoryKind.SRAM, MemoryKind.TCM_DATA)


@dataclass(frozen=True, slots=True)
class _Memories:
    """The regions of a board by what overlays use them for.

    Attributes:
        fast: where kernels work.
        tight: tightly coupled to the core; None for none, and where that is where kernels work.
        flash: inside the microcontroller.
        ram: the largest outside that can be written; None for none.
        serial: the largest flash outside; None for none.
        weights: where the user wants the weights; None leaves that to the plan.
    """

    fast: MemoryRegion
    tight: MemoryRegion | None
    flash: MemoryRegion
    ram: MemoryRegion | None
    serial: MemoryRegion | None
    weights: MemoryRegion | None


@dataclass(frozen=True, slots=True, eq=False)
class OverlaySite:
    """What overlays of a program find on a board.

    Attributes:
        program: kernel calls in execution order.
        board: whose memories there are.
        options: where things go, and which tricks are used.
        memories: by use.
        stack: region of the stack.
        state_offset_bytes: of variable tensors in the state block.
        state_bytes: extent of that block.
        space: fast memory.
    """

    program: KernelGraph
    board: Board
    options: PlanOptions
    memories: _Memories
    stack: str
    state_offset_bytes: Mapping[str, int]
    state_bytes: int
    space: Space

    @property
    def ground(self) -> Ground:
        """What ways of parting the program are compared for."""
        return Ground(
            program=self.program,
            board=self.board,
            space=self.space,
            fast=self.memories.fast,
            far=self.memories.ram,
            packs=self.memories.flash,
        )

    def complete(self, overlaid: Overlaid) -> ExecutionPlan:
        """Return the plan of tiles and copies; raises CapacityError where memories lack room."""
        near_bytes = self._flash_bytes(overlaid.program)
        if self.options.weights_in not in (None, self.memories.flash.name):
            near_bytes = 0
        housed = house_packs(self.program, overlaid.program, near_bytes)
        placement = _place(housed, self, overlaid.arena.size_bytes)
        return ExecutionPlan(
            program=self.program,
            arena=overlaid.arena,
            state_offset_bytes=self.state_offset_bytes,
            state_bytes=self.state_bytes,
            placement=placement,
            board=self.board.name,
            overlays=replace(housed, cached=_cached_blocks(placement, self.board)),
        )

    def _flash_bytes(self, overlaid: OverlayProgram) -> int:
        """Return the room for packs in flash beside code and constants that are read in place."""
        flash, constants = self.memories.flash, self.program.constants
        code = overlaid_code_bytes(self.program, overlaid)
        check_code(code, flash, self.board)
        kept = [a.nbytes for name, a in constants.items() if name not in overlaid.packed]
        return max(flash.size_bytes - code - sum(size + ALIGNMENT_BYTES for size in kept), 0)


def find_site(
    program: KernelGraph, board: Board, options: PlanOptions = DEFAULT_PLAN_OPTIONS
) -> OverlaySite:
    """Return what overlays of a program find on a board; raises as `plan_overlaid`."""
    controller = dma_controller(board)
    memories = _memories(board, controller, options)
    stack = place_stack(board, STACK_BYTES)
    state, state_bytes = plan_state(program)
    channels = CHANNELS_MAX  # copies that the core makes itself are never under way
    if controller is not None:
        channels = len(controller.interrupts[driver_channels(controller)])
    space = _space(board, memories, stack, state_bytes, channels, options)
    return OverlaySite(program, board, options, memories, stack, state, state_bytes, space)


def _space(
    board: Board,
    memories: _Memories,
    stack: str,
    state_bytes: int,
    channels: int,
    options: PlanOptions,
) -> Space:
    def room(region: MemoryRegion | None) -> int:
        if region is None:
            return 0
        return region.size_bytes - (STACK_BYTES if stack == region.name else 0)

    line_bytes = 0 if board.data_cache is None else board.data_cache.line_bytes
    return Space(
        name=memories.fast.name,
        capacity_bytes=room(memories.fast) - state_bytes,
        alignment_bytes=max(line_bytes, ALIGNMENT_BYTES),
        channel_count=channels,
        tight_bytes=room(memories.tight) if options.tight else 0,
        prefetches=options.prefetch,
        fuses=options.fusion,
        has_far=memories.ram is not None,
    )


def _memories(board: Board, controller: DmaController | None, options: PlanOptions) -> _Memories:
    left = [region for region in board.regions if region.size_bytes]  # not reserved as a whole
    reached = [r for r in left if controller is None or r.name in controller.reaches]

    def largest(*kinds: MemoryKind, external: bool) -> MemoryRegion | None:
        found = [r for r in reached if r.kind in kinds and r.is_external is external]
        return max(found, key=lambda region: region.size_bytes, default=None)

    def wished(name: str | None, what: str, *, writes: bool) -> MemoryRegion | None:
        if name is None:
            return None
        fit = [r for r in reached if r.is_writable or not writes]
        found = [region for region in fit if region.name == name]
        if not found and name in (region.name for region in board.regions if not region.size_bytes):
            raise InputError(
                f"all of memory region {name!r} is reserved, and nothing left for the {what}",
                help="reserve less of it, or choose another",
            )
        if not found:
            raise InputError(
                f"board {board.name!r} has no memory region {name!r} for the {what} that its DMA "
                "controller reaches",
                help=f"choose one of: {', '.join(region.name for region in fit)}",
            )
        return found[0]

    fast = wished(options.arena_in, "arena", writes=True)
    fast = fast or largest(*_FAST_KINDS, external=False)
    flash = largest(MemoryKind.FLASH, external=False)
    if fast is None or flash is None:
        what, kinds = ("RAM", _FAST_KINDS) if fast is None else ("flash", (MemoryKind.FLASH,))
        inside = [r for r in board.regions if r.kind in kinds and not r.is_external]
        if taken := [r.name for r in inside if not r.size_bytes]:
            raise UnsupportedError(
                f"nothing is left of internal {what} that DMA reaches: {', '.join(taken)} "
                f"{'is' if len(taken) == 1 else 'are'} reserved"
            )
        raise UnsupportedError(
            f"no DMA controller of board {board.name!r} that a driver is for reaches internal "
            + what
        )
    ram = largest(MemoryKind.SDRAM, MemoryKind.SRAM, external=True)
    ram = None if ram is fast else ram  # nothing is farther than where kernels work
    serial = largest(MemoryKind.QSPI_FLASH, external=True)
    tight = largest(MemoryKind.TCM_DATA, external=False) if options.arena_in is None else None
    weights = wished(options.weights_in, "weights", writes=False)
    if weights is not None and weights.is_writable and not weights.is_external:
        raise UnsupportedError(f"weights in {weights.name}, which is inside, need no copies")
    return _Memories(fast, None if tight is fast else tight, flash, ram, serial, weights)


def _place(overlaid: OverlayProgram, site: OverlaySite, arena_bytes: int) -> Placement:
    """Return the regions; far packs are in RAM if it has room, and come there from serial flash."""
    memories, board = site.memories, site.board
    placement = Placement(
        code=memories.flash.name,
        weights=memories.flash.name,
        arena=memories.fast.name,
        stack=site.stack,
    )
    left = {region.name: region.size_bytes for region in board.regions}
    left[site.stack] -= STACK_BYTES
    left[memories.fast.name] -= arena_bytes + site.state_bytes
    if overlaid.tight_bytes and memories.tight is not None:
        placement = replace(placement, tight=memories.tight.name)
        left[memories.tight.name] -= overlaid.tight_bytes
    if overlaid.far_bytes:
        if memories.ram is None or left[memories.ram.name] < overlaid.far_bytes:
            raise _lacks("tensors", overlaid.far_bytes, "RAM", memories.ram, left, board)
        placement = replace(placement, far=memories.ram.name)
        left[memories.ram.name] -= overlaid.far_bytes
    packs = overlaid.packs_bytes(Block.FAR_PACKS)
    return _place_far_packs(packs, left, placement, memories, board) if packs else placement


def _place_far_packs(
    size_bytes: int,
    left: Mapping[str, int],
    placement: Placement,
    memories: _Memories,
    board: Board,
) -> Placement:
    """Return the home of packs that are not in flash: where asked for, or in RAM, or in serial."""
    home, ram, serial = memories.weights, memories.ram, memories.serial
    if home is not None and not home.is_external:
        raise CapacityError(
            f"{size_bytes} B ({format_bytes(size_bytes)}) of weights do not fit {home.name} beside "
            "what else is there",
            help="leave out --weights-in, or choose external memory",
        )
    if home is not None and left[home.name] < size_bytes:
        raise _lacks(
            "weights", size_bytes, "RAM" if home.is_writable else "flash", home, left, board
        )
    if home is not None and not home.is_writable:
        return replace(placement, far_weights=home.name)
    if serial is None or left[serial.name] < size_bytes:
        raise _lacks("weights", size_bytes, "flash", serial, left, board)
    if home is None and ram is not None and left[ram.name] >= size_bytes:
        home = ram
    if home is None:
        return replace(placement, far_weights=serial.name)
    return replace(placement, far_weights=home.name, far_weights_image=serial.name)


def _cached_blocks(placement: Placement, board: Board) -> frozenset[Block]:
    """Return the blocks that a data cache may hold what the core wrote of."""
    homes = {
        Block.ARENA: placement.arena,
        Block.FAR: placement.far,
        Block.FAR_PACKS: placement.far_weights,
    }
    regions = {block: board.region(name) for block, name in homes.items() if name is not None}
    return frozenset(
        block
        for block, region in regions.items()
        if board.data_cache is not None and region.is_writable and not is_tightly_coupled(region)
    )


def _lacks(
    what: str,
    size_bytes: int,
    kind: str,
    region: MemoryRegion | None,
    left: Mapping[str, int],
    board: Board,
) -> CapacityError:
    offers = "it has none" if region is None else f"{region.name} has {left[region.name]} B left"
    return CapacityError(
        f"{size_bytes} B ({format_bytes(size_bytes)}) of {what} do not fit the internal memory of "
        f"board {board.name!r} and need external {kind}: {offers}",
        help="take a board with more memory, a smaller input, or a narrower model",
    )
