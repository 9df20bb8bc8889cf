"""Basic blocks → the lines that they preload, as functions of the registers before them.

The emulator reports no hints, whether it watches a block or not.
"""

from contextlib import suppress
from dataclasses import replace

from penstock.simulate.pipeline.addresses import (
    STORES,
    Code,
    Derivation,
    Step,
    UnwatchableError,
    Value,
    needed,
)
from penstock.simulate.pipeline.instruction import Block, Instruction, Kind

_ACCESS_INDEX_MAX = 0xFF


def derive_preloads(block: Block) -> tuple[Step, ...]:
    """Return the steps that give the lines that a block preloads.

    Hints under a condition, and those whose address does not follow from registers, constants and
    words that were in memory before the block, are left out: they have no effect then.
    """
    if all(instruction.kind is not Kind.PRELOAD for instruction in block.instructions):
        return ()
    derivation = _Preloads()
    for instruction in block.instructions:
        derivation.follow(instruction)
    return needed(derivation.steps)


class _Preloads(Derivation):
    """Follows a block for its hints; knows nothing of what may not happen or is loaded late."""

    def __init__(self) -> None:
        super().__init__()
        self._accesses = 0
        self._has_written = False

    def follow(self, instruction: Instruction) -> None:
        name, _, text = instruction.text.partition(" ")
        if instruction.kind is Kind.PRELOAD and name.startswith("pld"):
            self._preload(instruction, name, text)
        elif instruction.access_bytes:
            self._pass(instruction, name, text)
        elif instruction.kind is Kind.SYSTEM:
            self.forget(instruction)
        else:
            super().follow(instruction)

    def _preload(self, instruction: Instruction, name: str, text: str) -> None:
        if instruction.is_predicated:
            return
        with suppress(UnwatchableError):
            step, _ = self.first_access(instruction, name, text)
            before = min(self._accesses, _ACCESS_INDEX_MAX)
            self.steps.append(replace(step, code=Code.PRELOAD, size=before))

    def _pass(self, instruction: Instruction, name: str, text: str) -> None:
        self._accesses += len(instruction.access_bytes)
        self._has_written |= instruction.kind in STORES
        updated: Value | None = None
        values: dict[int, Value] = {}
        if not instruction.is_predicated:
            with suppress(UnwatchableError):
                step, updated = self.first_access(instruction, name, text)
                if not self._has_written:
                    values = self.loaded(instruction, name, step)
        self.forget(instruction)
        if updated is not None:
            self.know(instruction.updates[0], updated)
        for register, value in values.items():
            self.know(register, value)
