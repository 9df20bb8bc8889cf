"""What a program's values are over real data: the ranges that quantization needs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Interpreter, Node

Observe = Callable[[str, npt.NDArray[np.float32]], None]


def observe_program(
    program: ExportedProgram,
    samples: Iterable[npt.NDArray[np.float32]],
    tensors: Mapping[str, str],
    observe: Observe,
) -> None:
    """Run a program over samples and show each value of interest to an observer.

    Args:
        program: with one input.
        samples: each ``[1, …]``, in torch's order.
        tensors: names of the values to be observed, by the node that has them.
        observe: called with a tensor's name and its values, in torch's order, for each sample.
    """
    runner = _Runner(program, tensors, observe)
    with torch.inference_mode():
        for sample in samples:
            runner.run_on(torch.from_numpy(np.ascontiguousarray(sample, np.float32)))


class _Runner(Interpreter):
    """Runs a program's graph with its weights in place."""

    def __init__(
        self, program: ExportedProgram, tensors: Mapping[str, str], observe: Observe
    ) -> None:
        super().__init__(program.graph_module)
        self._tensors, self._observe = tensors, observe
        stored = {**program.state_dict, **program.constants}
        self._arguments: list[torch.Tensor | None] = [
            None
            if spec.kind is InputKind.USER_INPUT or spec.target is None
            else stored[spec.target]
            for spec in program.graph_signature.input_specs
        ]

    def run_on(self, sample: torch.Tensor) -> None:
        """Run once."""
        self.run(*(sample if given is None else given for given in self._arguments))

    def run_node(self, n: Node) -> Any:
        """Run a node, and show its value."""
        value = super().run_node(n)
        name = self._tensors.get(n.name)
        if name is not None and isinstance(value, torch.Tensor):
            self._observe(name, value.numpy())
        return value
