"""The example of docs/dma.md runs as printed, on the project that the page says to compile."""

from pathlib import Path

import pytest

import penstock as ps

ROOT = Path(__file__).parents[2]


def test_sanitizers_can_be_chosen_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "dma.md").read_text(encoding="utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    model = ROOT / "examples" / "cifar10.tflite"
    ps.compile(model, board="stm32f746g-disco", output="build/cifar10")
    exec(compile(example, "docs/dma.md", "exec"), {})
    cycles, outputs = capsys.readouterr().out.split(" ", 1)
    assert int(cycles) > 5_000_000
    assert len(outputs.split(",")) == 10
