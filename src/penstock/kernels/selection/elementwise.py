"""Lowering of operators on two tensors."""

from penstock.ir.dtype import DType
from penstock.ir.fixed_point import Multiplier
from penstock.ir.integer_parameters import (
    addition_parameters,
    multiplication_parameters,
    shift_addition_parameters,
)
from penstock.ir.operators import Add, Maximum, Minimum, Mul, Sub
from penstock.ir.parameter_types import AdditionParameters
from penstock.kernels.kernel_graph import FieldValue, KernelCall
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection.dsp import SHIFT_MAX
from penstock.kernels.selection.site import SUFFIXES, Site, struct
from penstock.kernels.selection.views import (
    RANK_MAX,
    broadcast_strides,
    dense_strides,
    merge_dimensions,
)

_HALF = Multiplier(1 << 30, 0)
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
    if suffix == "s8" and sign == 1 and (fast := _fast_fields(site, parameters)) is not None:
        return [_call(site, operator, "ps_add_dsp_s8", "ps_add_dsp_params", *fast)]
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


def _fast_fields(
    site: Site, parameters: AdditionParameters
) -> tuple[dict[str, FieldValue], bool] | None:
    """Return the parameters of the kernel for cores with the DSP extension.

    Returns:
        them, and whether the operands change places, so that the left one has the factor 1/2; None
        where the conditions do not hold.
    """
    if site.kernels is KernelSet.REFERENCE:
        return None
    swaps = parameters.left != _HALF
    left, right = parameters.left, parameters.right
    left_zero, right_zero = parameters.left_zero_point, parameters.right_zero_point
    if swaps:
        left, right, left_zero, right_zero = right, left, right_zero, left_zero
    output = parameters.output
    is_alike = right == _HALF
    shifts = (1 if is_alike else -right.shift, -output.shift)
    if left != _HALF or not all(1 <= shift <= SHIFT_MAX for shift in shifts):
        return None
    shift = -output.shift
    fields: dict[str, FieldValue] = {
        "left_start": -((left_zero + (right_zero if is_alike else 0)) << 20),
        "right_start": 0 if is_alike else -(right_zero << 21),
        "right_multiplier": 0 if is_alike else right.multiplier,
        "right_rounding": 0 if is_alike else 1 << (-right.shift - 1),
        "right_shift": 0 if is_alike else -right.shift,
        "output_multiplier": output.multiplier,
        "output_rounding": (1 << (shift - 1)) + (parameters.output_zero_point << shift),
        "output_shift": shift,
        "activation_min": parameters.activation_min,
        "activation_max": parameters.activation_max,
    }
    return fields, swaps


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
    site: Site,
    operator: _Binary,
    kernel: str,
    ctype: str,
    fields: dict[str, FieldValue],
    swaps: bool = False,
) -> KernelCall:
    shape = site.tensor(operator.output).shape
    operands = (operator.left, operator.right)
    if swaps:
        operands = operands[::-1]
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
        site.read(operands[0], "right" if swaps else "left"),
        site.read(operands[1], "left" if swaps else "right"),
        site.write(operator.output),
    )
    in_place = tuple(
        (name, operator.output)
        for name, steps in zip(operands, (left, right), strict=True)
        if steps == output
    )
    return site.call(kernel, arguments, in_place=tuple(dict.fromkeys(in_place)))
