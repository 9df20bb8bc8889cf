"""What each ONNX operator is in a graph: translators by the operator's name."""

from penstock.frontends.onnx.elementwise import ELEMENTWISE
from penstock.frontends.onnx.movement import MOVEMENT
from penstock.frontends.onnx.quantizing import QUANTIZING
from penstock.frontends.onnx.reductions import REDUCTIONS
from penstock.frontends.onnx.weighted import WEIGHTED

TRANSLATORS = {**WEIGHTED, **ELEMENTWISE, **REDUCTIONS, **MOVEMENT, **QUANTIZING}
