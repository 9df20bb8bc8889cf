"""What to put in the place of operators of torch that cannot be translated."""

from collections.abc import Iterable

from penstock.frontends.advice import FUNCTION, LAST, RECURRENT, RESIZE, STEP

_LIKE_RELU = "take nn.Hardswish or nn.ReLU, and train on"
_LEAKY = "take nn.LeakyReLU or nn.ReLU, and train on"
_NORM = "take nn.BatchNorm2d, which costs nothing behind a convolution, and train again"
_ATTENTION = (
    "replace attention by convolutions: only what is linear in the input is multiplied, by "
    "nn.Conv2d and nn.Linear"
)
_AS_IMAGE = "take the two-dimensional kind, on [N, C, 1, L]"
_MAXIMUM = "take nn.MaxPool2d with the whole image as its window, and flatten"
_DEEP = "take nn.Conv2d and pools of two dimensions, with depth as channels"
_POWER = "write a square as x * x; train without other powers, or compute them outside the network"
_BUFFER = "make it a buffer of the module"
_PARTS = "give each reader a 1x1 convolution of the whole tensor instead, and train on"
_ORDER = "leave images as [N, C, H, W], and turn them to rows with nn.Flatten only"
_FLATTEN = "take flatten(1) or reshape"
_CONVERT = "leave conversions out: all is float32 until it is quantized"
_WHOLE = "save what torch.export gives, without run_decompositions"

_INSTEAD = {
    **dict.fromkeys(("gelu", "mish", "selu", "softplus", "softsign", "log_sigmoid"), _LIKE_RELU),
    "silu": "take nn.Hardswish and train on, or x * torch.sigmoid(x), which is the same",
    "hardsigmoid": "take nn.Sigmoid, and train on",
    **dict.fromkeys(("elu", "celu", "rrelu", "threshold", "hardshrink", "softshrink"), _LEAKY),
    "prelu": "take nn.LeakyReLU, with the slope that was trained where there is one for all",
    "glu": "multiply one convolution by the torch.sigmoid of another",
    **dict.fromkeys(("group_norm", "layer_norm", "instance_norm", "rms_norm", "std", "var"), _NORM),
    **dict.fromkeys(("linalg_vector_norm", "norm", "cosine_similarity"), LAST),
    **dict.fromkeys(
        (
            "upsample_nearest1d",
            "upsample_nearest2d",
            "upsample_bilinear2d",
            "upsample_bicubic2d",
            "upsample_linear1d",
            "grid_sampler",
            "pixel_shuffle",
        ),
        RESIZE,
    ),
    **dict.fromkeys(("pixel_unshuffle", "im2col"), STEP),
    "conv_transpose1d": RESIZE,
    "conv_transpose2d": "end the network before it: no transposed convolution comes from PyTorch "
    "here",
    **dict.fromkeys(("conv1d", "max_pool1d", "avg_pool1d", "adaptive_avg_pool1d"), _AS_IMAGE),
    **dict.fromkeys(("conv3d", "max_pool3d"), _DEEP),
    "avg_pool3d": f"{_DEEP}; in the place of nn.LocalResponseNorm take nn.BatchNorm2d, and train "
    "again",
    "adaptive_max_pool2d": _MAXIMUM,
    "max_pool2d_with_indices": "leave out return_indices",
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"), RECURRENT),
    **dict.fromkeys(("scaled_dot_product_attention", "bmm", "baddbmm", "einsum"), _ATTENTION),
    "matmul": "take nn.Linear for a product with weights; attention has to become convolutions",
    **dict.fromkeys(
        ("topk", "argmax", "argmin", "sort", "argsort", "log_softmax", "cumsum", "nonzero"), LAST
    ),
    **dict.fromkeys(("amax", "max"), _MAXIMUM),
    "mean": "name the dimensions, as mean((2, 3))",
    "embedding": "look it up outside the network",
    **dict.fromkeys(("zeros", "ones", "full", "ones_like", "zeros_like", "arange"), _BUFFER),
    **dict.fromkeys(("expand", "expand_as"), "leave it out: sums and products repeat a channel"),
    "sum": "take the mean over the same dimensions: it differs by a factor alone",
    "div": "multiply by a buffer of the module that holds the reciprocal; division by what is "
    "computed is unknown here",
    "neg": "multiply by a buffer of the module that holds -1",
    "rsub": "subtract from a buffer of the module that holds the number",
    **dict.fromkeys(
        ("exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "abs", "erf"), FUNCTION
    ),
    **dict.fromkeys(("pow", "square"), _POWER),
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "select", "index"), _PARTS),
    "slice": "give each reader a 1x1 convolution of the whole tensor, with a stride for every "
    "other pixel, and train on",
    "channel_shuffle": "take a 1x1 convolution without groups in its place, and train on",
    "where": "take torch.maximum, torch.minimum or an activation",
    **dict.fromkeys(("permute", "transpose", "t"), _ORDER),
    **dict.fromkeys(("squeeze", "unsqueeze", "unflatten"), _FLATTEN),
    "stack": "take torch.cat, of channels",
    **dict.fromkeys(("to", "_to_copy", "_assert_tensor_metadata", "type_as"), _CONVERT),
    **dict.fromkeys(
        ("convolution", "addmm", "mm", "_native_batch_norm_legit_no_training", "_softmax"), _WHOLE
    ),
}
"""By the operator's name, without its overload and without the ``_`` of operators in place."""

_BY_OVERLOAD = {
    "max.other": "take torch.maximum",
    "min.other": "take torch.minimum",
}


def instead_of(target: str, known: Iterable[str]) -> str:
    """Return what to do about an unknown operator; empty where nothing special is known.

    Args:
        target: the operator, as "aten.gelu.default".
        known: those that can be translated, alike.
    """
    _, _, operator = target.partition(".")
    name, _, overload = operator.partition(".")
    plain = name.removesuffix("_")
    if plain != name and any(other.startswith(f"aten.{plain}.") for other in known):
        return "compute it without inplace, to a value of its own"
    return _BY_OVERLOAD.get(f"{plain}.{overload}") or _INSTEAD.get(plain, "")


def with_known(known: Iterable[str]) -> str:
    """Return that advice for all other operators: the list of those that can be translated."""
    names = sorted({name.split(".")[1].rstrip("_") for name in known})
    return f"compute it with what is known: {', '.join(names)}"
