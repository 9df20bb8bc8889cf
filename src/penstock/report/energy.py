"""The energy of a stretch of execution: power by state times time, and bytes of external memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.boards.board import Board
from penstock.boards.power import MemoryEnergy
from penstock.boards.provenance import Band
from penstock.simulate.timing import CycleCounts, Traffic
from penstock.simulate.timing_records import Cause

_MJ_PER_NJ = 1e-6


@dataclass(frozen=True, slots=True)
class Energy:
    """What a stretch of execution costs, in mJ.

    Attributes:
        total: sum of the parts; None where a part is not known.
        parts: of the microcontroller, ``run`` and ``sleep``, and of each external memory that
            bytes moved from or to, by its name; empty where a part is not known.
        reason: why the total is None; empty where it is known.
    """

    total: Band | None
    parts: Mapping[str, Band]
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields ``energy_mj``, ``energy_parts_mj`` and ``energy_reason``."""
        return {
            "energy_mj": None if self.total is None else _band_to_json(self.total),
            "energy_parts_mj": {name: _band_to_json(band) for name, band in self.parts.items()}
            or None,
            "energy_reason": self.reason or None,
        }


def spent_energy(board: Board, time: CycleCounts | None, traffic: Mapping[str, Traffic]) -> Energy:
    """Return the energy of a stretch at the board's clock.

    Values add up, and so do the lows and the highs: that one figure is too low makes it no less
    probable that the others are.

    Args:
        board: whose power and memories count.
        time: cycles, and the cycles asleep among them; None where time was not counted.
        traffic: bytes moved by memory, those of DMA included.
    """
    if time is None and board.emulator is not None:
        return _unknown(f"QEMU, in which {board.name} runs, counts no cycles")
    if time is None:
        return _unknown(f"the file of {board.name} does not say how long accesses take")
    if board.power is None:
        return _unknown(f"the file of {board.name} has no [power]")
    asleep = time.stalls.get(Cause.DMA_WAIT.label, 0)
    parts = {
        "run": _scaled(board.power.run_mw, (time.cycles - asleep) / board.clock_hz),
        "sleep": _scaled(board.power.sleep_mw, asleep / board.clock_hz),
    }
    for region in board.regions:
        moved = traffic.get(region.name)
        if not region.is_external or moved is None or not _bytes_of(moved):
            continue
        if region.energy is None:
            return _unknown(f"the file of {board.name} has no [memory.energy] of '{region.name}'")
        parts[region.name] = _moving(region.energy, moved)
    return Energy(_sum(parts.values()), parts)


def _unknown(reason: str) -> Energy:
    return Energy(None, {}, reason)


def _bytes_of(moved: Traffic) -> int:
    return moved.read_bytes + moved.written_bytes + moved.fetched_bytes


def _moving(energy: MemoryEnergy, moved: Traffic) -> Band:
    read_bytes = moved.read_bytes + moved.fetched_bytes
    return _sum(
        (
            _scaled(energy.read_nj_per_byte, read_bytes * _MJ_PER_NJ),
            _scaled(energy.write_nj_per_byte, moved.written_bytes * _MJ_PER_NJ),
        )
    )


def _scaled(band: Band, factor: float) -> Band:
    return Band(band.value * factor, band.low * factor, band.high * factor)


def _sum(bands: Iterable[Band]) -> Band:
    listed = list(bands)
    return Band(
        sum(band.value for band in listed),
        sum(band.low for band in listed),
        sum(band.high for band in listed),
    )


def _band_to_json(band: Band) -> dict[str, float]:
    return {"value": band.value, "low": band.low, "high": band.high}
