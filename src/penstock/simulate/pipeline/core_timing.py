"""What a core's pipeline does with each kind of instruction, as data."""

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from penstock.simulate.pipeline.instruction import Kind

Latencies = tuple[int, ...]
"""By ``Role``: cycles from the issue of the instruction that writes a register to the earliest
issue of one that reads it so. 0 is the same cycle."""


class PairRule(Enum):
    """What two loads need in order to go to memory together."""

    ALWAYS = "always"
    OTHER_BANK = "other_bank"  # one an even, one an odd word
    SAME_MEMORY = "same_memory"


class Outcome(Enum):
    """Of the branch at the end of a block."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"


class EarlySlot(Enum):
    """Where a core can execute an instruction in its early arithmetic units."""

    NONE = "none"
    OLDER = "older"  # the first of a pair, or one that issues alone
    EITHER = "either"


@dataclass(frozen=True)
class KindTiming:
    """What one kind of instruction takes.

    Attributes:
        cycles: that it occupies the issue stage, beside those of its registers.
        cycles_per_register: further ones for each word transferred; the sum is rounded up.
        flags_cycles: further ones when it sets the flags; the result does not wait for them.
        result: latencies of what it writes, from the last of those cycles on.
        early_result: latencies when the early arithmetic units execute it.
        early_slot: when they can.
        update: latencies of the base register that it updates.
        younger: kinds that may issue in the same cycle behind it.
    """

    cycles: int
    cycles_per_register: float
    flags_cycles: int
    result: Latencies
    early_result: Latencies
    early_slot: EarlySlot
    update: Latencies
    younger: frozenset[Kind]


@dataclass(frozen=True)
class Gap:
    """Cycles that must pass between two instructions, beyond what each occupies.

    Attributes:
        after: kinds of the first.
        before: kinds of the second.
        cycles: between the end of the first and the issue of the second.
        reaches_all: every later instruction waits, not only the next.
        is_load_wait: the pipeline waits for a load.
    """

    after: frozenset[Kind]
    before: frozenset[Kind]
    cycles: int
    reaches_all: bool
    is_load_wait: bool


@dataclass(frozen=True)
class Fold:
    """Instructions that vanish into the one before, at no cost.

    Attributes:
        kinds: that vanish.
        behind: kinds of the one before.
        outcome: only branches with this one; None for any.
        needs_narrow: this one has 16 bits.
        needs_narrow_before: so has the one before.
        needs_no_flags_before: the one before does not set the flags.
    """

    kinds: frozenset[Kind]
    behind: frozenset[Kind]
    outcome: Outcome | None
    needs_narrow: bool
    needs_narrow_before: bool
    needs_no_flags_before: bool


@dataclass(frozen=True)
class BranchTiming:
    """What branches cost.

    Attributes:
        is_predicted: the core has a branch predictor; a wrong guess costs ``mispredict_cycles``.
        taken_cycles: to refill the pipeline after any taken branch that was foreseen.
        wide_target_cycles: further ones when the target is 32 bits wide and not word-aligned.
        mispredict_cycles: of a wrong guess.
        mispredict_cycles_early: when the flags were set ``early_distance`` cycles before.
        early_distance: in cycles.
    """

    is_predicted: bool
    taken_cycles: int
    wide_target_cycles: int
    mispredict_cycles: int
    mispredict_cycles_early: int
    early_distance: int


STORE_BUFFER_ENTRIES_MAX = 8
"""What the native half has room for: ``PS_STORES_MAX`` of native/timing.h."""


@dataclass(frozen=True)
class AccessTiming:
    """How the core goes to memory.

    Attributes:
        unaligned_load_cycles: that an unaligned load takes longer, on average.
        unaligned_store_cycles: that an unaligned store occupies the store buffer; with one entry,
            that it takes longer.
        subword_store_cycles: that a byte or half word occupies the store buffer, where words
            need one: it is read, modified and written.
        pair_rule: what loads of one cycle, or loads that overlap, need.
        fetch_bytes: of instructions, fetched at once; of the core, in boards/cores.toml.
        store_buffer_entries: stores that wait for memory while the core goes on.
        preload_fills: lines of the data cache that PLD may be filling; likewise.
    """

    unaligned_load_cycles: float
    unaligned_store_cycles: float
    subword_store_cycles: float
    pair_rule: PairRule
    fetch_bytes: int
    store_buffer_entries: int
    preload_fills: int


@dataclass(frozen=True, eq=False)
class CoreTiming:
    """A core as the scheduler sees it.

    Attributes:
        name: such as ``cortex-m7``.
        kinds: what each takes; every kind is there.
        shifters: kinds that occupy the early shifter.
        gaps: between instructions.
        folds: instructions for free.
        branch: what branches cost.
        memory: how it goes to memory.
    """

    name: str
    kinds: dict[Kind, KindTiming]
    shifters: frozenset[Kind]
    gaps: tuple[Gap, ...]
    folds: tuple[Fold, ...]
    branch: BranchTiming
    memory: AccessTiming

    @cached_property
    def gaps_after(self) -> dict[Kind, tuple[Gap, ...]]:
        """The gaps that each kind starts."""
        return {kind: tuple(gap for gap in self.gaps if kind in gap.after) for kind in Kind}
