"""Plans and runs summed up as the results that people and JSON readers see."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from penstock.boards.board import Board
from penstock.ir.graph import Graph
from penstock.ir.macs import graph_macs
from penstock.kernels.kernel_set import is_dsp_kernel, is_mve_kernel
from penstock.planning import ExecutionPlan
from penstock.planning.overlays.program import Block
from penstock.quantize.agreement import Calibrated
from penstock.report.energy import Energy, spent_energy
from penstock.report.filters import encoded_filters
from penstock.report.overlays import OverlayReport, report_overlays
from penstock.report.results import (
    CompileResult,
    MemoryUse,
    OperatorResult,
    OutputInfo,
    RunResult,
    RunTime,
    Truth,
)
from penstock.simulate.simulation import Simulation
from penstock.simulate.timing import CycleCounts, Traffic

HOST = "host"
"""What results call this computer."""

_NO_ENERGY = Energy(None, {}, "only of virtual boards is the energy known")


def memory_use(
    plan: ExecutionPlan, board: Board | None, footprint: Mapping[str, Mapping[str, int]] | None
) -> dict[str, MemoryUse]:
    """Return the bytes used of each memory region.

    Args:
        plan: what was planned.
        board: None for the host.
        footprint: bytes by region and contents as the linked firmware has them; None leaves code,
            stack and data out, which only a linked firmware knows.
    """
    if footprint is None:
        footprint = _planned_footprint(plan, board)
    return {
        name: MemoryUse(contents, None if board is None else board.region(name).size_bytes)
        for name, contents in footprint.items()
    }


def _planned_footprint(plan: ExecutionPlan, board: Board | None) -> dict[str, dict[str, int]]:
    placement = plan.placement
    sizes = _planned_sizes(plan)
    if board is None or placement is None:
        used: dict[str, int] = {}
        for what, _, size_bytes in sizes:
            used[what] = used.get(what, 0) + size_bytes
        return {"host": used}
    footprint: dict[str, dict[str, int]] = {}
    for what, block, size_bytes in sizes:
        contents = footprint.setdefault(placement.region(block), {})
        contents[what] = contents.get(what, 0) + size_bytes
    return footprint


def _planned_sizes(plan: ExecutionPlan) -> list[tuple[str, Block, int]]:
    """Return what there is, in which block, and how many bytes of it."""
    sizes = [
        ("arena", Block.ARENA, plan.arena.size_bytes),
        ("state", Block.STATE, plan.state_bytes),
    ]
    far_packs = 0
    if plan.overlays is not None:
        far_packs = plan.overlays.packs_bytes(Block.FAR_PACKS)
        sizes += [
            ("arena", Block.TIGHT, plan.overlays.tight_bytes),
            ("arena", Block.FAR, plan.overlays.far_bytes),
            ("weights", Block.FAR_PACKS, far_packs),
        ]
    sizes.append(("weights", Block.PACKS, plan.weights_bytes - far_packs))
    return [entry for entry in sizes if entry[2]]


def summarize_compile(
    original: Graph,
    plan: ExecutionPlan,
    board: Board | None,
    *,
    model_name: str,
    directory: Path,
    files: Sequence[str],
    verified: bool,
    footprint: Mapping[str, Mapping[str, int]] | None,
    calibrated: Calibrated | None = None,
) -> CompileResult:
    """Return what a compile made."""
    tiled = plan.overlays
    return CompileResult(
        model=model_name,
        board=plan.board,
        directory=str(directory),
        verified=verified,
        macs_original=graph_macs(original),
        macs=graph_macs(plan.program.graph),
        weights_bytes=plan.weights_bytes,
        arena_bytes=plan.arena.size_bytes + (0 if tiled is None else tiled.tight_bytes),
        arena_bytes_lower_bound=plan.arena.lower_bound_bytes if tiled is None else None,
        state_bytes=plan.state_bytes,
        steps=len(plan.program.calls),
        memory=memory_use(plan, board, footprint),
        files=sorted(files),
        kinds=[plan.program.graph.operators[call.operator].kind for call in plan.program.calls],
        overlays=None if board is None else report_overlays(plan, board, None),
        search=plan.search,
        kernels=describe_kernels(plan),
        filters=encoded_filters(plan.program),
        calibrated=calibrated,
    )


def summarize_run(
    original: Graph,
    plan: ExecutionPlan,
    *,
    model_name: str,
    board: Board | None,
    memory: Mapping[str, MemoryUse],
    verified: bool | None,
    simulation: Simulation | None,
    input_origin: str,
    compiler: str,
    run_seconds: float,
    calibrated: Calibrated | None = None,
) -> RunResult:
    """Return what a run found; ``board`` and ``simulation`` are None on the host."""
    outputs = [original.tensors[name] for name in original.outputs]
    overlays = None if board is None else report_overlays(plan, board, simulation)
    return RunResult(
        model=model_name,
        board=HOST if board is None else board.name,
        truth=Truth.HOST if simulation is None else Truth.SIMULATE,
        verified=verified,
        macs=graph_macs(original),
        instructions=None if simulation is None else simulation.instructions,
        time=None
        if board is None or simulation is None
        else run_time(board, simulation.time, simulation.traffic),
        energy=_NO_ENERGY
        if board is None or simulation is None
        else spent_energy(board, simulation.time, simulation.traffic),
        stack_bytes=None if simulation is None else simulation.stack_bytes_peak,
        memory=memory,
        operators=_operator_results(plan, simulation, overlays),
        outputs=[OutputInfo(tensor.name, tensor.shape, tensor.dtype.value) for tensor in outputs],
        input_origin=input_origin,
        compiler=compiler,
        run_seconds=run_seconds,
        overlays=None if overlays is None else overlays.totals,
        kernels=describe_kernels(plan),
        filters=encoded_filters(plan.program),
        calibrated=calibrated,
    )


def describe_kernels(plan: ExecutionPlan) -> str:
    """Return which kernels a plan takes, how filters are stored, and what has no room."""
    names = [call.kernel.name for call in plan.program.calls]
    kinds = {
        "Helium": sum(map(is_mve_kernel, names)),
        "DSP instructions": sum(map(is_dsp_kernel, names)),
    }
    plain = len(names) - sum(kinds.values())
    taken = [f"{kind} in {count}" for kind, count in kinds.items() if count]
    if taken:
        taken = [f"{taken[0]} of {len(names)} steps", *taken[1:], f"plain C in {plain}"]
    lacks = [f"no {name}: {why}" for name, why in plan.left_out.items()]
    stored = [filters.describe() for filters in encoded_filters(plan.program)]
    return "; ".join([", ".join(taken) or "plain C", *stored, *lacks])


def run_time(
    board: Board, time: CycleCounts | None, traffic: Mapping[str, Traffic]
) -> RunTime | None:
    """Return time and traffic of a stretch on a board; None where time was not counted."""
    return None if time is None else RunTime(time, board.clock_hz, traffic)


def _operator_results(
    plan: ExecutionPlan, simulation: Simulation | None, overlays: OverlayReport | None
) -> list[OperatorResult]:
    graph = plan.program.graph
    results = []
    for step, call in enumerate(plan.program.calls):
        operator = graph.operators[call.operator]
        tensor = graph.tensors[operator.outputs[0]]
        counted = None if simulation is None else simulation.operator_instructions.get(step, 0)
        time = None if simulation is None else simulation.operator_times.get(step)
        results.append(
            OperatorResult(
                index=step,
                source=operator.source,
                kind=operator.kind,
                kernel=call.kernel.name,
                output=tensor.name,
                shape=tensor.shape,
                macs=call.macs,
                instructions=counted,
                cycles=None if time is None else time.cycles,
                stalls=None if time is None else time.stalls,
                overlay=None if overlays is None else overlays.steps[step],
            )
        )
    return results
