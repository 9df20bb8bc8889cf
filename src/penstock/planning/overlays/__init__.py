"""Overlays: kernels work on tiles in fast memory, which DMA brings and takes away meanwhile."""
