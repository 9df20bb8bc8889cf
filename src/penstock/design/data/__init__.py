"""Labelled data to train and to test with: folders, archives, arrays, and sets known by name."""

from penstock.design.data.sets import DataSet, Samples
from penstock.design.data.sources import load_data_set

__all__ = ["DataSet", "Samples", "load_data_set"]
