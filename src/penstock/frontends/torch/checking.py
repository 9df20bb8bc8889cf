"""Every translation checks itself: the graph computes what the program computes."""

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves

from penstock.errors import VerificationError
from penstock.frontends.source_models import SourceModel
from penstock.frontends.torch.operators import FROM_TORCH, IMAGE_RANK
from penstock.ir import interpreter

_SEED = 0
_TOLERANCE = 1e-3
"""Of the largest output; the rounding of float32 makes about a thousandth of it."""


def check_translation(program: ExportedProgram, model: SourceModel) -> None:
    """Run both on seeded random values.

    Raises:
        VerificationError: outputs differ by more than rounding: a bug of ours.
    """
    generator = np.random.default_rng(_SEED)
    shapes = [model.graph.tensors[name].shape for name in model.graph.inputs]
    values = [generator.normal(size=shape).astype(np.float32) for shape in shapes]
    given = [
        np.ascontiguousarray(value.transpose(np.argsort(model.order(name))))
        for name, value in zip(model.graph.inputs, values, strict=True)
    ]
    with torch.inference_mode():
        result = program.module()(*(torch.from_numpy(value) for value in given))
    expected = tree_leaves(result)  # of tuples and dictionaries, in the order of the outputs
    found = interpreter.run(model.graph, values)
    for name, ours, theirs in zip(model.graph.outputs, found, expected, strict=True):
        reference = np.asarray(theirs.numpy(), np.float64)
        if reference.ndim == IMAGE_RANK:
            reference = reference.transpose(FROM_TORCH)
        error = np.abs(np.asarray(ours, np.float64) - reference).max(initial=0)
        if error > _TOLERANCE * np.abs(reference).max(initial=0):
            raise VerificationError(
                f"the output {name!r} of the translated network is off by {error:g}, of at most "
                f"{np.abs(reference).max():g} that the PyTorch program gives",
                help="please report this, with the program",
            )
