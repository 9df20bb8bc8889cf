"""How much a model may ask for: far above any microcontroller, far below any computer's memory.

A file of a kilobyte can name tensors of gigabytes. The front end refuses what is beyond these
figures, so that later stages need neither patience nor more than 2 GiB of memory for what passes.
"""

ELEMENTS_MAX = 1 << 24
"""Elements of a tensor that the file does not carry itself, padding of windows included.

The largest external memories of boards have 32 MiB; one operator's input and output fill them.
"""

ACTIVATION_BYTES_MAX = 1 << 28
"""Bytes of all tensors that are computed; MobileNetV2-1.0-224 has 7 MiB."""

OPERATORS_MAX = 4096
"""Operators of a model; those of the model zoos for microcontrollers have at most a few hundred."""

REFERENCES_MAX = 4 * OPERATORS_MAX
"""Inputs and outputs of the model and of all its operators together: a CONCATENATION may join a
thousand tensors, and becomes a thousand kernel calls."""

SCALES_MAX = 1 << 16
"""Scales of one tensor quantized per channel."""

FOLDED_ELEMENTS_MAX = 1 << 24
"""Elements of all constants that are computed at compile time, together."""

FOLDED_WORK_MAX = 1 << 32
"""Multiply-accumulates, or elements met by a pooling window, for all of these together."""
