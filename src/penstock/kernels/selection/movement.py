"""Lowering of operators that move elements, and of tables that replace them."""

from collections.abc import Sequence

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.ir.operators import (
    Concatenation,
    Operator,
    Pack,
    Pad,
    Reshape,
    Split,
    StridedSlice,
    Transpose,
)
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.kernel_graph import FieldValue, KernelCall, StructArgument
from penstock.kernels.selection.site import Site, struct
from penstock.kernels.selection.views import RANK_MAX, dense_strides, merge_dimensions


def lower_transpose(site: Site, operator: Transpose) -> list[KernelCall]:
    """Lower TRANSPOSE."""
    strides = dense_strides(site.tensor(operator.input).shape)
    shape = site.tensor(operator.output).shape
    taken = tuple(strides[axis] for axis in operator.permutation)
    return [_copy(site, operator.input, operator.output, shape, (0, taken), None)]


def lower_strided_slice(site: Site, operator: StridedSlice) -> list[KernelCall]:
    """Lower STRIDED_SLICE."""
    strides = dense_strides(site.tensor(operator.input).shape)
    start = sum(begin * step for begin, step in zip(operator.begin, strides, strict=True))
    taken = tuple(step * by for step, by in zip(strides, operator.strides, strict=True))
    return [_copy(site, operator.input, operator.output, operator.extents, (start, taken), None)]


def lower_concatenation(site: Site, operator: Concatenation) -> list[KernelCall]:
    """Lower CONCATENATION: a call for each operand, by table where it is quantized otherwise."""
    output = site.tensor(operator.output)
    strides = dense_strides(output.shape)
    start = 0
    calls = []
    for number, name in enumerate(operator.operands):
        operand = site.tensor(name)
        target = (start, strides)
        if operand.quantization == output.quantization or output.quantization is None:
            calls.append(
                _copy(site, name, operator.output, operand.shape, None, target, f"operand_{number}")
            )
        else:
            calls.append(_requantize_operand(site, operator, number, target))
        start += operand.shape[operator.axis] * strides[operator.axis]
    return calls


def lower_pack(site: Site, operator: Pack) -> list[KernelCall]:
    """Lower PACK: a call for each operand."""
    strides = dense_strides(site.tensor(operator.output).shape)
    kept = strides[: operator.axis] + strides[operator.axis + 1 :]
    return [
        _copy(
            site,
            name,
            operator.output,
            site.tensor(name).shape,
            None,
            (number * strides[operator.axis], kept),
            f"operand_{number}",
        )
        for number, name in enumerate(operator.operands)
    ]


def lower_split(site: Site, operator: Split) -> list[KernelCall]:
    """Lower SPLIT: a call for each result."""
    strides = dense_strides(site.tensor(operator.input).shape)
    start = 0
    calls = []
    for name in operator.results:
        shape = site.tensor(name).shape
        calls.append(_copy(site, operator.input, name, shape, (start, strides), None))
        start += shape[operator.axis] * strides[operator.axis]
    return calls


def lower_reshape_of_constant(site: Site, operator: Reshape) -> list[KernelCall]:
    """Lower RESHAPE of a constant, whose result cannot share its memory."""
    shape = site.tensor(operator.output).shape
    source = (0, dense_strides(shape))
    return [_copy(site, operator.input, operator.output, shape, source, None)]


def lower_pad(site: Site, operator: Pad) -> list[KernelCall]:
    """Lower PAD."""
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    strides = dense_strides(output.shape)
    start = sum(before * step for (before, _), step in zip(operator.paddings, strides, strict=True))
    dense = (0, dense_strides(source.shape))
    params = struct(
        "ps_pad_params",
        {"value": _padding_value(site, operator), "output_count": output.element_count},
    )
    arguments = (
        params,
        _copy_params(site, operator.output, source.shape, dense, (start, strides)),
        site.read(operator.input, "input", "void"),
        site.write(operator.output, "void"),
    )
    return [site.call("ps_pad", arguments)]


def _padding_value(site: Site, operator: Pad) -> int:
    output = site.tensor(operator.output)
    if output.dtype is DType.FLOAT32 and operator.value:
        raise site.unsupported(
            operator.output, "float32 padded with another value than 0", "pad the quantized tensor"
        )
    if operator.value is not None:
        return operator.value
    return 0 if output.quantization is None else output.zero_point


View = tuple[int, Sequence[int]]
"""First element and strides."""


def _copy(
    site: Site,
    source: str,
    target: str,
    shape: Sequence[int],
    source_view: View | None,
    target_view: View | None,
    role: str = "input",
) -> KernelCall:
    """Return a call that copies a box of this shape; a view that is None is dense."""
    dense = (0, dense_strides(shape))
    arguments = (
        _copy_params(site, target, shape, source_view or dense, target_view or dense),
        site.read(source, role, "void"),
        site.write(target, "void"),
    )
    return site.call("ps_strided_copy", arguments)


def _copy_params(
    site: Site, target: str, shape: Sequence[int], source_view: View, target_view: View
) -> StructArgument:
    input_start, input_strides = source_view
    output_start, output_strides = target_view
    extents, taken, kept = _merge(site, target, shape, input_strides, output_strides)
    return struct(
        "ps_strided_copy_params",
        {
            "element_bytes": site.tensor(target).dtype.size_bytes,
            "extents": extents,
            "input_start": input_start,
            "input_strides": taken,
            "output_start": output_start,
            "output_strides": kept,
        },
    )


def _merge(
    site: Site, tensor: str, shape: Sequence[int], *strides: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    merged = merge_dimensions(shape, *strides)
    if merged is None:
        raise site.unsupported(
            tensor,
            f"more than {RANK_MAX} dimensions that cannot be merged",
            "reshape to fewer dimensions first",
        )
    return merged


def _requantize_operand(
    site: Site, operator: Concatenation, number: int, target: View
) -> KernelCall:
    name = operator.operands[number]
    operand, output = site.tensor(name), site.tensor(operator.output)
    if {operand.dtype, output.dtype} != {DType.INT8}:
        raise site.unsupported(
            name,
            "quantized otherwise than the output",
            "give all operands and the output the same quantization",
        )
    alone = Concatenation(operands=(name,), output=operator.output, axis=0)
    table = site.constant(f"table_{number}", byte_table(alone, operand, output))
    start, strides = target
    dense = dense_strides(operand.shape)
    walk = _merge(site, operator.output, operand.shape, dense, strides)
    params = _table_params(walk, start)
    arguments = (
        params,
        site.read(name, f"operand_{number}", "uint8_t"),
        table,
        site.write(operator.output, "uint8_t"),
    )
    return site.call("ps_table_u8", arguments)


def lower_by_table(site: Site, operator: Operator) -> list[KernelCall]:
    """Lower an operator with one 8-bit operand and an 8-bit result to a table of 256 bytes."""
    (source,), (target,) = operator.inputs, operator.outputs
    operand, output = site.tensor(source), site.tensor(target)
    table = site.constant("table", byte_table(operator, operand, output))
    strides = dense_strides(operand.shape)
    walk = _merge(site, target, operand.shape, strides, strides)
    arguments = (
        _table_params(walk, 0),
        site.read(source, "input", "uint8_t"),
        table,
        site.write(target, "uint8_t"),
    )
    return [site.call("ps_table_u8", arguments, in_place=((source, target),))]


def _table_params(walk: tuple[tuple[int, ...], ...], start: int) -> StructArgument:
    extents, taken, kept = walk
    fields: dict[str, FieldValue] = {
        "extents": extents,
        "input_strides": taken,
        "output_start": start,
        "output_strides": kept,
    }
    return struct("ps_table_params", fields)


def byte_table(operator: Operator, operand: Tensor, output: Tensor) -> Array:
    """Return an operator's result for each operand, by the operand's bits as unsigned number."""
    tensors = [
        Tensor(tensor.name, (256,), tensor.dtype, tensor.quantization)
        for tensor in (operand, output)
    ]
    graph = Graph.build("table", tensors, [operator], [operand.name], [output.name])
    values = np.arange(256, dtype=np.uint8).view(operand.dtype.numpy)
    (result,) = run(graph, [values])
    return result.view(np.uint8)
