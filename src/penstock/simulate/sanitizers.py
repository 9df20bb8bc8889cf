"""Sanitizers of the virtual board: what a real one does wrong now and then is an error here."""

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from penstock.boards.costs import TICKS_PER_CYCLE
from penstock.errors import SimulationError
from penstock.simulate.dma import Dma
from penstock.simulate.memory import BoardMemory, RegionBuffers
from penstock.simulate.sanitizer_records import (
    ActorRecord,
    ByteFlag,
    FaultKind,
    SanitizerRecord,
)
from penstock.simulate.timing_records import TimingRecord

_HELPS = {
    FaultKind.RACE: "wait for the transfer (ps_dma_wait) before touching what it moves",
    FaultKind.STALE: "invalidate the lines (ps_cache_invalidate) after the transfer",
    FaultKind.UNCLEAN: "clean the lines (ps_cache_clean) before a transfer starts, and before "
    "anything else reads memory past the cache",
    FaultKind.DIRTY: "clean or invalidate the lines before the transfer starts, and let nothing "
    "else share them",
    FaultKind.OVERWRITE: "invalidate the lines (ps_cache_invalidate) after the transfer",
    FaultKind.UNWRITTEN: "write it first; what it holds after reset is chance",
    FaultKind.REACH: "place the buffer in a memory that the board's file lists under 'reaches'",
    FaultKind.OUTSIDE: "operators may touch the model's arena, state and weights, their stack and "
    "constants",
    FaultKind.LOST: "clean the lines (ps_cache_clean) before they are invalidated; "
    "ps_cache_invalidate cleans those that it covers in part",
    FaultKind.MISUSE: "see the chapter on this controller in the reference manual",
}


@dataclass(frozen=True, slots=True)
class Checks:
    """Which sanitizers watch; transfers and the data cache are always watched.

    Attributes:
        unwritten: reads of memory that nobody has written.
        bounds: accesses of operators outside of what is the model's.
    """

    unwritten: bool = True
    bounds: bool = True


class Sanitizers:
    """What is known of each byte of a board's memories, and the first thing that went wrong."""

    def __init__(
        self,
        memory: BoardMemory,
        dma: Dma,
        timing: TimingRecord,
        native: ctypes.CDLL,
        checks: Checks,
    ) -> None:
        """Attach to a clock; nothing counts as written yet.

        Args:
            memory: watched from now on for what a debugger writes.
            dma: whose transfers are watched.
            timing: the clock; kept by the caller.
            native: the compiled callbacks.
            checks: which sanitizers watch.
        """
        self._native, self._memory, self._dma = native, memory, dma
        self._timing, self._checks = timing, checks
        self._shadows = RegionBuffers(memory.board.regions)
        for window, record in zip(memory.windows, dma.windows, strict=True):
            record.shadow = self._shadows.address(window.region.name)
        self.record = SanitizerRecord(checks_unwritten=checks.unwritten)
        if not native.ps_sanitizer_open(
            ctypes.byref(self.record), ctypes.byref(timing), ctypes.byref(dma.record)
        ):
            raise MemoryError
        memory.on_write = self.mark_written

    def mark_written(self, address: int, size_bytes: int) -> None:
        """Note that somebody has given bytes a value."""
        self._mark(address, size_bytes, ByteFlag.WRITTEN)

    def allow(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Say what operators may touch, as addresses and sizes, and watch that from now on."""
        for address, size_bytes in ranges:
            self._mark(address, size_bytes, ByteFlag.ALLOWED)
        self.record.checks_bounds = self._checks.bounds

    def _mark(self, address: int, size_bytes: int, flag: ByteFlag) -> None:
        self._native.ps_sanitizer_mark(
            ctypes.byref(self.record), address, ctypes.c_uint64(size_bytes), int(flag)
        )

    def use_result(self, address: int, size_bytes: int) -> None:
        """Check bytes that somebody outside is about to use."""
        self._native.ps_sanitize_result(ctypes.byref(self._timing), address, size_bytes)

    @property
    def has_fault(self) -> bool:
        """Whether something went wrong."""
        return bool(self.record.fault.kind)

    @property
    def fault_block(self) -> int | None:
        """Address of the code that went wrong; None where it was a transfer."""
        actor = self.record.fault.actor
        return None if actor.is_dma else int(actor.block)

    def is_fault_at(self, address: int) -> bool:
        """Return whether the fault is the core's access of an address."""
        actor = self.record.fault.actor
        return not actor.is_dma and 0 <= address - actor.address < actor.size_bytes

    def explain(
        self, name_operator: Callable[[int | None], str], place: str = ""
    ) -> SimulationError:
        """Return the error for what went wrong.

        Args:
            name_operator: returns how to call an operator by index, or None for outside of all.
            place: where in the program, for people.
        """
        fault = self.record.fault
        kind = FaultKind(fault.kind)
        actor = self._name(fault.actor, name_operator)
        verb = "writes" if fault.actor.is_write else "reads"
        what = f"{verb} {self._range(fault.actor)}" if fault.actor.size_bytes else "starts"
        problem = self._problem(kind, name_operator)
        where = f"; {place}" if place and not fault.actor.is_dma else ""
        return SimulationError(
            f"{actor} {what} at cycle {fault.actor.time // TICKS_PER_CYCLE}, {problem}{where}",
            help=_HELPS[kind],
        )

    def _problem(self, kind: FaultKind, name_operator: Callable[[int | None], str]) -> str:
        fault = self.record.fault
        other = self._other(name_operator)
        start = fault.actor.address
        refused = f"but {fault.what.decode()}: {start:#010x} {self._memory_of(start)}"
        return {
            FaultKind.RACE: f"while {other}",
            FaultKind.STALE: f"but the data cache holds what was there before {other}",
            FaultKind.UNCLEAN: "but the newest bytes may still be in the data cache, "
            f"after {other}",
            FaultKind.DIRTY: f"below a cache line that may be written back over it, after {other}",
            FaultKind.OVERWRITE: f"into a cache line from before {other}: writing the line back "
            "overwrites what arrived",
            FaultKind.LOST: f"which is lost: {other} into the data cache, and "
            f"{self._loss(name_operator)}",
            FaultKind.UNWRITTEN: "which nobody has written",
            FaultKind.OUTSIDE: "which is not the model's",
        }.get(kind, refused)

    def _loss(self, name_operator: Callable[[int | None], str]) -> str:
        loss = self.record.fault.loss
        cycle = loss.time // TICKS_PER_CYCLE
        return f"{self._name(loss, name_operator)} invalidated the line uncleaned at cycle {cycle}"

    def _other(self, name_operator: Callable[[int | None], str]) -> str:
        fault = self.record.fault
        if not fault.has_other:
            return "a transfer wrote it"
        other = fault.other
        who = self._name(other, name_operator)
        verb = "wrote" if other.is_write else "read"
        cycle = other.time // TICKS_PER_CYCLE
        if not other.is_dma:
            return f"{who} {verb} {self._range(other)} at cycle {cycle}"
        verb = "writes" if other.is_write else "reads"
        if not other.ended_at:
            return f"{who} {verb} {self._range(other)} since cycle {cycle}"
        ended = other.ended_at // TICKS_PER_CYCLE
        verb = "wrote" if other.is_write else "read"
        seen = ", unseen by the core," if fault.kind == FaultKind.RACE else ""
        return f"{who} {verb} {self._range(other)} from cycle {cycle} to {ended}{seen}".rstrip(",")

    def _name(self, actor: ActorRecord, name_operator: Callable[[int | None], str]) -> str:
        operator = name_operator(actor.slot - 1 if actor.slot else None)
        if not actor.is_dma:
            return f"the core, {operator},"
        controller = self._dma.controllers[actor.controller].name
        by = "by " if actor.slot else ""
        return f"{controller} channel {actor.channel}, started {by}{operator},"

    def _range(self, actor: ActorRecord) -> str:
        place = self._memory_of(actor.address)
        return f"{actor.size_bytes} bytes at {actor.address:#010x} {place}"

    def _memory_of(self, address: int) -> str:
        window = self._memory.window_at(address)
        return "in no memory" if window is None else f"in '{window.region.name}'"

    def close(self) -> None:
        """Release native memory."""
        self._memory.on_write = None
        self._native.ps_sanitizer_close(ctypes.byref(self.record))
