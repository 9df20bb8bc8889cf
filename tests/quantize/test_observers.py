"""What observers remember of the values they see."""

import numpy as np

from penstock.quantize.observers import MinMaxObserver, ValueRange


def test_range_grows_over_batches_and_ignores_empty_ones() -> None:
    observer = MinMaxObserver()
    observer.observe("a", np.array([1.0, 3.0]))
    observer.observe("a", np.array([[-2.0]]))
    observer.observe("a", np.zeros((0, 4)))
    observer.observe("b", np.array([5.0]))
    assert observer.ranges == {"a": ValueRange(-2.0, 3.0), "b": ValueRange(5.0, 5.0)}
