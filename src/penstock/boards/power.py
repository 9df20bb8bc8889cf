"""What running costs: power by state, energy by byte of external memory."""

from dataclasses import dataclass

from penstock.boards.provenance import Band


@dataclass(frozen=True, slots=True)
class PowerModel:
    """Power of the microcontroller at the board's clock, in mW.

    Attributes:
        run_mw: while the core executes, caches on, peripherals that are not needed off.
        sleep_mw: while it waits for an interrupt.
    """

    run_mw: Band
    sleep_mw: Band


@dataclass(frozen=True, slots=True)
class MemoryEnergy:
    """Energy of moving one byte from or to an external memory, its pins included, in nJ.

    Attributes:
        read_nj_per_byte: of a read.
        write_nj_per_byte: of a write; 0 for what is never written.
    """

    read_nj_per_byte: Band
    write_nj_per_byte: Band
