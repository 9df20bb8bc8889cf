"""Runs any firmware on a virtual board: from reset, from here to there, or function by function."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from penstock.boards.board import Board
from penstock.errors import InputError, SimulationError, UnsupportedError, os_reason
from penstock.progress import Progress, silent
from penstock.simulate.calls import Call, parse_calls
from penstock.simulate.faults import breakpoint_number, explain_program_stop
from penstock.simulate.image import Image, ImageFormat, read_image
from penstock.simulate.machine import Machine
from penstock.simulate.memory import BoardMemory
from penstock.simulate.monitor import STOP_NONE, STOP_TIMING
from penstock.simulate.peripherals import RegisterGuard, SpinBreaker, reachable_peripherals
from penstock.simulate.program_options import (
    BACK,
    DEFAULT_PROGRAM_OPTIONS,
    ProgramOptions,
    check_options,
)
from penstock.simulate.reset import Reset, check_stack, find_reset, find_stack
from penstock.simulate.semihosting import BREAKPOINT, Output, Semihosting
from penstock.simulate.timing import CycleCounts, Traffic
from penstock.units import format_count, format_ordinal

RETURN_ADDRESS = 0xF000_0000
"""Where called functions return to: no memory, and never executable (ARMv7-M, B3.1)."""

_BKPT_BYTES = 2
_R0, _R1 = 0, 1


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """What a program did.

    Attributes:
        image_format: what the file was.
        counted: the stretch that the counts are of, for people.
        time: cycles of that stretch and the stalls among them; None on a board without timing.
        traffic: bytes moved during it, by memory; empty on a board without timing.
        instructions: of that stretch, those whose condition failed included.
        function_instructions: by function, callees not included, most first.
        caches: whether each cache of the board was on at its end; empty on a board without timing.
        exit_status: None when the program did not exit.
        return_value: r0 after the last call; None without calls.
        output: what the program wrote to its console.
        invented_reads: reads of polled registers since reset that were answered with values of
            ours, to end the polling.
        wall_seconds: time that the simulation of the stretch took here.
    """

    image_format: ImageFormat
    counted: str
    time: CycleCounts | None
    traffic: Mapping[str, Traffic]
    instructions: int
    function_instructions: Mapping[str, int]
    caches: Mapping[str, bool]
    exit_status: int | None
    return_value: int | None
    output: bytes
    invented_reads: int
    wall_seconds: float


def simulate_program(
    path: Path,
    board: Board,
    options: ProgramOptions = DEFAULT_PROGRAM_OPTIONS,
    *,
    on_output: Output | None = None,
    progress: Progress = silent,
) -> ProgramRun:
    """Run an image that somebody else linked for a board.

    Args:
        path: an ELF, Intel HEX or raw binary file.
        board: whose memories and core there are.
        options: what to run and count.
        on_output: told of what the program prints as it comes.
        progress: told about ten times a second how far the program is.

    Raises:
        InputError: the file is damaged or not for the board, an option does not fit it, or the
            program faults, runs away or never comes where counting should begin or end.
        UnsupportedError: it executes an instruction whose time is not known.
        ToolError: Unicorn or a C compiler is missing.
    """
    check_options(options)
    image = read_image(path, options.base)
    with closing(_Program(image, board, options, on_output, progress)) as program:
        if options.calls:
            return program.run_calls()
        return program.run_stretch()


class _Program:
    """A board with an image; used once."""

    def __init__(
        self,
        image: Image,
        board: Board,
        options: ProgramOptions,
        on_output: Output | None,
        progress: Progress,
    ) -> None:
        self._image, self._options, self._progress = image, options, progress
        reachable = reachable_peripherals(board, ignores=options.ignores_peripherals)
        self._memory = BoardMemory(board, reachable)
        self._load()
        self._reset = self._find_reset()
        self._machine = Machine(image.firmware, self._memory, board.core)
        self._spin_breaker = SpinBreaker(self._machine) if options.ignores_peripherals else None
        self._guard = None if options.ignores_peripherals else RegisterGuard(self._machine)
        self._machine.reset(self._reset.stack_top)
        self._set_caches()
        self._semihosting = Semihosting(
            self._memory,
            self._reset.stack_top,
            clock=self._cycles,
            clock_hz=board.clock_hz,
            on_output=on_output,
        )
        self._instructions_left = options.instruction_limit
        self._counting_since = time.perf_counter()

    def close(self) -> None:
        """Release everything; no other method may be called afterwards."""
        self._machine.close()

    def run_stretch(self) -> ProgramRun:
        """Run from reset and count from the start to the end that the options name."""
        options, place = self._options, self._reset.entry
        start = None if options.start is None else self._code_address(options.start, "--from")
        end = None
        if options.end not in (None, BACK):
            end = self._code_address(options.end or "", "--to")
        if end is not None and end == (self._reset.entry if start is None else start):
            raise InputError(
                f"--to {options.end} is where counting begins, so that nothing is counted",
                help="for one turn of a loop, name its first and its last instruction",
            )
        for number in range(1, options.pass_number + 1):
            if start is not None:
                place = self._reach(place, start, f"--from {options.start}", number)
            self._count_from_here()
            if options.end == BACK:
                end = self._machine.lr & ~1
            if end is not None:
                place = self._reach(place, end, f"--to {options.end}", number)
            elif self._proceed(place) is not None:
                raise AssertionError("there was nowhere to stop")
        return self._result(self._stretch(), None)

    def run_calls(self) -> ProgramRun:
        """Call the functions that the options name, and count the last call."""
        calls = parse_calls(self._options.calls, self._image)
        for call in calls:
            self._check_code(call.address, f"--call {call.text}")
        if self._options.after is not None:
            after = self._code_address(self._options.after, "--after")
            self._reach(self._reset.entry, after, f"--after {self._options.after}", 1)
            self._load_files()
        for call in calls:
            self._count_from_here()
            self._call(call)
        counted = f"call {len(calls)} of {len(calls)}: {calls[-1].text}"
        return self._result(counted, self._machine.register(_R0))

    def _call(self, call: Call) -> None:
        self._machine.prepare_call(self._stack_of_calls(), RETURN_ADDRESS, call.arguments)
        if self._proceed(call.address) is None:
            raise InputError(
                f"{call.text} ended the program with exit status {self._semihosting.exit_status} "
                "instead of returning",
                help="call functions that return, or leave out --call to run the program",
            )

    def _stack_of_calls(self) -> int:
        """After start-up the program's own stack stays as it is below main."""
        top = self._reset.stack_top if self._options.after is None else self._machine.sp
        return top & ~7

    def _reach(self, place: int, target: int, option: str, number: int) -> int:
        if self._proceed(place, target) is None:
            turn = f" for the {format_ordinal(number)} time" if number > 1 else ""
            raise InputError(
                f"{self._image.name} exited with status {self._semihosting.exit_status} before it "
                f"came to {option}{turn}, {target:#010x}",
                help="functions that the compiler has inlined are never reached as such, nor are "
                "addresses within an instruction",
            )
        return target

    def _proceed(self, place: int, target: int | None = None) -> int | None:
        """Run from a place to the target, a return from a call (both: an address) or an exit."""
        self._machine.stop_before(() if target is None else (target,))
        while True:
            self._run(place)
            arrival = self._arrival(target)
            self._check_stop(arrival)
            if arrival is not None:
                return arrival
            self._answer()
            if self._semihosting.exit_status is not None:
                return None
            place = self._machine.pc + _BKPT_BYTES

    def _arrival(self, target: int | None) -> int | None:
        if self._machine.monitor.record.reason == STOP_NONE and self._machine.pc == target:
            return target
        return RETURN_ADDRESS if self._machine.pc & ~1 == RETURN_ADDRESS else None

    def _check_stop(self, arrival: int | None) -> None:
        """Raise what went wrong. A fault says more than that its code could not be timed."""
        is_untimed = self._machine.monitor.record.reason == STOP_TIMING
        number = breakpoint_number(self._machine, self._memory)
        if arrival is None and not is_untimed and number != BREAKPOINT:
            raise explain_program_stop(self._machine, self._memory, self._image.firmware)
        if self._machine.timing is None:
            return
        try:
            self._machine.timing.raise_failure()
        except UnsupportedError as error:
            raise UnsupportedError(f"{self._image.name}: {error.what}", help=error.help) from error
        except SimulationError as error:
            raise InputError(f"{self._image.name}: {error.what}", help=error.help) from error

    def _run(self, place: int) -> None:
        monitor = self._machine.monitor
        before = monitor.instructions
        try:
            self._machine.run(place, max(self._instructions_left, 0), self._report)
        except SimulationError as error:
            raise InputError(f"{self._image.name}: {error.what}", help=error.help) from error
        self._instructions_left -= monitor.instructions - before

    def _report(self) -> None:
        count = format_count(self._machine.monitor.instructions)
        self._progress(f"running: {count} instructions", None)

    def _answer(self) -> None:
        operation, parameter = self._machine.register(_R0), self._machine.register(_R1)
        try:
            answer = self._semihosting.call(operation, parameter)
        except SimulationError as error:
            raise InputError(
                f"the semihosting call {operation:#04x} at {self._machine.pc:#010x} points outside "
                f"the memories: {error.what}",
                help="r1 must hold the address of the call's parameter block",
            ) from error
        self._machine.set_register(_R0, answer)

    def _cycles(self) -> int | None:
        """Return core cycles since reset; None on a board without timing."""
        timing = self._machine.timing
        return None if timing is None else timing.cycles

    def _set_caches(self) -> None:
        """Nobody turns caches on where no start-up code runs; else they stay as after a reset."""
        has_caches = self._options.has_caches
        if has_caches is None and self._options.calls and self._options.after is None:
            has_caches = True
        if self._machine.timing is not None and has_caches is not None:
            self._machine.timing.set_caches(has_caches)

    def _caches(self) -> dict[str, bool]:
        if self._machine.timing is None:
            return {}
        record = self._machine.timing.record
        caches = {"instruction": record.instruction_cache, "data": record.data_cache}
        return {name: bool(c.is_enabled) for name, c in caches.items() if c.set_count}

    def _count_from_here(self) -> None:
        self._machine.monitor.clear_counts()
        if self._machine.timing is not None:
            self._machine.timing.clear_counts()
        self._counting_since = time.perf_counter()

    def _result(self, counted: str, return_value: int | None) -> ProgramRun:
        timing = self._machine.timing
        return ProgramRun(
            image_format=self._image.format,
            counted=counted,
            time=None if timing is None else timing.total(),
            traffic={} if timing is None else timing.traffic(),
            instructions=self._machine.monitor.instructions,
            function_instructions=self._machine.monitor.function_instructions(),
            caches=self._caches(),
            exit_status=self._semihosting.exit_status,
            return_value=return_value,
            output=bytes(self._semihosting.output),
            invented_reads=0 if self._spin_breaker is None else self._spin_breaker.invented_count,
            wall_seconds=time.perf_counter() - self._counting_since,
        )

    def _stretch(self) -> str:
        number = self._options.pass_number
        turn = f", pass {number}" if number > 1 else ""
        return f"from {self._options.start or 'reset'} to {self._options.end or 'exit'}{turn}"

    def _load(self) -> None:
        """Program the memories; without start-up, also put data where it would copy them."""
        options = self._options
        segments = list(self._image.firmware.segments)
        if options.calls and options.after is None:
            segments += self._image.initialized
        for segment in segments:
            self._write(segment.address, segment.content, self._image.name)
        if options.after is None:
            self._load_files()

    def _load_files(self) -> None:
        for load in self._options.loads:
            file, _, place = load.rpartition("@")
            if not file:
                raise InputError(
                    f"--load {load} does not say where to",
                    help="write --load FILE@SYMBOL or --load FILE@ADDRESS",
                )
            try:
                content = Path(file).read_bytes()
            except OSError as error:
                raise InputError(
                    f"--load: {file} cannot be read: {os_reason(error)}", help="check the path"
                ) from error
            self._write(self._image.resolve(place, f"--load {load}"), content, file)

    def _write(self, address: int, content: bytes, name: str) -> None:
        try:
            self._memory.write(address, content)
        except SimulationError as error:
            board = self._memory.board.name
            raise InputError(
                f"{name} holds {len(content)} bytes for {address:#010x}, which do not fit the "
                f"memories of {board}",
                help=f"link it for {board}, or choose its own board: `penstock boards` lists them",
            ) from error

    def _find_reset(self) -> Reset:
        options, image, memory = self._options, self._image, self._memory
        if options.stack is not None:
            check_stack(memory, options.stack)
        try:
            return find_reset(image, memory, options.vectors, options.stack)
        except InputError:
            if not options.calls or options.after or options.vectors is not None:
                raise
        stack = find_stack(image, memory) if options.stack is None else options.stack
        return Reset(0, stack, None)

    def _code_address(self, text: str, option: str) -> int:
        address = self._image.resolve(text, option) & ~1
        self._check_code(address, f"{option} {text}")
        return address

    def _check_code(self, address: int, option: str) -> None:
        window = self._memory.window_at(address)
        if window is None or not window.is_executable:
            raise InputError(
                f"{option} is {address:#010x}, where {self._memory.board.name} executes nothing",
                help="name a function, or an address of code",
            )
