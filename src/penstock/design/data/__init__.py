"""Labelled data to train and to test with: folders, archives, arrays, and sets known by name."""

from penstock.design.data.sets import DataSet, Samples
from penstock.design.data.sources import (
    CLASSES_ARRAY,
    DATA_SETS,
    class_names,
    has_parts,
    load_data_set,
)
from penstock.design.data.torch_sets import from_datasets

__all__ = [
    "CLASSES_ARRAY",
    "DATA_SETS",
    "DataSet",
    "Samples",
    "class_names",
    "from_datasets",
    "has_parts",
    "load_data_set",
]
