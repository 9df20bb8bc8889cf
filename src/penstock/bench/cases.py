"""All networks of the benchmark of operators."""

from functools import cache

from penstock.bench.dsp_cases import dsp_kernel_networks
from penstock.bench.elementary_cases import elementary_networks
from penstock.bench.encoded_cases import encoded_dsp_networks, encoded_networks
from penstock.bench.weighted_cases import weighted_networks
from penstock.ir.graph import Graph


@cache
def fitting_networks() -> dict[str, Graph]:
    """Return the networks that coefficients are fitted to, by name: about one for each kernel."""
    networks = (*weighted_networks(), *encoded_networks(), *elementary_networks())
    return {graph.name: graph for graph in networks}


@cache
def dsp_networks() -> dict[str, Graph]:
    """Return the networks that coefficients of kernels with the DSP extension are fitted to."""
    return {graph.name: graph for graph in (*dsp_kernel_networks(), *encoded_dsp_networks())}
