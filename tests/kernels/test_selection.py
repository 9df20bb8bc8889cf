"""What selection promises: names, order, determinism, sharing, aliases, and clear refusals."""

import contextlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.macs import graph_macs
from penstock.ir.operators import Operator
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.catalogue import CATALOGUE, catalogue_table
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.kernels.kernel_set import WINOGRAD_TILES, Encoding, KernelSet, kernel_encoding
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.views import RANK_MAX, dense_strides, merge_dimensions
from tests.kernels.cases import CASES
from tests.kernels.driver import include_directory
from tests.kernels.one_of_each import ONE_OF_EACH, kernels_of, tiles_of

DOCS_PAGE = Path(__file__).parents[2] / "docs" / "kernels.md"
UNIT = QuantizationParameters.per_tensor(1.0, 0)


def _tensor(
    name: str,
    shape: tuple[int, ...],
    dtype: DType = DType.INT8,
    quantization: QuantizationParameters | None = UNIT,
    data: Array | None = None,
) -> Tensor:
    return Tensor(name, shape, dtype, quantization, data)


def _graph(operators: list[Operator], tensors: list[Tensor], outputs: list[str]) -> Graph:
    return Graph.build("case", tensors, operators, ["x"], outputs)


def _convolution(name: str, source: str, output: str, *, index: int | None = None) -> ops.Conv2D:
    return ops.Conv2D(input=source, filters=name, output=output, source=index)


def _two_convolutions() -> Graph:
    """Two layers whose filters have equal elements."""
    filters = np.arange(-8, 8, dtype=np.int8).reshape(4, 1, 1, 4)
    shape = (1, 3, 3, 4)
    return _graph(
        [_convolution("f0", "x", "y"), _convolution("f1", "y", "z")],
        [
            *(_tensor(name, shape) for name in "xyz"),
            *(_tensor(name, filters.shape, data=filters.copy()) for name in ("f0", "f1")),
        ],
        ["z"],
    )


def test_selection_is_deterministic_and_equal_constants_are_kept_once() -> None:
    first, second = select_kernels(_two_convolutions()), select_kernels(_two_convolutions())
    assert first.calls == second.calls
    assert list(first.constants) == list(second.constants)
    assert list(first.constants) == ["op000_filters", "op000_multipliers", "op000_shifts"]
    assert [a.constant for a in first.calls[1].arguments if isinstance(a, ConstantArgument)] == [
        "op000_filters",
        None,
        "op000_multipliers",
        "op000_shifts",
    ]


def test_calls_count_the_macs_of_the_graph() -> None:
    graph = _two_convolutions()
    assert sum(call.macs for call in select_kernels(graph).calls) == graph_macs(graph) == 288


def test_reshape_becomes_an_alias() -> None:
    graph = _graph(
        [ops.Reshape(input="x", output="y"), ops.Reshape(input="y", output="z")],
        [_tensor("x", (2, 6)), _tensor("y", (12,)), _tensor("z", (3, 4))],
        ["z"],
    )
    program = select_kernels(graph)
    assert program.calls == ()
    assert program.aliases == {"y": "x", "z": "y"}


def test_reshape_of_a_constant_copies_it() -> None:
    data = np.arange(12, dtype=np.int8)
    graph = _graph(
        [ops.Reshape(input="c", output="y")],
        [_tensor("x", (1,)), _tensor("c", (12,), data=data), _tensor("y", (3, 4))],
        ["y"],
    )
    program = select_kernels(graph)
    assert [call.kernel.name for call in program.calls] == ["ps_strided_copy"]
    assert program.aliases == {}


def test_in_place_needs_the_same_elements_on_both_sides() -> None:
    tensors = [_tensor("x", (2, 3)), _tensor("b", (1, 3)), _tensor("y", (2, 3))]
    graph = Graph.build(
        "case", tensors, [ops.Add(left="x", right="b", output="y")], ["x", "b"], ["y"]
    )
    (call,) = select_kernels(graph).calls
    assert call.in_place == (("x", "y"),)


def test_state_is_written_not_read() -> None:
    weights = np.ones((2, 3), np.int8)
    tensors = [
        _tensor("x", (1, 3)),
        _tensor("f", (2, 3), data=weights),
        _tensor("t", (2, 3), data=weights),
        Tensor("s", (1, 6), DType.INT8, UNIT, is_variable=True),
        _tensor("y", (1, 2)),
    ]
    operator = ops.Svdf(
        input="x", feature_weights="f", time_weights="t", state="s", output="y", rank=1
    )
    (call,) = select_kernels(_graph([operator], tensors, ["y"])).calls
    assert call.reads == ("x",)
    assert call.writes == ("s", "y")


def _refusal(operator: Operator, tensors: list[Tensor]) -> str:
    with pytest.raises(UnsupportedError) as caught:
        select_kernels(_graph([operator], tensors, list(operator.outputs)))
    assert caught.value.help
    return caught.value.what


FILTERS = np.ones((1, 1, 1, 1), np.int8)
PIXEL = (1, 1, 1, 1)


def test_float_convolution_is_refused() -> None:
    tensors = [
        _tensor(name, PIXEL, DType.FLOAT32, None, data)
        for name, data in (("x", None), ("f", FILTERS.astype(np.float32)), ("y", None))
    ]
    assert _refusal(_convolution("f", "x", "y", index=7), tensors) == (
        "operator 7 (CONV_2D), tensor 'x': no kernel for element types f32, f32, f32"
    )


def test_weights_computed_at_run_time_are_refused() -> None:
    tensors = [_tensor(name, PIXEL) for name in ("x", "f", "y")]
    assert _refusal(_convolution("f", "x", "y"), tensors) == (
        "operator 0 (CONV_2D), tensor 'f': weights computed at run time"
    )


def test_filters_with_several_zero_points_are_refused() -> None:
    quantization = QuantizationParameters((1.0, 1.0), (0, 1), 0)
    filters = _tensor(
        "f", (2, 1, 1, 1), quantization=quantization, data=np.ones((2, 1, 1, 1), "i1")
    )
    tensors = [_tensor("x", PIXEL), filters, _tensor("y", (1, 1, 1, 2))]
    assert "2 different zero points, where kernels take one" in _refusal(
        _convolution("f", "x", "y"), tensors
    )


def test_int16_with_a_zero_point_is_refused() -> None:
    shifted = QuantizationParameters.per_tensor(1.0, 3)
    tensors = [
        _tensor("x", PIXEL, DType.INT16, shifted),
        _tensor("f", PIXEL, data=FILTERS),
        _tensor("y", PIXEL, DType.INT16),
    ]
    assert "zero point 3, but int16 tensors must have 0" in _refusal(
        _convolution("f", "x", "y"), tensors
    )


def test_huge_int16_factor_is_refused() -> None:
    large = QuantizationParameters.per_tensor(1000.0, 0)
    tensors = [
        _tensor("x", PIXEL, DType.INT16, large),
        _tensor("f", PIXEL, data=FILTERS),
        _tensor("y", PIXEL, DType.INT16),
    ]
    assert "where int16 kernels allow less than 2^7" in _refusal(
        _convolution("f", "x", "y"), tensors
    )


def test_long_softmax_is_refused() -> None:
    shape = (1, 5000)
    assert "rows of 5000 elements, where i8 softmax sums at most 4095" in _refusal(
        ops.Softmax(input="x", output="y"), [_tensor("x", shape), _tensor("y", shape)]
    )


def test_empty_tensor_is_refused() -> None:
    assert "it has no elements" in _refusal(
        ops.Tanh(input="x", output="y"), [_tensor("x", (0, 3)), _tensor("y", (0, 3))]
    )


def test_broadcasting_over_seven_dimensions_is_refused() -> None:
    left, right = (2, 1) * 4, (1, 2) * 4
    tensors = [_tensor("x", left), _tensor("b", right), _tensor("y", (2,) * 8)]
    graph = Graph.build(
        "case", tensors, [ops.Mul(left="x", right="b", output="y")], ["x", "b"], ["y"]
    )
    with pytest.raises(UnsupportedError, match="alternates over more than 6 dimensions"):
        select_kernels(graph)


def test_shape_at_run_time_is_refused() -> None:
    tensors = [_tensor("x", (2, 3)), _tensor("y", (2,), DType.INT32, None)]
    assert _refusal(ops.Shape(input="x", output="y"), tensors) == (
        "operator 0 (SHAPE), tensor 'y': the operator has no kernel"
    )


@given(st.lists(st.integers(1, 4), max_size=6), st.data())
def test_merged_dimensions_walk_the_same_elements(shape: list[int], data: st.DataObject) -> None:
    steps = [data.draw(st.permutations(dense_strides(shape))), dense_strides(shape)]
    merged = merge_dimensions(shape, *steps)
    assert merged is not None
    extents, *strides = merged
    assert all(len(part) == RANK_MAX for part in merged)
    for before, after in zip(steps, strides, strict=True):
        assert _offsets(extents, after) == _offsets(shape, before)


def _offsets(extents: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Return the elements that a walk visits, in order."""
    return [
        sum(index * stride for index, stride in zip(position, strides, strict=True))
        for position in itertools.product(*map(range, extents))
    ]


def _prototypes(headers: str) -> dict[str, list[str]]:
    """Return the parameters of every function that the public headers declare."""
    return {
        name: [" ".join(part.split()) for part in parameters.split(",")]
        for name, parameters in re.findall(r"^void (ps_\w+)\(([^)]*)\);", headers, re.M)
    }


@pytest.fixture(scope="module")
def headers() -> str:
    """Return the text of all public headers."""
    return "\n".join(
        header.read_text() for header in sorted((include_directory() / "penstock").glob("*.h"))
    )


def _check_arguments(
    graph: Graph,
    headers: str,
    kernels: KernelSet = KernelSet.REFERENCE,
    tiles: tuple[int, ...] = WINOGRAD_TILES,
    encoding: Encoding | None = None,
) -> set[str]:
    """Compare each call with the C declaration; return the kernels that were called."""
    prototypes = _prototypes(headers)
    calls = select_kernels(graph, kernels, winograd=tiles, encodings=encoding).calls
    for call in calls:
        declared = prototypes[call.kernel.name]
        assert len(declared) == len(call.arguments), call.kernel.name
        for parameter, argument in zip(declared, call.arguments, strict=True):
            is_const = parameter.startswith("const ")
            if isinstance(argument, TensorArgument):
                assert argument.is_written is not is_const
                assert argument.ctype in parameter
            else:
                assert is_const is not isinstance(argument, ScratchArgument)
            if isinstance(argument, StructArgument):
                assert argument.ctype in parameter
                assert [name for name, _ in argument.fields] == _members(headers, argument.ctype)
    return {call.kernel.name for call in calls}


def test_every_kernel_has_a_graph_that_calls_it() -> None:
    assert set(ONE_OF_EACH) == set(CATALOGUE)


@pytest.mark.parametrize("kernel", ONE_OF_EACH)
def test_arguments_of_each_kernel_match_its_declaration(kernel: str, headers: str) -> None:
    """Structures have the type and the members, in order, that the header declares."""
    graph, tiles = ONE_OF_EACH[kernel], tiles_of(kernel)
    encoding = kernel_encoding(kernel)
    found = _check_arguments(graph, headers, kernels_of(kernel), tiles, encoding)
    assert found == {kernel}


@pytest.mark.parametrize("name", CASES)
def test_arguments_match_the_declarations_in_c(name: str, headers: str) -> None:
    @settings(
        max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        graph = CASES[name](data.draw)
        with contextlib.suppress(UnsupportedError):
            _check_arguments(graph, headers)

    check()


def _members(headers: str, ctype: str) -> list[str]:
    match = re.search(rf"typedef struct {ctype} \{{(.*?)\n\}}", headers, re.S)
    assert match, ctype
    body = re.sub(r"/\*.*?\*/", "", match.group(1), flags=re.S)
    return re.findall(r"(?:int32_t|float) (\w+)(?:\[PS_RANK_MAX\])?;", body)


def test_documentation_lists_the_catalogue(update_docs: bool) -> None:
    heading = (
        "# Kernels\n\nWritten by `make docs` from `penstock.kernels.catalogue`. Ranges, shapes and "
        "arithmetic of each kernel are\ndocumented in its header, under "
        "`src/penstock/runtime/include`. Types: s8 is int8, u8 uint8, s16 int16,\ns32 int32, f32 "
        "float32; int16 activations go with int8 weights. A convolution without a bias is one "
        "with\nzeros; TensorFlow Lite itself refuses such CONV_2D and DEPTHWISE_CONV_2D. Those "
        "with `_dsp_` or `_mve_` in their name: [fast-kernels.md](fast-kernels.md).\n\n"
    )
    expected = heading + catalogue_table()
    if update_docs:
        DOCS_PAGE.parent.mkdir(exist_ok=True)
        DOCS_PAGE.write_text(expected)
    assert DOCS_PAGE.read_text() == expected
