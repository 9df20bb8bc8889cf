"""A float32 graph as a torch module that can be trained, and back again."""

from penstock.design.trainable.network import TrainableGraph
from penstock.design.trainable.normalization import add_normalization

__all__ = ["TrainableGraph", "add_normalization"]
