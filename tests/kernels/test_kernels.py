"""Every kernel against the interpreter, byte for byte, on random shapes and quantizations."""

import ctypes
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.ir.verify import verify
from penstock.kernels.catalogue import CATALOGUE
from penstock.kernels.kernel_set import KernelSet, kernel_encoding
from penstock.kernels.selection import select_kernels
from tests.kernels.cases import CASES, FAST_CASES
from tests.kernels.comparison import check_case, check_graph
from tests.kernels.driver import Program, call_function, load_library, pack_struct
from tests.kernels.one_of_each import ONE_OF_EACH, kernels_of

FAST_SETS = (KernelSet.DSP_SINGLE, KernelSet.MVE)


@pytest.mark.parametrize("name", CASES)
def test_kernel_computes_what_the_interpreter_does(name: str) -> None:
    check_case(CASES[name], 25)


@pytest.mark.parametrize("kernels", FAST_SETS)
@pytest.mark.parametrize("name", FAST_CASES)
def test_fast_kernel_computes_what_the_interpreter_does(name: str, kernels: KernelSet) -> None:
    """In plain C, as a computer without the extensions compiles it."""
    check_case(FAST_CASES[name], 60, kernels=kernels)


@pytest.mark.parametrize("kernel", ONE_OF_EACH)
def test_each_kernel_computes_what_the_interpreter_does(kernel: str) -> None:
    verify(ONE_OF_EACH[kernel])
    graph, kernels = ONE_OF_EACH[kernel], kernels_of(kernel)
    check_graph(graph, seed=1, kernels=kernels, encoding=kernel_encoding(kernel))


@pytest.mark.parametrize("beta", [1.0, 0.37])
def test_the_exponential_of_a_float_softmax_rounds_as_the_interpreters_does(beta: float) -> None:
    shape = (40, 2000)
    tensors = [Tensor(name, shape, DType.FLOAT32) for name in "xy"]
    softmax = ops.Softmax(input="x", output="y", beta=beta)
    graph = Graph.build("softmax", tensors, [softmax], ["x"], ["y"])
    values = np.random.default_rng(3).normal(0, 20, shape).astype(np.float32)
    values[:, 0] = -np.inf
    (expected,) = run(graph, {"x": values})
    found = Program(select_kernels(graph)).trace({"x": values})["y"]
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


@pytest.mark.fuzz
@pytest.mark.parametrize("kernels", FAST_SETS)
@pytest.mark.parametrize("name", FAST_CASES)
def test_fast_kernel_computes_what_the_interpreter_does_on_many_examples(
    name: str, kernels: KernelSet
) -> None:
    check_case(FAST_CASES[name], 600, derandomize=False, kernels=kernels)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", CASES)
def test_kernel_computes_what_the_interpreter_does_on_many_examples(name: str) -> None:
    check_case(CASES[name], 1500, derandomize=False)


def test_library_has_every_kernel_of_the_catalogue() -> None:
    library = load_library()
    for name in CATALOGUE:
        assert hasattr(library, name), name


def _rounded_product(value: int, factor: float) -> int:
    product = abs(float(value) * factor)
    whole = min(math.floor(product) + (product % 1.0 >= 0.5), 2**31 - 1)
    return whole if value >= 0 else -whole


@settings(max_examples=500, deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.floats(1e-30, 1e9), st.sampled_from([0, 0, 1, 7, 999]))
def test_scaling_by_a_real_rounds_the_double_product(value: int, factor: float, tie: int) -> None:
    if tie and value:
        factor = (tie + 0.5) / abs(value)  # products at or next to a half
    fraction, exponent = math.frexp(factor)
    arguments = (value, int(fraction * 2**53), exponent - 53)
    expected = _rounded_product(value, factor)
    library = load_library()
    wide, narrow = library.ps_scale_by_real_s64, library.ps_scale_by_real_s32
    wide.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_int32]
    narrow.argtypes = [ctypes.c_int32, ctypes.c_int64, ctypes.c_int32]
    assert wide(*arguments) == expected
    saturated = math.copysign(2**31 - 1, value)
    assert narrow(*arguments) in ([expected] if abs(expected) < 2**20 else [expected, saturated])


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(1e-30, 1e9))
def test_scaling_wide_sums_rounds_the_double_product(value: int, factor: float) -> None:
    fraction, exponent = math.frexp(factor)
    wide = load_library().ps_scale_by_real_s64
    wide.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_int32]
    found = wide(value, int(fraction * 2**53), exponent - 53)
    assert found == _rounded_product(value, factor)


def test_sums_of_32_bits_wrap() -> None:
    """As fixed_point.h promises, beyond what any model of ours asks for."""
    fields = {"count": 2, "input_offset": 1, "multiplier": 1 << 30, "shift": 0}
    limits = {"output_offset": 0, "output_min": -32768, "output_max": 32767}
    params = pack_struct(list({**fields, **limits}.items()))
    source, output = np.array([2**31 - 1, 10], np.int32), np.zeros(2, np.int16)
    call_function("ps_quantize_s32_s16", [array.ctypes.data for array in (params, source, output)])
    assert output.tolist() == [-32768, 6]


@pytest.mark.parametrize("columns", [255, 256, 300, 511, 512, 600])
def test_softmax_of_many_equal_elements(columns: int) -> None:
    """Up to 511 equal elements have a probability that rounds to one step of 1/256, not to none."""
    quantizations = {"x": (0.1, 0), "y": (1 / 256, -128)}
    tensors = [
        Tensor(name, (1, columns), DType.INT8, QuantizationParameters.per_tensor(*quantization))
        for name, quantization in quantizations.items()
    ]
    graph = Graph.build("rows", tensors, [ops.Softmax(input="x", output="y")], ["x"], ["y"])
    row = np.full((1, columns), 5, np.int8)
    (expected,) = run(graph, [row])
    (found,) = Program(select_kernels(graph)).run([row])
    np.testing.assert_array_equal(found, expected)
    assert (found == (-127 if columns < 512 else -128)).all()


def _real_graph(operator: ops.Operator, columns: int, output: DType) -> Graph:
    quantization = QuantizationParameters.per_tensor(0.05, 3) if output is DType.INT8 else None
    tensors = [
        Tensor("x", (1, columns), DType.FLOAT32),
        Tensor("y", (1, columns), output, quantization),
    ]
    return Graph.build("real", tensors, [operator], ["x"], ["y"])


def test_quantize_handles_every_kind_of_float() -> None:
    values = np.array(
        [[0.0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-45, 0.025, -0.025, 6.2, -6.6]],
        np.float32,
    )
    graph = _real_graph(ops.Quantize(input="x", output="y"), values.shape[1], DType.INT8)
    (found,) = Program(select_kernels(graph)).run([values])
    with np.errstate(over="ignore"):
        (expected,) = run(graph, [values])
    np.testing.assert_array_equal(found, expected)
    assert found[0, 2:5].tolist() == [127, -128, 3]


@pytest.mark.parametrize("kind", [ops.Softmax, ops.LogSoftmax])
def test_float_softmax_is_right_at_the_edges(kind: type[ops.Softmax]) -> None:
    rows = [
        [0.0, 0.0, 0.0, 0.0],
        [1000.0, -1000.0, 0.0, 999.0],
        [-88.0, -103.0, -104.5, 0.0],  # exponentials that are subnormal or vanish
        [-3e38, 3e38, 0.0, 1.0],
        [1e-30, 0.5, -0.25, 88.7],
    ]
    graph = _real_graph(kind(input="x", output="y"), 4, DType.FLOAT32)
    program = Program(select_kernels(graph))
    for row in rows:
        value = np.array([row], np.float32)
        with np.errstate(over="ignore"):
            (expected,) = run(graph, [value])
        (found,) = program.run([value])
        np.testing.assert_array_max_ulp(found, expected, maxulp=2)
