"""Registers that are not modelled: which may be accessed, and loops that wait for them."""

import ctypes
from collections.abc import Iterator, Sequence

from penstock.boards.board import Board, PeripheralRange
from penstock.boards.memories import PAGE_BYTES
from penstock.boards.provenance import Confidence, Provenance
from penstock.simulate.machine import Machine
from penstock.simulate.monitor import STOP_ACCESS, STOP_NONE, load_native
from penstock.simulate.monitor_records import PollingRecord

_ARCHITECTURE = Provenance(
    "Arm DDI0403, ARMv7-M architecture reference manual, system address map (B3.1)",
    Confidence.PRIMARY,
)
_SYSTEM = range(0xE000_0000, 0xE010_0000)
_PERIPHERAL = range(0x4000_0000, 0x6000_0000)
_WORD_BYTES = 4

_OnRead = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_void_p,
)
"""``uc_cb_hookmem_t`` of the emulator: engine, access, address, size, value, state."""


def _range(name: str, addresses: range) -> PeripheralRange:
    return PeripheralRange(name, addresses.start, len(addresses), _ARCHITECTURE)


def reachable_peripherals(board: Board, *, ignores: bool) -> tuple[PeripheralRange, ...]:
    """Return the registers that behave as memory.

    The core's own are always among them. With ``ignores`` so are the board's and the whole
    peripheral space of the architecture.
    """
    system = _range("private_peripheral_bus", _SYSTEM)
    if not ignores:
        return (system,)
    return (system, _range("peripherals", _PERIPHERAL), *board.peripherals)


class SpinBreaker:
    """Ends loops that poll a register which nothing changes, such as "clock ready" flags.

    A register that is read many times in a row, with no other between, begins to answer with
    other values: first with its complement, then with a fixed pseudo-random sequence.
    """

    def __init__(self, machine: Machine) -> None:
        """Watch the peripheral space of a machine, which must not outlive this object.

        Registers of DMA controllers that are modelled are left alone: they do change.
        """
        self._record = PollingRecord(
            read_memory=machine.engine_function("uc_mem_read"),
            write_memory=machine.engine_function("uc_mem_write"),
        )
        callback = _address(load_native().ps_polling_on_read)
        pages = sorted(page for page in _controller_pages(machine) if page in _PERIPHERAL)
        spared = [range(page, page + PAGE_BYTES) for page in pages]
        for addresses in _without(_PERIPHERAL, spared):
            machine.watch_reads(callback, self._record, addresses)

    @property
    def invented_count(self) -> int:
        """Reads that were answered with another value than the register's."""
        return int(self._record.invented_count)


class RegisterGuard:
    """Stops a program at a register which is not modelled in a page where another one is.

    The emulator maps whole pages: the bit that gives a DMA controller its clock brings all its
    neighbors along, and a program that polls one of those would never end. One that only writes
    them is not stopped.
    """

    def __init__(self, machine: Machine) -> None:
        """Watch the pages of clock enable registers; the machine must not outlive this object."""
        self._machine = machine
        self._callback = _OnRead(self._on_read)
        registers = _clock_enables(machine)
        for page in {_page(register) for register in registers} - _controller_pages(machine):
            words = sorted(r for r in registers if _page(r) == page)
            spared = [range(word, word + _WORD_BYTES) for word in words]
            for addresses in _without(range(page, page + PAGE_BYTES), spared):
                machine.watch_reads(_address(self._callback), machine.monitor.record, addresses)

    def _on_read(self, _engine: int, access: int, address: int, size: int, *_: int) -> None:
        monitor = self._machine.monitor
        if monitor.record.reason == STOP_NONE:
            monitor.record.reason, monitor.record.pc = STOP_ACCESS, self._machine.pc
            monitor.record.access = access
            monitor.record.address, monitor.record.size_bytes = address, size
        monitor.interrupt()


def _page(address: int) -> int:
    return address - address % PAGE_BYTES


def _controller_pages(machine: Machine) -> set[int]:
    """Return the pages of registers that answer as they do on the board."""
    return set() if machine.dma is None else {_page(c.base) for c in machine.dma.controllers}


def _clock_enables(machine: Machine) -> set[int]:
    controllers = () if machine.dma is None else machine.dma.controllers
    return {c.clock_enable_address for c in controllers if c.clock_enable_address is not None}


def _without(whole: range, holes: Sequence[range]) -> Iterator[range]:
    """Yield what is left of a range between holes, which are in order."""
    start = whole.start
    for hole in holes:
        if start < hole.start:
            yield range(start, hole.start)
        start = hole.stop
    if start < whole.stop:
        yield range(start, whole.stop)


def _address(function: object) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]
    assert address is not None
    return address
