"""The allowance for code, set against what the compiler and the linker make of it."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from penstock.machines import link_project
from penstock.pipeline import CompileOptions, lower, write_temporarily
from penstock.planning import overlaid
from penstock.planning.code_size import code_bytes, overlaid_code_bytes
from penstock.planning.options import PlanOptions
from penstock.simulate.footprint import memory_footprint
from penstock.toolchain import find_target_compiler
from tests import hostile_models as hostile

BOARD = "stm32f746g-disco"
MODELS = {"activations": hostile.chain, "convolutions": hostile.padded_convolutions}
FEW, MANY = 60, 180


def sizes(name: str, count: int, folder: Path, *, overlays: bool) -> tuple[int, int]:
    """Return the allowance for a model's code, and what the linked firmware has of it."""
    file = folder / f"{name}_{count}.tflite"
    file.write_bytes(MODELS[name](count).to_bytes())
    lowered = lower(file, BOARD, CompileOptions(planning=PlanOptions(overlays=overlays)))
    assert lowered.board is not None
    with ExitStack() as stack:
        compiler = find_target_compiler(lowered.board.core)
        project = write_temporarily(lowered, stack)
        elf = link_project(lowered, lowered.board, project, compiler, stack)
        taken = memory_footprint(elf, lowered.board)["flash"]["code"]
    plan = lowered.plan
    assert (plan.overlays is not None) == overlays
    if plan.overlays is not None:
        return overlaid_code_bytes(plan.program, plan.overlays), taken
    return code_bytes(plan.program), taken


@pytest.mark.parametrize("overlays", [False, True], ids=["whole", "overlays"])
@pytest.mark.parametrize("name", MODELS)
def test_each_operator_takes_at_most_its_allowance(
    name: str, overlays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlaid, "_CLEARLY", 0.0)  # overlays also where they are slower
    few, few_taken = sizes(name, FEW, tmp_path, overlays=overlays)
    many, many_taken = sizes(name, MANY, tmp_path, overlays=overlays)
    assert few_taken <= few
    assert many_taken <= many
    # Of operators beyond the first, too much is allowed, but not twice as much.
    assert 1.0 <= (many - few) / (many_taken - few_taken) < 2.0
