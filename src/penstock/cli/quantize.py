"""``penstock quantize``: a trained float network becomes an int8 model file."""

from pathlib import Path

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_file, write_json
from penstock.cli.options import json_option, model_output_option, pixel_options
from penstock.cli.places import STANDARD_OUTPUT, labelled_data, model_file, refuse_overwriting
from penstock.units import format_bytes, format_count


@click.command("quantize")
@click.argument("model", callback=model_file, metavar="MODEL")
@click.option(
    "--data",
    required=True,
    callback=labelled_data,
    metavar="DATA",
    help="Samples like those that the network will see: a folder of images (of train beside test, "
    "those of train); a .npy or .npz file "
    "with an array [N, ...] as the network takes it, or [N, H, W, C], pixels as uint8; or the "
    f"training samples of {', '.join(api.DATA_SETS)}.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    metavar="NUMBER",
    help="Take so many of them, evenly spread.",
)
@pixel_options
@click.option(
    "--ranges",
    type=click.Choice([rule.value for rule in api.RangeRule]),
    default=api.RangeRule.ALL.value,
    show_default=True,
    help="Which values of an activation to cover: all that were seen, all but one in ten thousand, "
    "or those that make the mean squared error least.",
)
@click.option(
    "--correct-bias/--no-correct-bias",
    default=True,
    show_default=True,
    help="Let biases make up for what rounding the weights adds to outputs on average.",
)
@click.option(
    "--equalize/--no-equalize",
    default=True,
    show_default=True,
    help="Scale channels between two layers, with ReLU between them or nothing, so that their "
    "weights are alike in size; the network computes the same.",
)
@model_output_option
@json_option
def quantize_command(
    model: Path,
    data: Path,
    samples: int,
    scaling: api.PixelScaling | None,
    ranges: str,
    correct_bias: bool,
    equalize: bool,
    output: Path,
    json_path: Path | None,
) -> None:
    """Make an int8 network of a trained float one, without training it again.

    \b
    MODEL is a float .tflite or .onnx file, or a PyTorch program, which these lines write:
      program = torch.export.export(module.eval(), (example,))
      torch.export.save(program, "MODEL.pt2")

    The example is one sample: a batch of 1. Batch normalization goes into the weights, ranges of
    activations come from the samples, and weights get a scale for each output channel. The file is
    an ordinary .tflite file: LiteRT computes the same bytes. The same network and samples give the
    same file.
    """  # noqa: D301 - click wants the character, not the words for it
    refuse_overwriting(
        {"the model": model, "the data": data}, {"--output": output, "--json": json_path}
    )
    options = api.CalibrationOptions(
        scaling or api.PixelScaling(), samples, api.RangeRule(ranges), correct_bias, equalize
    )
    with progress_bar() as progress:
        made = api.quantize(model, data=data, options=options, progress=progress)
    write_file(output, made.content)
    write_json(made.result.to_json(str(output)), json_path)
    if json_path != STANDARD_OUTPUT:
        _show(made.result, output)


def _show(result: api.QuantizeResult, output: Path) -> None:
    totals, agreement = result.totals, result.agreement
    stdout.print(
        f"[bold]{escape(result.model)}[/] quantized to int8: {escape(str(output))}", soft_wrap=True
    )
    stdout.print(
        f"  {totals.operators} operators, {format_count(totals.macs)} MACs, "
        f"{totals.parameters / 1e6:.3f} M parameters"
    )
    stdout.print(
        f"  weights {format_bytes(totals.weights_bytes)} (as float32 "
        f"{format_bytes(result.float_bytes)}); file {format_bytes(result.file_bytes)}"
    )
    stdout.print(
        f"  calibrated on {result.calibrated_on} samples; on {agreement.samples} of them the "
        f"largest output is that of the float network {agreement.same_class} times, outputs are "
        f"{agreement.signal_to_noise_db:.1f} dB above their error",
        soft_wrap=True,
    )
    stdout.print("  this is no accuracy: measure that with labelled data", style="dim")
