"""How all verbs lay out their tables."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from penstock.cli.console import stdout
from penstock.quantize.agreement import Calibrated
from penstock.report.results import MemoryUse
from penstock.units import format_bytes


def plain_table(*, has_totals: bool = False) -> Table:
    """Return an empty table; with ``has_totals`` the columns' footers make a last row."""
    return Table(
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
        show_footer=has_totals,
    )


def add_columns(table: Table, left: Sequence[str], headings: Sequence[str]) -> None:
    """Add columns that never wrap; those of ``left`` hold words, the others numbers."""
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=True)


def format_shape(shape: Sequence[int]) -> str:
    """Return a shape as ``1×32×32×3``."""
    return "×".join(map(str, shape)) or "scalar"


def format_share(part: int, total: int) -> str:
    """Return a percentage; empty of nothing."""
    return f"{100 * part / total:.1f} %" if total else ""


def show_calibrated(calibrated: Calibrated | None) -> None:
    """Print what became of a float network, if there was one."""
    if calibrated is None:
        return
    agreement = calibrated.agreement
    stdout.print(
        f"  float32, quantized to int8 on the way: calibrated on {calibrated.samples} samples, "
        f"outputs {agreement.signal_to_noise_db:.1f} dB above their error",
        soft_wrap=True,
    )


def show_memory(memory: Mapping[str, MemoryUse]) -> None:
    """Print a table of bytes used by memory region, and what they are."""
    stdout.print("\n[bold]Where the bytes live[/]")
    is_limited = any(use.capacity_bytes is not None for use in memory.values())
    limits = ("of", "") if is_limited else ()
    table = plain_table()
    add_columns(table, ("memory",), ("memory", "used", *limits))
    table.add_column("by")
    for region, use in memory.items():
        contents = ", ".join(
            f"{what} {format_bytes(size_bytes)}" for what, size_bytes in use.contents.items()
        )
        table.add_row(
            escape(region), format_bytes(use.used_bytes), *_limit(use, is_limited), contents
        )
    stdout.print(table)


def _limit(use: MemoryUse, is_limited: bool) -> tuple[str, ...]:
    if not is_limited:
        return ()
    if use.capacity_bytes is None:
        return "", ""
    return format_bytes(use.capacity_bytes), format_share(use.used_bytes, use.capacity_bytes)


def arena_bound(size_bytes: int, lower_bound_bytes: int) -> str:
    """Return how much smaller than ``size_bytes`` an arena could be."""
    if size_bytes == lower_bound_bytes:
        return "no plan can be smaller"
    return f"no plan can be smaller than {format_bytes(lower_bound_bytes)}"
