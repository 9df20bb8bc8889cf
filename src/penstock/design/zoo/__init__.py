"""Networks of our own: what they are, how they were trained, and the files."""
