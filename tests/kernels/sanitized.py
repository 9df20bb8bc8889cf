"""Runs all kernel cases once: for a process whose kernels were built with sanitizers."""

from tests.kernels.cases import CASES
from tests.kernels.comparison import check_case

if __name__ == "__main__":
    for case in CASES.values():
        check_case(case, 8, guard_bytes=0)
