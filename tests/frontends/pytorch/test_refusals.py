"""What cannot be translated is refused with the module, the operator and what to do."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from penstock.errors import InputError, UnsupportedError  # noqa: E402
from penstock.frontends.torch import export_module, load_program, translate_program  # noqa: E402
from penstock.frontends.torch.refusals import RefusedOperatorError, together  # noqa: E402
from tests.frontends.pytorch.modules import MobileNet  # noqa: E402

IMAGE = (1, 4, 8, 8)


class Around(nn.Module):
    """Some function between two convolutions."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.before = nn.Conv2d(4, 4, 1)
        self.odd = Odd(function)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.odd(self.before(x))


class Odd(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)  # type: ignore[operator]


REFUSED = {
    "an unknown operator": (torch.erf, "erf"),
    "a dilated maximum": (lambda x: functional.max_pool2d(x, 2, 1, 0, 2), "dilated maximum"),
    "a pool that rounds up": (
        lambda x: functional.max_pool2d(x, 3, 2, ceil_mode=True),
        "ceil_mode",
    ),
    "an odd clamp": (lambda x: x.clamp(0, 3), "clamps to 0 … 3"),
    "a number": (lambda x: x * 2.5, "computes with a number"),
    "an average of an average": (lambda x: functional.adaptive_avg_pool2d(x, 3), "8x8 to 3x3"),
    "a softmax of an image": (lambda x: x.softmax(1), "no softmax over the last dimension"),
    "another divisor": (
        lambda x: functional.avg_pool2d(x, 2, divisor_override=3),
        "divisor_override",
    ),
    "padding with ones": (lambda x: functional.pad(x, (1, 1), value=1.0), "something else than 0"),
    "a mirrored border": (lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"), "else than 0"),
    "half an average": (lambda x: x.mean(dim=2), "part of an image"),
    "an image made of numbers": (lambda x: x.reshape(1, 8, 4, 8), "makes an image"),
    "a linear layer on an image": (nn.Linear(8, 3), "4 dimensions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_unknown_is_refused_with_its_module(name: str) -> None:
    function, reason = REFUSED[name]
    program = export_module(Around(function), (torch.randn(IMAGE),))
    with pytest.raises(UnsupportedError, match=reason) as caught:
        translate_program(program, "net")
    assert caught.value.what.startswith(("odd (", "odd.function ("))
    assert caught.value.help


REPLACED = {
    "gelu": (nn.GELU(), "nn.Hardswish or nn.ReLU"),
    "silu": (nn.SiLU(), "nn.Hardswish"),
    "in place": (nn.ELU(inplace=True), "nn.LeakyReLU or nn.ReLU"),
    "known out of place": (lambda x: x.sigmoid_(), "without inplace"),
    "of two kinds": (lambda x: torch.max(x, x), "torch.maximum"),
    "resized": (nn.Upsample(scale_factor=2, mode="bilinear"), "nothing is resized on the device"),
    "normalized": (nn.GroupNorm(2, 4), "nn.BatchNorm2d"),
    "recurrent": (lambda x: nn.LSTM(8, 8)(x[0])[0], "recurrent layer by convolutions"),
    "best": (lambda x: x.topk(2)[0], "end the network before it"),
    "cubed": (nn.AvgPool3d(2), "nn.Conv2d and pools of two dimensions, with depth as channels"),
    "across channels": (nn.LocalResponseNorm(3), "nn.LocalResponseNorm take nn.BatchNorm2d"),
    "a hard sigmoid": (nn.Hardsigmoid(), "take nn.Sigmoid, and train on"),
    "a square": (lambda x: x**2, "write a square as x * x"),
    "a quotient": (lambda x: x / x.relu(), "multiply by a buffer of the module that holds the rec"),
    "a part of a number": (lambda x: x / 2, "multiply by a buffer of the module that holds the re"),
    "the inverse": (lambda x: 1 / x, "train without it"),
    "negated": (lambda x: -x, "multiply by a buffer of the module that holds -1"),
    "the rest": (lambda x: 1 - x, "subtract from a buffer of the module that holds the number"),
    "not in the table": (torch.round, "compute it with what is known: adaptive_avg_pool2d, "),
}


@pytest.mark.parametrize("name", REPLACED)
def test_an_unknown_operator_has_a_replacement(name: str) -> None:
    function, instead = REPLACED[name]
    program = export_module(Around(function), (torch.randn(IMAGE),))
    with pytest.raises(UnsupportedError, match="unknown here") as caught:
        translate_program(program, "net")
    assert instead in str(caught.value)


_GELU = (
    "odd (gelu): the operator aten.gelu.default is unknown here: take nn.Hardswish or nn.ReLU, and "
    "train on"
)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (
            lambda x: torch.nonzero(functional.gelu(x)),
            "odd (nonzero): the operator aten.nonzero.default is unknown here: end the network "
            "before it: the application computes it of the outputs",
        ),
        (
            lambda x: functional.gelu(x).relu() * x.relu().mean((2, 3)).item(),
            "odd (item): the operator aten.item.default is unknown here",
        ),
    ],
    ids=["a size that follows from values", "a number"],
)
def test_what_has_no_fixed_shape_ends_the_list(function: object, found: str) -> None:
    example = torch.randn(1, 4, 1, 1)
    module = Around(function)
    module.before = nn.Conv2d(4, 1, 1)
    with pytest.raises(UnsupportedError) as caught:
        translate_program(export_module(module, (example,)), "net")
    assert caught.value.what == f"2 operators cannot be translated:\n  {_GELU}\n  {found}"


def test_known_operators_between_unknown_ones() -> None:
    def between(x: torch.Tensor) -> torch.Tensor:
        values, _ = functional.gelu(x).relu().topk(2, dim=1)
        return torch.erf(values.relu())

    program = export_module(Around(between), (torch.randn(IMAGE),))
    with pytest.raises(UnsupportedError, match=r"(?s)^3 operators.*gelu.*topk.*erf"):
        translate_program(program, "net")


def test_of_general_advice_the_first_is_given() -> None:
    general = [
        RefusedOperatorError(f"odd ({name})", "is unknown", "", otherwise=f"all but {name}")
        for name in ("one", "two")
    ]
    special = RefusedOperatorError("odd (three)", "is unknown", "take another")
    assert together([special, *general]).help == "all but one"


def test_all_that_cannot_be_translated_is_named() -> None:
    def many(x: torch.Tensor) -> torch.Tensor:
        values, _ = functional.gelu(functional.gelu(x)).topk(2, dim=1)
        return functional.silu(functional.gelu(functional.gelu(values))) * 2.0

    program = export_module(Around(many), (torch.randn(IMAGE),))
    with pytest.raises(UnsupportedError) as caught:
        translate_program(program, "net")
    assert caught.value.what == (
        "7 operators cannot be translated:\n"
        "  odd (gelu), odd (gelu_1), odd (gelu_2) and 1 more: the operator aten.gelu.default is "
        "unknown here: take nn.Hardswish or nn.ReLU, and train on\n"
        "  odd (topk): the operator aten.topk.default is unknown here: end the network before it: "
        "the application computes it of the outputs\n"
        "  odd (silu): the operator aten.silu.default is unknown here: take nn.Hardswish and train "
        "on, or x * torch.sigmoid(x), which is the same\n"
        "  odd (mul): computes with a number: make the number a buffer of the module"
    )
    assert caught.value.help == "change the module, train it on, and export it again"


def test_more_kinds_than_are_shown() -> None:
    functions = (torch.exp, torch.log, torch.sin, torch.cos, torch.sqrt, torch.abs, torch.round)

    def many(x: torch.Tensor) -> torch.Tensor:
        for function in functions:
            x = function(x)
        return torch.round(x)

    program = export_module(Around(many), (torch.randn(IMAGE),))
    with pytest.raises(UnsupportedError, match=r"(?s)^8 operators.*\n  and 2 more\n") as caught:
        translate_program(program, "net")
    assert "what is known" in caught.value.help


def test_a_normalization_without_statistics() -> None:
    module = Around(nn.BatchNorm2d(4, track_running_stats=False))
    program = export_module(module, (torch.randn(IMAGE),))
    with pytest.raises(UnsupportedError, match="has no statistics"):
        translate_program(program, "net")


def test_a_normalization_by_less_than_nothing() -> None:
    norm = nn.BatchNorm2d(4).eval()
    assert isinstance(norm.running_var, torch.Tensor)
    norm.running_var[1] = -0.5
    program = export_module(nn.Sequential(nn.Conv2d(4, 4, 1), norm), (torch.randn(IMAGE),))
    with pytest.raises(UnsupportedError, match=r"1 \(batch_norm\): normalizes by a variance of -0"):
        translate_program(program, "net")


def test_a_normalization_by_nothing() -> None:
    """A channel that was constant has a variance of 0; epsilon is added to it."""
    norm = nn.BatchNorm2d(4).eval()
    assert isinstance(norm.running_var, torch.Tensor)
    norm.running_var[1] = 0
    program = export_module(nn.Sequential(nn.Conv2d(4, 4, 1), norm), (torch.randn(IMAGE),))
    assert translate_program(program, "net").graph.outputs == ("1",)


def test_an_example_that_does_not_fit(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(
        InputError, match=r"MobileNet does not accept inputs of shape \[1, 4, 8, 8\]"
    ):
        export_module(MobileNet(), (torch.randn(IMAGE),))


def test_control_flow_on_values() -> None:
    module = Around(lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(UnsupportedError, match=r"torch.export cannot export Around"):
        export_module(module, (torch.randn(IMAGE),))


def test_a_batch_of_two() -> None:
    program = export_module(Around(torch.relu), (torch.randn(2, 4, 8, 8),))
    with pytest.raises(UnsupportedError, match=r"\[2, 4, 8, 8\]: a batch of 1 is allowed"):
        translate_program(program, "net")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(value: float) -> None:
    module = Around(torch.relu)
    module.before.weight.data[1, 2, 0, 0] = value
    with pytest.raises(InputError, match=r"'before.weight' have 1 of 16 values"):
        export_module(module, (torch.randn(IMAGE),))


def test_a_module_keeps_its_mode() -> None:
    module = MobileNet().train()
    module.stem.eval()  # as a frozen part is
    export_module(module, (torch.randn(1, 3, 32, 32),))
    assert module.training and module.blocks.training and not module.stem.training


def test_a_saved_program_is_the_same(tmp_path: Path) -> None:
    program = export_module(MobileNet(), (torch.randn(1, 3, 32, 32),))
    torch.export.save(program, tmp_path / "m.pt2")
    again = translate_program(load_program(tmp_path / "m.pt2"), "net").graph
    expected = translate_program(program, "net").graph
    assert again.operators == expected.operators
    assert list(again.tensors) == list(expected.tensors)


def test_files_that_are_no_program(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    with pytest.raises(InputError, match="no such file"):
        load_program(path)
    path.write_bytes(b"PK\x03\x04 not quite")
    with pytest.raises(InputError, match=r"is no program of torch.export"):
        load_program(path)
    torch.save(MobileNet().state_dict(), path)
    with pytest.raises(InputError, match=r"is no program of torch.export"):
        load_program(path)
    save = tmp_path / "whole.pt2"
    torch.export.save(export_module(MobileNet(), (torch.randn(1, 3, 32, 32),)), save)
    for content in (save.read_bytes()[:9000], b"\x1c\0\0\0TFL3" + bytes(99), b"# text\n", b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"is no program of torch.export, or a damaged one"):
            load_program(path)
