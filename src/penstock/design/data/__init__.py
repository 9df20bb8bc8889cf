"""Labelled data to train and to test with: folders, archives, arrays, and sets known by name."""

from penstock.design.data.arrays import class_names, open_arrays
from penstock.design.data.sets import DataSet, Samples, expect_finite, numbered
from penstock.design.data.sources import DATA_SETS, has_parts, load_data_set
from penstock.design.data.torch_sets import from_datasets

__all__ = [
    "DATA_SETS",
    "DataSet",
    "Samples",
    "class_names",
    "expect_finite",
    "from_datasets",
    "has_parts",
    "load_data_set",
    "numbered",
    "open_arrays",
]
