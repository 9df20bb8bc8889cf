"""What to run of somebody else's firmware, and what to count."""

from dataclasses import dataclass

from penstock.errors import InputError
from penstock.simulate.virtual_board import INSTRUCTION_LIMIT

BACK = "return"
"""What ``--to`` takes for the place where the function at ``--from`` was called; no C symbol."""


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """What to run and what to count.

    Attributes:
        base: address of a raw binary file.
        vectors: address of the vector table; None looks for it.
        stack: initial stack pointer; None takes the vector table's.
        start: symbol or address at which counting begins; None begins at reset.
        end: symbol or address before which counting ends, or ``return``; None ends at the exit.
        pass_number: which passage from ``start`` to ``end`` is counted, from 1.
        calls: functions to call, each ``NAME`` or ``NAME(argument, …)``, or several with commas;
            the last one is counted.
        after: run from reset to this symbol or address before the calls.
        loads: ``FILE@SYMBOL`` or ``FILE@ADDRESS``: bytes to put into memory before the first call,
            or before reset.
        has_caches: whether the core's caches are on at reset; None leaves that to the program, and
            turns them on where functions are called without start-up.
        ignores_peripherals: whether registers that are not modelled behave as memory; otherwise an
            access to one is an error.
        instruction_limit: most instructions in all before the program counts as runaway.
    """

    base: int | None = None
    vectors: int | None = None
    stack: int | None = None
    start: str | None = None
    end: str | None = None
    pass_number: int = 1
    calls: tuple[str, ...] = ()
    after: str | None = None
    loads: tuple[str, ...] = ()
    has_caches: bool | None = None
    ignores_peripherals: bool = False
    instruction_limit: int = INSTRUCTION_LIMIT


DEFAULT_PROGRAM_OPTIONS = ProgramOptions()


def check_options(options: ProgramOptions) -> None:
    """Refuse options that exclude each other; raises InputError."""
    if options.calls and (options.start or options.end):
        raise InputError(
            "--call and --from/--to exclude each other",
            help="--call counts the last function called; --from and --to a stretch after reset",
        )
    if options.after and not options.calls:
        raise InputError(
            "--after is for --call, which is missing", help="use --from to count from there on"
        )
    if options.pass_number > 1 and not (options.start and options.end):
        raise InputError(
            f"--pass {options.pass_number} counts passages from --from to --to, of which "
            f"{'--to' if options.start else '--from'} is missing",
            help="name both places",
        )
    if options.end == BACK and not options.start:
        raise InputError(f"--to {BACK} is for --from FUNCTION, which is missing", help="add --from")
