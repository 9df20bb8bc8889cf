"""Wall-clock times and memory of the tool itself on MobileNetV2-1.0-224: compile, then simulate.

Run by ``make bench``. Times are a benchmark, never a test: they depend on the machine. Each command
runs as a process of its own, so that start-up counts and peak memory is that command's.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODEL = "imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite"
BOARD = "stm32f746g-disco"
TARGET_MILLIONS = 80
TARGET_SECONDS = {"compile": 20.0, "simulate": 60.0}


def main() -> None:
    """Print one line for each command: seconds, target and peak memory."""
    shared = Path(os.environ.get("PENSTOCK_SHARED", Path(__file__).parents[2] / "shared"))
    model = shared / "models" / MODEL
    if not model.is_file():
        sys.exit(f"{model} is missing: set PENSTOCK_SHARED to the folder of shared models")
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "project"
        compile_seconds = timed("compile", str(model), "--board", BOARD, "-o", str(project))
        show("compile", compile_seconds)
        result = Path(scratch) / "run.json"
        simulate_seconds = timed("run", str(project), "--json", str(result))
        show("simulate", simulate_seconds)
        show_inference("overlays", result)
        timed("run", str(model), "--board", BOARD, "--no-overlays", "--json", str(result))
        show_inference("no overlays", result)
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"largest process: {peak_kib / 1024:.0f} MiB")


def timed(*arguments: str) -> float:
    """Run one ``penstock`` command and return its seconds."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "penstock", *arguments], check=True, stdout=sys.stderr)
    return time.perf_counter() - started


def show_inference(plan: str, result: Path) -> None:
    """Print how fast the virtual board was; copies by DMA cost it time of their own."""
    told = json.loads(result.read_text())
    instructions, seconds = told["instructions"], told["run_seconds"]
    print(
        f"inference  {seconds:5.1f} s for {instructions / 1e9:.2f} G instructions: "
        f"{instructions / seconds / 1e6:.0f} M/s with timing, {plan} (target: {TARGET_MILLIONS})"
    )


def show(verb: str, seconds: float) -> None:
    """Print one line of the result."""
    print(f"{verb:9} {seconds:6.1f} s (target: under {TARGET_SECONDS[verb]:.0f} s on two cores)")


if __name__ == "__main__":
    main()
