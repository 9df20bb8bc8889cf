"""Options that several verbs have, and that mean the same in each."""

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from penstock.cli.parameters import parse_numbers, parse_reserve, parse_seed, virtual_board
from penstock.cli.places import ending_in, input_file, labelled_data, result_file_or_stdout
from penstock.design.calibration import Calibration, CalibrationOptions
from penstock.errors import InputError
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.kernels.kernel_set import KernelChoice, WeightChoice
from penstock.planning.options import Effort, PlanOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def board_option(command: Command) -> Command:
    """Add ``--board NAME`` to a verb that cannot do without a virtual board."""
    return click.option(
        "--board",
        required=True,
        callback=virtual_board,
        metavar="NAME",
        help="Virtual board (`penstock boards` lists them), or the path of a board's .toml file.",
    )(command)


def input_option(command: Command) -> Command:
    """Add ``--input FILE`` to a verb that runs a model."""
    return click.option(
        "--input",
        "input_path",
        callback=input_file,
        metavar="FILE",
        help="A .npy, a .npz for several inputs, or an image: its centre is resized to the model's "
        "input and its pixels 0…255 are spread over the input's integer range. "
        "Default: random values.",
    )(command)


def pixel_options(command: Command) -> Command:
    """Add ``--mean`` and ``--deviation``, which become ``scaling``: None where neither is given."""

    @click.option(
        "--mean",
        callback=parse_numbers,
        metavar="NUMBERS",
        help="What training subtracted from pixels of 0 to 1: one number, or one for each channel.",
    )
    @click.option(
        "--deviation",
        callback=parse_numbers,
        metavar="NUMBERS",
        help="What it divided the difference by.",
    )
    @functools.wraps(command)
    def with_scaling(
        *arguments: Any,
        mean: tuple[float, ...] | None,
        deviation: tuple[float, ...] | None,
        **named: Any,
    ) -> Any:
        is_given = mean is not None or deviation is not None
        scaling = PixelScaling(mean or (0.0,), deviation or (1.0,)) if is_given else None
        return command(*arguments, scaling=scaling, **named)

    return cast(Command, with_scaling)


def calibration_options(command: Command) -> Command:
    """Add ``--calibrate``, ``--mean`` and ``--deviation``; the verb gets ``calibration``."""

    @click.option(
        "--calibrate",
        callback=labelled_data,
        metavar="DATA",
        help="Quantize a float network on the way, with samples like those that it will see: a "
        "folder of images, or a .npy or .npz file with an array [N, ...] as the network takes it.",
    )
    @pixel_options
    @functools.wraps(command)
    def with_calibration(
        *arguments: Any, calibrate: Path | None, scaling: PixelScaling | None, **named: Any
    ) -> Any:
        if calibrate is None and scaling is not None:
            raise InputError(
                "--mean and --deviation are of images to calibrate with, and there are none",
                help="add --calibrate DATA, or leave them out",
            )
        options = CalibrationOptions(scaling or PIXELS_AS_THEY_ARE)
        calibration = None if calibrate is None else Calibration(calibrate, options)
        return command(*arguments, calibration=calibration, **named)

    return cast(Command, with_calibration)


def model_output_option(command: Command) -> Command:
    """Add ``-o FILE`` to a verb that makes a model file."""
    return click.option(
        "-o",
        "--output",
        required=True,
        callback=ending_in(".tflite"),
        metavar="FILE",
        help="The .tflite file to write.",
    )(command)


def seed_option(
    meaning: str = "Which random values, where no --input is given.",
) -> Callable[[Command], Command]:
    """Return what adds ``--seed NUMBER`` to a verb; ``meaning`` is its help text."""
    return click.option(
        "--seed",
        callback=parse_seed,
        default="0",
        show_default=True,
        metavar="NUMBER",
        help=meaning,
    )


def plan_options(command: Command) -> Command:
    """Add what may be asked of a plan to a verb; it gets ``plan``, a `PlanOptions`."""

    @functools.wraps(command)
    def with_plan(*arguments: Any, **values: Any) -> Any:
        names = [field.name for field in fields(PlanOptions)]
        plan = PlanOptions(**{name: values.pop(name) for name in names})
        return command(*arguments, plan=plan, **values)

    for option in reversed(_PLAN_OPTIONS):
        with_plan = option(with_plan)
    return cast("Command", with_plan)


_PLAN_OPTIONS = (
    click.option("--weights-in", metavar="MEMORY", help="Memory for the weights."),
    click.option("--arena-in", metavar="MEMORY", help="Memory that kernels work in."),
    click.option(
        "--reserve",
        multiple=True,
        callback=parse_reserve,
        metavar="MEMORY=BYTES",
        help="Leave so much of a memory to the application; 64K and 1M are understood, and several "
        "wishes for one memory add up.",
    ),
    click.option(
        "--overlays/--no-overlays",
        default=True,
        show_default=True,
        help="Let DMA bring what kernels work on, tile by tile, while the core computes.",
    ),
    click.option(
        "--prefetch/--no-prefetch",
        default=True,
        show_default=True,
        help="Start each copy a tile early.",
    ),
    click.option(
        "--fusion/--no-fusion",
        default=True,
        show_default=True,
        help="Run chains of operators band by band where what lies between them would not fit.",
    ),
    click.option(
        "--tight/--no-tight",
        default=True,
        show_default=True,
        help="Keep what is read most in memory tightly coupled to the core.",
    ),
    click.option(
        "--effort",
        type=click.Choice([effort.value for effort in Effort]),
        default=Effort.FAST.value,
        show_default=True,
        callback=lambda _context, _parameter, value: Effort(value),
        help="Look for tiles that fit, or compare all by their estimated time (up to a minute).",
    ),
    click.option(
        "--kernels",
        type=click.Choice([choice.value for choice in KernelChoice]),
        default=KernelChoice.AUTO.value,
        show_default=True,
        callback=lambda _context, _parameter, value: KernelChoice(value),
        help="The fastest kernels that the core has instructions for, or those in plain C.",
    ),
    click.option(
        "--weights",
        type=click.Choice([choice.value for choice in WeightChoice]),
        default=WeightChoice.AUTO.value,
        show_default=True,
        callback=lambda _context, _parameter, value: WeightChoice(value),
        help="Store filters in four bits, or without their zeros, where that is faster, never, or "
        "wherever it takes fewer bytes than int8.",
    ),
)


def json_option(command: Command) -> Command:
    """Add ``--json FILE`` to a verb."""
    return click.option(
        "--json",
        "json_path",
        callback=result_file_or_stdout,
        metavar="FILE",
        help="Write the result as JSON to FILE; '-' prints it instead of the tables.",
    )(command)
