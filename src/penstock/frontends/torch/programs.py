"""Programs of ``torch.export``: made from a module, or read from a file."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from penstock.errors import InputError, UnsupportedError, os_reason

_SAVE = 'save it with torch.export.save(torch.export.export(module.eval(), (example,)), "m.pt2")'


def export_module(module: nn.Module, example: Sequence[torch.Tensor]) -> ExportedProgram:
    """Return the program of a module in inference mode.

    Args:
        module: any module whose forward takes tensors; its mode is put back afterwards.
        example: inputs of the shapes that the network will be compiled for, one image or sample:
            the first dimension is 1.

    Raises:
        UnsupportedError: torch cannot export the module; the message has torch's own reason.
        InputError: the example does not fit the module, or a weight is not finite.
    """
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with _silence():
            program = torch.export.export(module, tuple(example))
    except (RuntimeError, TypeError, ValueError) as error:
        raise _explained(module, example, error) from error
    finally:
        for part, mode in modes.items():
            part.training = mode
    expect_finite(program)
    return program


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what torch logs on its way to an error from people, who are told our reason."""
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(previous)


def _explained(module: nn.Module, example: Sequence[torch.Tensor], error: Exception) -> Exception:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    name = type(module).__name__
    try:
        with torch.no_grad(), _silence():
            module(*example)
    except (RuntimeError, TypeError, ValueError) as own:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in example)
        return InputError(
            f"{name} does not accept inputs of shape {shapes}: {str(own).strip().splitlines()[0]}",
            help="give an example input as the module's forward takes it, with a batch of 1",
        )
    return UnsupportedError(
        f"torch.export cannot export {name}: {reason}",
        help="control flow on values must go; `torch.export.export(module, (example,))` shows the "
        "whole reason",
    )


def load_program(path: Path) -> ExportedProgram:
    """Return the program of a .pt2 file.

    Raises:
        InputError: the file cannot be read, is no such program, or has a weight that is not finite.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(
            f"cannot read {str(path)!r}: {os_reason(error)}", help="check the path"
        ) from error
    try:
        with file, _silence():
            program = torch.export.load(file)
    except Exception as error:  # torch raises whatever its readers of archives and JSON do
        raise InputError(
            f"{str(path)!r} is no program of torch.export, or a damaged one", help=_SAVE
        ) from error
    expect_finite(program)
    return program


def expect_finite(program: ExportedProgram) -> None:
    """Refuse weights that are infinite or no number.

    Raises:
        InputError: naming the first one.
    """
    for name, value in program.state_dict.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            broken = int((~torch.isfinite(value)).sum())
            raise InputError(
                f"the weights {name!r} have {broken} of {value.numel()} values that are infinite "
                "or no number",
                help="training has diverged: take an earlier checkpoint, or train more slowly",
            )
