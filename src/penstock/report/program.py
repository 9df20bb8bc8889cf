"""What ``penstock simulate`` found, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.boards.board import Board
from penstock.report.energy import Energy, spent_energy
from penstock.report.results import RunTime, Truth, time_to_json
from penstock.report.summary import run_time
from penstock.simulate.program import ProgramRun


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What somebody else's program did on a virtual board.

    Attributes:
        file: name of the image.
        image_format: ``elf``, ``hex`` or ``bin``.
        board: the board's name.
        counted: the stretch that the figures are of, for people.
        instructions: of that stretch.
        time: of that stretch; None for boards without timing.
        energy: of that stretch, or why it is not known.
        functions: instructions by function, callees not included, most first.
        caches: whether each cache of the board was on at the end of that stretch.
        exit_status: None when the program did not exit.
        return_value: r0 after the last call; None without calls.
        output: what the program printed, bytes that are no UTF-8 replaced.
        invented_reads: reads of polled registers that were answered with made-up values.
        run_seconds: how long this computer needed for the stretch: no time of the board.
    """

    file: str
    image_format: str
    board: str
    counted: str
    instructions: int
    time: RunTime | None
    energy: Energy
    functions: Mapping[str, int]
    caches: Mapping[str, bool]
    exit_status: int | None
    return_value: int | None
    output: str
    invented_reads: int
    run_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.simulate/1`` form; what is not known is null."""
        return {
            "schema": "penstock.simulate/1",
            "file": self.file,
            "format": self.image_format,
            "board": self.board,
            "truth": Truth.SIMULATE.value,
            "counted": self.counted,
            "instructions": self.instructions,
            **time_to_json(self.time),
            **self.energy.to_json(),
            "caches": dict(self.caches),
            "exit_status": self.exit_status,
            "return_value": self.return_value,
            "stdout": self.output,
            "invented_reads": self.invented_reads,
            "functions": [{"name": n, "instructions": i} for n, i in self.functions.items()],
            "run_seconds": self.run_seconds,
        }


def summarize_program(file: str, board: Board, run: ProgramRun) -> ProgramResult:
    """Return what a program did."""
    return ProgramResult(
        file=file,
        image_format=run.image_format.value,
        board=board.name,
        counted=run.counted,
        instructions=run.instructions,
        time=run_time(board, run.time, run.traffic),
        energy=spent_energy(board, run.time, run.traffic),
        functions=run.function_instructions,
        caches=run.caches,
        exit_status=run.exit_status,
        return_value=run.return_value,
        output=run.output.decode("utf-8", "replace"),
        invented_reads=run.invented_reads,
        run_seconds=run.wall_seconds,
    )
