"""Penstock: deep learning on microcontrollers, from external memory at internal-memory speed.

>>> import penstock as ps
>>> graph = ps.load_model("model.tflite")
>>> ps.compile("model.tflite", board=ps.boards()[0].name, output="build/model")
>>> ps.run("model.tflite", board="host", seed=1).outputs
"""

from penstock.api import (
    CompileOptions,
    Inspection,
    NetworkOptions,
    ProgramOptions,
    RunOutcome,
    boards,
    build,
    compile,  # noqa: A004 - the verb that the field uses
    format_graph,
    inspect,
    load_model,
    run,
    simulate,
)
from penstock.errors import PenstockError

__all__ = [
    "CompileOptions",
    "Inspection",
    "NetworkOptions",
    "PenstockError",
    "ProgramOptions",
    "RunOutcome",
    "boards",
    "build",
    "compile",
    "format_graph",
    "inspect",
    "load_model",
    "run",
    "simulate",
]
