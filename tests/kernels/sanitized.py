"""Runs all kernel cases once: for a process whose kernels were built with sanitizers."""

from penstock.kernels.kernel_set import KernelSet
from tests.kernels.cases import CASES, FAST_CASES
from tests.kernels.comparison import check_case

if __name__ == "__main__":
    for case in CASES.values():
        check_case(case, 8, guard_bytes=0)
    for case in FAST_CASES.values():
        for kernels in (KernelSet.DSP_SINGLE, KernelSet.MVE):
            check_case(case, 25, guard_bytes=0, kernels=kernels)
