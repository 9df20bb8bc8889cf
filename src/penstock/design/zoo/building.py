"""A network of the zoo is made: trained, and quantized."""

import io
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import ExportedProgram

from penstock.design.compression.setting import Setting
from penstock.design.compression.stages import quantize
from penstock.design.quantization import prepare
from penstock.design.zoo.catalogue import ZooNetwork
from penstock.frontends.torch import export_module, translate_program
from penstock.ir.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """A network of the zoo, trained.

    Attributes:
        program: what `torch.export.save` takes.
        graph: the same as a float32 graph, normalization in its weights.
    """

    program: ExportedProgram
    graph: Graph

    def saved(self) -> bytes:
        """Return the .pt2 file."""
        file = io.BytesIO()
        torch.export.save(self.program, file)
        return file.getvalue()


def train_float(network: ZooNetwork, name: str, setting: Setting) -> TrainedNetwork:
    """Train a network from nothing.

    Args:
        network: which one.
        name: of the graph, a C identifier.
        setting: data to learn from, and what else there is to know.
    """
    module = network.build()
    setting.train(module, "train", network.training)
    return as_trained(module, _example(network), name)


def as_graph(network: ZooNetwork, name: str) -> Graph:
    """Return a network before it was trained, for its shapes."""
    return as_trained(network.build(), _example(network), name).graph


def _example(network: ZooNetwork) -> torch.Tensor:
    height, width, channels = network.shape
    return torch.zeros(1, channels, height, width)


def as_trained(module: nn.Module, example: torch.Tensor, name: str) -> TrainedNetwork:
    """Return a module that has been trained, as a program and as a graph."""
    program = export_module(module.to(memory_format=torch.contiguous_format), (example,))
    return TrainedNetwork(program, prepare(translate_program(program, name).graph))


def quantize_trained(network: ZooNetwork, trained: TrainedNetwork, setting: Setting) -> Graph:
    """Return the int8 network."""
    return quantize(trained.graph, network.quantize, setting)
