"""Reads the tables of a board's file: every key is known, every number has a source."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from penstock.boards.provenance import Band, Confidence, Fact, FactValue, Provenance
from penstock.errors import InputError

Value = TypeVar("Value", bound=FactValue)

_PROVENANCE_KEYS = ("source", "confidence")
_FITTED_KEYS = ("fitted_to", "measured_on")
_OPTIONAL_PROVENANCE_KEYS = (*_FITTED_KEYS, "note")
_BAND_KEYS = ("low", "high")
_UNITS = ("nj_per_byte", "bytes", "hz", "cycles", "clocks", "bits", "lines", "mw", "share")
_CLOCK_WORDS = ("clock", "frequency", "khz", "mhz")


@dataclass(frozen=True, slots=True)
class Context:
    """What all tables of a file share.

    Attributes:
        sources: the texts that ``source`` keys name.
        facts: every entry that was read, in order.
    """

    sources: Mapping[str, str]
    facts: list[Fact] = field(default_factory=list)


class Table:
    """One table, with its provenance; what is read from it becomes facts."""

    def __init__(
        self,
        values: Mapping[str, Any],
        where: str,
        path: str,
        context: Context,
        required: Sequence[str],
        optional: Sequence[str] = (),
    ) -> None:
        """Check the keys and read the provenance.

        Args:
            values: of the TOML document.
            where: the table, in errors.
            path: the table, in facts.
            context: of the file.
            required: keys that must be there, beside the provenance.
            optional: keys that may.

        Raises:
            InputError: a key is unknown or missing, or the provenance is.
        """
        check_keys(
            values,
            where,
            (*required, *_PROVENANCE_KEYS),
            (*optional, *_OPTIONAL_PROVENANCE_KEYS),
        )
        self._values, self.where, self._path, self._context = values, where, path, context
        self.provenance = read_provenance(values, where, context.sources)

    def has(self, key: str) -> bool:
        """Return whether an optional key is there."""
        return key in self._values

    def values(self, key: str) -> Any:
        """Return what a key holds, unread."""
        return self._values[key]

    def text(self, key: str) -> str:
        """Return a name; it becomes no fact."""
        return read_text(self._values, key, self.where)

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """Return one of several words."""
        value = read_choice(self._values, key, self.where, allowed)
        return self._note(key, value, self.provenance)

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self._values[key]
        if not isinstance(value, bool):
            raise wrong(self.where, key, value, "true or false")
        return self._note(key, value, self.provenance)

    def integer(self, key: str, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``."""
        value, provenance = self._quantity(key)
        _check_integer(value, key, self.where, low, high)
        return self._note(key, int(value), provenance)

    def address(self, key: str) -> int:
        """Return an address of 32 bits."""
        return self.integer(key, 0, (1 << 32) - 1)

    def power_of_two(self, key: str, low: int, high: int) -> int:
        """Return a power of two from ``low`` to ``high``."""
        value = self.integer(key, low, high)
        if value & (value - 1):
            raise wrong(self.where, key, value, f"a power of two from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """Return a number from ``low`` to ``high``."""
        value, provenance = self._quantity(key)
        _check_number(value, key, self.where, low, high)
        return self._note(key, float(value), provenance)

    def band(self, key: str, high: float) -> Band:
        """Return a quantity from 0 to ``high`` with its least and greatest value."""
        value = self._values[key]
        example = f"{{ value = 2, low = 1, high = 3 }}, at most {high:g}"
        if not isinstance(value, dict):
            raise wrong(self.where, key, value, example)
        quantity, provenance = self._quantity(key, _BAND_KEYS)
        where = f"{self.where}, '{key}'"
        band = Band(quantity, value["low"], value["high"])
        for name, part in (("low", band.low), ("value", band.value), ("high", band.high)):
            _check_number(part, name, where, 0, high)
        if not band.low <= band.value <= band.high:
            raise wrong(self.where, key, value, f"low <= value <= high, as in {example}")
        return self._note(key, band, provenance)

    def addresses(self, key: str) -> tuple[int, ...]:
        """Return a list of addresses."""
        values = self._list(key, "a list of addresses")
        for value in values:
            _check_integer(value, key, self.where, 0, (1 << 32) - 1)
        return self._note(key, tuple(values), self.provenance)

    def integers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """Return a list of integers from ``low`` to ``high``."""
        values = self._list(key, "a list of integers")
        for value in values:
            _check_integer(value, key, self.where, low, high)
        return self._note(key, tuple(values), self.provenance)

    def names(self, key: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """Return a list of names, each of which must be allowed."""
        values = self._list(key, "a list of names")
        for value in values:
            if value not in allowed:
                raise wrong(self.where, key, value, f"any of {', '.join(allowed)}")
        return self._note(key, tuple(values), self.provenance)

    def table(self, key: str, required: Sequence[str], optional: Sequence[str] = ()) -> "Table":
        """Return a table within this one."""
        where, path = f"{self.where}, [{key}]", f"{self._path} {key}"
        values = read_table(self._values, key, self.where)
        return Table(values, where, path, self._context, required, optional)

    def _list(self, key: str, allowed: str) -> list[Any]:
        values = self._values[key]
        if not isinstance(values, list):
            raise wrong(self.where, key, values, allowed)
        return values

    def _quantity(self, key: str, band_keys: Sequence[str] = ()) -> tuple[Any, Provenance]:
        """Return a value that may be in a table with a provenance of its own."""
        value = self._values[key]
        if not isinstance(value, dict):
            return value, self.provenance
        where = f"{self.where}, '{key}'"
        has_source = any(name in value for name in (*_PROVENANCE_KEYS, *_FITTED_KEYS))
        required = ("value", *band_keys, *(_PROVENANCE_KEYS if has_source else ()))
        check_keys(value, where, required, (*_PROVENANCE_KEYS, *_OPTIONAL_PROVENANCE_KEYS))
        if has_source:
            return value["value"], read_provenance(value, where, self._context.sources)
        note = read_text(value, "note", where) if "note" in value else self.provenance.note
        return value["value"], replace(self.provenance, note=note)

    def _note(self, key: str, value: Value, provenance: Provenance) -> Value:
        self._context.facts.append(Fact(self._path, key, value, provenance))
        return value


def read_provenance(
    values: Mapping[str, Any], where: str, sources: Mapping[str, str]
) -> Provenance:
    """Return the provenance that a table states.

    Raises:
        InputError: the source is not listed, or it is not said what a number was fitted to.
    """
    source = read_choice(values, "source", where, list(sources))
    confidence = Confidence(read_choice(values, "confidence", where, [c.value for c in Confidence]))
    fitted_to = read_text(values, "fitted_to", where) if "fitted_to" in values else ""
    note = read_text(values, "note", where) if "note" in values else ""
    if bool(fitted_to) is not (confidence is Confidence.FITTED):
        problem = (
            "is missing" if not fitted_to else f"is there, but confidence is '{confidence.value}'"
        )
        raise InputError(
            f"{where}: key 'fitted_to' {problem}; it goes with 'fitted' and only with it",
            help="say which measurement a fitted number reproduces, or choose another confidence",
        )
    measured_on = _measured_on(values, where, confidence)
    return Provenance(sources[source], confidence, fitted_to, note, measured_on)


def _measured_on(values: Mapping[str, Any], where: str, confidence: Confidence) -> tuple[str, ...]:
    names = values.get("measured_on", [])
    allowed = "a list of microcontrollers, with confidence 'fitted'"
    is_list = isinstance(names, list) and all(name and isinstance(name, str) for name in names)
    if not is_list or (names and confidence is not Confidence.FITTED):
        raise wrong(where, "measured_on", names, allowed)
    return tuple(names)


def check_keys(
    values: Mapping[str, Any], where: str, required: Sequence[str], optional: Sequence[str] = ()
) -> None:
    """Refuse unknown and missing keys.

    Raises:
        InputError: there is one; the help names the key that was meant.
    """
    allowed = tuple(dict.fromkeys((*required, *optional)))
    for key in values:
        if key not in allowed:
            raise InputError(f"{where}: unknown key '{key}'", help=_suggestion(key, allowed))
    for key in required:
        if key not in values:
            raise InputError(
                f"{where}: key '{key}' is missing", help=f"its keys are {', '.join(allowed)}"
            )


def _suggestion(key: str, allowed: Sequence[str]) -> str:
    for candidate in allowed:
        if _lacks_unit(key, candidate):
            return f"quantities carry their unit: '{candidate}'"
    close = difflib.get_close_matches(key, allowed, n=1)
    return f"did you mean '{close[0]}'?" if close else f"its keys are {', '.join(allowed)}"


def _lacks_unit(key: str, candidate: str) -> bool:
    if candidate == "hz":
        return key in _CLOCK_WORDS
    for unit in _UNITS:
        if candidate.endswith(f"_{unit}"):
            stem = candidate.removesuffix(f"_{unit}")
            return key == stem or key.startswith(f"{stem}_")
    return False


def read_table(values: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """Return a table.

    Raises:
        InputError: it is none.
    """
    value = values[key]
    if not isinstance(value, dict):
        raise wrong(where, key, value, "a table")
    return value


def read_tables(
    document: Mapping[str, Any], key: str, where: str
) -> list[tuple[Mapping[str, Any], str]]:
    """Return an array of tables that are named differently, each with its place in errors.

    Raises:
        InputError: it is none, or two have one name.
    """
    values = document.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise wrong(where, key, values, "an array of tables")
    names = [value.get("name", number) for number, value in enumerate(values)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{where}: two [[{key}]] are named '{name}'", help="give each a name of its own"
            )
    return [
        (value, f"{where}, [[{key}]] '{name}'") for value, name in zip(values, names, strict=True)
    ]


def read_text(values: Mapping[str, Any], key: str, where: str) -> str:
    """Return a text that is not empty.

    Raises:
        InputError: it is none.
    """
    value = values[key]
    if not isinstance(value, str) or not value:
        raise wrong(where, key, value, "a text that is not empty")
    return value


def read_choice(values: Mapping[str, Any], key: str, where: str, allowed: Sequence[str]) -> str:
    """Return one of several words.

    Raises:
        InputError: it is none of them.
    """
    value = read_text(values, key, where)
    if value not in allowed:
        raise wrong(where, key, value, f"one of {', '.join(allowed)}")
    return value


def wrong(where: str, key: str, found: object, allowed: str) -> InputError:
    """Return the error that a value is not allowed."""
    return InputError(
        f"{where}: '{key}' is {found!r}; allowed is {allowed}",
        help="correct the board file; docs/boards.md explains its keys",
    )


def _check_integer(value: object, key: str, where: str, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        span = f"{low:#x} to {high:#x}" if high >= 1 << 16 else f"{low} to {high}"
        raise wrong(where, key, value, f"an integer from {span}")


def _check_number(value: object, key: str, where: str, low: float, high: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(where, key, value, f"a number from {low:g} to {high:g}")
