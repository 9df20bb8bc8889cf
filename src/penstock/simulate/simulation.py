"""One inference on a virtual board, and what was measured."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.boards.board import Board
from penstock.ir.tensor import Array
from penstock.progress import Progress, silent
from penstock.simulate.emulated_board import EmulatedBoard
from penstock.simulate.timeline import Timeline, record_timeline
from penstock.simulate.timing import CycleCounts, Traffic
from penstock.simulate.virtual_board import INSTRUCTION_LIMIT, VirtualBoard
from penstock.units import format_count


@dataclass(frozen=True, slots=True)
class Simulation:
    """What one simulated inference gave.

    Attributes:
        outputs: bytes of the model's outputs, in order.
        instructions: executed by the inference, those whose condition failed included; start-up
            and ``init`` are not.
        operator_instructions: by index of the step, callees included; the rest of
            ``instructions`` belongs to the loop over the steps and to the harness.
        operator_names: kinds of the steps.
        function_instructions: by function, callees not included, most first.
        time: cycles of the inference, with cold caches; None where they were not counted.
        operator_times: by index of the step, callees included; empty where not counted.
        traffic: bytes moved, by memory; empty where not counted.
        timeline: what happened when; None where cycles were not counted.
        stack_bytes_peak: the most stack in use since reset.
        stack_bytes: the stack that there is.
        wall_seconds: time that the simulation of the inference took.
    """

    outputs: tuple[bytes, ...]
    instructions: int
    operator_instructions: Mapping[int, int]
    operator_names: tuple[str, ...]
    function_instructions: Mapping[str, int]
    time: CycleCounts | None
    operator_times: Mapping[int, CycleCounts]
    traffic: Mapping[str, Traffic]
    timeline: Timeline | None
    stack_bytes_peak: int
    stack_bytes: int
    wall_seconds: float


def simulate_model(
    elf: Path,
    board: Board,
    inputs: Sequence[Array | bytes],
    *,
    instruction_limit: int = INSTRUCTION_LIMIT,
    watches_accesses: bool = True,
    progress: Progress = silent,
) -> Simulation:
    """Run one inference of a freshly reset and initialized firmware.

    Args:
        elf: firmware linked for the board, with the harness.
        board: whose memories and core there are.
        inputs: contents of the model's inputs, in order.
        instruction_limit: most instructions of one command before it counts as runaway.
        watches_accesses: whether accesses are watched for alignment faults, for a stack that grows
            into other memory, and for their time; off is up to seven times faster.
        progress: told about ten times a second how far the run is.

    Raises:
        InputError: the inputs do not fit the model, or the file is no firmware with the harness.
        ToolError: Unicorn or a C compiler is missing.
        SimulationError: the firmware does something illegal.
    """
    with VirtualBoard(
        elf, board, instruction_limit=instruction_limit, watches_accesses=watches_accesses
    ) as virtual:
        virtual.init()
        return run_inference(virtual, inputs, progress=progress)


def run_inference(
    virtual: VirtualBoard,
    inputs: Sequence[Array | bytes],
    *,
    progress: Progress = silent,
) -> Simulation:
    """Run one inference on a board whose model is initialized; raises as `simulate_model`."""
    virtual.write_inputs(inputs)
    monitor = virtual.monitor
    monitor.clear_counts()
    timing = virtual.timing
    if timing is not None:
        timing.chill()
        timing.clear_counts()
    steps = max(len(virtual.model.operator_names), 1)
    virtual.on_poll = lambda m: progress(
        f"simulating: {format_count(m.instructions)} instructions",
        (m.current_operator or 0) / steps,
    )
    started = time.perf_counter()
    timeline = _run(virtual)
    wall_seconds = time.perf_counter() - started
    virtual.on_poll = None
    return Simulation(
        outputs=tuple(virtual.read_outputs()),
        instructions=monitor.instructions,
        operator_instructions=monitor.operator_instructions(),
        operator_names=virtual.model.operator_names,
        function_instructions=monitor.function_instructions(),
        time=None if timing is None else timing.total(),
        operator_times={} if timing is None else timing.by_operator(),
        traffic={} if timing is None else timing.traffic(),
        timeline=timeline,
        stack_bytes_peak=virtual.stack_bytes_peak(),
        stack_bytes=virtual.stack.top - virtual.stack.limit,
        wall_seconds=wall_seconds,
    )


def emulate_inference(
    emulated: EmulatedBoard,
    inputs: Sequence[Array | bytes],
    *,
    progress: Progress = silent,
) -> Simulation:
    """Run one inference in QEMU, step by step; no cycles are counted."""
    emulated.write_inputs(inputs)
    names = emulated.model.operator_names
    counts: dict[int, int] = {}
    started = time.perf_counter()
    for step in range(len(names)):
        emulated.run_range(step, step + 1)
        counts[step] = emulated.instructions
        progress("emulating", (step + 1) / len(names))
    return Simulation(
        outputs=tuple(emulated.read_outputs()),
        instructions=sum(counts.values()),
        operator_instructions=counts,
        operator_names=names,
        function_instructions={},
        time=None,
        operator_times={},
        traffic={},
        timeline=None,
        stack_bytes_peak=emulated.stack_bytes_peak(),
        stack_bytes=emulated.stack.top - emulated.stack.limit,
        wall_seconds=time.perf_counter() - started,
    )


def _run(virtual: VirtualBoard) -> Timeline | None:
    if virtual.timing is None:
        virtual.run()
        return None
    board = virtual.memory.board
    return record_timeline(virtual.timing, virtual.dma, board, virtual.run)
