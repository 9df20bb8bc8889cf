"""How work in progress is reported: one form, from the virtual board to the command line."""

from collections.abc import Callable

Progress = Callable[[str, float | None], None]
"""Takes what is going on and the fraction done, None where that is not known."""


def silent(stage: str, fraction: float | None) -> None:
    """Report to nobody."""
