"""PyTorch → float32 graph: modules, and saved programs of ``torch.export``."""

from penstock.frontends.torch.calibration import observe_program
from penstock.frontends.torch.programs import export_module, load_program
from penstock.frontends.torch.translation import FloatModel, translate_program

__all__ = [
    "FloatModel",
    "export_module",
    "load_program",
    "observe_program",
    "translate_program",
]
