"""Loads cores from TOML and refuses what is misspelt, missing or without a source."""

import tomllib
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from penstock.boards import Confidence
from penstock.boards.cores import core_facts, timed_cores
from penstock.errors import InputError, UnsupportedError
from penstock.simulate.pipeline.core_timing import (
    STORE_BUFFER_ENTRIES_MAX,
    AccessTiming,
    BranchTiming,
    CoreTiming,
    EarlySlot,
    Fold,
    Gap,
    KindTiming,
    Latencies,
    Outcome,
    PairRule,
)
from penstock.simulate.pipeline.instruction import Kind, Role

Table = Mapping[str, Any]
Groups = Mapping[str, Sequence[str]]
_Choice = TypeVar("_Choice", bound=Enum)

_PROVENANCE = ("source", "confidence")
_TOP = ("name", "sources", "groups", "kind", "update", "not_awaited", "pairing",
        "early_shifter", "gap", "fold", "branch", "memory")  # fmt: skip
_KIND_KEYS = ("kinds", "cycles", "cycles_per_register", "flags_cycles", "result", "early_result",
              "early_slot", *_PROVENANCE)  # fmt: skip
_GAP_KEYS = ("after", "before", "cycles", "reaches_all", "is_load_wait", *_PROVENANCE)
_FOLD_KEYS = ("kinds", "behind", "outcome", "needs_narrow", "needs_narrow_before",
              "needs_no_flags_before", *_PROVENANCE)  # fmt: skip
_FORBIDDEN_KEYS = ("kinds", "others", "only_in_this_order", *_PROVENANCE)


@cache
def load_core(name: str) -> CoreTiming:
    """Return the tables of a core, such as ``cortex-m7``.

    Raises:
        UnsupportedError: nothing is known about that core's time.
    """
    pipeline = core_facts(name).pipeline
    if pipeline is None:
        raise UnsupportedError(
            f"how long instructions take on '{name}' is unknown; known are "
            f"{', '.join(timed_cores())}",
            help="take a board with one of these",
        )
    file = f"{pipeline}.toml"
    text = (resources.files("penstock.simulate.pipeline") / "cores" / file).read_text("utf-8")
    return parse_core(text, where=file)


def parse_core(text: str, *, where: str) -> CoreTiming:
    """Return the core that a TOML text describes.

    Raises:
        InputError: the text is no TOML, or something in it is misspelt, missing or without source.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is no TOML: {error}", help="correct the file") from error
    return _Loader(table, where).core()


class _Loader:
    """One file on its way to a core."""

    def __init__(self, table: Table, where: str) -> None:
        self.table, self.where = table, where
        self.check(table, _TOP, "the file")
        self.sources: dict[str, str] = dict(self.need(table, "sources", "the file"))
        self.groups: Groups = table.get("groups", {})
        self.not_awaited = self.roles(table.get("not_awaited"))

    def core(self) -> CoreTiming:
        table = self.table
        shifter = table.get("early_shifter", {})
        if shifter:
            self.provenance(shifter, ("kinds",), "[early_shifter]")
        return CoreTiming(
            name=self.need(table, "name", "the file"),
            kinds=self.kinds(),
            shifters=self.set_of(shifter.get("kinds", ()), "[early_shifter]"),
            gaps=tuple(self.gap(gap) for gap in table.get("gap", ())),
            folds=tuple(self.fold(fold) for fold in table.get("fold", ())),
            branch=self.branch(self.need(table, "branch", "the file")),
            memory=self.memory(self.need(table, "memory", "the file")),
        )

    def kinds(self) -> dict[Kind, KindTiming]:
        """Every kind once."""
        update_table = self.need(self.table, "update", "the file")
        self.provenance(update_table, ("latencies",), "[update]")
        update = self.latencies(self.need(update_table, "latencies", "[update]"), "[update]")
        younger = self.younger()
        timings: dict[Kind, KindTiming] = {}
        for entry in self.need(self.table, "kind", "the file"):
            place = f"[[kind]] {', '.join(entry.get('kinds', ()))}"
            self.provenance(entry, _KIND_KEYS, place)
            for kind in self.list_of(self.need(entry, "kinds", place), place):
                if kind in timings:
                    raise self.wrong(f"{place}: {kind.value} is described twice")
                timings[kind] = self.kind(entry, update, younger[kind], place)
        missing = [kind.value for kind in Kind if kind not in timings]
        if missing:
            raise self.wrong(f"no [[kind]] describes {', '.join(missing)}")
        return timings

    def kind(
        self, entry: Table, update: Latencies, younger: frozenset[Kind], place: str
    ) -> KindTiming:
        result = self.latencies(self.need(entry, "result", place), place)
        early = entry.get("early_result")
        return KindTiming(
            cycles=self.number(entry, "cycles", place),
            cycles_per_register=entry.get("cycles_per_register", 0),
            flags_cycles=entry.get("flags_cycles", 0),
            result=result,
            early_result=self.latencies(early, place) if early else result,
            early_slot=self.choice(EarlySlot, entry.get("early_slot", "none"), place),
            update=update,
            younger=younger,
        )

    def younger(self) -> dict[Kind, frozenset[Kind]]:
        """Return what may issue behind each kind in the same cycle."""
        pairing = self.table.get("pairing")
        if pairing is None:
            return {kind: frozenset() for kind in Kind}
        self.provenance(pairing, ("alone", "older_only", "forbidden"), "[pairing]")
        alone = self.set_of(pairing.get("alone", ()), "[pairing]")
        never_younger = alone | self.set_of(pairing.get("older_only", ()), "[pairing]")
        pairs = {
            kind: set() if kind in alone else {k for k in Kind if k not in never_younger}
            for kind in Kind
        }
        for rule in pairing.get("forbidden", ()):
            self.provenance(rule, _FORBIDDEN_KEYS, "[[pairing.forbidden]]")
            kinds = self.set_of(self.need(rule, "kinds", "[[pairing.forbidden]]"), "[pairing]")
            others = self.set_of(self.need(rule, "others", "[[pairing.forbidden]]"), "[pairing]")
            for kind in kinds:
                pairs[kind] -= others
            if not rule.get("only_in_this_order", False):
                for kind in others:
                    pairs[kind] -= kinds
        return {kind: frozenset(allowed) for kind, allowed in pairs.items()}

    def gap(self, entry: Table) -> Gap:
        self.provenance(entry, _GAP_KEYS, "[[gap]]")
        return Gap(
            after=self.set_of(self.need(entry, "after", "[[gap]]"), "[[gap]]"),
            before=self.set_of(self.need(entry, "before", "[[gap]]"), "[[gap]]"),
            cycles=self.number(entry, "cycles", "[[gap]]"),
            reaches_all=entry.get("reaches_all", False),
            is_load_wait=entry.get("is_load_wait", False),
        )

    def fold(self, entry: Table) -> Fold:
        self.provenance(entry, _FOLD_KEYS, "[[fold]]")
        outcome = entry.get("outcome")
        return Fold(
            kinds=self.set_of(self.need(entry, "kinds", "[[fold]]"), "[[fold]]"),
            behind=self.set_of(self.need(entry, "behind", "[[fold]]"), "[[fold]]"),
            outcome=self.choice(Outcome, outcome, "[[fold]]") if outcome else None,
            needs_narrow=entry.get("needs_narrow", False),
            needs_narrow_before=entry.get("needs_narrow_before", False),
            needs_no_flags_before=entry.get("needs_no_flags_before", False),
        )

    def branch(self, entry: Table) -> BranchTiming:
        keys = tuple(BranchTiming.__dataclass_fields__)
        self.provenance(entry, (*keys, *_PROVENANCE), "[branch]")
        return BranchTiming(**{key: self.number(entry, key, "[branch]") for key in keys})

    def memory(self, entry: Table) -> AccessTiming:
        facts = core_facts(self.need(self.table, "name", "the file"))
        elsewhere = {key: getattr(facts, key) for key in ("fetch_bytes", "preload_fills")}
        keys = tuple(key for key in AccessTiming.__dataclass_fields__ if key not in elsewhere)
        self.provenance(entry, (*keys, *_PROVENANCE), "[memory]")
        values = {key: self.number(entry, key, "[memory]") for key in keys}
        rule = self.choice(PairRule, values["pair_rule"], "[memory]")
        entries = values["store_buffer_entries"]
        if entries not in range(1, STORE_BUFFER_ENTRIES_MAX + 1):
            raise self.wrong(
                f"[memory]: 'store_buffer_entries' is {entries}, allowed is an integer from 1 to "
                f"{STORE_BUFFER_ENTRIES_MAX}"
            )
        return AccessTiming(**{**values, "pair_rule": rule, **elsewhere})

    def latencies(self, entry: Table, place: str) -> Latencies:
        names = [role.name.lower() for role in Role]
        self.check(entry, ("any", *names), place)
        default = self.need(entry, "any", place)
        return tuple(
            entry.get(role.name.lower(), 0 if role in self.not_awaited else default)
            for role in Role
        )

    def roles(self, entry: Table | None) -> frozenset[Role]:
        """Return the roles whose operands never have to wait, unless a kind says otherwise."""
        if entry is None:
            return frozenset()
        self.provenance(entry, ("roles",), "[not_awaited]")
        names = {role.name.lower(): role for role in Role}
        wanted = self.need(entry, "roles", "[not_awaited]")
        for name in wanted:
            if name not in names:
                raise self.wrong(f"[not_awaited]: '{name}' is none of {', '.join(names)}")
        return frozenset(names[name] for name in wanted)

    def list_of(self, names: Sequence[str], place: str) -> list[Kind]:
        """Return the kinds of a list of kinds and groups; ``all`` is all, ``-x`` takes away."""
        kinds: list[Kind] = []
        for name in names:
            if name.startswith("-"):
                taken = self.list_of([name[1:]], place)
                kinds = [kind for kind in kinds if kind not in taken]
            elif name == "all":
                kinds += list(Kind)
            elif name in self.groups:
                kinds += self.list_of(self.groups[name], place)
            elif name in {kind.value for kind in Kind}:
                kinds.append(Kind(name))
            else:
                raise self.wrong(f"{place}: '{name}' is neither a kind of instruction nor a group")
        return kinds

    def set_of(self, names: Sequence[str], place: str) -> frozenset[Kind]:
        return frozenset(self.list_of(names, place))

    def number(self, entry: Table, key: str, place: str) -> Any:
        """Return a value, which may be a table with a source of its own."""
        value = self.need(entry, key, place)
        if not isinstance(value, Mapping):
            return value
        self.provenance(value, ("value", *_PROVENANCE), f"{place} {key}")
        return self.need(value, "value", f"{place} {key}")

    def choice(self, choices: type[_Choice], value: str, place: str) -> _Choice:
        names = [choice.value for choice in choices]
        if value not in names:
            raise self.wrong(f"{place}: '{value}' is none of {', '.join(names)}")
        return choices(value)

    def need(self, entry: Table, key: str, place: str) -> Any:
        if key not in entry:
            raise self.wrong(f"{place} lacks '{key}'")
        return entry[key]

    def provenance(self, entry: Table, keys: Sequence[str], place: str) -> None:
        self.check(entry, (*keys, *_PROVENANCE), place)
        if self.need(entry, "source", place) not in self.sources:
            raise self.wrong(f"{place}: [sources] has no '{entry['source']}'")
        self.choice(Confidence, self.need(entry, "confidence", place), place)

    def check(self, entry: Table, keys: Sequence[str], place: str) -> None:
        for key in entry:
            if key not in keys:
                raise self.wrong(
                    f"{place} has the unknown key '{key}'; known are {', '.join(keys)}"
                )

    def wrong(self, what: str) -> InputError:
        return InputError(f"{self.where}: {what}", help="correct the description of the core")
