"""Analyses behind dead channel elimination: ties, constants, removal."""
