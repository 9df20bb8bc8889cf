"""What cannot be translated of a program, all of it in one message."""

from collections.abc import Sequence

from penstock.errors import UnsupportedError

_KINDS_MAX = 6
_PLACES_MAX = 3


class RefusedOperatorError(UnsupportedError):
    """An operator that cannot be translated.

    Attributes:
        where: module and node.
        why: what is wrong with it.
        instead: what to put in its place; empty where only a choice of all can be given.
    """

    def __init__(self, where: str, why: str, instead: str, otherwise: str = "") -> None:
        super().__init__(f"{where}: {why}", help=instead or otherwise)
        self.where = where
        self.why = why
        self.instead = instead


def together(refusals: Sequence[RefusedOperatorError]) -> UnsupportedError:
    """Return one error for all, in which those of a kind share a line."""
    if len(refusals) == 1:
        return refusals[0]
    kinds: dict[tuple[str, str], list[str]] = {}
    for refusal in refusals:
        kinds.setdefault((refusal.why, refusal.instead), []).append(refusal.where)
    lines = [_line(places, *kind) for kind, places in kinds.items()]
    left = sum(len(places) for places in list(kinds.values())[_KINDS_MAX:])
    shown = [*lines[:_KINDS_MAX], *([f"and {left} more"] if left else [])]
    general = [refusal.help for refusal in refusals if not refusal.instead]
    return UnsupportedError(
        f"{len(refusals)} operators cannot be translated:\n  " + "\n  ".join(shown),
        help=general[0] if general else "change the module, train it on, and export it again",
    )


def _line(places: Sequence[str], why: str, instead: str) -> str:
    named = ", ".join(places[:_PLACES_MAX])
    more = len(places) - _PLACES_MAX
    where = f"{named} and {more} more" if more > 0 else named
    return f"{where}: {why}" + (f": {instead}" if instead else "")
