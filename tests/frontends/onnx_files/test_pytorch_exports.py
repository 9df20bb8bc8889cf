"""What PyTorch's exporter to ONNX writes, of the modules that are translated without it too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("onnx", reason="needs the extra 'onnx'")

from penstock.design.reading import read_source  # noqa: E402
from tests.frontends.onnx_files.models import graph_outputs  # noqa: E402
from tests.frontends.pytorch.modules import (  # noqa: E402
    Darts,
    Mixture,
    MobileNet,
    with_random_norms,
)

MODULES: dict[str, tuple[Callable[[], "torch.nn.Module"], tuple[int, ...]]] = {
    "mobilenet": (MobileNet, (1, 3, 32, 32)),
    "darts": (Darts, (1, 3, 16, 16)),
    "mixture": (Mixture, (1, 1, 7, 6)),
}


# The exporter that needs no other packages is deprecated, and says so in several ways.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("is_folded", [True, False], ids=["folded", "with norms"])
@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize("name", MODULES)
def test_an_exported_module_computes_what_it_computed(
    name: str, opset: int, is_folded: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    make, shape = MODULES[name]
    module = with_random_norms(make())
    path = tmp_path / "net.onnx"
    torch.onnx.export(
        module,
        (torch.randn(shape),),
        path,
        dynamo=False,
        opset_version=opset,
        do_constant_folding=is_folded,
        training=torch.onnx.TrainingMode.EVAL if is_folded else torch.onnx.TrainingMode.PRESERVE,
        input_names=["x"],
        dynamic_axes={"x": {0: "batch"}},
    )
    source = read_source(path)
    generator = np.random.default_rng(0)
    for _ in range(3):
        sample = generator.normal(size=shape).astype(np.float32)
        with torch.no_grad():
            expected = module(torch.from_numpy(sample)).numpy()
        (found,) = graph_outputs(source, sample)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
