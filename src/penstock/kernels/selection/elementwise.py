"""Lowering of operators on two tensors."""

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import (
    addition_parameters,
    multiplication_parameters,
    shift_addition_parameters,
)
from penstock.ir.operators import Add, Maximum, Minimum, Mul, Sub
from penstock.kernels.kernel_graph import FieldValue, KernelCall
from penstock.kernels.selection.site import SUFFIXES, Site, struct
from penstock.kernels.selection.views import (
    RANK_MAX,
    broadcast_strides,
    dense_strides,
    merge_dimensions,
)

_Binary = Add | Sub | Mul | Maximum | Minimum


def lower_sum(site: Site, operator: Add | Sub) -> list[KernelCall]:
    """Lower ADD and SUB."""
    suffix = _suffix(site, operator)
    sign = -1 if isinstance(operator, Sub) else 1
    if suffix == "s16" and (shifts := shift_addition_parameters(site.graph, operator)):
        fields: dict[str, FieldValue] = {
            "right_sign": sign,
            "left_right_shift": shifts.left_right_shift,
            "right_right_shift": shifts.right_right_shift,
            "activation_min": shifts.activation_min,
            "activation_max": shifts.activation_max,
        }
        return [_call(site, operator, "ps_add_shift_s16", "ps_add_shift_params", fields)]
    parameters = addition_parameters(site.graph, operator)
    fields = {
        "right_sign": sign,
        "headroom_shift": parameters.headroom_shift,
        "left_offset": -parameters.left_zero_point,
        "left_multiplier": parameters.left.multiplier,
        "left_shift": parameters.left.shift,
        "right_offset": -parameters.right_zero_point,
        "right_multiplier": parameters.right.multiplier,
        "right_shift": parameters.right.shift,
        "output_offset": parameters.output_zero_point,
        "output_multiplier": parameters.output.multiplier,
        "output_shift": parameters.output.shift,
        "activation_min": parameters.activation_min,
        "activation_max": parameters.activation_max,
    }
    return [_call(site, operator, f"ps_add_{suffix}", "ps_add_params", fields)]


def lower_mul(site: Site, operator: Mul) -> list[KernelCall]:
    """Lower MUL."""
    suffix = _suffix(site, operator)
    if suffix == "s16":
        site.require_zero_point_0(operator.left, operator.right)
    parameters = multiplication_parameters(site.graph, operator)
    fields: dict[str, FieldValue] = {
        "left_offset": -parameters.left_zero_point,
        "right_offset": -parameters.right_zero_point,
        "output_offset": parameters.output_zero_point,
        "output_multiplier": parameters.output.multiplier,
        "output_shift": parameters.output.shift,
        "activation_min": parameters.activation_min,
        "activation_max": parameters.activation_max,
    }
    return [_call(site, operator, f"ps_mul_{suffix}", "ps_mul_params", fields)]


def lower_extremum(site: Site, operator: Maximum | Minimum) -> list[KernelCall]:
    """Lower MAXIMUM and MINIMUM."""
    name = operator.kind.lower()
    kernel = f"ps_{name}_{_suffix(site, operator)}"
    return [_call(site, operator, kernel, "ps_extremum_params", {})]


def _suffix(site: Site, operator: _Binary) -> str:
    names = (operator.left, operator.right, operator.output)
    types = {site.tensor(name).dtype for name in names}
    if len(types) != 1 or not types <= {DType.INT8, DType.INT16}:
        raise site.unsupported_types(*names)
    return SUFFIXES[types.pop()]


def _call(
    site: Site, operator: _Binary, kernel: str, ctype: str, fields: dict[str, FieldValue]
) -> KernelCall:
    shape = site.tensor(operator.output).shape
    operands = (operator.left, operator.right)
    strides = [broadcast_strides(site.tensor(name).shape, shape) for name in operands]
    merged = merge_dimensions(shape, *strides, dense_strides(shape))
    if merged is None:
        raise site.unsupported(
            operator.output,
            f"broadcasting alternates over more than {RANK_MAX} dimensions",
            "reshape the operands so that fewer dimensions broadcast",
        )
    extents, left, right, output = merged
    walk: dict[str, FieldValue] = {
        "extents": extents,
        "left_strides": left,
        "right_strides": right,
        "output_strides": output,
    }
    arguments = (
        struct(ctype, walk | fields),
        site.read(operator.left, "left"),
        site.read(operator.right, "right"),
        site.write(operator.output),
    )
    in_place = tuple(
        (name, operator.output)
        for name, steps in zip(operands, (left, right), strict=True)
        if steps == output
    )
    return site.call(kernel, arguments, in_place=tuple(dict.fromkeys(in_place)))
