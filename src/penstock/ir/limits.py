"""How much a model may ask for: far above any microcontroller, far below any computer's memory.

A file of a kilobyte can name tensors of gigabytes. The front end refuses what is beyond these
figures, so that later stages need neither patience nor more than 2 GiB of memory for what passes.
"""

FILE_BYTES_MAX = 64 << 20
"""Bytes of a model file, weights included."""

ELEMENTS_MAX = 1 << 24
"""Elements of a tensor that the file does not carry itself, padding of windows included.

The largest external memories of boards have 32 MiB; one operator's input and output fill them.
"""

ACTIVATION_BYTES_MAX = 1 << 28
"""Bytes of all tensors that are computed; MobileNetV2-1.0-224 has 7 MiB."""

WORK_MAX = 1 << 35
"""Multiply-accumulates, or elements met by pooling windows, of one inference.

With one a cycle, the fastest microcontrollers need a minute; MobileNetV2-1.0-224 has 2^28.
"""

OPERATORS_MAX = 4096
"""Operators of a model; those of the model zoos for microcontrollers have at most a few hundred."""

REFERENCES_MAX = 4 * OPERATORS_MAX
"""Inputs and outputs of the model and of all its operators together: a CONCATENATION may join a
thousand tensors, and becomes a thousand kernel calls."""

SCALES_MAX = 1 << 16
"""Scales of one tensor quantized per channel."""

WIDE_CONSTANTS_MAX = 1 << 21
"""Elements of a program's constants that have more than a byte each: biases, multipliers, tables.

They become numbers in C, of which a compiler takes a second for 200,000; bytes become strings.
"""

FOLDED_ELEMENTS_MAX = 1 << 24
"""Elements of all constants that are computed at compile time, together."""

FOLDED_WORK_MAX = 1 << 32
"""Multiply-accumulates, or elements met by pooling windows, for all of these together."""
