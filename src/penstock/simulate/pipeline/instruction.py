"""What a pipeline model must know of an instruction, and of a basic block of them."""

from dataclasses import dataclass
from enum import Enum, IntEnum

FLAGS = 16
"""Number of the condition flags among the registers; 0 to 15 are r0 to r15."""
LANE_FLAGS = 17
"""The GE flags, which the parallel additions set and SEL reads."""
FP_FLAGS = 18
"""The flags of FPSCR."""
FP_BASE = 20
"""s0; a double-precision register is the two registers that it overlaps."""
REGISTER_COUNT = FP_BASE + 32
PC, LR, SP = 15, 14, 13


class Kind(Enum):
    """Instructions that a core treats alike; the names are those of ``cores/*.toml``."""

    ADD = "add"  # ADD, SUB and MOV without a shift: what simple early adders do
    ALU = "alu"  # other arithmetic and logic, compares among them
    ALU_SHIFTED = "alu_shifted"  # second operand a shifted register
    ALU_CONSTANT = "alu_constant"  # second operand eight bits shifted
    SHIFT = "shift"
    REVERSE = "reverse"  # REV, RBIT
    BITFIELD = "bitfield"  # BFI, BFC, UBFX, SBFX
    PACK = "pack"  # PKHBT, PKHTB
    EXTEND = "extend"  # SXTB, UXTH, SXTB16
    EXTEND_ADD = "extend_add"  # SXTAB, UXTAH, SXTAB16
    LANES = "lanes"  # parallel and saturating arithmetic, SEL, CLZ
    MULTIPLY = "multiply"
    MULTIPLY_ADD = "multiply_add"
    DIVIDE = "divide"
    LOAD = "load"
    LOAD_NARROW = "load_narrow"  # bytes and half words
    LOAD_PAIR = "load_pair"
    LOAD_MULTIPLE = "load_multiple"
    STORE = "store"
    STORE_INDEXED = "store_indexed"  # with a register as offset
    STORE_PAIR = "store_pair"
    STORE_MULTIPLE = "store_multiple"
    PRELOAD = "preload"
    BRANCH = "branch"
    TABLE_BRANCH = "table_branch"
    IF_THEN = "if_then"
    NOP = "nop"
    SYSTEM = "system"  # barriers, special registers, exceptions
    FP_ADD = "fp_add"  # and comparisons, conversions, roundings
    FP_MULTIPLY = "fp_multiply"
    FP_FUSED = "fp_fused"  # VFMA: rounds once
    FP_CHAINED = "fp_chained"  # VMLA: rounds twice
    FP_DIVIDE = "fp_divide"
    FP_ROOT = "fp_root"
    FP_MOVE = "fp_move"  # register to register, VABS, VNEG
    FP_CONSTANT = "fp_constant"
    FP_FROM_CORE = "fp_from_core"
    FP_TO_CORE = "fp_to_core"
    FP_LOAD = "fp_load"
    FP_STORE = "fp_store"
    FP_LOAD_DOUBLE = "fp_load_double"
    FP_STORE_DOUBLE = "fp_store_double"
    FP_LOAD_MULTIPLE = "fp_load_multiple"
    FP_STORE_MULTIPLE = "fp_store_multiple"
    DOUBLE_ADD = "double_add"
    DOUBLE_MULTIPLY = "double_multiply"
    DOUBLE_FUSED = "double_fused"
    DOUBLE_DIVIDE = "double_divide"
    DOUBLE_ROOT = "double_root"


class Role(IntEnum):
    """What an operand is for, which decides when the pipeline needs it."""

    LATE = 0  # an operand of ordinary arithmetic
    EARLY = 1  # one that passes a shifter first
    ADDRESS = 2
    MULTIPLICAND = 3
    ACCUMULATOR = 4
    STORE = 5
    BRANCH = 6
    FP_ADD = 7
    FP_MULTIPLY = 8
    FP_MULTIPLICAND = 9
    FP_ACCUMULATOR = 10
    FP_STORE = 11
    FP_MOVE = 12
    FP_TO_CORE = 13
    ADDEND = 14  # what an extension is added to


class BranchKind(IntEnum):
    """How a block ends; ``ps_branch`` of native/timing.h."""

    NONE = 0
    CONDITIONAL = 1
    DIRECT = 2
    INDIRECT = 3
    RETURN = 4


@dataclass(frozen=True, slots=True)
class Instruction:
    """One Thumb instruction.

    Attributes:
        address: where it is.
        size_bytes: 2 or 4.
        text: disassembly, for people.
        kind: what the core treats it as.
        reads: registers and what for; r15 is never among them.
        writes: registers that get a result.
        updates: registers that get an address, by pre- or post-indexing.
        access_bytes: of each access to data that it makes, in order, as the emulator reports them.
        is_predicated: it may have no effect, inside an IT block.
        branch: NONE for what always goes on with the next instruction.
    """

    address: int
    size_bytes: int
    text: str
    kind: Kind
    reads: tuple[tuple[Role, int], ...] = ()
    writes: tuple[int, ...] = ()
    updates: tuple[int, ...] = ()
    access_bytes: tuple[int, ...] = ()
    is_predicated: bool = False
    branch: BranchKind = BranchKind.NONE

    @property
    def is_narrow(self) -> bool:
        """Whether it has 16 bits."""
        return self.size_bytes == 2

    @property
    def sets_flags(self) -> bool:
        """Whether it writes the condition flags."""
        return FLAGS in self.writes


@dataclass(frozen=True, eq=False)
class Block:
    """Instructions that run one after the other; only the last may branch.

    Blocks are compared by identity: ``decode_block`` returns the same one for the same code.

    Attributes:
        address: of the first.
        size_bytes: of all.
        instructions: at least one.
        predicated_after: instructions behind the block that an IT of it makes conditional.
    """

    address: int
    size_bytes: int
    instructions: tuple[Instruction, ...]
    predicated_after: int = 0

    @property
    def access_count(self) -> int:
        """Accesses to data when every predicated instruction has its effect."""
        return sum(len(i.access_bytes) for i in self.instructions)

    @property
    def end(self) -> int:
        """Address behind the block."""
        return self.address + self.size_bytes

    @property
    def branch(self) -> BranchKind:
        """How it ends."""
        return self.instructions[-1].branch
