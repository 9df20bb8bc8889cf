"""What to put in the place of operators that cannot be translated, whatever the framework."""

RESIZE = "end the network before it, or keep the size: nothing is resized on the device"
RECURRENT = "replace the recurrent layer by convolutions, and train again"
LAST = "end the network before it: the application computes it of the outputs"
FUNCTION = "train without it, or compute it outside the network"
STEP = "take a convolution with a stride, and train on"
