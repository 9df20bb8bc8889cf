"""What decides how long accesses take: caches, memories, DMA controllers."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Cache:
    """A set-associative cache; the number of sets is a power of two.

    Attributes:
        size_bytes: of its data.
        ways: lines that may hold the same set of addresses.
        line_bytes: what one miss fetches.
        holds_data: whether a cache of instructions holds data too that the core reads by its code
            bus.
        is_on_at_start: whether a cache of instructions is on when a program starts, without the
            core's own register that turns caches on.
    """

    size_bytes: int
    ways: int
    line_bytes: int
    holds_data: bool = False
    is_on_at_start: bool = False


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Buffers of whole lines between a flash memory and a core.

    Attributes:
        instruction_lines: how many lines of instructions it holds.
        data_lines: how many lines of data; 0 where data are read without it.
        line_bytes: a line of either.
        prefetches: whether it reads the next line of instructions ahead.
        bases: those of the region's addresses where it works; empty for all.
    """

    instruction_lines: int
    data_lines: int
    line_bytes: int
    prefetches: bool
    bases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class InternalTiming:
    """A memory of the microcontroller, in core cycles at the board's clock; all 0 without waits.

    Attributes:
        word_read_cycles: stall of an uncached read of a word, beyond the pipeline's own time.
        word_write_cycles: how long an uncached or written-through word keeps the bus.
        line_read_cycles: stall of filling a line of a cache.
        line_write_cycles: how long writing a cache's line back keeps the bus.
        fetch_cycles: stall of one uncached fetch (of the core's ``fetch_bytes``), or of a line that
            the accelerator misses.
    """

    word_read_cycles: float
    word_write_cycles: float
    line_read_cycles: float
    line_write_cycles: float
    fetch_cycles: float


@dataclass(frozen=True, slots=True)
class SdramTiming:
    """An SDRAM behind its controller; clocks are the SDRAM's.

    Attributes:
        clock_hz: of the SDRAM.
        width_bits: data lines that the board wires.
        cas_clocks: from a read command to the first data.
        row_to_column_clocks: tRCD.
        precharge_clocks: tRP.
        line_controller_clocks: of the controller and the buses in a burst read of a cache's line.
        word_controller_clocks: the same in reads of consecutive single words, which the
            controller's read FIFO shortens.
        write_share: share of the peak rate that writes reach.
        row_bytes: of one bank, as the core sees them.
        bank_count: rows that can be open at once.
    """

    clock_hz: int
    width_bits: int
    cas_clocks: int
    row_to_column_clocks: int
    precharge_clocks: int
    line_controller_clocks: float
    word_controller_clocks: float
    write_share: float
    row_bytes: int
    bank_count: int


@dataclass(frozen=True, slots=True)
class QspiTiming:
    """A serial flash that is read where it is mapped; clocks are the serial bus's.

    Attributes:
        clock_hz: of the serial bus.
        bits_per_clock: 4 for quad, 8 for dual-quad or octal, doubled where both edges count.
        setup_clocks: instruction, address and dummy clocks of a read that begins; one that goes on
            where the previous ended needs none.
        controller_clocks: of the controller and the buses, in each read.
        stream_share: share of the peak rate that long reads reach.
    """

    clock_hz: int
    bits_per_clock: int
    setup_clocks: int
    controller_clocks: float
    stream_share: float


MemoryTiming = InternalTiming | SdramTiming | QspiTiming


class DmaKind(Enum):
    """Which register layout a DMA controller has."""

    STREAM = "stream"
    CHANNEL = "channel"
    MDMA = "mdma"
    GPDMA = "gpdma"

    @property
    def is_modelled(self) -> bool:
        """Whether the virtual board has such registers, and the runtime a driver for them."""
        return self is not DmaKind.CHANNEL


@dataclass(frozen=True, slots=True)
class DmaController:
    """A DMA controller.

    Attributes:
        name: lower-case, as the reference manual calls it.
        kind: its register layout.
        base: address of its first register.
        channel_count: channels, or streams.
        clock_hz: of the bus that it is a master of.
        reaches: names of the regions that it can read, and write where they can be written.
        memory_to_memory: whether it copies without a peripheral asking.
        items_max: the most items, or bytes for kinds that count bytes, of one transfer.
        fifo_bytes: buffered in each channel; 0 for none.
        item_cycles: bus clocks that one item costs beside the memories' own time.
        interrupts: number of each channel's interrupt.
        clock_enable_address: register with the bit that gives it a clock; None where nobody said.
        clock_enable_bit: that bit's number.
    """

    name: str
    kind: DmaKind
    base: int
    channel_count: int
    clock_hz: int
    reaches: tuple[str, ...]
    memory_to_memory: bool
    items_max: int
    fifo_bytes: int
    item_cycles: float
    interrupts: tuple[int, ...] = ()
    clock_enable_address: int | None = None
    clock_enable_bit: int = 0
