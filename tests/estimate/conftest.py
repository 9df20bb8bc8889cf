"""The benchmark's networks, lowered."""

import pytest

from penstock.bench.cases import fitting_networks
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.kernels.selection import select_kernels


@pytest.fixture(scope="session")
def measured_calls() -> list[tuple[KernelGraph, KernelCall]]:
    """Every call that coefficients are fitted to, with its program."""
    programs = [select_kernels(graph) for graph in fitting_networks().values()]
    return [(program, call) for program in programs for call in program.calls]
