"""A network of the zoo is made: trained, and quantized."""

from dataclasses import replace

import torch

from penstock.design.compression.setting import Setting
from penstock.design.data import DataSet
from penstock.design.learning.tasks import Reconstruction, Task
from penstock.design.zoo.catalogue import ZooNetwork
from penstock.frontends.torch import export_module, translate_program
from penstock.ir.graph import Graph


def training_data(data: DataSet, task: Task) -> DataSet:
    """Return what a network may learn from: of an autoencoder, the normal samples alone."""
    if not isinstance(task, Reconstruction):
        return data
    normal = (data.training.labels == task.normal).nonzero()[0]
    return replace(data, training=data.training.take(normal))


def train_float(network: ZooNetwork, name: str, setting: Setting) -> Graph:
    """Return the trained network as a float32 graph."""
    module = network.build()
    setting.train(module, "train", network.training)
    height, width, channels = network.shape
    example = torch.zeros(1, channels, height, width)
    return translate_program(export_module(module, (example,)), name).graph
