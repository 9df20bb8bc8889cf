"""Measuring kernels on virtual boards, and fitting the estimate to them."""
