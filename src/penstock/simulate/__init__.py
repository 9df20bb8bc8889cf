"""The virtual board: runs the firmware that would be flashed, at the board's own addresses."""

from penstock.simulate.simulation import Simulation, run_inference, simulate_model
from penstock.simulate.virtual_board import VirtualBoard

__all__ = ["Simulation", "VirtualBoard", "run_inference", "simulate_model"]
