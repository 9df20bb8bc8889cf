"""Graphs: types, tensors, operators, their text form, their rules, and their interpreter."""
