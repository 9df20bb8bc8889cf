"""Names: C identifiers of models, printable and unique names of tensors."""

import re
from collections.abc import Iterable

from penstock.frontends.tflite.reserved_names import is_reserved

_IDENTIFIER_LENGTH_MAX = 40
"""C99 promises 63 significant characters; generated names add a suffix."""
_TENSOR_NAME_LENGTH_MAX = 256


def identifier(text: str) -> str:
    """Return an identifier of C and C++ in lower case, made from a file's name.

    The files, symbols and macros of a model begin with it; a name that would hide a header, a
    library or the like is prefixed with ``model_``.
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower())[:_IDENTIFIER_LENGTH_MAX].strip("_")
    if not name or name[0].isdigit() or is_reserved(name):
        return f"model_{name}".rstrip("_")
    return name


def printable(encoded: bytes) -> str:
    """Return a name from a file as text without quotes, controls or excessive length."""
    text = encoded[: 4 * _TENSOR_NAME_LENGTH_MAX].decode("utf-8", errors="replace")
    kept = "".join(char if char.isprintable() and char not in '"\\' else "_" for char in text)
    return kept[:_TENSOR_NAME_LENGTH_MAX]


def claim(wanted: str, taken: set[str]) -> str:
    """Return ``wanted``, or it with the first free number, and add the result to ``taken``."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}.{number}"
    taken.add(name)
    return name


def unique_names(encoded: Iterable[bytes]) -> list[str]:
    """Return printable names, the position appended to those that are empty or met before."""
    taken: set[str] = set()
    names = []
    for index, raw in enumerate(encoded):
        name = printable(raw) or f"tensor_{index}"
        names.append(claim(f"{name}#{index}" if name in taken else name, taken))
    return names
