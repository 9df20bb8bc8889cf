"""What an int8 graph answers to images, by the interpreter."""

import numpy as np
import numpy.typing as npt

from penstock.design.datasets import ImageArray
from penstock.ir import interpreter
from penstock.ir.graph import Graph


def predict_int8(graph: Graph, images: ImageArray) -> npt.NDArray[np.int8]:
    """Return the int8 scores ``[N, classes]`` of 8-bit images ``[N, H, W, 3]``, one at a time.

    The graph takes one int8 image, quantized so that pixels 0 … 255 are −128 … 127.
    """
    values = (images.astype(np.int16) - 128).astype(np.int8)
    return np.concatenate(
        [np.asarray(interpreter.run(graph, [value[np.newaxis]])[0], np.int8) for value in values]
    )
