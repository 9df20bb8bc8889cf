"""Read an .onnx file whole, weights in other files included, before anything looks into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from onnx import checker, defs, external_data_helper, inliner

from penstock.errors import InputError, ModelFormatError, UnsupportedError, os_reason
from penstock.ir.limits import FILE_BYTES_MAX, OPERATORS_MAX
from penstock.units import format_bytes

OPSET_MIN = 11
_EXPORT_AGAIN = "export the model again and compare its size and checksum"
_ONE_FILE = (
    'keep the files together, or make one of them: onnx.save(onnx.load("net.onnx"), "one.onnx")'
)


def read_onnx(path: Path) -> Any:
    """Return the `onnx.ModelProto` of a file that has passed onnx's own checks.

    Local functions are inlined: nodes are operators of the standard, or unknown.

    Raises:
        InputError: the file, or one that holds its weights, cannot be read.
        ModelFormatError: it is no ONNX model, or damaged.
        UnsupportedError: its opset is not between `OPSET_MIN` and the newest that onnx knows, or
            it is larger than any network for microcontrollers.
    """
    model = _parse(path)
    _expect_known_opset(model)
    _load_external(model, path.parent)
    with _explained():
        checker.check_model(model)
        if model.functions:
            model = inliner.inline_local_functions(model)
    if len(model.graph.node) > OPERATORS_MAX:
        raise UnsupportedError(
            f"the model has {len(model.graph.node)} nodes, the limit is {OPERATORS_MAX}",
            help="check that it is the right file: networks for microcontrollers have hundreds",
        )
    return model


def expect_sound_types(model: Any) -> None:
    """Check shapes and types, which may be unknown to the file's own writer.

    Raises:
        ModelFormatError: they contradict each other.
    """
    with _explained():
        checker.check_model(model, full_check=True)


@contextmanager
def _explained() -> Iterator[None]:
    """Say in our words what onnx finds."""
    try:
        yield
    except Exception as error:  # onnx raises whatever its checks in C++ do
        reason = next((line for line in str(error).splitlines() if line.strip()), "it is damaged")
        raise ModelFormatError(
            f"the ONNX model breaks the rules of its format: {reason.strip()}", help=_EXPORT_AGAIN
        ) from error


def _parse(path: Path) -> Any:
    try:
        _expect_small([path])
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {os_reason(error)}") from error
    except InputError:
        raise
    except Exception as error:  # protobuf's error is of a package that onnx chooses
        raise ModelFormatError(
            "this is no ONNX model, or a truncated one", help=_EXPORT_AGAIN
        ) from error
    if not model.ir_version or not model.graph.node or not model.graph.output:
        raise ModelFormatError(
            "this is no ONNX model: it has no version, no nodes or no outputs", help=_EXPORT_AGAIN
        )
    return model


def _expect_small(files: list[Path]) -> None:
    size_bytes = sum(file.stat().st_size for file in files)
    if size_bytes > FILE_BYTES_MAX:
        raise InputError(
            f"{', '.join(repr(str(file)) for file in files)}: {format_bytes(size_bytes)}, the "
            f"limit is {format_bytes(FILE_BYTES_MAX)}",
            help="this is far beyond a microcontroller: check that it is the right file",
        )


def _expect_known_opset(model: Any) -> None:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise ModelFormatError("the ONNX model names no opset", help=_EXPORT_AGAIN)
    newest = defs.onnx_opset_version()
    if not OPSET_MIN <= versions[0] <= newest:
        advice = "export it with a newer opset" if versions[0] < OPSET_MIN else "update onnx"
        raise UnsupportedError(
            f"the model has opset {versions[0]}; {OPSET_MIN} to {newest} are known", help=advice
        )


def opset_of(model: Any) -> int:
    """Return the version of the standard operators."""
    return next(int(e.version) for e in model.opset_import if e.domain in ("", "ai.onnx"))


def _load_external(model: Any, folder: Path) -> None:
    """Bring in weights that the file leaves to others."""
    places = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for place in sorted(places):
        if not (folder / place).is_file():
            raise InputError(
                f"its weights are in the file {place!r}, which is not beside it", help=_ONE_FILE
            )
    try:
        _expect_small([folder / place for place in sorted(places)])
        external_data_helper.load_external_data_for_model(model, str(folder))
    except InputError:
        raise
    except Exception as error:  # onnx raises whatever its checks of paths and sizes do
        raise InputError(
            f"its weights cannot be read from {', '.join(map(repr, sorted(places)))}",
            help=_ONE_FILE,
        ) from error
