"""Several processes that train one network, on one machine or more: `torchrun` starts them."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from penstock.design.learning.computer import Computer
from penstock.options import process_place

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Processes:
    """Who trains.

    Attributes:
        rank: of this process; the one of 0 writes files and reports.
        count: of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def part(self, batch: Tensor) -> Tensor:
        """Return this process's part of a batch."""
        return batch[self.rank :: self.count]

    def average_gradients(self, network: nn.Module) -> None:
        """Give all processes the mean of their gradients."""
        self._average([p.grad for p in network.parameters() if p.grad is not None])

    def average_statistics(self, network: nn.Module) -> None:
        """Give all processes the mean of what normalization has seen."""
        parts = [p for p in network.modules() if isinstance(p, nn.modules.batchnorm._NormBase)]
        statistics = [value for part in parts for value in part.buffers()]
        self._average([value for value in statistics if value.is_floating_point()])

    def _average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes, in one message."""
        if self.count == 1 or not tensors:
            return
        whole = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(whole)
        whole /= self.count
        with torch.no_grad():
            for tensor, mean in zip(
                tensors, whole.split([t.numel() for t in tensors]), strict=True
            ):
                tensor.copy_(mean.view(tensor.shape))

    def from_first(self, value: Value) -> Value:
        """Return what the first process has: the others may not see its files."""
        if self.count == 1:
            return value
        given = [value]
        distributed.broadcast_object_list(given, 0)
        return given[0]

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()


ALONE = Processes()


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join those that `torchrun` has started, which says so in the environment; or be alone."""
    _, count = process_place()
    if count == 1:
        yield ALONE
        return
    distributed.init_process_group("gloo")
    try:
        yield Processes(distributed.get_rank(), count)
    finally:
        # What still holds the group keeps its threads alive, which abort a process that is ending.
        gc.collect()
        distributed.destroy_process_group()


def set_threads(count: int | None) -> None:
    """Compute with so many threads: another number gives other last bits of sums."""
    if count is not None:
        torch.set_num_threads(count)


def describe_computer(processes: Processes) -> Computer:
    """Return what a training's last bits depend on besides its recipe."""
    return Computer(
        torch=torch.__version__,
        instructions=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        processes=processes.count,
    )
