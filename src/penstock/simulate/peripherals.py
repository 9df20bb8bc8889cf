"""Registers that are not modelled: which may be accessed, and loops that wait for them."""

import ctypes

from penstock.boards.board import Board, PeripheralRange
from penstock.boards.provenance import Confidence, Provenance
from penstock.simulate.machine import Machine
from penstock.simulate.monitor import load_native
from penstock.simulate.monitor_records import PollingRecord

_ARCHITECTURE = Provenance(
    "Arm DDI0403, ARMv7-M architecture reference manual, system address map (B3.1)",
    Confidence.PRIMARY,
)
_SYSTEM = range(0xE000_0000, 0xE010_0000)
_PERIPHERAL = range(0x4000_0000, 0x6000_0000)


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
        """Watch the peripheral space of a machine, which must not outlive this object."""
        self._record = PollingRecord(
            read_memory=machine.engine_function("uc_mem_read"),
            write_memory=machine.engine_function("uc_mem_write"),
        )
        callback = ctypes.cast(load_native().ps_polling_on_read, ctypes.c_void_p).value
        assert callback is not None
        machine.watch_reads(callback, self._record, _PERIPHERAL)

    @property
    def invented_count(self) -> int:
        """Reads that were answered with another value than the register's."""
        return int(self._record.invented_count)
