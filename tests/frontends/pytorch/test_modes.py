"""Programs that were exported while training are refused; in use nothing is left of that."""

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from penstock.errors import InputError  # noqa: E402
from penstock.frontends.torch import export_module, load_program, translate_program  # noqa: E402
from tests.frontends.pytorch.test_refusals import IMAGE, Around  # noqa: E402

_EVAL = "call module.eval() before torch.export.export"
_DROPOUT = f"{_EVAL}; give functional.dropout training=self.training"
_DROPS = "drops values at random"
TRAINED: dict[str, tuple[nn.Module, str, str]] = {
    "norm": (nn.BatchNorm2d(4), "(batch_norm) normalizes by the batch at hand", _EVAL),
    "dropout": (nn.Dropout(0.2), f"(dropout) {_DROPS}", _DROPOUT),
    "in place": (nn.Dropout(0.2, inplace=True), f"(dropout_) {_DROPS}", _DROPOUT),
    "of channels": (nn.Dropout2d(0.2), f"(feature_dropout) {_DROPS}", _DROPOUT),
    "alpha": (nn.AlphaDropout(0.2), f"(alpha_dropout) {_DROPS}", _DROPOUT),
    "alpha of channels": (
        nn.FeatureAlphaDropout(0.2),
        f"(feature_alpha_dropout) {_DROPS}",
        _DROPOUT,
    ),
    "slopes": (
        nn.RReLU(),
        "(rrelu) takes slopes at random",
        f"{_EVAL}; give functional.rrelu training=self.training",
    ),
    "slopes in place": (
        nn.RReLU(inplace=True),
        "(rrelu_) takes slopes at random",
        f"{_EVAL}; give functional.rrelu training=self.training",
    ),
}


@pytest.mark.parametrize("name", TRAINED)
def test_a_program_exported_in_training_mode(name: str, tmp_path: Path) -> None:
    module, found, instead = TRAINED[name]
    around = Around(module).train()
    program = torch.export.export(around, (torch.randn(IMAGE),))
    torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(InputError) as caught:
        translate_program(load_program(tmp_path / "m.pt2"), "net")
    assert caught.value.what == f"the program was exported in training mode: odd.function {found}"
    assert caught.value.help == instead


def test_a_function_does_not_know_the_mode() -> None:
    program = export_module(Around(lambda x: functional.dropout(x, 0.2)), (torch.randn(IMAGE),))
    with pytest.raises(InputError, match=r"odd \(dropout\) drops values at random") as caught:
        translate_program(program, "net")
    assert caught.value.help == _DROPOUT


IN_PLACE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "alpha": lambda x: torch.ops.aten.alpha_dropout_(x, 0.2, False),
    "alpha of channels": lambda x: torch.ops.aten.feature_alpha_dropout_(x, 0.2, False),
}
DROPOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    f"{kind.__name__}, inplace={inplace}": kind(0.2, inplace=inplace)
    for kind in (nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)
    for inplace in (False, True)
}


@pytest.mark.parametrize("name", [*DROPOUTS, *IN_PLACE])
def test_dropout_is_nothing_in_use(name: str) -> None:
    around = Around({**DROPOUTS, **IN_PLACE}[name])
    graph = translate_program(export_module(around, (torch.randn(IMAGE),)), "net").graph
    assert graph.outputs == ("before",)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d, nn.AlphaDropout])
def test_dropout_of_nothing_is_no_training(kind: type[nn.Module]) -> None:
    program = torch.export.export(Around(kind(0.0)).train(), (torch.randn(IMAGE),))
    assert translate_program(program, "net").graph.outputs == ("before",)
