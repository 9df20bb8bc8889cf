"""The model that the repository carries: it is what examples/README.md says it is."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from penstock.frontends.inputs import load_pixels
from penstock.frontends.tflite import load_model
from penstock.ir.dtype import DType
from penstock.ir.macs import graph_macs

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = EXAMPLES / "cifar10.tflite"
LABELS = (EXAMPLES / "labels.txt").read_text(encoding="utf-8").split()


def test_litert_sees_the_cat() -> None:
    interpreter = Interpreter(
        model_path=str(MODEL), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    pixels = load_pixels(EXAMPLES / "cat.jpg", 32, 32, 3).astype(np.int32) - 128
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], pixels.astype(np.int8)[np.newaxis]
    )
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    assert len(LABELS) == len(scores) == 10
    assert LABELS[int(scores.argmax())] == "cat"


def test_files_are_small_enough_to_carry() -> None:
    assert MODEL.stat().st_size < 200_000
    assert (EXAMPLES / "cat.jpg").stat().st_size < 100_000


def test_interface_is_pixels_to_probabilities() -> None:
    graph = load_model(MODEL)
    image, probabilities = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert (image.shape, image.dtype) == ((1, 32, 32, 3), DType.INT8)
    assert (image.scale, image.zero_point) == (float(np.float32(1 / 255)), -128)
    assert (probabilities.shape, probabilities.dtype) == ((1, 10), DType.INT8)
    assert (probabilities.scale, probabilities.zero_point) == (1 / 256, -128)


def test_size_is_what_the_readme_says() -> None:
    graph = load_model(MODEL)
    parameters = sum(
        tensor.element_count for tensor in graph.tensors.values() if tensor.is_constant
    )
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert f"{parameters:,} parameters" in text
    assert f"{graph_macs(graph):,} multiply-accumulates" in text
    assert f"{MODEL.stat().st_size:,} bytes" in text
