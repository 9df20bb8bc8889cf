"""Why a call cannot be parted by rows, in words."""

from collections.abc import Mapping

from penstock.kernels.kernel_graph import KernelCall, StructArgument
from penstock.planning.tiles import row_count

_REASONS: Mapping[str, str] = {
    "ps_fully_connected_": "each output needs all inputs",
    "ps_svdf_": "each output needs all inputs",
    "ps_mean_": "each output needs all rows",
    "ps_softmax_": "each output needs all inputs",
    "ps_log_softmax_": "each output needs all inputs",
    "ps_transpose_conv_2d_": "each input goes to several rows of its output",
    "ps_strided_copy": "it only moves bytes",
    "ps_pad": "it only moves bytes",
}
"""By the first letters of the kernel's name: no tiles of these are known."""


def why_whole(call: KernelCall) -> str:
    """Return why a call has no rows that can be computed apart; empty for one that has."""
    if row_count(call) > 1:
        return ""
    for prefix, reason in _REASONS.items():
        if call.kernel.name.startswith(prefix):
            return reason
    fields = _fields(call)
    if fields.get("batches", 1) != 1:
        return f"it has a batch of {fields['batches']}"
    if fields.get("output_height") == 1:
        return "its output has one row"
    if any(name.endswith("_strides") for name in fields):
        return "it is small, or does not walk over its inputs in one run"
    return f"no tiles are known of {call.kernel.name}"


def _fields(call: KernelCall) -> Mapping[str, object]:
    params = call.arguments[0] if call.arguments else None
    return dict(params.fields) if isinstance(params, StructArgument) else {}
