"""Results of verbs as data; their JSON form has one schema name and version each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from penstock.planning.execution_plan import PlanSearch
from penstock.quantize.agreement import Calibrated
from penstock.report.energy import Energy
from penstock.report.filters import EncodedFilters, filters_to_json
from penstock.report.overlays import OverlayReport, OverlayTotals, OverlayUse
from penstock.simulate.timing import CycleCounts, Traffic


class Truth(Enum):
    """How figures came about; never mixed in one result."""

    ESTIMATE = "estimate"
    SIMULATE = "simulate"
    HOST = "host"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes of one memory region.

    Attributes:
        contents: bytes by what they are: code, weights, arena, state, stack, data.
        capacity_bytes: extent of the region; None for the host's memory.
    """

    contents: Mapping[str, int]
    capacity_bytes: int | None

    @property
    def used_bytes(self) -> int:
        """Bytes of all contents."""
        return sum(self.contents.values())


@dataclass(frozen=True, slots=True)
class OperatorResult:
    """What one step of the program did.

    Attributes:
        index: step of the generated program.
        source: index of the operator in the model file; None when a pass made it.
        kind: operator kind, for example ``CONV_2D``.
        kernel: C function that computes it.
        output: name of the tensor it writes.
        shape: shape of that tensor.
        macs: multiply-accumulates executed.
        instructions: executed on the virtual board; None elsewhere.
        cycles: that they took; None where they are not known.
        stalls: cycles among them that the core waited, by cause; None where not known.
        overlay: where its tensors live and what was copied for it; None on the host.
    """

    index: int
    source: int | None
    kind: str
    kernel: str
    output: str
    shape: tuple[int, ...]
    macs: int
    instructions: int | None
    cycles: int | None
    stalls: Mapping[str, int] | None
    overlay: OverlayUse | None = None


@dataclass(frozen=True, slots=True)
class RunTime:
    """How long a stretch of execution takes on the board, as simulated.

    Attributes:
        counts: cycles of the core, and those among them that it waited.
        clock_hz: of the core.
        traffic: what moved between each memory and the core, its caches or DMA controllers.
    """

    counts: CycleCounts
    clock_hz: int
    traffic: Mapping[str, Traffic]

    @property
    def cycles(self) -> int:
        """Cycles of the core."""
        return self.counts.cycles

    @property
    def stalls(self) -> Mapping[str, int]:
        """Cycles that the core waited, by cause."""
        return self.counts.stalls

    @property
    def latency_ms(self) -> float:
        """Milliseconds of the stretch."""
        return self.cycles / self.clock_hz * 1e3

    def to_json(self) -> dict[str, Any]:
        """Return the fields that every result with a time has."""
        return {
            "cycles": self.cycles,
            "clock_hz": self.clock_hz,
            "latency_ms": self.latency_ms,
            "stalls": dict(self.stalls),
            "traffic_bytes": {name: moved_bytes(moved) for name, moved in self.traffic.items()},
        }


def time_to_json(time: RunTime | None) -> dict[str, Any]:
    """Return the fields of a time; null where there is none."""
    if time is None:
        return dict.fromkeys(("cycles", "clock_hz", "latency_ms", "stalls", "traffic_bytes"))
    return time.to_json()


def moved_bytes(moved: Traffic) -> dict[str, int]:
    """Return bytes by the way that they moved, as tables, JSON and traces name it."""
    return {
        "read": moved.read_bytes,
        "written": moved.written_bytes,
        "fetched": moved.fetched_bytes,
    }


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """An output tensor's form."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """What ``penstock run`` found.

    Attributes:
        model: file name of the model.
        board: board name, or ``host``.
        truth: where the figures come from.
        verified: True when every operator's output was compared with the interpreter and equal;
            None when that was not asked for. A difference is an error, never a result.
        macs: of the original model.
        instructions: of one inference; None on the host.
        time: of one inference; None on the host, and for boards without timing.
        energy: of one inference, or why it is not known.
        stack_bytes: most stack ever used; None on the host.
        memory: use by region.
        operators: one per step.
        outputs: in the model's order.
        input_origin: where the input came from, for people.
        compiler: what compiled the C, with its version.
        run_seconds: how long this computer needed for the inference: no time of the board.
        overlays: what they did in all; None on the host.
        kernels: which of the C library's, for people.
        filters: what is stored in fewer bytes than int8 takes.
        calibrated: what became of a float32 network; None where the file was quantized already.
    """

    model: str
    board: str
    truth: Truth
    verified: bool | None
    macs: int
    instructions: int | None
    time: RunTime | None
    energy: Energy
    stack_bytes: int | None
    memory: Mapping[str, MemoryUse]
    operators: Sequence[OperatorResult]
    outputs: Sequence[OutputInfo]
    input_origin: str
    compiler: str
    run_seconds: float
    overlays: OverlayTotals | None = None
    kernels: str = ""
    filters: Sequence[EncodedFilters] = ()
    calibrated: Calibrated | None = None

    @property
    def cycles_per_mac(self) -> float | None:
        """Cycles for each MAC of the original model; None where either is not known."""
        return self.time.cycles / self.macs if self.time is not None and self.macs else None

    @property
    def instructions_per_mac(self) -> float | None:
        """Instructions for each MAC of the original model; None where either is not known."""
        return (
            self.instructions / self.macs if self.instructions is not None and self.macs else None
        )

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.run/1`` form; what this stage cannot know is null."""
        return {
            "schema": "penstock.run/1",
            "model": self.model,
            "board": self.board,
            "truth": self.truth.value,
            "verified": self.verified,
            "macs": self.macs,
            "instructions": self.instructions,
            "cycles_per_mac": self.cycles_per_mac,
            **time_to_json(self.time),
            **self.energy.to_json(),
            "stack_bytes": self.stack_bytes,
            "memory_bytes": memory_to_json(self.memory),
            "overlays": None if self.overlays is None else self.overlays.to_json(),
            "kernels": self.kernels,
            "filters": filters_to_json(self.filters),
            "operators": [_operator_to_json(operator) for operator in self.operators],
            "outputs": [
                {"name": output.name, "shape": list(output.shape), "dtype": output.dtype}
                for output in self.outputs
            ],
            "input": self.input_origin,
            "compiler": self.compiler,
            "run_seconds": self.run_seconds,
            "calibrated": _calibrated_to_json(self.calibrated),
        }


def memory_to_json(memory: Mapping[str, MemoryUse]) -> dict[str, Any]:
    """Return ``{region: {used, capacity, contents}}``."""
    return {
        region: {
            "used": use.used_bytes,
            "capacity": use.capacity_bytes,
            "contents": dict(use.contents),
        }
        for region, use in memory.items()
    }


def _operator_to_json(operator: OperatorResult) -> dict[str, Any]:
    return {
        "index": operator.index,
        "source": operator.source,
        "kind": operator.kind,
        "output": operator.output,
        "shape": list(operator.shape),
        "macs": operator.macs,
        "instructions": operator.instructions,
        "cycles": operator.cycles,
        "stalls": None if operator.stalls is None else dict(operator.stalls),
        "overlay": None if operator.overlay is None else operator.overlay.to_json(),
    }


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What ``penstock compile`` made.

    Attributes:
        model: file name of the model.
        board: board name, or ``host``.
        directory: where the project is.
        verified: True when the generated C was run and equalled the interpreter.
        macs_original: of the model file.
        macs: of the generated program; fewer where passes removed work.
        weights_bytes: all constants.
        arena_bytes: what kernels work in, in all memories; ``arena_bytes_lower_bound`` is what no
            plan can undercut, None with overlays, which need as much as there is.
        state_bytes: variable tensors.
        steps: kernel calls.
        memory: use by region.
        files: relative paths written.
        kinds: of operators, by step.
        overlays: what is planned; None for the host.
        search: how that was searched for; None where nothing was compared.
        kernels: which of the C library's, for people.
        filters: what is stored in fewer bytes than int8 takes.
        calibrated: what became of a float32 network; None where the file was quantized already.
    """

    model: str
    board: str
    directory: str
    verified: bool
    macs_original: int
    macs: int
    weights_bytes: int
    arena_bytes: int
    arena_bytes_lower_bound: int | None
    state_bytes: int
    steps: int
    memory: Mapping[str, MemoryUse]
    files: Sequence[str]
    kinds: Sequence[str]
    overlays: OverlayReport | None
    search: PlanSearch | None = None
    kernels: str = ""
    filters: Sequence[EncodedFilters] = ()
    calibrated: Calibrated | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.compile/1`` form."""
        return {
            "schema": "penstock.compile/1",
            "model": self.model,
            "board": self.board,
            "directory": self.directory,
            "verified": self.verified,
            "macs_original": self.macs_original,
            "macs": self.macs,
            "weights_bytes": self.weights_bytes,
            "arena_bytes": self.arena_bytes,
            "arena_bytes_lower_bound": self.arena_bytes_lower_bound,
            "state_bytes": self.state_bytes,
            "steps": self.steps,
            "memory_bytes": memory_to_json(self.memory),
            "files": list(self.files),
            "overlays": None if self.overlays is None else self.overlays.to_json(),
            "kernels": self.kernels,
            "filters": filters_to_json(self.filters),
            "search": None if self.search is None else _search_to_json(self.search),
            "calibrated": _calibrated_to_json(self.calibrated),
        }


def _calibrated_to_json(calibrated: Calibrated | None) -> dict[str, Any] | None:
    return None if calibrated is None else asdict(calibrated)


def _search_to_json(search: PlanSearch) -> dict[str, Any]:
    return {"truth": Truth.ESTIMATE.value, **asdict(search)}


def render_json(document: Mapping[str, Any]) -> str:
    """Return indented JSON with a final newline."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
