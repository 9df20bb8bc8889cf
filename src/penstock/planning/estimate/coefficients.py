"""What each part of a kernel costs on a core: data, fitted by ``penstock bench ops``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from penstock.boards.cores import check_simulated
from penstock.errors import InputError, UnsupportedError

HARNESS = "harness"
"""Stands for the loop over the steps, and what surrounds it, among the kernels."""

_DATA = files("penstock.planning.estimate") / "data"
_REFIT_HELP = "fit them with `penstock bench ops --board NAME --fit FILE`"


@dataclass(frozen=True, slots=True)
class KernelCoefficients:
    """Costs of one kernel's features.

    Attributes:
        cycles: core cycles of one of each, every access answered at once.
        switches: cycles among them that loads from weights lose behind loads from the arena, on
            cores that overlap loads of one memory only.
        stores: cycles that the store buffer of a fast memory holds one of each up.
        fetch_bytes: code that the first call fetches.
        cases: how many calls they were fitted to.
        error_median: of the fit of ``cycles``, relative.
        error_worst: the same at worst.
    """

    cycles: Mapping[str, float]
    switches: Mapping[str, float]
    stores: Mapping[str, float]
    fetch_bytes: int
    cases: int
    error_median: float
    error_worst: float


@dataclass(frozen=True, slots=True)
class CoreCoefficients:
    """Costs on one core.

    Attributes:
        core: the compiler's name of it.
        board: virtual board that they were fitted on.
        compiler: that made the machine code.
        version: of Penstock.
        kernels: by C name.
    """

    core: str
    board: str
    compiler: str
    version: str
    kernels: Mapping[str, KernelCoefficients]

    def kernel(self, name: str) -> KernelCoefficients:
        """Return a kernel's costs.

        Raises:
            UnsupportedError: nobody has fitted them.
        """
        try:
            return self.kernels[name]
        except KeyError:
            raise UnsupportedError(
                f"the estimate has no coefficients of {name} on {self.core}", help=_REFIT_HELP
            ) from None


def has_coefficients(core: str) -> bool:
    """Return whether somebody has fitted the costs on a core."""
    return (_DATA / f"{core}.toml").is_file()


@cache
def load_coefficients(core: str) -> CoreCoefficients:
    """Return the costs on a core.

    Raises:
        UnsupportedError: nobody has fitted them.
    """
    entry = _DATA / f"{core}.toml"
    if not entry.is_file():
        check_simulated(core)
        known = sorted(
            item.name.removesuffix(".toml")
            for item in _DATA.iterdir()
            if item.name.endswith(".toml")
        )
        raise UnsupportedError(
            f"the estimate knows no core {core!r}, only {', '.join(known)}",
            help="simulate instead: `penstock run MODEL --board NAME`",
        )
    return parse_coefficients(entry.read_text(encoding="utf-8"), entry.name)


def parse_coefficients(text: str, origin: str) -> CoreCoefficients:
    """Return the costs that a file describes.

    Raises:
        InputError: it is not such a file.
    """
    try:
        document: dict[str, Any] = tomllib.loads(text)
        kernels = document.pop("kernels")
        return CoreCoefficients(
            **document,
            kernels={name: KernelCoefficients(**values) for name, values in kernels.items()},
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"coefficients {origin!r} are damaged: {error}", help=_REFIT_HELP
        ) from None


def format_coefficients(coefficients: CoreCoefficients) -> str:
    """Return the text of a file of costs."""
    lines = [
        "# Written by `penstock bench ops --fit`: fitted to single operators, never to networks.",
        *(f'{key} = "{getattr(coefficients, key)}"' for key in ("core", "board", "compiler")),
        f'version = "{coefficients.version}"',
    ]
    for name, kernel in coefficients.kernels.items():
        lines += ["", f"[kernels.{name}]"]
        lines += [
            f"{key} = {_inline(getattr(kernel, key))}" for key in ("cycles", "switches", "stores")
        ]
        lines += [
            f"{key} = {getattr(kernel, key)}"
            for key in ("fetch_bytes", "cases", "error_median", "error_worst")
        ]
    return "\n".join(lines) + "\n"


def _inline(costs: Mapping[str, float]) -> str:
    if not costs:
        return "{}"
    return "{ " + ", ".join(f"{name} = {cost}" for name, cost in costs.items()) + " }"
