"""The execution plan: a kernel program with a home for every byte. Code generation prints it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.overlays.program import Block, OverlayProgram

ALIGNMENT_BYTES = 16
"""Alignment of every tensor, constant and scratch buffer."""
CACHE_LINE_BYTES = 32
"""Of the Cortex-M7's caches (ARM DDI 0489F): what DMA writes shares no line with others."""


@dataclass(frozen=True, slots=True)
class Arena:
    """One block of read-write memory shared by tensors whose lifetimes do not overlap.

    Attributes:
        size_bytes: extent of the block.
        lower_bound_bytes: no plan can be smaller: the most bytes alive at one step.
        offset_bytes: where each computed tensor starts; aliases included.
        scratch_offset_bytes: where the scratch of a step starts; only steps that need any.
    """

    size_bytes: int
    lower_bound_bytes: int
    offset_bytes: Mapping[str, int]
    scratch_offset_bytes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Placement:
    """The memory region that each kind of data lives in, by the board's names.

    Attributes:
        code: text and small read-only data.
        weights: the constants; in memory that can be written, start-up copies them there.
        arena: the arena, and the state block.
        stack: stack and the runtime's own static data.
        weights_image: flash that start-up copies the weights from; None takes that of the code.
            Of no account for weights that stay where they are programmed.
        tight: what the arena leaves to memory that is tightly coupled to the core; None for none.
        far: tensors that do not fit the arena; None where there are none.
        far_weights: packs of constants that do not fit beside the others; None for none.
        far_weights_image: flash that start-up copies those from; None where they stay there.
    """

    code: str
    weights: str
    arena: str
    stack: str
    weights_image: str | None = None
    tight: str | None = None
    far: str | None = None
    far_weights: str | None = None
    far_weights_image: str | None = None

    @property
    def copied_from(self) -> str:
        """Flash that holds the weights until start-up copies them."""
        return self.weights_image or self.code

    def region(self, block: Block) -> str:
        """Return the memory region of a block; raises KeyError where there is no such block."""
        homes = {
            Block.ARENA: self.arena,
            Block.TIGHT: self.tight,
            Block.FAR: self.far,
            Block.STATE: self.arena,
            Block.PACKS: self.weights,
            Block.FAR_PACKS: self.far_weights,
            Block.CONSTANT: self.weights,
        }
        name = homes[block]
        if name is None:
            raise KeyError(block)
        return name


@dataclass(frozen=True, slots=True)
class PlanSearch:
    """How a plan was searched for, in estimated cycles.

    Attributes:
        cycles: of the plan.
        greedy_cycles: of the plan that was there before.
        bound_cycles: fewer no plan takes that parts the same stages in one of the ways that were
            compared, with memory that has no gaps and data that are never waited for.
        is_complete: whether all ways were compared.
    """

    cycles: int
    greedy_cycles: int
    bound_cycles: int
    is_complete: bool


@dataclass(frozen=True, slots=True, eq=False)
class ExecutionPlan:
    """Everything code generation needs: same plan, same bytes.

    Attributes:
        program: kernel calls and constants; a step is a position in ``program.calls``.
        arena: offsets of tensors and scratch.
        state_offset_bytes: offsets of variable tensors in the state block, which is kept apart
            because it survives from one run to the next.
        state_bytes: extent of the state block; 0 when the model has no state.
        placement: regions of the board; None when the integrator decides (board ``host``).
        board: name of the board planned for, or ``host``.
        overlays: tiles and copies; None runs each call as a whole, where its tensors are.
        without_overlays: why there are none although they were asked for; empty otherwise.
        search: how tiles were chosen; None where nothing was compared.
        left_out: faster kernels for which there is no room, and why.
    """

    program: KernelGraph
    arena: Arena
    state_offset_bytes: Mapping[str, int]
    state_bytes: int
    placement: Placement | None
    board: str
    overlays: OverlayProgram | None = None
    without_overlays: str = ""
    search: PlanSearch | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def weights_bytes(self) -> int:
        """Bytes of all constants, each rounded up to the alignment; of packs as they are."""
        packs = 0 if self.overlays is None else sum(p.size_bytes for p in self.overlays.packs)
        return packs + sum(
            -(-array.nbytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES for array in self.arrays.values()
        )

    def holds(self, tensor: str) -> bool:
        """Return whether a tensor is ever whole in memory: those inside a chain are not."""
        try:
            self.locate(tensor)
        except KeyError:
            return False
        return True

    def locate(self, tensor: str) -> tuple[Block, int]:
        """Return the block of a computed tensor, and its offset there; raises KeyError."""
        homes = {Block.STATE: self.state_offset_bytes, Block.ARENA: self.arena.offset_bytes}
        if self.overlays is not None:
            homes[Block.TIGHT] = self.overlays.tight_offset_bytes
            homes[Block.FAR] = self.overlays.far_offset_bytes
        for block, offset_bytes in homes.items():
            if tensor in offset_bytes:
                return block, offset_bytes[tensor]
        raise KeyError(tensor)

    @property
    def arrays(self) -> Mapping[str, Array]:
        """Constants that are read where they are, by name."""
        packed = frozenset() if self.overlays is None else self.overlays.packed
        return {n: array for n, array in self.program.constants.items() if n not in packed}
