"""The mailbox of ports/harness.h, as the side that gives commands sees it."""

from collections.abc import Iterator, Sequence

import numpy as np

from penstock.errors import InputError, SimulationError
from penstock.ir.tensor import Array
from penstock.simulate.target_model import TargetModel

MAGIC = 0x504E5354
COMMAND_INIT, COMMAND_RUN = 1, 2
MAGIC_AT, MODEL_AT, COMMAND_AT, FIRST_AT, LAST_AT, STATUS_AT = range(0, 24, 4)
BKPT_BYTES = 2

_STATUS_TEXTS = {
    1: "the model is not initialized",
    2: "an index is out of range",
    3: "the DMA controller could not reach a memory",
}


def check_status(model: TargetModel, status: int) -> None:
    """Raise SimulationError for what a command returned, unless all went well."""
    if status != 0:
        text = _STATUS_TEXTS.get(status, "unknown status")
        raise SimulationError(f"{model.name} returned status {status}: {text}")


def input_contents(
    model: TargetModel, inputs: Sequence[Array | bytes]
) -> Iterator[tuple[int, bytes]]:
    """Yield where each input goes, and its bytes; raises InputError where they do not fit."""
    if len(inputs) != len(model.inputs):
        raise InputError(f"{model.name} takes {len(model.inputs)} inputs, found {len(inputs)}")
    for tensor, value in zip(model.inputs, inputs, strict=True):
        content = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
        if len(content) != tensor.size_bytes:
            raise InputError(
                f"input {tensor.name!r} of {model.name} has {tensor.size_bytes} bytes, "
                f"found {len(content)}"
            )
        yield tensor.address, content
