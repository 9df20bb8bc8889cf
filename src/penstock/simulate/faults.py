"""Says why the firmware stopped, in the terms of its source and of its model."""

from dataclasses import dataclass

from penstock.boards.board import PeripheralRange
from penstock.boards.timing import DmaController
from penstock.errors import InputError, SimulationError
from penstock.simulate.firmware import Firmware
from penstock.simulate.machine import Machine
from penstock.simulate.memory import BoardMemory
from penstock.simulate.monitor import (
    STOP_ACCESS,
    STOP_ASLEEP,
    STOP_EXCEPTION,
    STOP_LIMIT,
    STOP_MEMORY,
    STOP_STACK,
    STOP_UNALIGNED,
    STOP_UNDEFINED,
)

BKPT_READY = 0x20
"""Operand of the BKPT at which the harness waits; ports/harness.h."""

BKPT_REASONS = {
    0x21: "took a non-maskable interrupt",
    0x22: "took a hard fault",
    0x23: "took a memory management fault",
    0x24: "took a bus fault",
    0x25: "took a usage fault",
    0x26: "took an exception that nothing handles",
    0x27: "returned from main",
}
"""Why firmware stopped, by the operand of the BKPT; ports/harness.h."""
_EXCEPTION_PREFETCH_ABORT, _EXCEPTION_BKPT = 3, 7
_EXCEPTIONS = {
    1: "executed an undefined instruction",
    2: "called a supervisor (SVC) that is not there",
    4: "made an illegal data access",
    8: "returned from an exception that it never took",
    16: "made a semihosting call, which the board does not offer",
    17: "used a coprocessor that is not there or not enabled",
    18: "left the Thumb state: it jumped to an even address",
}
_COUNT_LESS = "end the count before it with --to, or call single functions with --call"
_READS = {16, 19, 23}
_WRITES = {17, 20, 22}
STACK_REACH_BYTES = 1 << 16
"""How far below the stack an access still counts as the stack's."""

_PUSH_BYTES_MAX = 256
_DMA_BYTES = 0x400
"""Of the registers of one controller of any kind that is not modelled."""


@dataclass(frozen=True, slots=True)
class StackBounds:
    """Where the stack is, ``[limit, top)``; it grows down."""

    limit: int
    top: int


def breakpoint_number(machine: Machine, memory: BoardMemory) -> int | None:
    """Return the operand of the BKPT at which the core stopped; None when it was no BKPT."""
    record = machine.monitor.record
    if record.reason != STOP_EXCEPTION or record.access != _EXCEPTION_BKPT:
        return None
    return memory.read(machine.pc, 1)[0]


def explain_stop(
    machine: Machine,
    memory: BoardMemory,
    firmware: Firmware,
    stack: StackBounds,
    operator_names: tuple[str, ...],
) -> SimulationError:
    """Return the error for a stop that is not the harness waiting for a command."""
    record = machine.monitor.record
    number = breakpoint_number(machine, memory)
    what, hint = _what(machine, memory, number)
    if record.reason in (STOP_ACCESS, STOP_STACK) and _is_overflow(machine, stack):
        size_bytes = stack.top - stack.limit
        what = f"overflowed its stack of {size_bytes} bytes at {stack.limit:#010x}: it {what}"
        hint = "give the linker script a larger stack, or the function smaller local arrays"
    where = describe_place(machine, firmware, operator_names)
    return SimulationError(f"the firmware {what}; {where}", help=hint)


def explain_program_stop(machine: Machine, memory: BoardMemory, firmware: Firmware) -> InputError:
    """Return the error for somebody else's program that neither exits nor comes where it should."""
    number = breakpoint_number(machine, memory)
    if number == BKPT_READY:
        return InputError(
            f"{firmware.path.name} waits for commands, as firmware of `penstock compile` does",
            help="run the project with `penstock run DIR`, or functions of it with --call",
        )
    what, hint = _what(machine, memory, number)
    place = _place_in_code(machine, firmware)
    return InputError(f"{firmware.path.name} {what}; {place}", help=hint or _hint(machine, memory))


def _hint(machine: Machine, memory: BoardMemory) -> str:
    record = machine.monitor.record
    if record.reason == STOP_ACCESS and (
        0x4000_0000 <= record.address < 0x6000_0000 or _peripheral(memory, record.address)
    ):
        return "registers are not modelled: --peripherals ignore lets them behave as memory"
    if record.reason == STOP_EXCEPTION and record.access == _EXCEPTION_BKPT:
        return _COUNT_LESS
    if record.reason == STOP_UNDEFINED:
        return "the emulated cores lack double-precision floating point: compile for the single one"
    return f"the program would fault on {memory.board.name} too, unless it is for another board"


def _is_overflow(machine: Machine, stack: StackBounds) -> bool:
    """A push that faults has not yet moved the stack pointer, but writes just below it."""
    address = machine.monitor.record.address
    if not stack.limit - STACK_REACH_BYTES <= address < stack.limit:
        return machine.sp < stack.limit
    return machine.sp - address < _PUSH_BYTES_MAX or machine.sp < stack.limit


def _what(machine: Machine, memory: BoardMemory, number: int | None) -> tuple[str, str]:
    record = machine.monitor.record
    if number is not None:
        return BKPT_REASONS.get(number, f"stopped at a breakpoint of its own ({number:#x})"), ""
    if record.reason == STOP_ASLEEP:
        return (
            "sleeps for ever: no transfer is running whose end would wake it, and no other "
            "interrupts are modelled",
            "start the transfer before WFI or WFE, and enable its interrupt; or " + _COUNT_LESS,
        )
    if record.reason == STOP_MEMORY:
        return "cannot go on: this computer has no memory left", "end other programs, and try again"
    if record.reason == STOP_LIMIT:
        return (
            f"ran for {machine.monitor.instructions} instructions and was not done",
            "look for an endless loop, or raise the instruction limit",
        )
    if record.reason == STOP_EXCEPTION and record.access == _EXCEPTION_PREFETCH_ABORT:
        return f"jumped to {record.pc:#010x}, {_fetch_problem(memory, record.pc)}", ""
    if record.reason == STOP_EXCEPTION:
        return _EXCEPTIONS.get(record.access, f"took exception {record.access}"), ""
    if record.reason in (STOP_ACCESS, STOP_STACK):
        return _access(memory, record.access, record.address, record.size_bytes)
    if record.reason == STOP_UNALIGNED:
        verb = "wrote" if record.access in _WRITES else "read"
        return (
            f"{verb} a word at {record.address:#010x} with an instruction that requires alignment",
            "the core takes a usage fault there; do not cast pointers to wider types",
        )
    return _EXCEPTIONS[1], ""


def _access(memory: BoardMemory, access: int, address: int, size_bytes: int) -> tuple[str, str]:
    if access not in _READS | _WRITES:
        return f"jumped to {address:#010x}, {_fetch_problem(memory, address)}", ""
    verb = "wrote" if access in _WRITES else "read"
    window = memory.window_at(address)
    controller = _dma_controller(memory, address)
    if controller is not None:
        place = f"a register of '{controller.name}', which is not modelled"
    elif (peripheral := _peripheral(memory, address)) is not None:
        place = f"among the peripherals '{peripheral.name}', which are not modelled"
    elif window is None:
        place = f"which is in no memory of {memory.board.name}{_neighbor(memory, address)}"
    elif window.region.is_writable:
        place = f"which is in '{window.region.name}'"
    else:
        place = f"which is in '{window.region.name}', a read-only memory"
    return f"{verb} {size_bytes} bytes at {address:#010x}, {place}", ""


def _dma_controller(memory: BoardMemory, address: int) -> DmaController | None:
    controllers = memory.board.dma_controllers
    return next((c for c in controllers if 0 <= address - c.base < _DMA_BYTES), None)


def _peripheral(memory: BoardMemory, address: int) -> PeripheralRange | None:
    ranges = memory.board.peripherals
    return next((p for p in ranges if 0 <= address - p.base < p.size_bytes), None)


def _fetch_problem(memory: BoardMemory, address: int) -> str:
    window = memory.window_at(address)
    if window is None:
        return f"which is in no memory of {memory.board.name}{_neighbor(memory, address)}"
    return f"which is in '{window.region.name}', where the core executes nothing"


def _neighbor(memory: BoardMemory, address: int) -> str:
    below = [window for window in memory.windows if window.end <= address]
    if not below or address - below[-1].end >= STACK_REACH_BYTES:
        return ""
    return f", {address - below[-1].end} bytes behind the end of '{below[-1].region.name}'"


def describe_place(machine: Machine, firmware: Firmware, operator_names: tuple[str, ...]) -> str:
    """Return function, line and operator of the stop, as far as they are known."""
    place = _place_in_code(machine, firmware)
    return f"{place}, {describe_operator(machine.monitor.current_operator, operator_names)}"


def describe_operator(operator: int | None, operator_names: tuple[str, ...]) -> str:
    """Return index and kind of an operator; None is outside of all."""
    if operator is None:
        return "outside all operators"
    kind = operator_names[operator] if operator < len(operator_names) else "unknown kind"
    return f"operator {operator} ({kind})"


def _place_in_code(machine: Machine, firmware: Firmware) -> str:
    record = machine.monitor.record
    function = firmware.function_at(record.pc)
    address = record.pc if function else record.last_block
    return describe_code(firmware, address)


def describe_code(firmware: Firmware, address: int) -> str:
    """Return function and line of an address, as far as they are known."""
    function = firmware.function_at(address)
    if function is None:
        return f"in no known function, at {address:#010x}"
    line = firmware.source_line(address)
    name = function.name.partition(".")[0]  # GCC numbers its clones: name.constprop.0
    offset = f"+{address - function.start:#x}" if address > function.start else ""
    return f"in {name}{offset} ({f'{line}, ' if line else ''}{address:#010x})"
