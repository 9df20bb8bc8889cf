"""The short-cut in front of the emulator's search for memories changes nothing but the speed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.boards import Board
from penstock.simulate import machine, simulate_model
from tests.simulate.test_virtual_board import EXTERNAL, INPUT


def test_the_emulator_is_built_as_expected(
    build: Callable[..., Path], board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten = machine.Machine._shorten_lookup
    found = []
    monkeypatch.setattr(
        machine.Machine, "_shorten_lookup", lambda self: found.append(shorten(self))
    )
    simulate_model(build(EXTERNAL, "-DCASES_COUNT=1"), board, [INPUT])
    assert found == [True]


def test_it_changes_no_result(
    build: Callable[..., Path], board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    elf = build(EXTERNAL, "-DCASES_COUNT=1")
    short = simulate_model(elf, board, [INPUT])
    monkeypatch.setattr(machine.Machine, "_shorten_lookup", lambda self: False)
    long = simulate_model(elf, board, [INPUT])
    assert short.outputs == long.outputs
    assert short.time == long.time
    assert short.traffic == long.traffic
