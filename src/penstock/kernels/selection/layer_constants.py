"""The constants of layers with weights as the kernels in plain C take them."""

from collections.abc import Sequence

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.fixed_point import Multiplier
from penstock.ir.integer_parameters import Convolution
from penstock.ir.operators import FullyConnected
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import ConstantArgument
from penstock.kernels.selection.real_scaling import split_real
from penstock.kernels.selection.site import Site

Weighted = Convolution | FullyConnected


def weight_arguments(site: Site, operator: Weighted) -> tuple[ConstantArgument, ConstantArgument]:
    """Return the arguments for filters as int8, and for the bias."""
    filters = site.constant("filters", constant_data(site, operator.filters))
    return filters, bias_argument(site, operator)


def bias_argument(site: Site, operator: Weighted) -> ConstantArgument:
    """Return the argument for the bias, a null pointer where there is none."""
    if operator.bias is None:
        return ConstantArgument(None)
    bias = constant_data(site, operator.bias)
    is_int16 = site.tensor(operator.input).dtype is DType.INT16
    return site.constant("bias", bias.astype(np.int64) if is_int16 else bias)


def multiplier_arguments(
    site: Site, factors: Sequence[Multiplier]
) -> tuple[ConstantArgument, ConstantArgument]:
    """Return the arguments for multipliers and shifts of convolutions."""
    return (
        site.constant("multipliers", np.array([f.multiplier for f in factors], np.int32)),
        site.constant("shifts", np.array([f.shift for f in factors], np.int8)),
    )


def real_arguments(
    site: Site, factors: Sequence[float]
) -> tuple[ConstantArgument, ConstantArgument]:
    """Return the arguments for mantissas and exponents of fully connected layers."""
    mantissas, exponents = zip(*(split_real(factor) for factor in factors), strict=True)
    return (
        site.constant("mantissas", np.array(mantissas, np.int64)),
        site.constant("exponents", np.array(exponents, np.int16)),
    )


def constant_data(site: Site, name: str) -> Array:
    """Return the elements of a constant; raises UnsupportedError where a tensor is none."""
    data = site.tensor(name).data
    if data is None:
        raise site.unsupported(
            name,
            "weights computed at run time",
            "export the model with constant weights",
        )
    return data
