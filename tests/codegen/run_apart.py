"""Runs models of a library, each in a process of its own that may abort.

    python -m tests.codegen.run_apart LIBRARY CASES.npz NAME...

The cases have arrays input_I and output_I, whose first dimension counts inferences. Prints a JSON
object: by name, whether the outputs were those.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from penstock.simulate.verification import arrays_agree
from penstock.toolchain import HostModel

_RIGHT, _WRONG = 0, 1


def _run(library: Path, cases: dict[str, np.ndarray], name: str) -> int:
    with HostModel(library, name) as machine:
        for number in range(len(cases["input_0"])):
            inputs = [cases[f"input_{n}"][number] for n in range(len(machine.inputs))]
            wanted = [cases[f"output_{n}"][number] for n in range(len(machine.outputs))]
            if not all(map(arrays_agree, machine.run(inputs), wanted)):
                return _WRONG
    return _RIGHT


def main() -> None:
    library = Path(sys.argv[1])
    cases = dict(np.load(sys.argv[2]))
    is_right = {}
    for name in sys.argv[3:]:
        child = os.fork()
        if child == 0:
            os._exit(_run(library, cases, name))
        _, status = os.waitpid(child, 0)
        is_right[name] = os.WIFEXITED(status) and os.WEXITSTATUS(status) == _RIGHT
    print(json.dumps(is_right))


if __name__ == "__main__":
    main()
