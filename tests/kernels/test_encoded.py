"""Kernels whose filters take fewer bytes than int8, against the interpreter; their encodings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import Encoding, KernelSet, kernel_encoding
from penstock.kernels.selection import select_kernels
from penstock.kernels.sparse_filters import encode_sparse
from tests.kernels.comparison import check_program
from tests.kernels.encoded_cases import LOOKS, SEEDS, Looks, layer

SETS = (KernelSet.REFERENCE, KernelSet.DSP_SINGLE)


def decode_sparse(stream: Array, channels: int, taps: int) -> Array:
    """Return dense filters, as the header's words say."""
    found = np.zeros((channels, taps), np.int8)
    content = stream.tolist()
    at = 0
    for channel in range(channels):
        pairs, tap = content[at] + 256 * (content[at + 1] % 16), content[at + 1] // 16
        at += 2
        for _ in range(pairs):
            first, second, steps = content[at : at + 3]
            found[channel, tap] += np.uint8(first).view(np.int8)
            tap += steps % 16
            found[channel, tap] += np.uint8(second).view(np.int8)
            tap += steps // 16
            at += 3
    assert at == len(content) - 3
    return found


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(1, 400), st.sampled_from([0, 0.01, 0.05, 0.25, 1]))
def test_filters_without_zeros_are_the_same_filters(
    seed: int, channels: int, taps: int, density: float
) -> None:
    random = np.random.default_rng(seed)
    filters = random.integers(-128, 128, (channels, taps)).astype(np.int8)
    filters[random.random(filters.shape) >= density] = 0
    encoded = encode_sparse(filters)
    assert encoded is not None
    np.testing.assert_array_equal(decode_sparse(encoded.stream, channels, taps), filters)
    for channel, start in enumerate(encoded.starts[:-1]):
        part = encoded.stream[start : encoded.starts[channel + 1] + 3]
        np.testing.assert_array_equal(decode_sparse(part, 1, taps), filters[channel : channel + 1])


def test_a_quarter_of_the_filters_takes_little_more_than_three_eighths() -> None:
    random = np.random.default_rng(1)
    for taps in (128, 256, 1024):
        filters = random.integers(-127, 128, (64, taps)).astype(np.int8)
        filters[random.random(filters.shape) < 0.75] = 0
        encoded = encode_sparse(filters)
        assert encoded is not None
        assert encoded.stream.size < 0.41 * filters.size


def test_more_entries_than_a_channel_can_have_are_not_encoded() -> None:
    filters = np.ones((1, 2 * 4095), np.int8)
    assert encode_sparse(filters) is not None
    assert encode_sparse(np.ones((1, 2 * 4095 + 1), np.int8)) is None


def encoded_program(seed: int, encoding: Encoding, kernels: KernelSet, looks: Looks) -> KernelGraph:
    return select_kernels(layer(seed, looks), kernels, encodings=encoding)


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.sampled_from(SETS), st.sampled_from(list(LOOKS)))
def test_encoded_layers_compute_what_the_interpreter_does(
    seed: int, kernels: KernelSet, encoding: Encoding
) -> None:
    check_program(encoded_program(seed, encoding, kernels, LOOKS[encoding]), seed % 1000)


@pytest.mark.parametrize("kernels", SETS)
@pytest.mark.parametrize("encoding", LOOKS)
def test_most_of_these_layers_are_encoded(encoding: Encoding, kernels: KernelSet) -> None:
    programs = [encoded_program(seed, encoding, kernels, LOOKS[encoding]) for seed in range(60)]
    found = [kernel_encoding(program.calls[0].kernel.name) for program in programs]
    assert found.count(encoding) > 40
