"""What is not supported is refused with operator, index, tensor and what would help."""

from collections.abc import Callable

import numpy as np
import pytest
from tflite_models import FileModel, FileOperator, FileTensor, options

from penstock.errors import ModelFormatError, PenstockError, UnsupportedError
from penstock.frontends.tflite import read_model
from penstock.ir.graph import Graph
from penstock.ir.operators import Add

Edit = Callable[[FileModel], None]
SHAPE = [1, 4, 4, 2]


def addition() -> FileModel:
    """Return a model that loads: one sum."""
    return FileModel(
        [
            FileTensor("left", SHAPE, "int8", 0.1, 1),
            FileTensor("right", SHAPE, "int8", 0.2, 2),
            FileTensor("sum", SHAPE, "int8", 0.3, 3),
        ],
        [FileOperator("ADD", ["left", "right"], ["sum"], options("AddOptions"))],
        ["left", "right"],
        ["sum"],
    )


def convolution() -> FileModel:
    """Return a model that loads: one convolution."""
    return FileModel(
        [
            FileTensor("image", SHAPE, "int8", 0.1, 1),
            FileTensor(
                "filters", [3, 1, 1, 2], "int8", [0.1, 0.2, 0.3], data=np.ones([3, 1, 1, 2])
            ),
            FileTensor("bias", [3], "int32", [0.01, 0.02, 0.03], data=[1, 2, 3]),
            FileTensor("result", [1, 4, 4, 3], "int8", 0.3, 3),
        ],
        [
            FileOperator(
                "CONV_2D",
                ["image", "filters", "bias"],
                ["result"],
                options("Conv2DOptions", strideH=1, strideW=1),
            )
        ],
        ["image"],
        ["result"],
    )


def read(model: FileModel) -> Graph:
    return read_model(model.to_bytes(), "model")


def test_the_unedited_models_load() -> None:
    assert isinstance(read(addition()).operators[0], Add)
    assert read(convolution()).operators[0].kind == "CONV_2D"


def operator_edit(**changes: object) -> Edit:
    def edit(model: FileModel) -> None:
        for name, value in changes.items():
            setattr(model.operators[0], name, value)

    return edit


def option_edit(**changes: object) -> Edit:
    def edit(model: FileModel) -> None:
        for name, value in changes.items():
            assert hasattr(model.operators[0].options, name)
            setattr(model.operators[0].options, name, value)

    return edit


def tensor_edit(position: int, **changes: object) -> Edit:
    def edit(model: FileModel) -> None:
        for name, value in changes.items():
            assert hasattr(model.tensors[position], name)
            setattr(model.tensors[position], name, value)

    return edit


def model_edit(**changes: object) -> Edit:
    def edit(model: FileModel) -> None:
        for name, value in changes.items():
            assert hasattr(model, name)
            setattr(model, name, value)

    return edit


def schema_edit(change: Callable[[object], None]) -> Edit:
    """Return an edit of the schema's own objects, just before they are serialized."""
    return model_edit(edit=change)


def set_sparsity(model: object) -> None:
    from ai_edge_litert.schema_py_generated import SparsityParametersT

    model.subgraphs[0].tensors[0].sparsity = SparsityParametersT()


def set_external_buffer(model: object) -> None:
    model.buffers[1].data = None
    model.buffers[1].offset, model.buffers[1].size = 4096, 6


def set_string_type(model: object) -> None:
    model.subgraphs[0].tensors[0].type = 5


def set_custom_quantization(model: object) -> None:
    from ai_edge_litert.schema_py_generated import CustomQuantizationT, QuantizationDetails

    quantization = model.subgraphs[0].tensors[0].quantization
    quantization.detailsType = QuantizationDetails.CustomQuantization
    quantization.details = CustomQuantizationT()


UNSUPPORTED = {
    "custom": (
        operator_edit(builtin="CUSTOM", custom_code="SignalFilterBank", options=None),
        r"operator 0 \(CUSTOM SignalFilterBank\), which writes 'sum', is not supported",
    ),
    "unknown": (
        operator_edit(builtin="ATAN2", options=None),
        r"operator 0 \(ATAN2\), which writes 'sum', is not supported",
    ),
    "lstm": (
        operator_edit(builtin="UNIDIRECTIONAL_SEQUENCE_LSTM", options=None),
        r"operator 0 \(UNIDIRECTIONAL_SEQUENCE_LSTM\)",
    ),
    "while": (operator_edit(builtin="WHILE", options=None), r"operator 0 \(WHILE\)"),
    "subgraphs": (model_edit(subgraph_count=2), r"has 2 subgraphs .* takes exactly one"),
    "float": (
        tensor_edit(0, dtype="float32", scale=None),
        r"operator 0 \(ADD\), which writes 'sum', computes in FLOAT32 \(tensor 'left'\)",
    ),
    "mixed": (tensor_edit(1, dtype="int16", zero_point=0), r"mixes i8 \('left'\) with i16"),
    "no scale": (tensor_edit(0, scale=None), r"needs scale and zero point of 'left'"),
    "channels": (
        tensor_edit(0, scale=[0.1, 0.2], axis=3),
        r"activation 'left' with a scale per channel",
    ),
    "tanh": (
        option_edit(fusedActivationFunction=4),
        r"fused activation TANH; supported are NONE, RELU, RELU6, RELU_N1_TO_1",
    ),
    "dynamic": (tensor_edit(0, shape=[-1, 4, 4, 2]), r"'left' .* dynamic shape \[-1, 4, 4, 2\]"),
    "empty": (tensor_edit(0, shape=[0, 4, 4, 2]), r"'left' .* has no elements"),
    "rank": (tensor_edit(0, shape=[1] * 9), r"'left' .* has 9 dimensions, Penstock allows 8"),
    "huge": (
        tensor_edit(0, shape=[1 << 20, 1 << 20]),
        r"'left' .* elements; the limit is 16777216",
    ),
    "sparse": (schema_edit(set_sparsity), r"'left' .* is stored sparsely"),
    "string": (schema_edit(set_string_type), r"'left' .* is STRING"),
    "quantization": (schema_edit(set_custom_quantization), r"'left' .* custom quantization"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_is_refused(name: str) -> None:
    edit, message = UNSUPPORTED[name]
    model = addition()
    edit(model)
    with pytest.raises(UnsupportedError, match=message):
        read(model)


CONTRADICTIONS = {
    "version": (model_edit(schema_version=2), "schema version 2, Penstock reads 3"),
    "no subgraph": (model_edit(subgraph_count=0), "holds no subgraph"),
    "no output": (model_edit(outputs=[]), "has no outputs"),
    "inputs": (operator_edit(inputs=["left"]), r"has 1 inputs, 2 are allowed"),
    "outputs": (operator_edit(outputs=[]), r"has 0 outputs, 1 is allowed"),
    "options": (operator_edit(options=None), r"operator 0 \(ADD\) lacks its AddOptions"),
    "absent": (operator_edit(inputs=["left", None]), r"lacks its input 1"),
    "shape": (tensor_edit(2, shape=[1, 4, 4, 3]), r"gives 'sum' the shape \[1, 4, 4, 2\]"),
    "broadcast": (tensor_edit(1, shape=[1, 4, 3, 2]), "do not broadcast"),
    "scale": (tensor_edit(0, scale=-0.5), "'left' has the scale -0.5"),
    "nan": (tensor_edit(0, scale=float("nan")), "has scales from nan to nan"),
    "zero point": (tensor_edit(0, zero_point=300), "zero point 300; i8 allows -128 to 127"),
    "order": (model_edit(inputs=["left"]), "reads 'right' before anything has written it"),
    "writers": (operator_edit(outputs=["left"]), "writes 'left', which already has a value"),
    "unwritten": (model_edit(outputs=["sum", "other"]), "nothing writes the graph's output"),
    "axis": (tensor_edit(0, scale=[0.1, 0.2], axis=7), "2 scales along dimension 7"),
    "data": (tensor_edit(0, data=[1, 2, 3]), "32 bytes, but its buffer has 3 bytes"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_format_errors(name: str) -> None:
    edit, message = CONTRADICTIONS[name]
    model = addition()
    model.tensors.append(FileTensor("other", SHAPE, "int8", 0.1))
    edit(model)
    with pytest.raises(ModelFormatError, match=message):
        read(model)


WEIGHTED = {
    "hybrid": (
        [tensor_edit(0, dtype="float32", scale=None), tensor_edit(3, dtype="float32", scale=None)],
        r"operator 0 \(CONV_2D\), which writes 'result', is hybrid",
    ),
    "run-time filters": (
        [tensor_edit(1, data=None), model_edit(inputs=["image", "filters"])],
        "filters 'filters' that are computed at run time",
    ),
    "int16 filters": ([tensor_edit(1, dtype="int16")], "filters 'filters' of type i16"),
    "raw filters": ([tensor_edit(1, scale=None)], "of type i8 without a scale"),
    "asymmetric": ([tensor_edit(1, zero_point=4)], "int8 filters 'filters' with a non-zero zero"),
    "bias": ([tensor_edit(2, dtype="int64")], "the bias 'bias' of type i64"),
    "float bias": ([tensor_edit(2, dtype="float32")], "the bias 'bias' of type f32"),
    "bias shape": (
        [tensor_edit(2, shape=[1, 3], scale=0.01)],
        "'bias' .* must have the shape \\[3\\]",
    ),
    "scales": ([tensor_edit(1, scale=[0.1, 0.2], axis=3)], "scales along dimension 3, not 0"),
    "stride": ([option_edit(strideH=0)], r"the stride \[0, 1\]; each must be ≥ 1"),
    "dilation": ([option_edit(dilationWFactor=-1)], r"the dilation \[1, -1\]"),
    "padding": ([option_edit(padding=9)], "unknown padding 9"),
    "groups": (
        [tensor_edit(1, shape=[3, 1, 1, 3], data=np.ones(9), scale=0.1)],
        "do not divide the 2 channels",
    ),
    "external": ([schema_edit(set_external_buffer)], "'filters' .* outside the flatbuffer"),
    "negative scale": (
        [tensor_edit(1, scale=[-0.1, 0.2, 0.3], data=np.full([3, 1, 1, 2], -128))],
        "'filters' has a negative scale",
    ),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_that_do_not_fit(name: str) -> None:
    edits, message = WEIGHTED[name]
    model = convolution()
    for edit in edits:
        edit(model)
    with pytest.raises(PenstockError, match=message):
        read(model)


def test_help_tells_what_to_do() -> None:
    model = addition()
    model.tensors[0].dtype = "float32"
    with pytest.raises(UnsupportedError) as refused:
        read(model)
    assert "representative_dataset" in refused.value.help
    model = addition()
    operator_edit(builtin="ATAN2", options=None)(model)
    with pytest.raises(UnsupportedError) as refused:
        read(model)
    assert refused.value.help.startswith("supported operators: ADD, AVERAGE_POOL_2D, ")


def unary(builtin: str, dtype: str, table: str | None = None) -> FileModel:
    return FileModel(
        [FileTensor("x", SHAPE, dtype, 0.1), FileTensor("y", SHAPE, dtype, 0.1)],
        [FileOperator(builtin, ["x"], ["y"], options(table) if table else None)],
        ["x"],
        ["y"],
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (unary("LOG_SOFTMAX", "int8"), "tensor 'x' of type i8; only f32 is supported"),
        (unary("HARD_SWISH", "int16"), "tensor 'x' of type i16; supported are i8, u8"),
        (unary("LOGISTIC", "int8"), "here they are always 0.00390625 and -128"),
        (unary("QUANTIZE", "int64"), "tensor 'x' of type i64"),
    ],
)
def test_types_that_a_function_does_not_have(model: FileModel, message: str) -> None:
    with pytest.raises(PenstockError, match=message):
        read(model)


def scaled(model: FileModel, *scales: float) -> FileModel:
    for tensor, scale in zip(model.tensors, scales, strict=True):
        tensor.scale = scale
    return model


@pytest.mark.parametrize(
    ("model", "scales", "message"),
    [
        (addition(), (0.5, 0.25, 9.5e-7), r"output and 0.5 .* above 2\^-19 of that, 9.53674e-07"),
        (unary("HARD_SWISH", "int8"), (0.128, 0.001), "supported are outputs above 1/128 of the"),
    ],
)
def test_outputs_that_are_too_fine_for_their_arithmetic(
    model: FileModel, scales: tuple[float, ...], message: str
) -> None:
    """TensorFlow Lite refuses these HARD_SWISH too, and such sums are undefined in it."""
    with pytest.raises(UnsupportedError, match=message):
        read(scaled(model, *scales))
    assert read(scaled(model, *scales[:-1], scales[-1] * 1.01))


def test_softmax_of_8_bits_into_16_has_one_quantization() -> None:
    model = unary("SOFTMAX", "int8", "SoftmaxOptions")
    model.operators[0].options.beta = 1.0
    model.tensors[1].dtype = "int16"
    for scale, point in ((2.0**-15, 0), (2.0**-16, 0), (2.0**-15, -32768)):
        model.tensors[1].scale, model.tensors[1].zero_point = scale, point
        with pytest.raises(UnsupportedError, match=r"probabilities of 8-bit inputs .* supported"):
            read(model)
    model.tensors[1].scale = 2.0**-16
    assert read(model).tensors["y"].zero_point == -32768


def test_a_tensor_is_an_output_once() -> None:
    model = addition()
    model.outputs = ["sum", "sum"]
    with pytest.raises(UnsupportedError, match="'sum' is number 0 and number 1 of the model's out"):
        read(model)
    model = addition()
    model.inputs = ["left", "right", "left"]
    with pytest.raises(UnsupportedError, match="'left' is number 0 and number 2 of the model's in"):
        read(model)


def test_operands_quantized_unlike_are_described() -> None:
    model = FileModel(
        [
            FileTensor("x", [1, 2], "int8", 0.1, 3),
            FileTensor("raw", [1, 2], "int8"),
            FileTensor("y", [1, 4], "int8", 0.2, -4),
        ],
        [FileOperator("CONCATENATION", ["x", "x"], ["y"], options("ConcatenationOptions", axis=1))],
        ["x", "raw"],
        ["y"],
    )
    expected = r"joins 'x' \(scale 0.1, zero point 3\) into 'y' \(scale 0.2, zero point -4\)"
    with pytest.raises(UnsupportedError, match=expected):
        read(model)
    model.operators[0].inputs = ["raw", "x"]
    with pytest.raises(UnsupportedError, match=r"joins 'raw' \(not quantized\)"):
        read(model)


def test_16_bit_sums_by_shifts_need_the_output_scale() -> None:
    model = addition()
    for tensor, scale in zip(model.tensors, (2.0**-8, 2.0**-9, 2.0**-7), strict=True):
        tensor.dtype, tensor.scale, tensor.zero_point = "int16", scale, 0
    model.operators[0].options.potScaleInt16 = True
    with pytest.raises(UnsupportedError, match="sums by shifts"):
        read(model)
    model.tensors[2].scale = 2.0**-8
    assert read(model).operators[0].pot_scale_int16
    model.operators[0].options.potScaleInt16 = False
    assert not read(model).operators[0].pot_scale_int16


def test_a_bias_with_the_filters_axis_is_tolerated() -> None:
    model = convolution()
    model.tensors[2].axis = 3
    (operator,) = read(model).operators
    assert read(model).tensors[operator.bias].quantization.axis == 0
