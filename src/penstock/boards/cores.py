"""Processor cores as data: what holds for a core on every chip that has it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from penstock.boards.tables import Context, Table
from penstock.errors import UnsupportedError

_REQUIRED = (
    "fetch_bytes",
    "has_dsp",
    "has_mve",
    "issue_width",
    "has_armv7m_mpu",
    "has_caches",
    "preload_fills",
    "cpuid",
)
_FILE = "cores.toml"
PRELOAD_FILLS_MAX = 4
"""What the simulator has room for: ``PS_FILLS_MAX`` of simulate/native/timing.h."""


@dataclass(frozen=True, slots=True)
class CoreFacts:
    """A core.

    Attributes:
        fetch_bytes: of instructions, fetched at once where no cache or accelerator is.
        has_dsp: whether it multiplies two pairs of 16 bits in one instruction.
        has_mve: whether it has Helium, for integers at least.
        issue_width: instructions that it may begin in a cycle.
        has_armv7m_mpu: whether its MPU is the one that the start-up code knows.
        has_caches: whether it may have caches of its own, which its register CCR turns on.
        preload_fills: lines of the data cache that PLD may be filling while the core goes on; 0
            where it does nothing, or nobody knows.
        cpuid: what its register CPUID reads, of a revision that is on the market; 0: not known.
        pipeline: the tables that say how long its instructions take; None for a core that can be
            compiled for only.
    """

    fetch_bytes: int
    has_dsp: bool
    has_mve: bool
    issue_width: int
    has_armv7m_mpu: bool
    has_caches: bool
    preload_fills: int
    cpuid: int
    pipeline: str | None


_UNKNOWN = CoreFacts(
    fetch_bytes=4,
    has_dsp=False,
    has_mve=False,
    issue_width=1,
    has_armv7m_mpu=True,
    has_caches=False,
    preload_fills=0,
    cpuid=0,
    pipeline=None,
)
"""Of a core that the file does not have: its time is never asked for."""


@cache
def known_cores() -> Mapping[str, CoreFacts]:
    """Return the facts by name of the core, as compilers call it."""
    text = (resources.files("penstock.boards") / _FILE).read_text("utf-8")
    document = tomllib.loads(text)
    context = Context(document.pop("sources"))
    return {name: _facts(name, values, context) for name, values in document.items()}


def core_facts(name: str) -> CoreFacts:
    """Return what is known of a core."""
    return known_cores().get(name, _UNKNOWN)


def is_timed(name: str) -> bool:
    """Return whether it is known how long a core's instructions take."""
    return core_facts(name).pipeline is not None


def timed_cores() -> tuple[str, ...]:
    """Return the cores of which that is known."""
    return tuple(filter(is_timed, known_cores()))


def check_simulated(name: str) -> None:
    """Refuse a core that compilers know and the virtual board does not.

    Raises:
        UnsupportedError: nothing can run it here, or say how long it takes.
    """
    if not is_timed(name):
        raise UnsupportedError(
            f"nobody has modelled how long instructions take on core '{name}'",
            help=f"take a board with one of {', '.join(timed_cores())}; `penstock compile` takes "
            "this one, and if it has an [emulator], so do `penstock run` and `bench models`",
        )


def _facts(name: str, values: Mapping[str, object], context: Context) -> CoreFacts:
    where = f"{_FILE}, [{name}]"
    table = Table(values, where, f"core {name}", context, _REQUIRED, ("pipeline",))
    return CoreFacts(
        fetch_bytes=table.power_of_two("fetch_bytes", 2, 32),
        has_dsp=table.flag("has_dsp"),
        has_mve=table.flag("has_mve"),
        issue_width=table.integer("issue_width", 1, 3),
        has_armv7m_mpu=table.flag("has_armv7m_mpu"),
        has_caches=table.flag("has_caches"),
        preload_fills=table.integer("preload_fills", 0, PRELOAD_FILLS_MAX),
        cpuid=table.address("cpuid"),
        pipeline=table.text("pipeline") if table.has("pipeline") else None,
    )
