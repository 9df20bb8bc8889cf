"""The oracle: LiteRT's reference kernels, run on the inputs that the interpreter gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Quantize
from penstock.ir.tensor import Array

ULP_TOLERANCE = 2

# LiteRT 2.3 refuses the left file's bias quantization; the right one differs in nothing else.
LITERT_TWINS = {"person_detect.tflite": "person_detect_qdim_patched.tflite"}


# LiteRT takes the int8 state and time weights of this model's SVDF operators for int16, and so
# reads and writes beyond their ends: its answer is undefined, and the process usually aborts.
TFLM_MODELS = frozenset({"keyword_scrambled_8bit.tflite"})


@dataclass(frozen=True)
class Comparison:
    """How far two runs of one model on the same input agree.

    Attributes:
        seed: of the random input.
        differing_elements: over all outputs; floats differ when more than 2 ulp apart.
        largest_ulp: largest distance of two float outputs, in units in the last place.
    """

    seed: int
    differing_elements: int
    largest_ulp: int

    @property
    def agrees(self) -> bool:
        """True when every output is the same, floats within tolerance."""
        return self.differing_elements == 0


class Oracle(Protocol):
    """An independent implementation that has loaded a model."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return outputs for inputs in the model's order; remembers variable tensors."""


class TFLiteMicro:
    """A model in TensorFlow Lite for Microcontrollers, for what LiteRT cannot run."""

    def __init__(self, model: Path) -> None:
        # Imported here: only one model needs it.
        from tflite_micro.python.tflite_micro import runtime

        self._interpreter = runtime.Interpreter.from_file(str(model))

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return outputs for inputs in the model's order."""
        for index, value in enumerate(inputs):
            self._interpreter.set_input(value, index)
        self._interpreter.invoke()
        return [np.array(self._interpreter.get_output(0))]


class LiteRT:
    """A model in LiteRT with its reference kernels; remembers variable tensors between runs."""

    def __init__(self, model: Path | bytes) -> None:
        source = (
            {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        )
        self._interpreter = Interpreter(
            **source, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
        )
        self._allocated = False

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return outputs for inputs in the model's order."""
        details = self._interpreter.get_input_details()
        if not self._allocated:
            for detail, value in zip(details, inputs, strict=True):
                if tuple(detail["shape"]) != value.shape:
                    self._interpreter.resize_tensor_input(detail["index"], value.shape)
            self._interpreter.allocate_tensors()
            self._allocated = True
        for detail, value in zip(details, inputs, strict=True):
            self._interpreter.set_tensor(detail["index"], value)
        self._interpreter.invoke()
        outputs = self._interpreter.get_output_details()
        return [self._interpreter.get_tensor(detail["index"]) for detail in outputs]


def random_inputs(graph: Graph, seed: int) -> list[Array]:
    """Return inputs in order: integers over their whole range, floats over what is quantized.

    An int32 vector that no operator reads is the output shape of a transposed convolution, which
    the front end has resolved; it gets the extents of the graph's output.
    """
    rng = np.random.default_rng(seed)
    return [_random_input(graph, name, rng) for name in graph.inputs]


def _random_input(graph: Graph, name: str, rng: np.random.Generator) -> Array:
    tensor = graph.tensors[name]
    if tensor.dtype is DType.INT32 and not graph.consumers()[name]:
        return np.array(graph.tensors[graph.outputs[0]].shape, np.int32)
    if tensor.dtype is not DType.FLOAT32:
        low, high = tensor.dtype.range
        return rng.integers(low, high + 1, size=tensor.shape, dtype=tensor.dtype.numpy.type)
    low_real, high_real = _quantized_range(graph, name)
    span = high_real - low_real
    # A little beyond both ends, so that saturation is seen.
    values = rng.uniform(low_real - 0.05 * span, high_real + 0.05 * span, size=tensor.shape)
    # Every other value lies on a multiple of span / 510: often halfway between two steps.
    halves = np.round(values / span * 510) * (span / 510)
    return np.where(rng.random(tensor.shape) < 0.5, halves, values).astype(np.float32)


def _quantized_range(graph: Graph, name: str) -> tuple[float, float]:
    """Return the real range of the QUANTIZE that reads a float input; −4 to 4 without one."""
    for position in graph.consumers()[name]:
        operator = graph.operators[position]
        if isinstance(operator, Quantize):
            tensor = graph.tensors[operator.output]
            low, high = tensor.dtype.range
            offset = tensor.zero_point
            return (low - offset) * tensor.scale, (high - offset) * tensor.scale
    return -4.0, 4.0


def ulp_distance(left: Array, right: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return how many float32 values lie between two, element by element."""
    ordered = []
    for value in (left, right):
        bits = np.ascontiguousarray(value, np.float32).view(np.int32).astype(np.int64)
        ordered.append(np.where(bits < 0, -(bits & 0x7FFFFFFF), bits))
    return np.abs(ordered[0] - ordered[1])


def compare_outputs(ours: Sequence[Array], theirs: Sequence[Array], seed: int = 0) -> Comparison:
    """Return how far outputs agree; shapes and types must be the same."""
    assert [(a.shape, a.dtype) for a in ours] == [(b.shape, b.dtype) for b in theirs]
    differing, largest = 0, 0
    for left, right in zip(ours, theirs, strict=True):
        if left.dtype == np.float32:
            distance = ulp_distance(left, right)
            largest = max(largest, int(distance.max(initial=0)))
            differing += int((distance > ULP_TOLERANCE).sum())
        else:
            differing += int((left != right).sum())
    return Comparison(seed, differing, largest)
