"""The C library's kernels: what each computes, and under which conditions."""

from dataclasses import dataclass, replace

from penstock.errors import GraphError
from penstock.kernels.kernel_graph import Kernel
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.sources import source_path

_SINGLE, _DUAL = "_single.c", "_dual.c"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A kernel with the conditions under which selection takes it.

    Attributes:
        kernel: name, header and sources.
        operators: kinds that lower to it.
        conditions: what must hold; selection refuses or takes another kernel otherwise.
    """

    kernel: Kernel
    operators: tuple[str, ...]
    conditions: str


def find_kernel(name: str, kernels: KernelSet = KernelSet.REFERENCE) -> Kernel:
    """Return a kernel by its C name.

    Args:
        name: the C function.
        kernels: what the core has; inner loops of the same name come in an order for each.

    Raises:
        GraphError: the library has no such kernel.
    """
    try:
        kernel = CATALOGUE[name].kernel
    except KeyError:
        raise GraphError(f"the C library has no kernel {name!r}") from None
    if kernels is not KernelSet.DSP_DUAL:
        return kernel
    sources = tuple(path.replace(_SINGLE, _DUAL) for path in kernel.sources)
    return replace(kernel, sources=sources)


def catalogue_table() -> str:
    """Return the catalogue as a Markdown table."""
    lines = ["| kernel | operators | header | conditions |", "|---|---|---|---|"]
    for name, entry in CATALOGUE.items():
        operators = ", ".join(f"`{kind}`" for kind in entry.operators)
        lines.append(f"| `{name}` | {operators} | `{entry.kernel.header}` | {entry.conditions} |")
    return "\n".join(lines) + "\n"


def _entry(
    name: str, header: str, sources: str, operators: str, conditions: str
) -> tuple[str, CatalogueEntry]:
    paths = tuple(source_path(source) for source in sources.split())
    kernel = Kernel(f"ps_{name}", f"penstock/{header}.h", paths)
    return kernel.name, CatalogueEntry(kernel, tuple(operators.split()), conditions)


_INT8_CONVOLUTION = "int8 activations and constant filters, int32 bias or none; all scales allowed"
_DSP_CONVOLUTION = (
    "a core with the DSP extension; int8 as above, sums below 2^30, all scales of input times "
    "filter over output below 1/2"
)
_WINOGRAD_SHAPES = (
    "3x3, strides and dilations of 1, at least 8 input channels, a multiple of 4, 8 output "
    "channels and 36 pixels"
)
_MVE_CONVOLUTION = (
    "a core with Helium; int8 as above, sums below 2^30, filters with a zero point of 0"
)
_INT16_CONVOLUTION = (
    "int16 activations, constant int8 filters, int32 bias, int64 bias below 2^46, or none; "
    "zero points 0; without an int32 bias, multipliers below 2^7"
)
_SPARSE = "filters with a zero point of 0 that take fewer bytes without their zeros"
_INT4 = "filters within [-8, 7] with a zero point of 0"
_WIDENED = "multiply_4x2_single widen_pixels"
_BROADCASTING = "broadcasting of at most 6 dimensions after merging adjacent ones"

CATALOGUE: dict[str, CatalogueEntry] = dict(
    (
        _entry(
            "conv_2d_s8",
            "conv_2d",
            "conv_2d_s8 convolve_patch_s8 dot_product_s8 patch",
            "CONV_2D",
            _INT8_CONVOLUTION,
        ),
        _entry(
            "conv_2d_dsp_s8",
            "conv_2d_dsp",
            f"conv_2d_dsp_s8 {_WIDENED} multiply_4x1_single",
            "CONV_2D",
            _DSP_CONVOLUTION,
        ),
        _entry(
            "conv_2d_mve_s8",
            "conv_2d_mve",
            "conv_2d_mve_s8",
            "CONV_2D DEPTHWISE_CONV_2D",
            f"{_MVE_CONVOLUTION}; one group",
        ),
        _entry(
            "conv_2d_winograd_2x2_dsp_s8",
            "conv_2d_winograd_2x2",
            "conv_2d_winograd_2x2_dsp_s8 sums_4x2_single winograd_2x2 winograd_convolve",
            "CONV_2D",
            f"{_DSP_CONVOLUTION.replace('2^30', '2^29')}; {_WINOGRAD_SHAPES}",
        ),
        _entry(
            "conv_2d_winograd_4x4_dsp_s8",
            "conv_2d_winograd_4x4",
            "conv_2d_winograd_4x4_dsp_s8 sums_4x2_single winograd_4x4 winograd_convolve",
            "CONV_2D",
            f"{_DSP_CONVOLUTION.replace('2^30', '2^29')}, 256 times the magnitudes of a filter "
            f"below 2^25 in sum; {_WINOGRAD_SHAPES}",
        ),
        _entry(
            "conv_2d_int4_s8",
            "conv_2d_int4",
            "conv_2d_int4_s8 conv_2d_s8 convolve_patch_s8 dot_product_s8 patch",
            "CONV_2D",
            f"{_INT8_CONVOLUTION}; {_INT4}; one group",
        ),
        _entry(
            "conv_2d_int4_dsp_s8",
            "conv_2d_int4_dsp",
            f"conv_2d_int4_dsp_s8 {_WIDENED} dot_int4_4x1_single",
            "CONV_2D",
            f"{_DSP_CONVOLUTION}; {_INT4}, at most 4096 of them for a channel; one group",
        ),
        _entry(
            "conv_2d_sparse_s8",
            "conv_2d_sparse",
            "conv_2d_sparse_s8",
            "CONV_2D",
            f"{_INT8_CONVOLUTION}; {_SPARSE}; one group",
        ),
        _entry(
            "conv_2d_sparse_dsp_s8",
            "conv_2d_sparse_dsp",
            "conv_2d_sparse_dsp_s8 dot_sparse_single multiply_sparse_single",
            "CONV_2D",
            f"{_DSP_CONVOLUTION}; {_SPARSE}; one group; at most 32 KiB of scratch memory",
        ),
        _entry(
            "conv_2d_s16",
            "conv_2d",
            "conv_2d_s16 convolve_patch_s16 dot_product_s16 patch",
            "CONV_2D",
            _INT16_CONVOLUTION,
        ),
        _entry(
            "depthwise_conv_2d_s8",
            "depthwise_conv_2d",
            "depthwise_conv_2d_s8 multiply_taps_s8 patch",
            "DEPTHWISE_CONV_2D",
            _INT8_CONVOLUTION,
        ),
        _entry(
            "depthwise_conv_2d_mve_s8",
            "depthwise_conv_2d_mve",
            "depthwise_conv_2d_mve_s8",
            "DEPTHWISE_CONV_2D",
            f"{_MVE_CONVOLUTION}; one filter for each channel, no two taps in a row of -128",
        ),
        _entry(
            "depthwise_conv_2d_dsp_s8",
            "depthwise_conv_2d_dsp",
            "depthwise_conv_2d_dsp_s8 depthwise_3x3_single",
            "DEPTHWISE_CONV_2D",
            f"{_DSP_CONVOLUTION}; no dilation, at most 16 rows of taps",
        ),
        _entry(
            "depthwise_conv_2d_s16",
            "depthwise_conv_2d",
            "depthwise_conv_2d_s16 patch",
            "DEPTHWISE_CONV_2D",
            _INT16_CONVOLUTION,
        ),
        _entry(
            "transpose_conv_2d_s8",
            "transpose_conv_2d",
            "transpose_conv_2d_s8 convolve_patch_s8 dot_product_s8 patch",
            "TRANSPOSE_CONV_2D",
            _INT8_CONVOLUTION,
        ),
        _entry(
            "transpose_conv_2d_s16",
            "transpose_conv_2d",
            "transpose_conv_2d_s16 convolve_patch_s16 dot_product_s16 patch",
            "TRANSPOSE_CONV_2D",
            _INT16_CONVOLUTION,
        ),
        _entry(
            "fully_connected_s8",
            "fully_connected",
            "fully_connected_s8 dot_product_s8 real_scaling_s32",
            "FULLY_CONNECTED",
            _INT8_CONVOLUTION,
        ),
        _entry(
            "fully_connected_mve_s8",
            "fully_connected_mve",
            "fully_connected_mve_s8",
            "FULLY_CONNECTED",
            "a core with Helium; filters with a zero point of 0; otherwise as for "
            "`ps_fully_connected_dsp_s8`",
        ),
        _entry(
            "fully_connected_dsp_s8",
            "fully_connected_dsp",
            "fully_connected_dsp_s8 dot_4x1_single",
            "FULLY_CONNECTED",
            f"{_DSP_CONVOLUTION}; zero points of filters 0, magnitudes of each second filter below "
            "2^16 in sum; multipliers of 31 bits that make of each sum what doubles make of it",
        ),
        _entry(
            "fully_connected_int4_s8",
            "fully_connected_int4",
            "fully_connected_int4_s8 fully_connected_s8 dot_product_s8 real_scaling_s32",
            "FULLY_CONNECTED",
            f"{_INT8_CONVOLUTION}; {_INT4}",
        ),
        _entry(
            "fully_connected_int4_dsp_s8",
            "fully_connected_int4_dsp",
            "fully_connected_int4_dsp_s8 dot_int4_4x1_single",
            "FULLY_CONNECTED",
            f"{_DSP_CONVOLUTION}; {_INT4}, at most 4096 for a channel; multipliers of 31 bits "
            "that make of each sum what doubles make of it",
        ),
        _entry(
            "fully_connected_sparse_s8",
            "fully_connected_sparse",
            "fully_connected_sparse_s8 real_scaling_s32",
            "FULLY_CONNECTED",
            f"{_INT8_CONVOLUTION}; {_SPARSE}",
        ),
        _entry(
            "fully_connected_sparse_dsp_s8",
            "fully_connected_sparse_dsp",
            "fully_connected_sparse_dsp_s8 dot_sparse_single",
            "FULLY_CONNECTED",
            f"{_DSP_CONVOLUTION}; {_SPARSE}; multipliers of 31 bits that make of each sum what "
            "doubles make of it",
        ),
        _entry(
            "fully_connected_s16",
            "fully_connected",
            "fully_connected_s16 dot_product_s16 real_scaling_s64",
            "FULLY_CONNECTED",
            "int16 activations, constant int8 filters, int32 bias, int64 bias below 2^46, or none; "
            "zero points 0",
        ),
        _entry("svdf_s8", "svdf", "svdf_s8", "SVDF", "int8 state and time weights"),
        _entry(
            "svdf_state_s16_s8",
            "svdf",
            "svdf_state_s16_s8",
            "SVDF",
            "int16 state and time weights",
        ),
        _entry("add_s8", "elementwise", "add", "ADD SUB", _BROADCASTING),
        _entry(
            "add_dsp_s8",
            "add_dsp",
            "add_dsp_s8",
            "ADD",
            "a core with the DSP extension; all factors of scales at most 1/2, as converters make "
            f"them; {_BROADCASTING}",
        ),
        _entry("add_s16", "elementwise", "add", "ADD SUB", _BROADCASTING),
        _entry(
            "add_shift_s16",
            "elementwise",
            "add_shift",
            "ADD SUB",
            f"scales are powers of two and the model asks for shifts; {_BROADCASTING}",
        ),
        _entry("mul_s8", "elementwise", "mul", "MUL", _BROADCASTING),
        _entry("mul_s16", "elementwise", "mul", "MUL", f"zero points 0; {_BROADCASTING}"),
        _entry("maximum_s8", "elementwise", "extremum", "MAXIMUM", _BROADCASTING),
        _entry("maximum_s16", "elementwise", "extremum", "MAXIMUM", _BROADCASTING),
        _entry("minimum_s8", "elementwise", "extremum", "MINIMUM", _BROADCASTING),
        _entry("minimum_s16", "elementwise", "extremum", "MINIMUM", _BROADCASTING),
        _entry(
            "average_pool_2d_s8",
            "pool_2d",
            "average_pool_2d_s8",
            "AVERAGE_POOL_2D",
            "halves rounded away from zero; windows below 2^22 elements",
        ),
        _entry(
            "average_pool_2d_half_up_s8",
            "pool_2d",
            "average_pool_2d_s8",
            "AVERAGE_POOL_2D",
            "halves rounded up (legacy uint8 models); windows below 2^22 elements",
        ),
        _entry(
            "average_pool_2d_s16",
            "pool_2d",
            "average_pool_2d_s16",
            "AVERAGE_POOL_2D",
            "halves rounded away from zero; windows below 2^15 elements",
        ),
        _entry(
            "average_pool_2d_dsp_s8",
            "pool_2d_dsp",
            "average_pool_2d_dsp_s8",
            "AVERAGE_POOL_2D",
            "a core with the DSP extension; halves rounded away from zero; channels a multiple of "
            "4, windows of at most 255 elements",
        ),
        _entry(
            "max_pool_2d_dsp_s8",
            "pool_2d_dsp",
            "max_pool_2d_dsp_s8",
            "MAX_POOL_2D",
            "a core with the DSP extension; channels a multiple of 4",
        ),
        _entry("max_pool_2d_s8", "pool_2d", "max_pool_2d_s8", "MAX_POOL_2D", ""),
        _entry("max_pool_2d_s16", "pool_2d", "max_pool_2d_s16", "MAX_POOL_2D", ""),
        _entry("mean_s8", "mean", "mean_s8", "MEAN", "any axes"),
        _entry("mean_s16", "mean", "mean_s16", "MEAN", "any axes"),
        _entry(
            "strided_copy",
            "movement",
            "strided_copy",
            "TRANSPOSE STRIDED_SLICE CONCATENATION SPLIT PACK RESHAPE",
            "any type; one call for each part of a concatenation, split or pack; RESHAPE only of "
            "a constant",
        ),
        _entry("pad", "movement", "pad strided_copy", "PAD", "any type; float32 with zeros only"),
        _entry(
            "table_u8",
            "movement",
            "table_u8",
            "QUANTIZE RELU LEAKY_RELU LOGISTIC TANH HARD_SWISH CONCATENATION",
            "8 bits in, 8 bits out; parts of a concatenation that need another quantization",
        ),
        *(
            _entry(
                f"quantize_f32_{suffix}",
                "quantize",
                "quantize_f32",
                "QUANTIZE",
                "NaN becomes the zero point",
            )
            for suffix in ("s8", "u8", "s16")
        ),
        *(
            _entry(f"dequantize_{suffix}_f32", "quantize", "dequantize_f32", "DEQUANTIZE", "")
            for suffix in ("s8", "u8", "s16")
        ),
        *(
            _entry(
                f"quantize_{pair}",
                "quantize",
                "quantize_integer",
                "QUANTIZE RELU" if pair == "s16_s16" else "QUANTIZE",
                "zero point of int32 is 0",
            )
            for pair in ("s8_s16", "s8_s32", "s16_s8", "s16_s16", "s16_s32", "s32_s8", "s32_s16")
        ),
        _entry("leaky_relu_s16", "activation", "leaky_relu_s16", "LEAKY_RELU", ""),
        _entry("logistic_s16", "activation", "sigmoid_s16", "LOGISTIC", "zero points 0"),
        _entry("tanh_s16", "activation", "sigmoid_s16", "TANH", "zero points 0"),
        _entry("softmax_s8", "softmax", "softmax_s8", "SOFTMAX", "rows of at most 4095"),
        _entry("softmax_s8_s16", "softmax", "softmax_s8", "SOFTMAX", "rows of at most 4095"),
        _entry("softmax_s16", "softmax", "softmax_s16", "SOFTMAX", "rows of at most 65535"),
        _entry("softmax_f32", "softmax", "softmax_f32", "SOFTMAX", "beta ≥ 0; within 2 ulp"),
        _entry("log_softmax_f32", "softmax", "softmax_f32", "LOG_SOFTMAX", "within 2 ulp"),
    )
)
"""Every kernel by its C name, in the order of the documentation."""
