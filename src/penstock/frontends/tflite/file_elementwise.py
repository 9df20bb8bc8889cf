"""Element-wise operators as calls of a TensorFlow Lite file."""

from penstock.frontends.tflite.file_calls import ACTIVATIONS, CallList, CallWriter, version_for
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.operators import Activation, Operator


def _write_sum(calls: CallList, operator: ops.Add | ops.Sub) -> None:
    data = calls.tensors[operator.left]
    is_add = isinstance(operator, ops.Add)
    calls.call(
        operator.kind,
        version_for(data, int8=2, int16=3 if is_add else 5),
        operator.inputs,
        operator.outputs,
        "AddOptions" if is_add else "SubOptions",
        FusedActivationFunction=ACTIVATIONS[operator.activation],
        PotScaleInt16=operator.pot_scale_int16,
    )


def _write_mul(calls: CallList, operator: ops.Mul) -> None:
    calls.call(
        "MUL",
        version_for(calls.tensors[operator.left], int8=2, int16=4),
        operator.inputs,
        operator.outputs,
        "MulOptions",
        FusedActivationFunction=ACTIVATIONS[operator.activation],
    )


def _write_extremum(calls: CallList, operator: ops.Maximum | ops.Minimum) -> None:
    version = version_for(calls.tensors[operator.left], int8=2, int16=4)
    table = "MaximumMinimumOptions"
    calls.call(operator.kind, version, operator.inputs, operator.outputs, table)


def _write_relu(calls: CallList, operator: ops.Relu) -> None:
    builtin = operator.activation.name
    int8, int16 = (1, 1) if operator.activation is Activation.RELU_N1_TO_1 else (2, 3)
    version = version_for(calls.tensors[operator.input], int8=int8, int16=int16)
    calls.call(builtin, version, operator.inputs, operator.outputs)


def _write_leaky_relu(calls: CallList, operator: ops.LeakyRelu) -> None:
    version = version_for(calls.tensors[operator.input], int8=2, int16=2)
    table = "LeakyReluOptions"
    calls.call(
        "LEAKY_RELU", version, operator.inputs, operator.outputs, table, Alpha=operator.alpha
    )


def _write_sigmoid(calls: CallList, operator: Operator) -> None:
    version = version_for(calls.tensors[operator.inputs[0]], int8=2, int16=3)
    calls.call(operator.kind, version, operator.inputs, operator.outputs)


def _write_hard_swish(calls: CallList, operator: ops.HardSwish) -> None:
    table = "HardSwishOptions"
    calls.call("HARD_SWISH", 1, operator.inputs, operator.outputs, table)


def _write_softmax(calls: CallList, operator: ops.Softmax) -> None:
    version = version_for(calls.tensors[operator.input], int8=2, int16=3)
    table = "SoftmaxOptions"
    calls.call("SOFTMAX", version, operator.inputs, operator.outputs, table, Beta=operator.beta)


def _write_log_softmax(calls: CallList, operator: ops.LogSoftmax) -> None:
    version = version_for(calls.tensors[operator.input], int8=2)
    calls.call("LOG_SOFTMAX", version, operator.inputs, operator.outputs, "LogSoftmaxOptions")


def _write_quantize(calls: CallList, operator: ops.Quantize) -> None:
    types = {calls.tensors[name].dtype for name in (operator.input, operator.output)}
    version = 2 if types & {DType.INT16, DType.INT32} else 1
    calls.call("QUANTIZE", version, operator.inputs, operator.outputs, "QuantizeOptions")


def _write_dequantize(calls: CallList, operator: ops.Dequantize) -> None:
    version = version_for(calls.tensors[operator.input], int8=2, int16=3)
    calls.call("DEQUANTIZE", version, operator.inputs, operator.outputs, "DequantizeOptions")


WRITERS: dict[type[Operator], CallWriter] = {
    ops.Add: _write_sum,
    ops.Sub: _write_sum,
    ops.Mul: _write_mul,
    ops.Maximum: _write_extremum,
    ops.Minimum: _write_extremum,
    ops.Relu: _write_relu,
    ops.LeakyRelu: _write_leaky_relu,
    ops.Logistic: _write_sigmoid,
    ops.Tanh: _write_sigmoid,
    ops.HardSwish: _write_hard_swish,
    ops.Softmax: _write_softmax,
    ops.LogSoftmax: _write_log_softmax,
    ops.Quantize: _write_quantize,
    ops.Dequantize: _write_dequantize,
}
