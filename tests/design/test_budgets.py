"""What a network may take: kept, or by how much it is not."""

from collections.abc import Iterator

from penstock.design.compression.budgets import UNLIMITED, Budget, Measured


def test_everything_counts_and_what_is_too_much_is_said() -> None:
    asked: list[str] = []

    def measure(pair: tuple[float, float | None]) -> Iterator[Measured]:
        for what, found, allowed in (("steps", pair[0], 5.0), ("rulers", pair[1], 2.0)):
            asked.append(what)
            yield Measured(what, found, allowed, "{:.0f}".format, unknown="nobody counted them")

    budget = Budget(measure)
    assert budget((5.0, 2.0))
    assert budget.excess((5.0, 2.0)) == ""
    assert not budget((5.0, 3.0)) and not budget((5.0, None))
    assert budget.excess((6.0, 3.0)) == "steps 6, allowed are 5; rulers 3, allowed are 2"
    assert budget.excess((1.0, None)) == "nobody counted them"
    asked.clear()
    assert not budget((6.0, 3.0))
    assert asked == ["steps"]
    assert UNLIMITED(object()) and UNLIMITED.excess(object()) == ""
