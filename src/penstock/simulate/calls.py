"""Function calls as typed on the command line: ``init,invoke(input,0x20)``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import InputError
from penstock.simulate.image import Image

ARGUMENTS_MAX = 4
"""Those in r0 to r3 (Procedure Call Standard for the Arm Architecture, 6.4)."""

_CALL = re.compile(r"\s*(?P<name>[^,()\s]+)\s*(?:\((?P<arguments>[^()]*)\))?\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments.

    Attributes:
        text: as typed.
        address: of its first instruction.
        arguments: of r0 to r3.
    """

    text: str
    address: int
    arguments: tuple[int, ...]


def parse_calls(texts: Sequence[str], image: Image) -> tuple[Call, ...]:
    """Return the calls that the texts name, in order.

    Raises:
        InputError: a text is no call, has more than four arguments, or names no symbol.
    """
    return tuple(call for text in texts for call in _parse(text, image))


def _parse(text: str, image: Image) -> list[Call]:
    calls: list[Call] = []
    position = 0
    while position < len(text) or not calls:
        match = _CALL.match(text, position)
        if match is None or (match.end() == len(text) and text.endswith(",")):
            raise InputError(
                f"--call {text!r} is no list of calls",
                help="write NAME, NAME(1, 0x20, SYMBOL), or several of them with commas between",
            )
        calls.append(_call(match, image))
        position = match.end()
    return calls


def _call(match: re.Match[str], image: Image) -> Call:
    shown = match[0].strip().rstrip(",").rstrip()
    purpose = f"--call {shown}"
    arguments = [a for a in (match["arguments"] or "").split(",") if a.strip()]
    if len(arguments) > ARGUMENTS_MAX:
        raise InputError(
            f"{purpose} has {len(arguments)} arguments, allowed are {ARGUMENTS_MAX}",
            help="only those in registers r0 to r3 can be given",
        )
    return Call(
        text=shown,
        address=image.resolve(match["name"], purpose) & ~1,
        arguments=tuple(_argument(a.strip(), image, purpose) for a in arguments),
    )


def _argument(text: str, image: Image, purpose: str) -> int:
    if text.startswith("-") and text[1:].isdigit():
        return int(text) & 0xFFFF_FFFF
    return image.resolve(text, f"{purpose}, argument {text}")
