"""The benchmark's networks, lowered."""

import pytest

from penstock.bench.cases import dsp_networks, fitting_networks
from penstock.bench.dsp_cases import winograd_tiles
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.kernels.kernel_set import KernelSet, kernel_encoding
from penstock.kernels.selection import select_kernels


@pytest.fixture(scope="session")
def measured_calls() -> list[tuple[KernelGraph, KernelCall]]:
    """Every call that coefficients are fitted to, with its program."""
    sets = {KernelSet.REFERENCE: fitting_networks(), KernelSet.DSP_SINGLE: dsp_networks()}
    programs = [
        select_kernels(
            graph, kernels, winograd=winograd_tiles(name), encodings=kernel_encoding(name)
        )
        for kernels, networks in sets.items()
        for name, graph in networks.items()
    ]
    return [(program, call) for program in programs for call in program.calls]
