"""Values and names as C spells them."""

import math
import re
from collections.abc import Iterable

import numpy as np

from penstock.errors import GraphError
from penstock.ir.dtype import DType
from penstock.kernels.kernel_graph import FieldValue

INT32_MIN = -(1 << 31)
INT64_MIN = -(1 << 63)

CTYPES: dict[DType, str] = {
    DType.INT8: "int8_t",
    DType.UINT8: "uint8_t",
    DType.INT16: "int16_t",
    DType.INT32: "int32_t",
    DType.INT64: "int64_t",
    DType.FLOAT32: "float",
    DType.BOOL: "uint8_t",
}
"""Element type in C; a truth value is one byte."""

_COMMENT_WIDTH = 72


def c_integer(value: int) -> str:
    """Return an integer constant; the smallest ones have no literal of their own."""
    if value == INT64_MIN:
        return "INT64_MIN"
    if value == INT32_MIN:
        return "INT32_MIN"
    return str(value)


def c_float(value: float) -> str:
    """Return a constant that reads back as the same float, or double where it needs to be one.

    Raises:
        GraphError: not finite, for which C99 has no literal.
    """
    if not math.isfinite(value):
        raise GraphError(f"{value} has no literal in C")
    with np.errstate(over="ignore", under="ignore"):
        single = np.float32(value)
    is_single = float(single) == value
    text = str(single) if is_single else repr(value)
    if not re.search(r"[.e]", text):
        text += ".0"
    return f"{text}f" if is_single else text


def c_value(value: FieldValue) -> str:
    """Return the initializer of a structure's member."""
    if isinstance(value, tuple):
        return "{" + ", ".join(c_integer(item) for item in value) + "}"
    if isinstance(value, bool):
        return str(int(value))
    return c_float(value) if isinstance(value, float) else c_integer(value)


def c_string(text: str) -> str:
    """Return a string literal of any text, in UTF-8, safe from trigraphs."""
    spelled = []
    for byte in text.encode():
        char = chr(byte)
        is_plain = 32 <= byte < 127 and char not in '"\\?'
        spelled.append(char if is_plain else f"\\{byte:03o}")
    return '"' + "".join(spelled) + '"'


def c_comment(text: str, width: int = _COMMENT_WIDTH) -> str:
    """Return text that neither ends a comment nor starts one, in ASCII, shortened in its middle."""
    safe = text.encode("ascii", "backslashreplace").decode()
    safe = safe.replace("*/", "*_").replace("/*", "_*")
    if len(safe) > width:
        half = (width - 3) // 2
        safe = f"{safe[:half]}...{safe[-half:]}"
    return safe


def c_shape(shape: Iterable[int]) -> str:
    """Return a shape as text, ``1x96x96x3``."""
    return "x".join(map(str, shape)) or "scalar"
