"""What calls leave in caches for those behind them."""

from collections.abc import Sequence

from penstock.planning.estimate.accesses import Access
from penstock.planning.estimate.store import Store


class Residue:
    """Which arrays are still in what keeps lines, after the calls so far; empty for cold caches.

    An array counts as touched in the middle of a call, for its lines were touched all through it.
    """

    def __init__(self) -> None:
        """Begin cold."""
        self._missed: dict[Store, float] = {}
        self._touched: dict[tuple[Store, str], float] = {}

    def shares(
        self, store: Store, accesses: Sequence[Access], misses: Sequence[float]
    ) -> list[float]:
        """Return the share of each array that is there when a call first comes to it.

        Args:
            store: where it may be.
            accesses: of the call.
            misses: lines of each that the call would miss if it began cold.
        """
        now = self._missed.get(store, 0.0) + sum(misses) / 2
        touched = (self._touched.get((store, a.array)) for a in accesses)
        return [0.0 if at is None else store.survival(now - at) for at in touched]

    def note(self, store: Store, accesses: Sequence[Access], misses: Sequence[float]) -> None:
        """Take notice of a call that missed so many lines of each array."""
        before = self._missed.get(store, 0.0)
        self._missed[store] = before + sum(misses)
        for access in accesses:
            if access.array:
                self._touched[store, access.array] = before + sum(misses) / 2
