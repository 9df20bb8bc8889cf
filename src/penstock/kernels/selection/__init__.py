"""Kernel selection: a graph becomes calls of C functions, constants and aliases."""

from penstock.kernels.selection.select import select_kernels

__all__ = ["select_kernels"]
