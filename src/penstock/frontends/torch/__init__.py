"""PyTorch → float32 graph: modules, and saved programs of ``torch.export``."""

from penstock.frontends.torch.programs import export_module, load_program
from penstock.frontends.torch.translation import load_torch_model, translate_program

__all__ = ["export_module", "load_program", "load_torch_model", "translate_program"]
