"""``penstock compress``: a trained network becomes a small int8 one."""

from collections.abc import Iterator
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from penstock import api
from penstock.cli.checkpoints import sole_use
from penstock.cli.console import progress_bar, stderr, stdout, write_file, write_json
from penstock.cli.options import json_option, model_output_option, pixel_options
from penstock.cli.parameters import parse_duration, parse_size
from penstock.cli.places import (
    STANDARD_OUTPUT,
    expect_folder,
    input_file,
    model_file,
    refuse_overwriting,
    work_folder,
)
from penstock.design.compression.recipe import FINE_TUNING, ROUNDING, needs_pruning
from penstock.errors import InputError
from penstock.frontends.samples import PIXELS_AS_THEY_ARE
from penstock.units import format_bytes, format_count, format_seconds

_SHOWN_ZEROS = 0.005


class _Share(click.FloatRange):
    """A number between 0 and 1, neither of them: click takes NaN for within every range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = float(super().convert(value, param, ctx))
        if isnan(found):
            self.fail(f"{value} is no number.", param, ctx)
        return found


_SHARE = _Share(0, 1, min_open=True, max_open=True)


@click.command("compress")
@click.argument("model", callback=model_file, metavar="MODEL")
@click.option(
    "--recipe",
    "recipe_path",
    callback=input_file,
    metavar="FILE",
    help="A .toml file that says all of what follows; docs/compress.md explains it.",
)
@click.option(
    "--data",
    metavar="DATA",
    help=f"What to learn from and to test with: {', '.join(api.DATA_SETS)}; a folder or .zip "
    "with train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg; or a .npz with x_train, y_train, "
    "x_test and y_test, or x and y, and with classes, the names.",
)
@click.option("--prune", type=_SHARE, metavar="SHARE", help="Take away so much of the MACs.")
@click.option(
    "--criterion",
    type=click.Choice([choice.value for choice in api.Criterion]),
    default=api.Criterion.L2.value,
    show_default=True,
    help="Which filters go first.",
)
@click.option(
    "--sparsify",
    type=_SHARE,
    metavar="SHARE",
    help="Make so many weights 0; depthwise ones and the first layer's stay.",
)
@click.option(
    "--pattern",
    type=click.Choice([choice.value for choice in api.Pattern]),
    default=api.Pattern.SINGLE.value,
    show_default=True,
    help="Weights become 0 one by one, or in blocks.",
)
@click.option(
    "--distill",
    metavar="TEACHER",
    help="Learn from this network besides; `self` is the network as it was given.",
)
@click.option(
    "--quantize",
    type=click.Choice([choice.value for choice in api.WeightFormat]),
    default=api.WeightFormat.INT8.value,
    show_default=True,
    help="What weights are stored as.",
)
@click.option(
    "--size",
    callback=parse_size,
    metavar="BYTES",
    help="With mixed: how much the weights may take, as `penstock compile --weights small` stores "
    "them; 64K and 1M are understood.",
)
@click.option("--board", default="", metavar="NAME", help="Estimate the latency on this board.")
@click.option(
    "--latency",
    callback=parse_duration,
    metavar="TIME",
    help="Prune until an inference is estimated to take no longer, such as 100ms.",
)
@click.option(
    "--epochs",
    type=click.IntRange(0),
    metavar="NUMBER",
    help=f"Train so long behind pruning (default {FINE_TUNING.epochs}); with rounding a third of "
    f"it (default {ROUNDING.epochs}). 0 quantizes without training.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=FINE_TUNING.batch_size,
    show_default=True,
    metavar="NUMBER",
    help="Samples that each step of training learns from.",
)
@click.option(
    "--augment",
    type=click.Choice([choice.value for choice in api.Augmentation]),
    default=api.Augmentation.NONE.value,
    show_default=True,
    help="How training samples are varied: shifted, or shifted and mirrored.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, metavar="NUMBER")
@click.option("--threads", type=click.IntRange(1), metavar="NUMBER", help="Default: all.")
@pixel_options
@click.option(
    "--work",
    callback=work_folder,
    metavar="DIR",
    help="Keep checkpoints here. Default: OUT.work, which goes when all is done.",
)
@model_output_option
@json_option
def compress_command(
    model: Path,
    recipe_path: Path | None,
    output: Path,
    json_path: Path | None,
    work: Path | None,
    **wishes: Any,
) -> None:
    """Make a small int8 network of a trained one: pruned, taught, rounded, and measured.

    MODEL is in real numbers: what `penstock quantize` takes.

    Each step is followed by training, and by a line that says what it left. The last line is the
    accuracy of the C that is deployed. Interrupted, the same command goes on where it was, less an
    epoch at most. The same command gives the same file. `torchrun --nproc-per-node 2 -m penstock
    compress …` trains on several processes or machines.
    """
    recipe = _from_options(wishes) if recipe_path is None else _from_file(recipe_path)
    sources = {"the model": model, "the recipe": recipe_path, "the data": Path(recipe.data)}
    if recipe.distill is not None:
        sources["the teacher"] = Path(recipe.distill.teacher)
    refuse_overwriting(sources, {"--output": output, "--json": json_path})
    kept = work or output.with_name(f"{output.name}.work")
    expect_folder(kept, f"--work, by default {str(kept)!r}")
    try:
        with sole_use(kept, is_kept=work is not None):
            with progress_bar() as progress:
                notices = api.Notices(progress, _show_stage, show_epoch, _show_warning)
                made = api.compress(model, recipe, work=kept, notices=notices)
            if not api.is_first_process():
                return
            write_file(output, made.content)
            write_json(made.result.to_json(str(output)), json_path)
    except KeyboardInterrupt:
        if any(kept.glob("*.pt")):
            stderr.print(f"the same command goes on from {escape(str(kept))}", soft_wrap=True)
        raise
    if json_path != STANDARD_OUTPUT:
        _show(made.result, output)


def _from_file(path: Path) -> api.Recipe:
    context = click.get_current_context()
    given = [
        name
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        and name not in ("model", "recipe_path", "output", "json_path", "work")
    ]
    if given:
        raise InputError(
            f"--recipe says everything, and --{given[0].replace('_', '-')} was given besides",
            help="write it into the recipe",
        )
    return api.load_recipe(path)


def _from_options(wishes: dict[str, Any]) -> api.Recipe:
    if not wishes["data"]:
        raise InputError(
            "there is nothing to learn from",
            help="give --data, such as --data cifar10, or a --recipe",
        )
    _expect_none_in_vain(wishes)
    epochs, distill = wishes["epochs"], wishes["distill"]
    common: dict[str, Any] = {
        "augmentation": api.Augmentation(wishes["augment"]),
        "batch_size": wishes["batch"],
        "seed": wishes["seed"],
    }
    long = replace(FINE_TUNING, **common, **({"epochs": epochs} if epochs else {}))
    short = replace(ROUNDING, **common, **({"epochs": -(-epochs // 3)} if epochs else {}))
    prune, sparsify = _prune_step(wishes, long), _sparsify_step(wishes, long)
    recipe = api.Recipe(
        data=wishes["data"],
        scaling=wishes["scaling"] or PIXELS_AS_THEY_ARE,
        board=wishes["board"],
        latency=wishes["latency"],
        threads=wishes["threads"],
        seed=wishes["seed"],
        train=api.TrainStep(training=long) if distill and not (prune or sparsify) else None,
        distill=api.DistillStep(teacher=distill) if distill else None,
        prune=prune,
        sparsify=sparsify,
        quantize=api.QuantizeStep(
            weights=api.WeightFormat(wishes["quantize"]),
            size=wishes["size"],
            training=None if epochs == 0 else short,
        ),
    )
    trained = [step for step in ("train", "prune", "sparsify") if step in recipe.trainings]
    if epochs == 0 and trained:
        raise InputError(
            f"--epochs 0 trains nothing, and the step {trained[0]} is nothing without training",
            help="give at least 1; `penstock quantize` and --quantize alone do without",
        )
    return recipe


def _expect_none_in_vain(wishes: dict[str, Any]) -> None:
    """Refuse an option that says how, where what it is about was not asked for."""
    prunes = wishes["prune"] is not None or wishes["latency"] is not None
    trains = (wishes["epochs"] != 0, "nothing is trained", "leave it out, or --epochs 0")
    cases = {
        "criterion": (prunes, "no channels are pruned", "give --prune or --latency, too"),
        "pattern": (wishes["sparsify"] is not None, "no weights become 0", "give --sparsify, too"),
        "batch": trains,
        "augment": trains,
    }
    for name, (is_used, otherwise, advice) in cases.items():
        source = click.get_current_context().get_parameter_source(name)
        if not is_used and source is click.core.ParameterSource.COMMANDLINE:
            raise InputError(f"--{name} was given, and {otherwise}", help=advice)


def _prune_step(wishes: dict[str, Any], training: api.TrainingOptions) -> api.PruneStep | None:
    """Return how channels are pruned, for a share of MACs or a latency; mixed weights serve one."""
    share = wishes["prune"]
    weights = api.WeightFormat(wishes["quantize"])
    if share is None and not needs_pruning(wishes["latency"], weights):
        return None
    macs = None if share is None else 1 - share
    return api.PruneStep(macs=macs, criterion=api.Criterion(wishes["criterion"]), training=training)


def _sparsify_step(
    wishes: dict[str, Any], training: api.TrainingOptions
) -> api.SparsifyStep | None:
    if wishes["sparsify"] is None:
        return None
    pattern = api.Pattern(wishes["pattern"])
    return api.SparsifyStep(zeros=wishes["sparsify"], pattern=pattern, training=training)


def _show_stage(result: api.StageResult) -> None:
    if api.is_first_process():
        time = (
            ""
            if result.cost.latency is None
            else f", {1000 * result.cost.latency:.1f} ms (estimate)"
        )
        stderr.print(
            f"{result.stage}: {100 * result.score:.2f} %, {format_count(result.macs)} MACs, "
            f"{format_bytes(result.cost.weight_bytes)}{time}",
            soft_wrap=True,
        )


def _show_warning(what: str) -> None:
    if api.is_first_process():
        stderr.print(f"[yellow]warning[/]: {escape(what)}", soft_wrap=True)


def show_epoch(stage: str, epoch: int, loss: float, seconds: float) -> None:
    """Print what a pass over the training samples gave."""
    stderr.print(f"  {stage}: epoch {epoch}, loss {loss:.4f}, {seconds:.0f} s", style="dim")


def _show(result: api.CompressResult, output: Path) -> None:
    stdout.print(
        f"[bold]{escape(result.model)}[/] compressed: {escape(str(output))}, "
        f"{format_bytes(result.file_bytes)}",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    has_zeros = any(stage.zeros >= _SHOWN_ZEROS for stage in result.stages)
    headings = [result.measure, "MACs", "parameters", *(["zeros"] if has_zeros else [])]
    headings += ["weights", *(["estimate"] if result.board else [])]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for stage in result.stages:
        latency = stage.cost.latency
        table.add_row(
            escape(stage.stage),
            f"{100 * stage.score:.2f} %",
            format_count(stage.macs),
            format_count(stage.parameters),
            *([f"{100 * stage.zeros:.0f} %"] if has_zeros else []),
            format_bytes(stage.cost.weight_bytes),
            *(["–" if latency is None else f"{1000 * latency:.2f} ms"] if result.board else []),
        )
    stdout.print(table)
    for note in _notes(result):
        stdout.print(f"  {note}", style="dim", soft_wrap=True)
    for line, is_kept in _aims(result):
        stdout.print(line, style="" if is_kept else "yellow", soft_wrap=True)


def _aims(result: api.CompressResult) -> Iterator[tuple[str, bool]]:
    """Yield what was asked for against what was reached, and whether that is enough."""
    latency = result.stages[-1].cost.latency
    if result.latency is not None and latency is not None:
        kept, asked = bool(result.keeps_latency), format_seconds(result.latency)
        relation = "within" if kept else "above"
        yield f"estimate: {format_seconds(latency)}, {relation} the {asked} asked for", kept
    if result.size is not None:
        kept, asked = bool(result.keeps_size), format_bytes(result.size)
        stored, relation = format_bytes(result.smallest_bytes), "within" if kept else "above"
        yield f"weights: {stored} with --weights small, {relation} the {asked} asked for", kept


def _notes(result: api.CompressResult) -> list[str]:
    """Return what the figures of a table are."""
    unknown = dict.fromkeys(stage.cost.why_no_latency for stage in result.stages)
    notes = [f"no estimate: {escape(why)}" for why in unknown if why]
    if result.board:
        notes.append(f"weights as {escape(result.board)} stores them, with the kernels' tables")
    else:
        notes.append("weights in as few bytes as they can be stored, with the kernels' tables")
    notes.append(
        f"{result.measure} over {result.test_samples} test samples of {escape(result.data)}: the "
        "last line that of the C that is deployed, the others of real numbers"
    )
    if result.smallest_bytes < result.stages[-1].cost.weight_bytes:
        notes.append(
            f"weights take {format_bytes(result.smallest_bytes)} where filters are stored in as "
            "few bytes as they can be: `penstock compile --weights small`"
        )
    return notes
