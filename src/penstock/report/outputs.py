"""A model's outputs for people and files."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from penstock.errors import InputError
from penstock.ir.tensor import Array, Tensor


def dequantized(tensor: Tensor, values: Array) -> npt.NDArray[np.float64]:
    """Return real values: ``scale · (value − zero point)``, or the values where not quantized."""
    real = values.astype(np.float64)
    if tensor.quantization is None or not tensor.quantization.is_per_tensor:
        return real
    return (real - tensor.zero_point) * tensor.scale


def encode_outputs(names: Sequence[str], outputs: Sequence[Array], suffix: str) -> bytes:
    """Return the content of an .npy file (one output) or .npz file (any number, by name).

    Raises:
        InputError: several outputs for .npy.
    """
    stream = io.BytesIO()
    if suffix == ".npy":
        if len(outputs) != 1:
            raise InputError(
                f".npy holds one array, the model has {len(outputs)} outputs",
                help="write them to an .npz file",
            )
        np.save(stream, outputs[0])
    else:
        np.savez(stream, allow_pickle=False, **dict(zip(names, outputs, strict=True)))
    return stream.getvalue()
