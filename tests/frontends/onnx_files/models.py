"""ONNX models made here, and what onnxruntime computes with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from penstock.design.reading import read_source
from penstock.frontends.source_models import SourceModel
from penstock.ir import interpreter

Array = np.ndarray


@dataclass
class OnnxModel:
    """A model that grows node by node."""

    shape: Sequence[int | str | None]
    opset: int = 17
    seed: int = 0
    kind: int = TensorProto.FLOAT
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Add a node; return its first output."""
        names = [
            f"{kind.lower()}_{len(self.nodes)}" + (f"_{n}" if n else "") for n in range(outputs)
        ]
        self.nodes.append(
            helper.make_node(kind, inputs, names, name=f"n{len(self.nodes)}", **attributes)
        )
        return names[0]

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape: int, scale: float = 0.4) -> str:
        return self.constant(self.generator.normal(scale=scale, size=shape))

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def conv(self, source: str, depth: int, channels: int, size: int = 3, **more: Any) -> str:
        groups = more.get("group", 1)
        filters = self.weights(channels, depth // groups, size, size)
        return self.node("Conv", source, filters, self.weights(channels), **more)

    def rounded(self, source: str, scale: float, point: int, dtype: Any = np.int8) -> str:
        """Quantize a value and back."""
        given = self.constant(scale), self.constant(point, dtype)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", source, *given), *given)

    def stored(self, values: Array, scale: Any, dtype: Any = np.int8, axis: int = 0) -> str:
        """Return constants that the file has as integers."""
        scales = np.asarray(scale, np.float32)
        shape = [1] * values.ndim
        if scales.ndim:
            shape[axis] = -1
        limits = np.iinfo(dtype)
        integers = np.clip(np.rint(values / scales.reshape(shape)), limits.min, limits.max)
        points = self.constant(np.zeros(scales.shape), dtype)
        given = self.constant(integers, dtype), self.constant(scales), points
        return self.node("DequantizeLinear", *given, axis=axis)

    def build(self, *outputs: str, rank: int = 2) -> onnx.ModelProto:
        source = helper.make_tensor_value_info("x", self.kind, self.shape)
        dims = [None] * rank
        made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, dims) for n in outputs]
        graph = helper.make_graph(self.nodes, "made", [source], made, self.constants)
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def read(model: onnx.ModelProto, folder: Path) -> SourceModel:
    """Return what Penstock makes of a model."""
    path = folder / "net.onnx"
    onnx.save(model, path)
    return read_source(path)


def onnxruntime_outputs(
    model: onnx.ModelProto, sample: Array, *, optimized: bool = True
) -> list[Array]:
    """Return what onnxruntime computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if not optimized:
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(value) for value in session.run(None, {"x": sample})]


def graph_outputs(model: SourceModel, sample: Array) -> list[Array]:
    """Return what the float graph computes, in ONNX's order."""
    order = model.order(model.graph.inputs[0])
    results = interpreter.run(model.graph, [np.ascontiguousarray(sample.transpose(order))])
    return [np.asarray(value) for value in results]


def channels_first(value: Array) -> Array:
    """Return an image of the graph as ONNX has it."""
    return value.transpose(0, 3, 1, 2) if value.ndim == 4 else value
