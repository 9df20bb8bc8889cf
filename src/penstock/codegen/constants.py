"""Constant arrays as C, in the spelling that compilers read fastest.

GCC takes 4.2 s for 3.5 MB as decimal numbers, 1.8 s as 32-bit words and 0.25 s as string literals;
so large arrays of bytes are strings and everything else is numbers for people to read.
"""

from dataclasses import dataclass

import numpy as np

from penstock.codegen.literals import CTYPES, c_float, c_integer
from penstock.errors import GraphError
from penstock.ir.dtype import DType
from penstock.ir.tensor import Array

_STRING_MIN_BYTES = 1024
_BYTES_PER_LINE = 24
_LINE_WIDTH = 98


@dataclass(frozen=True, slots=True)
class ConstantArray:
    """An array of the weights file.

    Attributes:
        symbol: C name.
        ctype: element type.
        count: elements, at least 1.
        comment: shape.
        initializer: what follows ``=``, in lines.
    """

    symbol: str
    ctype: str
    count: int
    comment: str
    initializer: str


def constant_array(symbol: str, array: Array) -> ConstantArray:
    """Return the C form of an array.

    Raises:
        GraphError: an element type that C kernels do not have.
    """
    try:
        dtype = DType.from_numpy(array.dtype)
    except KeyError:
        raise GraphError(f"constant {symbol!r} has element type {array.dtype}") from None
    shape = "x".join(map(str, array.shape)) or "scalar"
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.size == 0:
        flat = np.zeros(1, flat.dtype)
    is_long = dtype.size_bytes == 1 and flat.size >= _STRING_MIN_BYTES
    return ConstantArray(
        symbol=symbol,
        ctype=CTYPES[dtype],
        count=int(flat.size),
        comment=f"{dtype.value} {shape}",
        initializer=_string_literal(flat.tobytes()) if is_long else _number_list(flat, dtype),
    )


def byte_array(symbol: str, content: Array) -> ConstantArray:
    """Return the C form of bytes of any meaning."""
    comment = f"{content.size} bytes"
    initializer = _string_literal(content.tobytes())
    return ConstantArray(symbol, "uint8_t", int(content.size), comment, initializer)


def _octal_escapes() -> Array:
    escapes = [f"\\{byte:03o}".encode() for byte in range(256)]
    return np.array(escapes, dtype="S4")


_OCTAL_ESCAPES = _octal_escapes()


def _string_literal(content: bytes) -> str:
    """Return adjacent string literals, one a line, every byte an octal escape."""
    escaped = _OCTAL_ESCAPES[np.frombuffer(content, np.uint8)].tobytes().decode("ascii")
    width = 4 * _BYTES_PER_LINE
    lines = (escaped[start : start + width] for start in range(0, len(escaped), width))
    return "\n" + "\n".join(f'  "{line}"' for line in lines)


def _number_list(flat: Array, dtype: DType) -> str:
    if dtype is DType.FLOAT32:
        numbers = [c_float(value) for value in flat.tolist()]
    else:
        numbers = [c_integer(int(value)) for value in flat.tolist()]
    return "{\n" + "\n".join(_wrap(numbers)) + "\n}"


def _wrap(numbers: list[str]) -> list[str]:
    """Fill lines with numbers and commas."""
    lines, line = [], " "
    for number in numbers:
        if len(line) + len(number) + 2 > _LINE_WIDTH:
            lines.append(line)
            line = " "
        line += f" {number},"
    return [*lines, line]
