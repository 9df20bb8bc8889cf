"""What to put in the place of nodes that cannot be translated."""

from collections.abc import Iterable

_INSTEAD = {
    "ConvTranspose": "upsample elsewhere: there is no float or QDQ transposed convolution here",
    "If": "export the network without control flow: trace it with an example",
    "Loop": "export the network without control flow: trace it with an example",
    "Scan": "export the network without control flow: trace it with an example",
    "LSTM": "replace the recurrent layer by convolutions",
    "GRU": "replace the recurrent layer by convolutions",
    "RNN": "replace the recurrent layer by convolutions",
    "LogSoftmax": "end the network before it: the largest logit is the most likely class",
    "Resize": "end the network before it, or keep the size: nothing is resized on the device",
    "Upsample": "end the network before it, or keep the size: nothing is resized on the device",
}


def instead_of(kind: str, known: Iterable[str]) -> str:
    """Return what to do about a node of an unknown kind.

    Args:
        kind: the operator, with its domain unless that is the standard's.
        known: operators that can be translated.
    """
    if kind in _INSTEAD:
        return _INSTEAD[kind]
    if "." in kind or kind.startswith("QLinear"):
        return (
            "export with the standard's operators alone: of quantizers choose the QDQ format, of "
            "optimizers the basic level"
        )
    return f"compute it with what is known: {', '.join(sorted(known))}"
