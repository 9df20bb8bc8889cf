"""One operator of a .tflite file with its tensors at hand, and how it is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tflite

from penstock.errors import ModelFormatError, UnsupportedError
from penstock.frontends.tflite.names import printable
from penstock.frontends.tflite.tensors import TensorReader
from penstock.ir.dtype import DType
from penstock.ir.operators import Activation, Operator
from penstock.ir.tensor import Tensor

QUANTIZE_FIRST = (
    "quantize the model to int8 first: in TensorFlow Lite's converter set optimizations to "
    "[tf.lite.Optimize.DEFAULT], give a representative_dataset and set "
    "target_spec.supported_ops to [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]"
)
_ACTIVATIONS = {
    tflite.ActivationFunctionType.NONE: Activation.NONE,
    tflite.ActivationFunctionType.RELU: Activation.RELU,
    tflite.ActivationFunctionType.RELU6: Activation.RELU6,
    tflite.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
}
_ACTIVATION_NAMES = {
    number: name
    for name, number in vars(tflite.ActivationFunctionType).items()
    if not name.startswith("_")
}
_KINDS: dict[int, str] = {
    number: name
    for name, number in vars(tflite.BuiltinOperator).items()
    if not name.startswith("_")
}
_CONSTANT_ELEMENTS_MAX = 1 << 10
_OPERANDS_MAX = 1 << 10
ACTIVATION_TYPES = (DType.INT8, DType.UINT8, DType.INT16)


@dataclass(frozen=True, slots=True)
class OperatorView:
    """An operator of the file.

    Attributes:
        index: its position in the file.
        kind: the builtin's name, or ``CUSTOM`` with the custom name.
        entry: the schema package's view.
        tensors: the file's tensors.
    """

    index: int
    kind: str
    entry: tflite.Operator
    tensors: TensorReader

    @property
    def where(self) -> str:
        """The operator's name and index, for messages."""
        return f"operator {self.index} ({self.kind})"

    @property
    def input_count(self) -> int:
        """Number of inputs, absent optional ones counted."""
        return int(self.entry.InputsLength())

    @property
    def output_count(self) -> int:
        """Number of outputs."""
        return int(self.entry.OutputsLength())

    def input(self, position: int) -> Tensor:
        """Return an input that must be there."""
        tensor = self.optional_input(position)
        if tensor is None:
            raise ModelFormatError(f"{self.where} lacks its input {position}")
        return tensor

    def optional_input(self, position: int) -> Tensor | None:
        """Return an input, or None where the file leaves it out."""
        if position >= self.input_count:
            return None
        number = int(self.entry.Inputs(position))
        return None if number == -1 else self.tensors.tensor(number, self.where)

    def output(self, position: int = 0) -> Tensor:
        """Return an output."""
        if position >= self.output_count:
            raise ModelFormatError(f"{self.where} lacks its output {position}")
        return self.tensors.tensor(int(self.entry.Outputs(position)), self.where)

    def expect_counts(self, inputs: tuple[int, int], outputs: int | None = 1) -> None:
        """Check the number of inputs (lowest and highest) and of outputs (None: any)."""
        if max(self.input_count, self.output_count) > _OPERANDS_MAX:
            raise self.refuse(f"has more than {_OPERANDS_MAX} inputs or outputs")
        low, high = inputs
        if not low <= self.input_count <= high:
            allowed = f"{low}" if low == high else f"{low} to {high}"
            raise ModelFormatError(
                f"{self.where} has {self.input_count} inputs, {allowed} are allowed"
            )
        if outputs is not None and self.output_count != outputs:
            raise ModelFormatError(
                f"{self.where} has {self.output_count} outputs, {outputs} is allowed"
            )

    def options(self, wanted: type[Any]) -> Any:
        """Return the options table, seen as the schema class ``wanted``."""
        expected = getattr(tflite.BuiltinOptions, wanted.__name__)
        table = self.entry.BuiltinOptions()
        if self.entry.BuiltinOptionsType() != expected or table is None:
            raise ModelFormatError(f"{self.where} lacks its {wanted.__name__}")
        options = wanted()
        options.Init(table.Bytes, table.Pos)
        return options

    def activation(self, options: Any) -> Activation:
        """Return the fused activation of an options table."""
        number = options.FusedActivationFunction()
        if number not in _ACTIVATIONS:
            name = _ACTIVATION_NAMES.get(number, str(number))
            raise self.refuse(
                f"has the fused activation {name}; supported are "
                f"{', '.join(item.name for item in Activation)}",
                help="use one of these, or a separate activation layer",
            )
        return _ACTIVATIONS[number]

    def constant_integers(self, position: int, what: str) -> tuple[int, ...]:
        """Return the elements of a constant integer input, in C order."""
        tensor = self.input(position)
        if tensor.data is None:
            raise self.refuse(
                f"takes its {what} from {tensor.name!r}, which is computed at run time",
                help=f"make the {what} a constant of the model",
            )
        if tensor.dtype not in (DType.INT32, DType.INT64):
            raise ModelFormatError(
                f"{self.where}: {what} {tensor.name!r} is {tensor.dtype.value}, "
                "it must be i32 or i64"
            )
        if tensor.element_count > _CONSTANT_ELEMENTS_MAX:
            raise ModelFormatError(
                f"{self.where}: {what} {tensor.name!r} has {tensor.element_count} elements"
            )
        return tuple(int(value) for value in tensor.data.reshape(-1).tolist())

    def image_size(self, tensor: Tensor) -> tuple[int, int]:
        """Return height and width of a tensor that must have four dimensions."""
        if len(tensor.shape) != 4:
            raise ModelFormatError(
                f"{self.where} needs four dimensions, {tensor.name!r} has {list(tensor.shape)}"
            )
        return tensor.shape[1], tensor.shape[2]

    def axis(self, value: int, rank: int) -> int:
        """Return a dimension's number ≥ 0 from one that may count from the end."""
        if not -rank <= value < rank:
            raise ModelFormatError(f"{self.where} has the axis {value}, its tensor {rank} axes")
        return value % rank

    def is_real(self, *operands: Tensor) -> bool:
        """Return whether all are float32, as in a network that nobody has quantized yet."""
        return all(tensor.dtype is DType.FLOAT32 for tensor in operands)

    def expect_activations(self, *operands: Tensor) -> None:
        """Refuse operands that are neither all float32 nor all quantized."""
        if not self.is_real(*operands):
            self.expect_quantized(*operands)
        self.expect_same_type(*operands)

    def expect_quantized(
        self, *operands: Tensor, dtypes: Sequence[DType] = ACTIVATION_TYPES
    ) -> None:
        """Refuse operands that are float, or integers without a scale."""
        for tensor in operands:
            if tensor.dtype is DType.FLOAT32:
                raise self.refuse(
                    f"computes in FLOAT32 (tensor {tensor.name!r}), Penstock in integers",
                    help=QUANTIZE_FIRST,
                )
            if tensor.dtype not in dtypes:
                allowed = ", ".join(dtype.value for dtype in dtypes)
                raise self.refuse(
                    f"has the tensor {tensor.name!r} of type {tensor.dtype.value}; "
                    f"supported are {allowed}",
                    help=QUANTIZE_FIRST,
                )
            if tensor.quantization is None:
                raise self.refuse(
                    f"needs scale and zero point of {tensor.name!r}, which has none",
                    help=QUANTIZE_FIRST,
                )
            if min(tensor.quantization.scale) < 0:
                raise ModelFormatError(
                    f"{self.where}: tensor {tensor.name!r} has the scale "
                    f"{min(tensor.quantization.scale)}, which must be above 0"
                )
            if not tensor.quantization.is_per_tensor:
                raise self.refuse(
                    f"has the activation {tensor.name!r} with a scale per channel; "
                    "only weights may have that",
                    help=QUANTIZE_FIRST,
                )

    def expect_same_type(self, *tensors: Tensor) -> None:
        """Check that tensors have the first one's element type."""
        first = tensors[0]
        for tensor in tensors[1:]:
            if tensor.dtype is not first.dtype:
                raise self.refuse(
                    f"mixes {first.dtype.value} ({first.name!r}) with {tensor.dtype.value} "
                    f"({tensor.name!r})",
                    help=QUANTIZE_FIRST,
                )

    def refuse(self, what: str, *, help: str = "") -> UnsupportedError:  # noqa: A002
        """Return the error that this operator, writing its first output, is not supported."""
        return UnsupportedError(f"{self.where}{self._writing()} {what}", help=help)

    def _writing(self) -> str:
        numbers = [int(self.entry.Outputs(i)) for i in range(min(self.output_count, 1))]
        names = [self.tensors.names[n] for n in numbers if 0 <= n < len(self.tensors.names)]
        return f", which writes {names[0]!r}," if names else ""


Translate = Callable[[OperatorView], Operator]
"""Makes the IR operator of one kind of builtin."""


def describe(tensor: Tensor) -> str:
    """Return a tensor's name and quantization for messages."""
    parameters = tensor.quantization
    if parameters is None:
        return f"{tensor.name!r} (not quantized)"
    if not parameters.is_per_tensor:
        return f"{tensor.name!r} ({len(parameters.scale)} scales)"
    return f"{tensor.name!r} (scale {tensor.scale:g}, zero point {tensor.zero_point})"


def operator_kind(code: tflite.OperatorCode) -> str:
    """Return the builtin's name, or ``CUSTOM`` and the name in brackets."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return f"CUSTOM {printable(code.CustomCode() or b'') or 'without a name'}"
    return _KINDS.get(number, f"unknown builtin {number}")
