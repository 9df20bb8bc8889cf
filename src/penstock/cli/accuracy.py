"""``penstock accuracy``: how often a classifier is right."""

from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_json
from penstock.cli.labels import fit_labels, read_labels
from penstock.cli.options import json_option, pixel_options
from penstock.cli.places import (
    STANDARD_OUTPUT,
    input_file,
    labelled_data,
    model_file,
    refuse_overwriting,
)

_CLASSES_SHOWN = 20


@click.command("accuracy")
@click.argument("model", callback=model_file, metavar="MODEL")
@click.option(
    "--data",
    required=True,
    callback=labelled_data,
    metavar="DATA",
    help="A folder or .zip with CLASS/*.jpg, or with test/CLASS/*.jpg beside train; a .npz with "
    "arrays x (samples) and y (classes), or x_test and y_test; or the test samples of "
    f"{', '.join(api.DATA_SETS)}.",
)
@click.option(
    "--labels",
    "labels_path",
    callback=input_file,
    metavar="FILE",
    help="Names of the classes, one a line, in the order of outputs. Default: those of the "
    "folders, sorted, or in the .npz file's array classes.",
)
@pixel_options
@click.option(
    "--board",
    default="host",
    show_default=True,
    metavar="NAME",
    help="Whose C to run, on this computer: its fast kernels give the same bytes.",
)
@json_option
def accuracy_command(
    model: Path,
    data: Path,
    labels_path: Path | None,
    board: str,
    json_path: Path | None,
    scaling: api.PixelScaling | None,
) -> None:
    """Run the generated C over labelled data, and count.

    What runs is what a board computes, bit for bit, so that this is the accuracy of what is
    deployed. It is of these data only: those that training or calibration has seen say little.

    Without --mean and --deviation pixels 0 to 255 are spread over the input's integers, which is
    right for networks trained on pixels from 0 or -1 to 1. Others need what training did.
    """
    refuse_overwriting({"the model": model, "the labels": labels_path}, {"--json": json_path})
    names = None if labels_path is None else read_labels(labels_path)
    if names is not None:
        outputs = api.load_model(model)
        names = fit_labels(names, outputs.tensors[outputs.outputs[0]].element_count)
    with progress_bar() as progress:
        found = api.accuracy(
            model, data=data, classes=names, scaling=scaling, board=board, progress=progress
        )
    write_json(found.to_json(), json_path)
    if json_path != STANDARD_OUTPUT:
        _show(found)


def _show(found: api.AccuracyResult) -> None:
    stdout.print(
        f"[bold]{escape(found.model)}[/]: {100 * found.accuracy:.2f} % of {found.samples} samples "
        f"right ({found.correct}; a test set of this size tells ±{100 * found.deviation:.2f} %)"
    )
    if len(found.classes) > _CLASSES_SHOWN:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("class", no_wrap=True)
    for heading in ("samples", "right", "mostly taken for"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row, name in enumerate(found.classes):
        counts = found.confusion[row].copy()
        total, right = int(counts.sum()), int(counts[row])
        counts[row] = 0
        wrong = int(counts.argmax())
        mistaken = f"{escape(found.classes[wrong])} ({counts[wrong]})" if counts[wrong] else ""
        share = f"{100 * right / total:.1f} %" if total else "–"
        table.add_row(escape(name), str(total), share, mistaken)
    stdout.print(table)
