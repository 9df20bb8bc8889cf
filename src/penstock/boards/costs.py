"""What accesses to a memory cost a core and a DMA controller, in ticks of 1/256 core cycle."""

from dataclasses import dataclass

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.cores import core_facts
from penstock.boards.timing import InternalTiming, QspiTiming, SdramTiming
from penstock.errors import InputError

TICKS_PER_CYCLE = 256

_WORD_BYTES = 4
_DEFAULT_LINE_BYTES = 32
_SERIAL_FIFO_BYTES = 32
"""What a QUADSPI or OCTOSPI reads ahead: ST RM0385, QUADSPI functional description."""


@dataclass(frozen=True, slots=True)
class RegionCosts:
    """Costs of one memory, in ticks of 1/256 core cycle.

    Attributes:
        word_read: stall of an uncached read of a word.
        word_write: how long an uncached or written-through word keeps the bus.
        line_read: stall of filling a cache's line.
        line_write: how long writing a line back keeps the bus.
        fetch: stall of an uncached fetch, or of a line that the accelerator misses.
        sequential_read: of filling a line that continues the previous one; ``line_read`` where
            that makes no difference.
        sequential_word: of an uncached word that continues the previous read; ``word_read`` where
            that makes no difference.
        row_bytes: bytes of a row; 0 for memories without rows.
        bank_count: rows that can be open at once; 0 for memories without rows.
        row_miss: further cost of an access outside the open rows.
    """

    word_read: int
    word_write: int
    line_read: int
    line_write: int
    fetch: int
    sequential_read: int
    sequential_word: int
    row_bytes: int = 0
    bank_count: int = 0
    row_miss: int = 0


@dataclass(frozen=True, slots=True)
class PortCosts:
    """What one memory costs a DMA controller beside bus clocks, in ticks of 1/256 core cycle.

    Attributes:
        burst_read: latency of a burst.
        single_read: latency of a single item.
        word_read: time of each word's data, read.
        word_write: the same, written.
        prefetch_bytes: what the memory reads ahead; reads that go on have no latency.
    """

    burst_read: int = 0
    single_read: int = 0
    word_read: int = 0
    word_write: int = 0
    prefetch_bytes: int = 0


def region_costs(region: MemoryRegion, board: Board) -> RegionCosts:
    """Return what accesses to a region of a board cost its core.

    The calibration points are those of hpmicro/hpm_sdk issue 33: Cortex-M7 at 480 MHz, SDRAM of
    16 bits at 100 MHz, 127.07 MB/s read through the data cache, 54.18 MB/s in uncached words,
    187 MB/s written; and mbed-ce/mbed-os pull request 456 for serial flashes.

    Raises:
        InputError: the board does not say how long accesses to the region take.
    """
    match region.timing:
        case InternalTiming():
            return _internal_costs(region.timing)
        case SdramTiming():
            return _sdram_costs(region.timing, board)
        case QspiTiming():
            return _qspi_costs(region.timing, board)
    raise InputError(
        f"board '{board.name}' does not say how long accesses to memory '{region.name}' take",
        help=f"add a table [memory.timing] to '{region.name}' in the board's file",
    )


def port_costs(region: MemoryRegion, board: Board) -> PortCosts:
    """Return what a region of a board costs a DMA controller.

    RAM of the chip costs bus clocks alone, which the controller knows: what the core waits for it
    is its own way there.
    """
    match region.timing:
        case SdramTiming() as sdram:
            return _sdram_port(sdram, board)
        case QspiTiming() as serial:
            return _serial_port(serial, board)
        case InternalTiming() as internal if not region.is_writable:
            line = internal.line_read_cycles
            return PortCosts(word_read=_ticks(line * _WORD_BYTES / _line_bytes(board)))
    return PortCosts()


def _internal_costs(timing: InternalTiming) -> RegionCosts:
    line_read, word_read = _ticks(timing.line_read_cycles), _ticks(timing.word_read_cycles)
    return RegionCosts(
        word_read=word_read,
        word_write=_ticks(timing.word_write_cycles),
        line_read=line_read,
        line_write=_ticks(timing.line_write_cycles),
        fetch=_ticks(timing.fetch_cycles),
        sequential_read=line_read,
        sequential_word=word_read,
    )


def _sdram_costs(timing: SdramTiming, board: Board) -> RegionCosts:
    """Reads: CAS latency, controller, beats. Writes: beats only, posted, near the peak rate."""
    cycles_per_clock = board.clock_hz / timing.clock_hz
    bytes_per_clock = timing.width_bits / 8

    def read(size_bytes: int, controller_clocks: float) -> int:
        clocks = timing.cas_clocks + controller_clocks + size_bytes / bytes_per_clock
        return _ticks(clocks * cycles_per_clock)

    def write(size_bytes: int) -> int:
        return _ticks(size_bytes / bytes_per_clock / timing.write_share * cycles_per_clock)

    line_bytes = _line_bytes(board)
    line_read = read(line_bytes, timing.line_controller_clocks)
    word_read = read(_WORD_BYTES, timing.word_controller_clocks)
    return RegionCosts(
        word_read=word_read,
        word_write=write(_WORD_BYTES),
        line_read=line_read,
        line_write=write(line_bytes),
        fetch=read(core_facts(board.core.name).fetch_bytes, timing.word_controller_clocks),
        sequential_read=line_read,
        sequential_word=word_read,
        row_bytes=timing.row_bytes,
        bank_count=timing.bank_count,
        row_miss=_ticks((timing.precharge_clocks + timing.row_to_column_clocks) * cycles_per_clock),
    )


def _qspi_costs(timing: QspiTiming, board: Board) -> RegionCosts:
    """A read that begins: set-up, controller, data. One that goes on: data alone."""
    cycles_per_clock = board.clock_hz / timing.clock_hz
    bytes_per_clock = timing.bits_per_clock / 8
    first_clocks = timing.setup_clocks + timing.controller_clocks

    def read(size_bytes: int, first_clocks: float) -> int:
        data_clocks = size_bytes / bytes_per_clock / timing.stream_share
        return _ticks((first_clocks + data_clocks) * cycles_per_clock)

    line_bytes = _line_bytes(board)
    return RegionCosts(
        word_read=read(_WORD_BYTES, first_clocks),
        word_write=0,
        line_read=read(line_bytes, first_clocks),
        line_write=0,
        fetch=read(core_facts(board.core.name).fetch_bytes, first_clocks),
        sequential_read=read(line_bytes, 0),
        sequential_word=read(_WORD_BYTES, 0),
    )


def _sdram_port(timing: SdramTiming, board: Board) -> PortCosts:
    cycles_per_clock = board.clock_hz / timing.clock_hz
    word = _WORD_BYTES * 8 / timing.width_bits * cycles_per_clock
    return PortCosts(
        burst_read=_ticks((timing.cas_clocks + timing.line_controller_clocks) * cycles_per_clock),
        single_read=_ticks((timing.cas_clocks + timing.word_controller_clocks) * cycles_per_clock),
        word_read=_ticks(word),
        word_write=_ticks(word / timing.write_share),
    )


def _serial_port(timing: QspiTiming, board: Board) -> PortCosts:
    cycles_per_clock = board.clock_hz / timing.clock_hz
    word = _WORD_BYTES * 8 / timing.bits_per_clock / timing.stream_share
    first = _ticks((timing.setup_clocks + timing.controller_clocks) * cycles_per_clock)
    return PortCosts(
        burst_read=first,
        single_read=first,
        word_read=_ticks(word * cycles_per_clock),
        prefetch_bytes=_SERIAL_FIFO_BYTES,
    )


def _line_bytes(board: Board) -> int:
    cache = board.data_cache or board.instruction_cache
    return _DEFAULT_LINE_BYTES if cache is None else cache.line_bytes


def _ticks(cycles: float) -> int:
    return round(cycles * TICKS_PER_CYCLE)
