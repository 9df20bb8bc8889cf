"""Comparison with text that a person has looked at."""

import difflib
import os
from pathlib import Path


def check_golden(path: Path, text: str) -> None:
    """Fail unless the file has the text.

    With PENSTOCK_UPDATE_GOLDEN=1 the text becomes the file; look at the difference before
    committing it.
    """
    if os.environ.get("PENSTOCK_UPDATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"golden file {path.name} is missing: run with PENSTOCK_UPDATE_GOLDEN=1"
    agreed = path.read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        agreed.splitlines(), text.splitlines(), "agreed", "printed", lineterm=""
    )
    assert text == agreed, f"{path.name} differs:\n" + "\n".join(lines)
