"""The files of the zoo that come with Penstock; without torch."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from penstock.errors import InputError

_FILES = files("penstock.design.zoo") / "files"
_FIGURES = "zoo.toml"


@dataclass(frozen=True, slots=True)
class CarriedNetwork:
    """A network whose file comes with Penstock.

    Attributes:
        name: of the network; its file is ``name.tflite``.
        about: one line for people.
        data: name of the data set that it was trained and tested with.
        measure: what scores are.
        float_score: of the network in real numbers, over the whole test set, from 0 to 1.
        score: of its C, likewise.
        sha256: digest of the file, in hexadecimal digits.
        recipe: tables of everything that decided it, with the keys of a recipe's file.
    """

    name: str
    about: str
    data: str
    measure: str
    float_score: float
    score: float
    sha256: str
    recipe: Mapping[str, Mapping[str, Any]]

    def content(self) -> bytes:
        """Return the .tflite file."""
        return (_FILES / f"{self.name}.tflite").read_bytes()


def carried_networks() -> Mapping[str, CarriedNetwork]:
    """Return the networks that come with Penstock, by name."""
    document = tomllib.loads((_FILES / _FIGURES).read_text(encoding="utf-8"))
    return {name: _parse(name, table) for name, table in document.items()}


def _parse(name: str, table: Mapping[str, Any]) -> CarriedNetwork:
    return CarriedNetwork(name=name, **table)


def find_carried(name: str) -> CarriedNetwork:
    """Return one of them.

    Raises:
        InputError: there is none of that name.
    """
    known = carried_networks()
    expect_known(name, known)
    return known[name]


def expect_known(name: str, known: Collection[str]) -> None:
    """Check that the zoo has a network of that name; raises InputError where it has not."""
    if name not in known:
        raise InputError(f"the zoo has no {name!r}", help=f"it has {', '.join(known)}")
