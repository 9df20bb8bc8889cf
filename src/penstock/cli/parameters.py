"""What names and numbers on the command line may be; wrong ones are refused before any work.

Each public function is a callback of the argument parser: it takes what was typed, None where
nothing was, and returns it as what the verb works with.
"""

import math
import re

import click

from penstock.errors import InputError
from penstock.report.summary import HOST
from penstock.units import MULTIPLES, read_duration, read_size


def virtual_board(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """Take the name of a virtual board, where ``host`` makes no sense.

    Raises:
        InputError: it is ``host``.
    """
    if value == HOST:
        raise InputError(
            f"{HOST!r} is this computer, not a virtual board",
            help="`penstock boards` lists the virtual ones, above it",
        )
    return value


def virtual_boards(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Take several virtual boards; raises as `virtual_board`."""
    for value in values:
        virtual_board(context, parameter, value)
    return tuple(dict.fromkeys(values))


def parse_seed(_context: click.Context, parameter: click.Parameter, value: str) -> int:
    """Take a whole number from 0.

    Raises:
        InputError: it is something else.
    """
    if not (value.isascii() and value.isdecimal()):
        raise InputError(
            f"{option_name(parameter)} is {value!r}, not a whole number from 0",
            help="the same seed gives the same random values",
        )
    return int(value)


_RESERVE = re.compile(r"([^=]+)=([0-9]+)([KM]?)")


def parse_numbers(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Take numbers with commas between them; None where nothing was given.

    Raises:
        InputError: a part is no finite number.
    """
    if value is None:
        return None
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise InputError(
            f"{option_name(parameter)} {value!r} is no number, nor numbers with commas",
            help="for example 0.5, or 0.485,0.456,0.406",
        )
    return numbers


def parse_reserve(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int], ...]:
    """Take ``MEMORY=BYTES`` several times.

    Raises:
        InputError: it is something else.
    """
    found = []
    for value in values:
        match = _RESERVE.fullmatch(value)
        if match is None:
            raise InputError(
                f"--reserve is {value!r}, not MEMORY=BYTES",
                help="for example --reserve sram1=32K; `penstock boards NAME` lists the memories",
            )
        found.append((match[1], int(match[2]) * MULTIPLES[match[3]]))
    return tuple(found)


def parse_duration(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> float | None:
    """Take a time with its unit; return seconds.

    Raises:
        InputError: it is something else, or no time at all.
    """
    if value is None:
        return None
    seconds = read_duration(value)
    if seconds is None:
        raise InputError(
            f"{option_name(parameter)} {value!r} is no time", help="for example 100ms, 0.1s or 80us"
        )
    return seconds


def parse_size(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    """Take a number of bytes, with K or M.

    Raises:
        InputError: it is something else, or nothing.
    """
    if value is None:
        return None
    size = read_size(value)
    if size is None:
        raise InputError(
            f"{option_name(parameter)} {value!r} is no size", help="for example 500000, 512K or 1M"
        )
    return size


def option_name(parameter: click.Parameter | None) -> str:
    """Return a parameter as it is typed: ``--output``, ``MODEL``."""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    metavar = None if parameter is None else getattr(parameter, "metavar", None)
    return str(metavar or "an argument")
