"""Networks in real numbers, from files and from memory."""

from pathlib import Path

import torch
from torch import nn

from penstock.design.data import DataSet
from penstock.design.quantization import prepare
from penstock.design.reading import read_source
from penstock.errors import InputError
from penstock.frontends.tflite import identifier
from penstock.frontends.torch import export_module, translate_program
from penstock.ir.graph import Graph

Module = nn.Module
_IMAGE_RANK = 4


def load_float(model: Path) -> Graph:
    """Return the network of a file, prepared to be trained; raises what reading it does."""
    return prepare(read_source(model).graph)


def load_network(model: str | Path | nn.Module, data: DataSet | None) -> tuple[str, Graph]:
    """Return the name and the graph of a network.

    Args:
        model: a file, or a module in memory.
        data: that a module in memory takes, which says the shape of its input.

    Raises:
        InputError: a module was given without data, or does not take them.
        UnsupportedError: it cannot be exported or translated.
    """
    if isinstance(model, str | Path):
        return Path(model).name, load_float(Path(model))
    if data is None:
        raise InputError(
            "a module in memory was given without data: its input's shape is not known",
            help="give data, such as load_data_set('cifar10', (32, 32, 3))",
        )
    name = type(model).__name__
    example = torch.zeros((1, *data.shape))
    if example.ndim == _IMAGE_RANK:
        example = example.permute(0, 3, 1, 2)
    program = export_module(model, (example,))
    return name, prepare(translate_program(program, identifier(name)).graph)
