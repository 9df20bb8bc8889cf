"""From real values to integers: ranges, scales and zero points, post-training quantization."""
