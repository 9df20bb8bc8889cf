"""TensorFlow Lite files: read into graphs and written from them."""

from penstock.frontends.tflite.names import identifier
from penstock.frontends.tflite.reader import load_model, read_model
from penstock.frontends.tflite.writer import write_model

__all__ = ["identifier", "load_model", "read_model", "write_model"]
