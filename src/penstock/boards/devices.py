"""The caches, DMA controllers and power of a board's file."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.boards.board import PeripheralRange
from penstock.boards.memories import CLOCK_HZ_MAX
from penstock.boards.power import PowerModel
from penstock.boards.tables import Context, Table, wrong
from penstock.boards.timing import Cache, DmaController, DmaKind
from penstock.errors import InputError

_CACHE_KEYS = ("size_bytes", "ways", "line_bytes")
_INSTRUCTION_CACHE_FLAGS = ("holds_data", "is_on_at_start")
_POWER_KEYS = ("run_mw", "sleep_mw")
_DMA_KEYS = (
    "name",
    "kind",
    "base",
    "channel_count",
    "clock_hz",
    "reaches",
    "memory_to_memory",
    "items_max",
    "fifo_bytes",
    "item_cycles",
)
_CLOCK_ENABLE_KEYS = ("clock_enable_address", "clock_enable_bit")
_DMA_OPTIONAL_KEYS = ("interrupts", *_CLOCK_ENABLE_KEYS)
_INTERRUPT_MAX = 479
"""Of a nested vectored interrupt controller: Arm DDI0403, B3.4."""

_CHANNELS_MAX = {DmaKind.STREAM: 8, DmaKind.CHANNEL: 8, DmaKind.MDMA: 16, DmaKind.GPDMA: 16}
"""What each register layout has room for: status registers in ST RM0385 (streams), RM0432
(channels, four flags each in 32 bits), RM0433 (MDMA) and RM0456 (GPDMA)."""

_GPDMA_FIFO_BYTES_MIN = 8
"""A burst takes half of a FIFO, and at least a word: ST RM0456, GPDMA functional description."""

_MW_MAX = 100_000


def read_cache(values: Mapping[str, Any], key: str, where: str, context: Context) -> Cache:
    """Return the cache that ``[instruction_cache]`` or ``[data_cache]`` describes.

    Raises:
        InputError: the table breaks a rule, or its number of sets is no power of two.
    """
    optional = _INSTRUCTION_CACHE_FLAGS if key == "instruction_cache" else ()
    path = key.replace("_", " ")
    table = Table(values, f"{where}, [{key}]", path, context, _CACHE_KEYS, optional)
    cache = Cache(
        size_bytes=table.integer("size_bytes", 64, 1 << 24),
        ways=table.integer("ways", 1, 64),
        line_bytes=table.power_of_two("line_bytes", 8, 256),
        **{flag: table.flag(flag) for flag in optional if table.has(flag)},
    )
    sets, rest = divmod(cache.size_bytes, cache.ways * cache.line_bytes)
    if rest or sets & (sets - 1) or not sets:
        raise wrong(
            table.where,
            "size_bytes",
            cache.size_bytes,
            f"a power of two times {cache.ways} ways of {cache.line_bytes} bytes",
        )
    return cache


def read_dma(
    values: Mapping[str, Any],
    where: str,
    context: Context,
    regions: Sequence[str],
    peripherals: Sequence[PeripheralRange],
) -> DmaController:
    """Return the controller that a ``[[dma]]`` table describes.

    Raises:
        InputError: the table breaks a rule, or its registers are in no peripheral range.
    """
    has_clock_bit = any(key in values for key in _CLOCK_ENABLE_KEYS)
    required = (*_DMA_KEYS, *(_CLOCK_ENABLE_KEYS if has_clock_bit else ()))
    path = f"dma {values.get('name', '')}"
    table = Table(values, where, path, context, required, _DMA_OPTIONAL_KEYS)
    base = table.address("base")
    if not any(p.base <= base < p.base + p.size_bytes for p in peripherals):
        raise InputError(
            f"{where}: 'base' is {base:#010x}, found in no [[peripheral]] of the board",
            help="correct base, or add the range of registers that it lies in",
        )
    channel_count = table.integer("channel_count", 1, 64)
    kind = DmaKind(table.choice("kind", [kind.value for kind in DmaKind]))
    if channel_count > _CHANNELS_MAX[kind]:
        allowed = f"1 to {_CHANNELS_MAX[kind]} for kind '{kind.value}'"
        raise wrong(table.where, "channel_count", channel_count, allowed)
    return DmaController(
        name=table.text("name"),
        kind=kind,
        base=base,
        channel_count=channel_count,
        clock_hz=table.integer("clock_hz", 1, CLOCK_HZ_MAX),
        reaches=table.names("reaches", regions),
        memory_to_memory=table.flag("memory_to_memory"),
        items_max=table.integer("items_max", 1, 1 << 32),
        fifo_bytes=_fifo_bytes(table, kind),
        item_cycles=table.number("item_cycles", 0, 1000),
        interrupts=_interrupts(table, channel_count),
        clock_enable_address=table.address("clock_enable_address") if has_clock_bit else None,
        clock_enable_bit=table.integer("clock_enable_bit", 0, 31) if has_clock_bit else 0,
    )


def _fifo_bytes(table: Table, kind: DmaKind) -> int:
    if kind is DmaKind.GPDMA:
        return table.power_of_two("fifo_bytes", _GPDMA_FIFO_BYTES_MIN, 4096)
    return table.integer("fifo_bytes", 0, 4096)


def _interrupts(table: Table, channel_count: int) -> tuple[int, ...]:
    if not table.has("interrupts"):
        return ()
    numbers = table.integers("interrupts", 0, _INTERRUPT_MAX)
    if len(numbers) != channel_count:
        raise wrong(table.where, "interrupts", list(numbers), f"{channel_count} numbers")
    return numbers


def read_power(values: Mapping[str, Any], where: str, context: Context) -> PowerModel:
    """Return what ``[power]`` describes.

    Raises:
        InputError: the table breaks a rule.
    """
    table = Table(values, f"{where}, [power]", "power", context, _POWER_KEYS)
    return PowerModel(
        run_mw=table.band("run_mw", _MW_MAX), sleep_mw=table.band("sleep_mw", _MW_MAX)
    )
