"""How fast kernels are by shape and by where their data live: simulated, and estimated beside."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from penstock.bench.measure import process_count, run_network
from penstock.bench.networks import NetworkBuilder
from penstock.boards.board import Board, MemoryKind
from penstock.errors import CapacityError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Padding2D
from penstock.planning import ExecutionPlan, plan_execution
from penstock.planning.estimate import estimate_plan
from penstock.planning.kernel_choice import fastest_program
from penstock.report.results import Truth

_SAME = Padding2D(1, 1, 1, 1)
_RAM_KINDS = (MemoryKind.TCM_DATA, MemoryKind.SRAM, MemoryKind.SDRAM)
_ROM_KINDS = (MemoryKind.FLASH, MemoryKind.QSPI_FLASH)


@dataclass(frozen=True)
class TimedCall:
    """One call of a kernel with its data in certain memories.

    Attributes:
        kernel: C name.
        shape: of the operator's output, and of its filters where it has any, for people.
        weights_in: memory of the weights.
        arena_in: memory of the activations.
        macs: multiply-accumulates; 0 for kernels without any.
        elements: of the output.
        cycles: simulated, in an inference that began with cold caches.
    """

    kernel: str
    shape: str
    weights_in: str
    arena_in: str
    macs: int
    elements: int
    cycles: int

    @property
    def cycles_each(self) -> float:
        """Simulated cycles of a multiply-accumulate, or of an output element without any."""
        return self.cycles / (self.macs or self.elements)


@dataclass(frozen=True)
class Throughput(TimedCall):
    """A call beside what was estimated of it.

    Attributes:
        estimated_cycles: what the estimate says.
    """

    estimated_cycles: int

    @property
    def error(self) -> float:
        """Relative error of the estimate."""
        return self.estimated_cycles / self.cycles - 1

    def to_json(self) -> dict[str, Any]:
        """Return a row of ``operators`` in ``penstock.bench-ops/2``, with its figures' truth."""
        truth = {"cycles": Truth.SIMULATE.value, "estimated_cycles": Truth.ESTIMATE.value}
        return {**asdict(self), "truth": truth}


@cache
def throughput_networks() -> dict[str, Graph]:
    """Return what is measured in every placement, by name."""
    return {"products": _products(DType.INT8), "products_s16": _products(DType.INT16)}


def _products(dtype: DType) -> Graph:
    network = NetworkBuilder(dtype)
    network.conv_2d((1, 16, 16, 3), 16, (3, 3), stride=(2, 2), padding=Padding2D(0, 1, 0, 1))
    network.conv_2d((1, 6, 6, 32), 32, (3, 3), padding=_SAME)
    network.conv_2d((1, 6, 6, 64), 64, (1, 1))
    network.depthwise_conv_2d((1, 6, 6, 64), (3, 3), padding=_SAME)
    network.fully_connected(1, 512, 64)
    source = network.input((1, 6, 6, 64)), network.input((1, 6, 6, 64))
    output = network.tensor((1, 6, 6, 64))
    network.operator(ops.Add(left=source[0], right=source[1], output=output))
    return network.build(f"products_{dtype.value}")


def first_placement(board: Board) -> tuple[str | None, str | None]:
    """Return the fastest memories: of the weights where they are flashed, and of the arena."""
    return _placements(board)[0]


def _placements(board: Board) -> list[tuple[str | None, str | None]]:
    """Return memories of weights and arena: one varied at a time, then both external."""
    ram = _first_of_kinds(board, _RAM_KINDS)
    rom = _first_of_kinds(board, _ROM_KINDS)
    weights = [*rom, *ram[:1]]
    found: list[tuple[str | None, str | None]] = [(name, ram[0]) for name in weights]
    found += [(rom[0], name) for name in ram[1:]]
    if len(rom) > 1 and board.region(ram[-1]).is_external:
        found.append((rom[-1], ram[-1]))
    return found


def _first_of_kinds(board: Board, kinds: tuple[MemoryKind, ...]) -> list[str]:
    names = []
    for kind in kinds:
        names += [region.name for region in board.regions if region.kind is kind][:1]
    return names


def measure_throughput(board: Board, on_progress: Callable[[int, int], None]) -> list[Throughput]:
    """Run `throughput_networks` in each placement that they fit.

    Args:
        board: where.
        on_progress: told how many are done, and of how many.

    Raises:
        PenstockError: a tool is missing.
    """
    jobs = [(name, *place) for name in throughput_networks() for place in _placements(board)]
    rows: list[Throughput] = []
    with ProcessPoolExecutor(process_count()) as pool:
        futures = [pool.submit(_measure, board, *job) for job in jobs]
        for done, future in enumerate(futures, 1):
            rows += future.result()
            on_progress(done, len(jobs))
    return rows


def _measure(
    board: Board, name: str, weights_in: str | None, arena_in: str | None
) -> list[Throughput]:
    graph = throughput_networks()[name]
    program = fastest_program(graph, board.core.name)
    try:
        plan = plan_execution(program, board, weights_in=weights_in, arena_in=arena_in)
    except CapacityError:
        return []  # the memory is too small
    return list(_rows(graph, plan, board))


def _rows(graph: Graph, plan: ExecutionPlan, board: Board) -> Iterator[Throughput]:
    assert plan.placement is not None
    simulation = run_network(graph, plan, board)
    estimate = estimate_plan(plan, board)
    for step, call in enumerate(plan.program.calls):
        output = graph.tensors[call.writes[0]]
        yield Throughput(
            kernel=call.kernel.name,
            shape=describe_shape(graph, call.operator),
            weights_in=plan.placement.weights,
            arena_in=plan.placement.arena,
            macs=call.macs,
            elements=output.element_count,
            cycles=simulation.operator_times[step].cycles,
            estimated_cycles=round(estimate.operators[step].cycles),
        )


def describe_shape(graph: Graph, position: int) -> str:
    """Return an operator's output shape, and that of its filters if it has any, for people.

    Strides other than 1 stand behind a stroke.
    """
    operator = graph.operators[position]
    text = "×".join(map(str, graph.tensors[operator.outputs[0]].shape))
    filters = getattr(operator, "filters", None)
    if filters is None:
        return text
    strides = dict.fromkeys(getattr(operator, "stride", (1, 1)))
    apart = "" if set(strides) == {1} else f" /{'×'.join(map(str, strides))}"
    return f"{text} by {'×'.join(map(str, graph.tensors[filters].shape))}{apart}"
