"""``penstock compare``: one model under several rules of placement."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_json
from penstock.cli.options import (
    board_option,
    calibration_options,
    input_option,
    json_option,
    plan_options,
    seed_option,
)
from penstock.cli.overlay_tables import format_totals
from penstock.cli.places import STANDARD_OUTPUT, board_file, model_file, refuse_overwriting
from penstock.cli.tables import add_columns, format_share, plain_table
from penstock.errors import InputError
from penstock.report.results import RunResult, moved_bytes
from penstock.simulate.timing_records import Cause
from penstock.units import format_bytes, format_count, format_joules, format_seconds

_MEANINGS = {
    "internal": "weights and activations inside the microcontroller",
    "external": "all of them in external memory",
    "placement": "each section in the fastest memory that it fits",
    "overlays": "kernels work on tiles inside, which DMA brings and takes away meanwhile",
    "roomy": "overlays as if internal memory were unlimited, with the wait states that it has",
    "ideal": "as if internal memory without wait states were unlimited: no such chip exists",
}
_OVERLAID = (api.Variant.OVERLAYS, api.Variant.ROOMY)


@click.command("compare")
@click.argument("model", callback=model_file, metavar="MODEL")
@board_option
@input_option
@seed_option()
@click.option(
    "--variant",
    "variants",
    multiple=True,
    type=click.Choice([variant.value for variant in api.Variant]),
    help="Compare only this one; give it several times for more than one.",
)
@calibration_options
@plan_options
@json_option
def compare_command(
    model: Path,
    board: str,
    input_path: Path | None,
    seed: int,
    variants: tuple[str, ...],
    calibration: api.Calibration | None,
    plan: api.PlanOptions,
    json_path: Path | None,
) -> None:
    """Run a model on a virtual board under several rules of placement.

    Shows side by side what each costs: time, energy, waiting, and bytes of each memory. The kernels
    are the same each time, and every output is compared with the interpreter's.
    """
    refuse_overwriting(
        {"the model": model, "the board": board_file(board), "the input": input_path},
        {"--json": json_path},
    )
    with progress_bar() as progress:
        result = api.compare(
            model,
            board=board,
            inputs=input_path,
            seed=seed,
            variants=_chosen(variants, plan),
            options=plan,
            calibration=calibration,
            progress=progress,
        )
    write_json(result.to_json(), json_path)
    if json_path != STANDARD_OUTPUT:
        show_comparison(result)


def _chosen(names: Sequence[str], plan: api.PlanOptions) -> list[api.Variant]:
    """Return the rules that were named, or all; without overlays where they are switched off."""
    chosen = [variant for variant in api.Variant if not names or variant.value in names]
    left = [v for v in chosen if plan.overlays or v not in _OVERLAID]
    if not left:
        raise InputError(
            f"--no-overlays leaves nothing of --variant {chosen[0].value} to compare",
            help="leave out one of them",
        )
    return left


def show_comparison(result: api.Comparison) -> None:
    """Print a row for each rule, then what the rules mean and which could not be kept."""
    stdout.print(
        f"[bold]{escape(result.model)}[/] on [bold]virtual {escape(result.board)}[/], simulated; "
        "every output is the interpreter's",
        soft_wrap=True,
    )
    ideal = result.variants["ideal"].run if "ideal" in result.variants else None
    headings = ("placement", "latency", "of ideal", "cycles", "per MAC", "waiting", "energy")
    table = plain_table()
    add_columns(table, ("placement",), (*headings, "external bytes"))
    table.add_column("used")
    for name, variant in result.variants.items():
        if variant.run is not None:
            table.add_row(name, *_row(variant.run, ideal, result.external_memories))
    stdout.print(table)
    stdout.print("waiting: share of the cycles in which the core waits for memory")
    for name, variant in result.variants.items():
        told = _MEANINGS[name] if variant.run is not None else f"not possible: {variant.reason}"
        stdout.print(f"{name}: {escape(told)}", soft_wrap=True)
        if variant.run is not None and variant.run.overlays and variant.run.overlays.tiles:
            stdout.print(f"  {escape(format_totals(variant.run.overlays))}", soft_wrap=True)


def _row(run: RunResult, ideal: RunResult | None, external: Sequence[str]) -> tuple[str, ...]:
    memory = ", ".join(f"{name} {format_bytes(use.used_bytes)}" for name, use in run.memory.items())
    if run.time is None:
        unknown = ("",) * 3
        return (*unknown, *unknown, "", memory)
    share = ""
    if ideal is not None and ideal.time is not None:
        share = f"{run.time.cycles / ideal.time.cycles:.2f}x"
    energy = "" if run.energy.total is None else format_joules(run.energy.total.value / 1e3)
    waiting = sum(run.time.stalls[cause.label] for cause in Cause if cause.is_of_memory)
    per_mac = "" if run.cycles_per_mac is None else f"{run.cycles_per_mac:.2f}"
    return (
        format_seconds(run.time.latency_ms / 1e3),
        share,
        format_count(run.time.cycles),
        per_mac,
        format_share(waiting, run.time.cycles),
        energy,
        format_bytes(_moved(run, external)),
        memory,
    )


def _moved(run: RunResult, memories: Sequence[str]) -> int:
    """Return the bytes that moved between memories and the microcontroller."""
    moved = {} if run.time is None else run.time.traffic
    parts = [moved[name] for name in memories if name in moved]
    return sum(sum(moved_bytes(part).values()) for part in parts)
