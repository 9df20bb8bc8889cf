"""Where the C library has its files."""

_REFERENCE_FOLDER = "kernels/reference"
_DSP_FOLDER = "kernels/dsp"
_MVE_FOLDER = "kernels/mve"
_MVE_SOURCES = frozenset({"conv_2d_mve_s8", "depthwise_conv_2d_mve_s8", "fully_connected_mve_s8"})
_DSP_SOURCES = frozenset(
    {
        "add_dsp_s8",
        "average_pool_2d_dsp_s8",
        "conv_2d_dsp_s8",
        "conv_2d_int4_dsp_s8",
        "conv_2d_sparse_dsp_s8",
        "conv_2d_winograd_4x4_dsp_s8",
        "conv_2d_winograd_2x2_dsp_s8",
        "depthwise_3x3_single",
        "depthwise_conv_2d_dsp_s8",
        "dot_4x1_single",
        "dot_int4_4x1_single",
        "dot_sparse_single",
        "fully_connected_dsp_s8",
        "fully_connected_int4_dsp_s8",
        "fully_connected_sparse_dsp_s8",
        "max_pool_2d_dsp_s8",
        "multiply_4x1_single",
        "multiply_4x2_single",
        "multiply_sparse_single",
        "sums_4x2_single",
        "widen_pixels",
        "winograd_2x2",
        "winograd_4x4",
        "winograd_convolve",
    }
)
_FOLDERS = {
    **dict.fromkeys(_DSP_SOURCES, _DSP_FOLDER),
    **dict.fromkeys(_MVE_SOURCES, _MVE_FOLDER),
}


def source_path(name: str) -> str:
    """Return the path of a file, by its name without an ending, relative to ``runtime``."""
    return f"{_FOLDERS.get(name, _REFERENCE_FOLDER)}/{name}.c"
