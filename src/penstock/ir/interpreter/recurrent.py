"""Operators with memory."""

from collections.abc import Mapping

import numpy as np

from penstock.ir.fixed_point import wrap_int32
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import svdf_parameters
from penstock.ir.interpreter.requantization import scale_int32
from penstock.ir.operators import Svdf
from penstock.ir.tensor import Array


def svdf(graph: Graph, operator: Svdf, values: Mapping[str, Array]) -> tuple[Array, Array]:
    """Evaluate one step of SVDF; return its output and the next state.

    LiteRT's kernel takes time weights and state for int16 whatever their type; int8 ones follow
    the kernel of TensorFlow Lite for Microcontrollers (micro/kernels/svdf_common.cc).
    """
    parameters = svdf_parameters(graph, operator)
    state_tensor, output = graph.tensors[operator.state], graph.tensors[operator.output]
    times = values[operator.time_weights].astype(np.int64)
    filters, memory = times.shape
    history = values[operator.state].reshape(-1, filters, memory).astype(np.int64)

    centered = values[operator.input].astype(np.int64) - parameters.input_zero_point
    features = wrap_int32(centered @ values[operator.feature_weights].astype(np.int64).T)
    newest = scale_int32(features, parameters.feature) + parameters.state_zero_point
    newest = np.clip(newest, *state_tensor.dtype.range)
    history = np.concatenate([history[:, :, 1:], newest[:, :, np.newaxis]], axis=2)

    filtered = ((history - parameters.state_zero_point) * times).sum(axis=2)
    units = filtered.reshape(len(history), filters // operator.rank, operator.rank).sum(axis=2)
    if operator.bias is not None:
        units = units + values[operator.bias].astype(np.int64)
    result = scale_int32(wrap_int32(units), parameters.output) + parameters.output_zero_point
    clamped = np.clip(result, parameters.activation_min, parameters.activation_max)
    state = history.reshape(state_tensor.shape).astype(state_tensor.dtype.numpy)
    return clamped.reshape(output.shape).astype(output.dtype.numpy), state
