"""Networks in memory, compiled and run: what training wants to know of them."""

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penstock.api.evaluating import host_outputs
from penstock.boards.board import Board
from penstock.boards.cores import is_timed
from penstock.design.compression.results import Cost
from penstock.design.data import Samples
from penstock.design.labelled import input_conversion
from penstock.design.learning.tasks import Task
from penstock.errors import CapacityError
from penstock.frontends.samples import PixelScaling, scale_pixels
from penstock.frontends.tflite import write_model
from penstock.ir.graph import Graph
from penstock.kernels.kernel_set import WeightChoice
from penstock.passes import run_passes
from penstock.pipeline import Lowered, lower, plan_graph
from penstock.planning import plan_execution
from penstock.planning.estimate.plans import estimate_plan
from penstock.planning.kernel_choice import smallest_program
from penstock.planning.options import PlanOptions
from penstock.progress import Progress, silent
from penstock.quantize.affine import dequantize_array
from penstock.report.summary import HOST


@dataclass(frozen=True, slots=True, eq=False)
class BoardDeployment:
    """What int8 networks take and do when they are compiled.

    Attributes:
        board: whose time is estimated and whose kernels are tested; None is this computer.
        name: that the board was asked for by, or `HOST`.
        samples: to test with.
        scaling: of their pixels.
        task: what the networks are for.
        int4_filters: whether files hold filters of 4 bits as such.
        progress: told what is going on.
    """

    board: Board | None
    name: str
    samples: Samples
    scaling: PixelScaling
    task: Task
    int4_filters: bool = False
    progress: Progress = silent

    def content(self, graph: Graph, description: str = "penstock compress") -> bytes:
        """Return the .tflite file of a network."""
        return write_model(graph, description=description, int4_filters=self.int4_filters)

    def cost(self, graph: Graph) -> Cost:
        """Return what a network takes."""
        optimized = run_passes(graph)
        if self.board is None:
            return Cost(self.smallest_bytes(graph), None)
        try:
            plan, placed = plan_graph(optimized, self.board)
        except CapacityError:
            why = f"the network does not fit the memory of {self.board.name}"
            return Cost(self.smallest_bytes(graph), None, why)
        assert placed is not None
        if not is_timed(placed.core.name):
            why = f"nobody knows how long {placed.core.name} takes, the core of {self.board.name}"
            return Cost(plan.weights_bytes, None, why)
        return Cost(plan.weights_bytes, estimate_plan(plan, placed).seconds)

    def smallest_bytes(self, graph: Graph) -> int:
        """Return what constants take where filters are stored in as few bytes as they can be."""
        optimized = run_passes(graph)
        try:
            plan, _ = plan_graph(optimized, self.board, PlanOptions(weights=WeightChoice.SMALL))
        except CapacityError:
            core = None if self.board is None else self.board.core.name
            plan = plan_execution(smallest_program(optimized, core), None)
        return plan.weights_bytes

    def score(self, graph: Graph) -> float:
        """Return how good the C of a network is, with the board's kernels, on this computer."""
        convert = input_conversion(graph.tensors[graph.inputs[0]], np.float32)
        count = len(self.samples)
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / f"{graph.name}.tflite"
            model.write_bytes(self.content(graph))
            lowered = self._lower(model)
            outputs = host_outputs(lowered, lambda n: convert(self._real(n)), count, self.progress)
        result = graph.tensors[graph.outputs[0]]
        assert result.quantization is not None
        reals = [dequantize_array(output, result.quantization) for output in outputs]
        judged = [self.task.judge(reals[n], self._real(n)) for n in range(count)]
        return self.task.score(np.concatenate(judged), self.samples.labels)

    def _lower(self, model: Path) -> Lowered:
        """Return a model's C for the board; where that has no room, for this computer."""
        with suppress(CapacityError):
            return lower(model, self.name, progress=self.progress)
        return lower(model, HOST, progress=self.progress)

    def _real(self, position: int) -> npt.NDArray[np.float32]:
        """Return a sample ``[1, …]`` as the network in real numbers has it."""
        values = self.samples.values[position : position + 1]
        if values.dtype == np.uint8:
            return scale_pixels(values, self.scaling)
        return np.asarray(values, np.float32)
