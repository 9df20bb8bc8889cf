"""Operators on two tensors, element by element with broadcasting."""

# ruff: noqa: ARG001 - evaluators share one signature

from collections.abc import Mapping

import numpy as np

from penstock.ir.fixed_point import rounding_divide_by_power_of_two
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import (
    addition_parameters,
    multiplication_parameters,
    shift_addition_parameters,
)
from penstock.ir.interpreter.requantization import clamp, scale_int32
from penstock.ir.operators import Add, Maximum, Minimum, Mul, Sub
from penstock.ir.parameter_types import ShiftAdditionParameters
from penstock.ir.tensor import Array


def add(graph: Graph, operator: Add, values: Mapping[str, Array]) -> Array:
    """Evaluate ADD."""
    return _sum(graph, operator, values, sign=1)


def sub(graph: Graph, operator: Sub, values: Mapping[str, Array]) -> Array:
    """Evaluate SUB."""
    return _sum(graph, operator, values, sign=-1)


def mul(graph: Graph, operator: Mul, values: Mapping[str, Array]) -> Array:
    """Evaluate MUL."""
    parameters = multiplication_parameters(graph, operator)
    left = values[operator.left].astype(np.int64) - parameters.left_zero_point
    right = values[operator.right].astype(np.int64) - parameters.right_zero_point
    result = scale_int32(left * right, parameters.output) + parameters.output_zero_point
    limits = (parameters.activation_min, parameters.activation_max)
    return clamp(result, limits, graph.tensors[operator.output].dtype.numpy)


def maximum(graph: Graph, operator: Maximum, values: Mapping[str, Array]) -> Array:
    """Evaluate MAXIMUM."""
    return np.asarray(np.maximum(values[operator.left], values[operator.right]))


def minimum(graph: Graph, operator: Minimum, values: Mapping[str, Array]) -> Array:
    """Evaluate MINIMUM."""
    return np.asarray(np.minimum(values[operator.left], values[operator.right]))


def _sum(graph: Graph, operator: Add | Sub, values: Mapping[str, Array], *, sign: int) -> Array:
    left, right = values[operator.left], values[operator.right]
    shifts = shift_addition_parameters(graph, operator)
    if shifts is not None:
        return _sum_by_shifts(graph, operator.output, shifts, left, sign * right.astype(np.int64))
    parameters = addition_parameters(graph, operator)
    headroom = parameters.headroom_shift
    left_raised = (left.astype(np.int64) - parameters.left_zero_point) << headroom
    right_raised = (right.astype(np.int64) - parameters.right_zero_point) << headroom
    raw = scale_int32(left_raised, parameters.left) + sign * scale_int32(
        right_raised, parameters.right
    )
    result = scale_int32(raw, parameters.output) + parameters.output_zero_point
    limits = (parameters.activation_min, parameters.activation_max)
    return clamp(result, limits, graph.tensors[operator.output].dtype.numpy)


def _sum_by_shifts(
    graph: Graph, output: str, parameters: ShiftAdditionParameters, left: Array, right: Array
) -> Array:
    total = rounding_divide_by_power_of_two(left, parameters.left_right_shift)
    total = total + rounding_divide_by_power_of_two(right, parameters.right_right_shift)
    saturated = np.clip(total, *graph.tensors[output].dtype.range)
    limits = (parameters.activation_min, parameters.activation_max)
    return clamp(saturated, limits, graph.tensors[output].dtype.numpy)
