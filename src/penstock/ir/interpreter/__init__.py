"""The definition of what a graph means: runs it in NumPy, bit-exact to TensorFlow Lite.

The oracle is LiteRT with its reference kernels (``OpResolverType.BUILTIN_REF``). Integer operators
agree byte for byte; the float32 tail (softmax, log-softmax) within two units in the last place, and
networks that are yet to be quantized, all in float32, up to the order of their sums.
"""

from penstock.ir.interpreter.execution import State, initial_state, run, trace

__all__ = ["State", "initial_state", "run", "trace"]
