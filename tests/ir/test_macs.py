"""Multiply-accumulates, worked out by hand."""

import pytest

from penstock.ir.macs import graph_macs
from tests.frontends.writer_cases import CASES

HAND_COUNTED = {
    "conv_i8": (5 * 4 * 6) * (3 * 3 * 4),
    "conv_same": (7 * 6 * 6) * (3 * 3 * 4),
    "conv_groups": (5 * 4 * 6) * (3 * 3 * 2),
    "depthwise_multiplier": (5 * 4 * 12) * (3 * 3),
    "transpose_conv_i8_valid": (4 * 5 * 3) * (3 * 3 * 4),
    "fully_connected_i8_bias": 2 * 5 * 10,
    "svdf": 8 * 6 + 8 * 5,
    "ADD_i8": 0,
}


@pytest.mark.parametrize("name", HAND_COUNTED)
def test_operations_are_those_counted_by_hand(name):
    assert graph_macs(CASES[name]) == HAND_COUNTED[name]
