"""Penstock: deep learning on microcontrollers, from external memory at internal-memory speed."""
