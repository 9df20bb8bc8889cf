"""What ``penstock bench ops`` prints: kernels in the fastest memories, and then in each memory."""

from collections.abc import Sequence
from itertools import groupby

from rich.markup import escape

from penstock import api
from penstock.cli.console import stdout
from penstock.cli.tables import add_columns, plain_table
from penstock.units import format_bytes, format_count, format_joules

_CAUSES = {
    "load_use": "load",
    "branch": "branch",
    "fetch": "fetch",
    "alignment": "align",
    "internal": "internal",
    "external": "external",
    "store_buffer": "store",
    "dma_wait": "DMA",
}
"""Words short enough for a table of 80 columns."""

_FIRST = "kernel, output by filters"

_CAUSES_EXPLAINED = (
    "Mostly: what the core waits for longest. load: a register that a load fills; branch: one "
    "foreseen wrongly; fetch: instructions; align: unaligned accesses, bank conflicts; internal, "
    "external: data of such a memory; store: room in the store buffer."
)
_CODE_EXPLAINED = (
    "Each: cycles of a multiply-accumulate (MAC), or of an element of the output where there is "
    "none. Code: of the kernel's own files, as linked; some kernels share files."
)


def show_kernels(result: api.OperatorBenchmark) -> None:
    """Print all tables of a benchmark of operators."""
    stdout.print(
        f"[bold]Simulated[/] on virtual {escape(result.board)} ({result.core}), "
        f"compiled by {escape(result.compiler)}; each network ran once, caches cold at its start",
        soft_wrap=True,
    )
    if result.kernels:
        _show_costs(result.kernels)
    stdout.print(
        "\n[bold]By memory[/]; the last column is the error of the estimate", soft_wrap=True
    )

    def memories(row: api.Throughput) -> tuple[str, str]:
        return row.weights_in, row.arena_in

    # Two networks, of int8 and of int16, come one after the other in the same placements.
    rows = sorted(result.throughput, key=memories)
    for (weights_in, arena_in), group in groupby(rows, memories):
        stdout.print(f"\n{_place(weights_in, arena_in)}")
        _show_rows(list(group))


def _place(weights_in: str, arena_in: str) -> str:
    return f"weights in {escape(weights_in)}, activations in {escape(arena_in)}"


def _show_costs(costs: Sequence[api.KernelCost]) -> None:
    """Print a line for each kernel, and below it one for each of its shapes."""
    stdout.print(f"\n[bold]Kernels[/] of int8, {_place(costs[0].weights_in, costs[0].arena_in)}")
    table = plain_table()
    headings = ("cycles", "each", "stalls", "mostly", "energy", "code")
    add_columns(table, (_FIRST, "mostly"), (_FIRST, *headings))
    names = list(dict.fromkeys(row.kernel for row in costs))
    ordered = sorted(costs, key=lambda row: names.index(row.kernel))
    # A network that was parted for want of memory may link less of the files that kernels share.
    for (kernel, code_bytes), group in groupby(ordered, lambda r: (r.kernel, r.code_bytes)):
        rows = list(group)
        unit = "MAC" if rows[0].macs else "output"
        code = format_bytes(code_bytes)
        table.add_row(kernel.removeprefix("ps_"), "", unit, "", "", "", code)
        for row in rows:
            table.add_row(f" {row.shape}", *_cost_cells(row), "")
    stdout.print(table)
    stdout.print(f"{_CODE_EXPLAINED} {_CAUSES_EXPLAINED}", soft_wrap=True)
    if reasons := {row.energy.reason for row in costs if row.energy.reason}:
        stdout.print(f"Energy: not known, {escape(', '.join(sorted(reasons)))}", soft_wrap=True)


def _cost_cells(row: api.KernelCost) -> list[str]:
    """Return cycles, each, stalls, mostly, and energy."""
    cause, total = row.main_cause, row.energy.total
    return [
        format_count(row.cycles),
        f"{row.cycles_each:.2f}",
        f"{100 * row.stalled:.0f} %",
        "" if cause is None else _CAUSES[cause],
        "-" if total is None else format_joules(total.value / 1e3),
    ]


def _show_rows(rows: Sequence[api.Throughput]) -> None:
    table = plain_table()
    add_columns(
        table,
        ("kernel", "output, by filters", "of a"),
        ("kernel", "output, by filters", "cycles", "each", "of a", "error"),
    )
    for row in rows:
        table.add_row(
            row.kernel.removeprefix("ps_"),
            row.shape,
            format_count(row.cycles),
            f"{row.cycles_each:.2f}",
            "MAC" if row.macs else "output",
            f"{100 * row.error:+.1f} %",
        )
    stdout.print(table)
