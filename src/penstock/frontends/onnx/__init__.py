"""ONNX → graph: float32 networks, and int8 ones with QuantizeLinear and DequantizeLinear."""

from penstock.frontends.onnx.loading import load_onnx_model

__all__ = ["load_onnx_model"]
