"""In-order issue of instructions, one or two a cycle, driven by a core's tables.

Each register remembers when the instruction that writes it was issued and how soon that result can
serve each purpose. An instruction is issued in the first cycle in which the issue stage is free,
its operands are in time for what they are for, and no gap forbids it. Caches, memories and wrong
predictions are the engine's business: here every access hits memory without wait states.
"""

from dataclasses import dataclass, field
from math import ceil

from penstock.simulate.pipeline.core_timing import (
    CoreTiming,
    EarlySlot,
    Gap,
    KindTiming,
    Latencies,
    Outcome,
    PairRule,
)
from penstock.simulate.pipeline.instruction import (
    FLAGS,
    REGISTER_COUNT,
    Instruction,
    Kind,
    Role,
)

LOADS = frozenset(
    {
        Kind.LOAD,
        Kind.LOAD_NARROW,
        Kind.LOAD_PAIR,
        Kind.LOAD_MULTIPLE,
        Kind.FP_LOAD,
        Kind.FP_LOAD_DOUBLE,
        Kind.FP_LOAD_MULTIPLE,
    }
)
_NEVER = -1000
_WORD_BYTES = 4
_SINGLE_LOADS = frozenset({Kind.LOAD, Kind.LOAD_NARROW, Kind.FP_LOAD})
_NOTHING: Latencies = (0,) * len(Role)


@dataclass(frozen=True, slots=True)
class Result:
    """What is on its way to a register.

    Attributes:
        issue: cycle in which the instruction that writes it was issued.
        latencies: from then on.
        is_loaded: it comes from memory.
    """

    issue: int
    latencies: Latencies
    is_loaded: bool


_OLD = Result(_NEVER, _NOTHING, is_loaded=False)


@dataclass(slots=True)
class Pipeline:
    """The state of a core between two instructions.

    Attributes:
        core: its tables.
        end: first cycle in which the issue stage is free; what the instructions so far took.
        issue: cycle in which the last instruction was issued.
        last: that instruction, unless it took no time; None behind a taken branch.
        has_room: another instruction may still issue in the cycle of the last one.
        is_folded: one that took no time came behind ``last``.
        is_paired: its access goes to memory together with the one before.
        load_wait_cycles: lost so far waiting for loads.
        results: by register.
        blocked: gaps that reach all, with the first cycle in which each is over.
    """

    core: CoreTiming
    end: int = 0
    issue: int = 0
    last: Instruction | None = None
    has_room: bool = False
    is_folded: bool = False
    is_paired: bool = False
    load_wait_cycles: int = 0
    results: list[Result] = field(default_factory=lambda: [_OLD] * REGISTER_COUNT)
    blocked: list[tuple[Gap, int]] = field(default_factory=list)

    def copy(self) -> "Pipeline":
        """Return a state that goes its own way."""
        twin = Pipeline(self.core, self.end, self.issue, self.last, self.has_room)
        twin.is_folded, twin.is_paired = self.is_folded, self.is_paired
        twin.load_wait_cycles = self.load_wait_cycles
        twin.results, twin.blocked = list(self.results), list(self.blocked)
        return twin

    def step(self, instruction: Instruction, outcome: Outcome | None = None) -> None:
        """Issue one instruction; the outcome is that of a branch, None where none is known."""
        self.is_paired = False
        self.is_folded = self._folds(instruction, outcome)
        if self.is_folded:
            self.has_room = False
            return
        issue, without_loads, is_younger = self._when(instruction)
        self.load_wait_cycles += issue - without_loads
        self.is_paired = self._shares_memory(instruction, issue, is_younger)
        self._retire(instruction, issue, is_younger)

    def branch_away(self, target: Instruction) -> None:
        """Go on at the target of a taken branch."""
        branch = self.core.branch
        self.end += branch.taken_cycles
        if not target.is_narrow and target.address % 4 != 0:
            self.end += branch.wide_target_cycles
        self.last = None
        self.has_room = False

    def signature(self) -> tuple[object, ...]:
        """Return what decides when later instructions issue, relative to now."""
        waits = tuple(
            (register, result.is_loaded, *(result.issue + n - self.end for n in result.latencies))
            for register, result in enumerate(self.results)
            if result.issue + max(result.latencies) > self.end
        )
        kind = self.last.kind if self.last else None
        blocked = tuple((id(gap), until - self.end) for gap, until in self.blocked)
        return (kind, self.has_room, self.is_folded, self.end - self.issue, waits, blocked)

    def _folds(self, instruction: Instruction, outcome: Outcome | None) -> bool:
        last = self.last
        if last is None or self.is_folded:
            return False
        return any(
            instruction.kind in fold.kinds
            and last.kind in fold.behind
            and (outcome is None or fold.outcome in (None, outcome))
            and not (fold.needs_narrow and not instruction.is_narrow)
            and not (fold.needs_narrow_before and not last.is_narrow)
            and not (fold.needs_no_flags_before and last.sets_flags)
            for fold in self.core.folds
        )

    def _when(self, instruction: Instruction) -> tuple[int, int, bool]:
        """Return the cycle of issue, the one if loads took no time, and whether it is paired."""
        last, kind = self.last, instruction.kind
        may_pair = self.has_room and last is not None and kind in self.core.kinds[last.kind].younger
        ready = self.issue if may_pair else self.end
        loaded = ready
        for role, register in instruction.reads:
            result = self.results[register]
            in_time = result.issue + result.latencies[role]
            if result.is_loaded:
                loaded = max(loaded, in_time)
            else:
                ready = max(ready, in_time)
        for gap in self.core.gaps_after[last.kind] if last is not None else ():
            if kind in gap.before and not gap.reaches_all:
                if gap.is_load_wait:
                    loaded = max(loaded, self.end + gap.cycles)
                else:
                    ready = max(ready, self.end + gap.cycles)
        for gap, until in self.blocked:
            if kind in gap.before:
                ready = max(ready, until)
        issue = max(ready, loaded)
        if may_pair and issue == self.issue:
            return issue, issue, True
        return max(issue, self.end), max(ready, self.end), False

    def _shares_memory(self, instruction: Instruction, issue: int, is_younger: bool) -> bool:
        last = self.last
        if last is None or not instruction.access_bytes:
            return False
        rule = self.core.memory.pair_rule
        if rule is PairRule.OTHER_BANK:
            return is_younger and last.kind in _SINGLE_LOADS and instruction.kind in _SINGLE_LOADS
        follows_load = any(gap.is_load_wait for gap in self.core.gaps_after[last.kind])
        return rule is PairRule.SAME_MEMORY and follows_load and issue == self.end

    def _retire(self, instruction: Instruction, issue: int, is_younger: bool) -> None:
        timing = self.core.kinds[instruction.kind]
        cycles = _transfer_cycles(timing, instruction)
        occupied = cycles + (timing.flags_cycles if instruction.sets_flags else 0)
        is_early = self._is_early(instruction, timing, issue, is_younger)
        last_cycle = issue + cycles - 1
        is_loaded = instruction.kind in LOADS
        if instruction.updates:
            update = Result(issue, timing.update, is_loaded=False)
            for register in instruction.updates:
                self.results[register] = update
        if instruction.writes:
            late = Result(last_cycle, timing.result, is_loaded)
            result = Result(last_cycle, timing.early_result, is_loaded) if is_early else late
            for register in instruction.writes:
                self.results[register] = late if register == FLAGS else result
        self.end = max(self.end, issue + occupied)
        self.blocked = [(gap, until) for gap, until in self.blocked if until > self.end]
        for gap in self.core.gaps_after[instruction.kind]:
            if gap.reaches_all:
                self.blocked.append((gap, issue + occupied + gap.cycles))
        self.issue = issue
        self.last = instruction
        self.has_room = bool(timing.younger) and not is_younger

    def _is_early(
        self, instruction: Instruction, timing: KindTiming, issue: int, is_younger: bool
    ) -> bool:
        """Whether the early arithmetic units execute it: in the right slot, operands in time."""
        if timing.early_slot is EarlySlot.NONE:
            return False
        older = self.last if is_younger else None
        if older and (timing.early_slot is EarlySlot.OLDER or older.kind in self.core.shifters):
            return False
        return all(
            self.results[register].issue + self.results[register].latencies[Role.EARLY] <= issue
            for role, register in instruction.reads
            if role is Role.LATE
        )


def _transfer_cycles(timing: KindTiming, instruction: Instruction) -> int:
    words = sum(-(-size // _WORD_BYTES) for size in instruction.access_bytes)
    return timing.cycles + ceil(timing.cycles_per_register * words)
