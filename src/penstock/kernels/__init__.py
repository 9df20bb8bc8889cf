"""What the C library offers, and the choice of kernels for a graph."""
