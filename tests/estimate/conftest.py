"""The benchmark's networks, lowered."""

import pytest

from penstock.bench.cases import dsp_networks, fitting_networks
from penstock.bench.dsp_cases import winograd_tiles
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection import select_kernels


@pytest.fixture(scope="session")
def measured_calls() -> list[tuple[KernelGraph, KernelCall]]:
    """Every call that coefficients are fitted to, with its program."""
    programs = [select_kernels(graph) for graph in fitting_networks().values()]
    programs += [
        select_kernels(graph, KernelSet.DSP_SINGLE, winograd=winograd_tiles(name))
        for name, graph in dsp_networks().items()
    ]
    return [(program, call) for program in programs for call in program.calls]
