"""Basic blocks → the lines that they preload, as functions of the registers before them.

The emulator reports no hints, whether it watches a block or not.
"""

from contextlib import suppress
from dataclasses import replace

from penstock.simulate.pipeline.addresses import (
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

    Hints whose address does not follow from registers and constants alone, and hints under a
    condition, are left out: they have no effect then.
    """
    if all(instruction.kind is not Kind.PRELOAD for instruction in block.instructions):
        return ()
    derivation = _Preloads()
    for instruction in block.instructions:
        derivation.follow(instruction)
    return needed(derivation.steps)


class _Preloads(Derivation):
    """Follows a block for its hints: what comes from memory, or may not happen, is unknown."""

    def __init__(self) -> None:
        super().__init__()
        self._accesses = 0

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
        updated: Value | None = None
        if instruction.updates and not instruction.is_predicated:
            with suppress(UnwatchableError):
                _, updated = self.first_access(instruction, name, text)
        self.forget(instruction)
        if updated is not None and instruction.updates[0] not in instruction.writes:
            self.know(instruction.updates[0], updated)
