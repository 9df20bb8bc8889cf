"""The text form of a graph: one line for each tensor and operator, in JSON's spelling of values.

    graph person_detect
    tensor "image" i8[1, 96, 96, 1] scale=0.0078 zero_point=-128
    tensor "weights" i8[8, 3, 3, 1] scale=[0.1, …] zero_point=[0, …] axis=0 data=base64:…
    inputs "image"
    outputs "scores"
    op CONV_2D source=0 input="image" filters="weights" output="scores" stride=[2, 2]

Attributes that have their default are left out. With constants elided, long lists and data give
way to their length and a digest, so that two texts still differ where the graphs do.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from penstock.errors import GraphError, InputError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import OPERATORS, Operator, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor

_LIST_MAX = 8
"""Integer constants up to this many elements are always written as a list."""
_DIGEST_DIGITS = 16
_DTYPES = {dtype.value: dtype for dtype in DType}
_ATTRIBUTE = re.compile(r" ([a-z_0-9]+)=")
_BARE = re.compile(r"[a-z_][a-z_0-9:]*[^ ]*")

Constants = Literal["elide", "inline"]


def format_graph(graph: Graph, constants: Constants = "elide") -> str:
    """Return the text form.

    Args:
        graph: any graph.
        constants: ``inline`` writes everything, so that `parse_graph` gives the same graph;
            ``elide`` is for reading.
    """
    elide = constants == "elide"
    lines = [
        f"graph {graph.name}",
        *(_format_tensor(tensor, elide=elide) for tensor in graph.tensors.values()),
        _format_names("inputs", graph.inputs),
        _format_names("outputs", graph.outputs),
        *(_format_operator(operator) for operator in graph.operators),
    ]
    return "\n".join(lines) + "\n"


def _format_names(word: str, names: tuple[str, ...]) -> str:
    return " ".join([word, *(_json(name) for name in names)])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _format_tensor(tensor: Tensor, *, elide: bool) -> str:
    words = [f"tensor {_json(tensor.name)} {tensor.dtype.value}{list(tensor.shape)}"]
    if tensor.quantization is not None:
        words.extend(_format_quantization(tensor.quantization, elide=elide))
    if tensor.is_variable:
        words.append("variable=true")
    if tensor.data is not None:
        words.append(f"data={_format_data(tensor.data, elide=elide)}")
    return " ".join(words)


def _format_quantization(parameters: QuantizationParameters, *, elide: bool) -> Iterator[str]:
    scales, points = parameters.scale, parameters.zero_point
    if parameters.axis is None:
        yield f"scale={scales[0]!r}"
        yield f"zero_point={points[0]}"
        return
    for word, values in (("scale", scales), ("zero_point", points)):
        shortened = elide and len(values) > _LIST_MAX
        yield f"{word}={_elided(values, len(values)) if shortened else _json(values)}"
    yield f"axis={parameters.axis}"


def _elided(values: object, count: int) -> str:
    content = values if isinstance(values, bytes) else repr(values).encode()
    return f"elided:{count}:{hashlib.sha256(content).hexdigest()[:_DIGEST_DIGITS]}"


def _format_data(data: Array, *, elide: bool) -> str:
    if data.size <= _LIST_MAX and data.dtype.kind in "iu":
        return _json(data.reshape(-1).tolist())
    content = data.tobytes()
    if elide:
        return _elided(content, data.size)
    return f"base64:{base64.b64encode(content).decode()}"


def _format_operator(operator: Operator) -> str:
    words = [f"op {operator.kind}"]
    for item in fields(operator):
        value = getattr(operator, item.name)
        if value is None or (item.default is not MISSING and value == item.default):
            continue
        words.append(f"{item.name}={_format_attribute(value)}")
    return " ".join(words)


def _format_attribute(value: object) -> str:
    match value:
        case Enum():
            return str(value.value)
        case Padding2D():
            return _json([value.top, value.bottom, value.left, value.right])
        case _:
            return _json(value)


def parse_graph(text: str) -> Graph:
    """Return the graph of a text form that has its constants inline.

    Raises:
        InputError: naming the line that is no part of a text form, or has something elided.
    """
    reader = _TextReader()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            reader.read(line)
        except (GraphError, KeyError, TypeError, ValueError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            raise InputError(
                f"line {number} of the graph's text cannot be read: {reason}",
                help="write it with format_graph(graph, constants='inline')",
            ) from error
    return reader.graph()


class _TextReader:
    """Collects the parts of a graph line by line."""

    def __init__(self) -> None:
        self._name = ""
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._names: dict[str, tuple[str, ...]] = {"inputs": (), "outputs": ()}

    def read(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        match word:
            case "graph":
                self._name = rest
            case "tensor":
                self._tensors.append(_parse_tensor(rest))
            case "inputs" | "outputs":
                self._names[word] = tuple(_parse_names(rest))
            case "op":
                self._operators.append(_parse_operator(rest))
            case _:
                raise ValueError(f"found {word!r}, expected graph, tensor, inputs, outputs or op")

    def graph(self) -> Graph:
        if not self._name:
            raise InputError("the text has no line 'graph NAME'")
        try:
            return Graph.build(
                self._name,
                self._tensors,
                self._operators,
                self._names["inputs"],
                self._names["outputs"],
            )
        except GraphError as error:
            raise InputError(f"the graph's text is inconsistent: {error}") from error


def _parse_value(text: str, position: int) -> tuple[Any, int]:
    """Return the JSON value or bare word at a position, and the position after it."""
    if bare := _BARE.match(text, position):
        word = bare.group()
        return {"true": True, "false": False}.get(word, word), bare.end()
    value, end = json.JSONDecoder().raw_decode(text, position)
    return value, end


def _parse_names(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        name, position = _parse_value(text, position)
        if not isinstance(name, str):
            raise ValueError(f"expected a name in quotes, found {name!r}")
        yield name
        position += 1


def _parse_attributes(text: str) -> dict[str, Any]:
    """Return the values of `` key=value key=value``."""
    found: dict[str, Any] = {}
    position = 0
    while position < len(text):
        key = _ATTRIBUTE.match(text, position)
        if key is None:
            raise ValueError(f"expected key=value, found {text[position : position + 20]!r}")
        value, position = _parse_value(text, key.end())
        if isinstance(value, str) and value.startswith("elided:"):
            raise ValueError(f"{key.group(1)} is elided")
        found[key.group(1)] = value
    return found


def _parse_tensor(text: str) -> Tensor:
    name, position = _parse_value(text, 0)
    opening = text.index("[", position)
    dtype_name = text[position + 1 : opening]
    if dtype_name not in _DTYPES:
        raise ValueError(f"unknown type {dtype_name!r}; known are {', '.join(_DTYPES)}")
    extents, position = _parse_value(text, opening)
    shape, dtype = _convert(tuple[int, ...], extents), _DTYPES[dtype_name]
    attributes = _parse_attributes(text[position:])
    tensor = Tensor(
        name=_convert(str, name),
        shape=shape,
        dtype=dtype,
        quantization=_parse_quantization(attributes),
        data=_parse_data(attributes.pop("data", None), shape, dtype),
        is_variable=_convert(bool, attributes.pop("variable", False)),
    )
    if attributes:
        raise ValueError(f"unknown attributes {', '.join(attributes)}")
    return tensor


def _parse_quantization(attributes: dict[str, Any]) -> QuantizationParameters | None:
    """Return the quantization, its keys taken from the attributes."""
    if "scale" not in attributes:
        return None
    scale, zero_point = attributes.pop("scale"), attributes.pop("zero_point")
    axis = attributes.pop("axis", None)
    if axis is None:
        scale, zero_point = [scale], [zero_point]
    return QuantizationParameters(
        _convert(tuple[float, ...], scale),
        _convert(tuple[int, ...], zero_point),
        _convert(int | None, axis),
    )


def _parse_data(value: object, shape: tuple[int, ...], dtype: DType) -> Array | None:
    if value is None:
        return None
    if isinstance(value, str) and value.startswith("base64:"):
        try:
            content = base64.b64decode(value.removeprefix("base64:"), validate=True)
        except binascii.Error as error:
            raise ValueError(f"data is no base64: {error}") from error
        return np.frombuffer(content, dtype.numpy).reshape(shape)
    numbers = _convert(tuple[int, ...], value)
    low, high = dtype.range
    if any(not low <= number <= high for number in numbers):
        raise ValueError(f"data {numbers} is outside {dtype.value}")
    return np.array(numbers, dtype.numpy).reshape(shape)


def _parse_operator(text: str) -> Operator:
    kind, _, _ = text.partition(" ")
    if kind not in OPERATORS:
        raise ValueError(f"unknown operator {kind!r}; known are {', '.join(sorted(OPERATORS))}")
    cls = OPERATORS[kind]
    hints = get_type_hints(cls)
    attributes = _parse_attributes(text[len(kind) :])
    known = {item.name for item in fields(cls)}
    if unknown := attributes.keys() - known:
        raise ValueError(f"{kind} has no attribute {', '.join(sorted(unknown))}")
    return cls(**{name: _convert(hints[name], value) for name, value in attributes.items()})


def _convert(hint: Any, value: Any) -> Any:
    """Return a parsed value as the annotated type; raises ValueError when it is none."""
    if isinstance(hint, UnionType):
        choices = [choice for choice in get_args(hint) if choice is not NoneType]
        return None if value is None else _convert(choices[0], value)
    if get_origin(hint) is tuple:
        return _convert_tuple(get_args(hint), value)
    if hint is Padding2D:
        return Padding2D(*_convert(tuple[int, int, int, int], value))
    if issubclass(hint, Enum):
        return hint(value)
    accepted: Callable[[Any], bool] = {
        bool: lambda item: isinstance(item, bool),
        int: lambda item: isinstance(item, int) and not isinstance(item, bool),
        float: lambda item: isinstance(item, int | float) and not isinstance(item, bool),
        str: lambda item: isinstance(item, str),
    }[hint]
    if not accepted(value):
        raise ValueError(f"expected {hint.__name__}, found {value!r}")
    return hint(value)


def _convert_tuple(items: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list, found {value!r}")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_convert(items[0], item) for item in value)
    if len(items) != len(value):
        raise ValueError(f"expected {len(items)} values, found {value!r}")
    return tuple(_convert(hint, item) for hint, item in zip(items, value, strict=True))
