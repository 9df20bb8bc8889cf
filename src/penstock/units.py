"""How quantities are shown to people."""

_BINARY_PREFIXES = ("B", "KiB", "MiB", "GiB")


def format_bytes(size_bytes: int) -> str:
    """Return a size as text with a binary prefix: ``1536`` is ``1.5 KiB``."""
    value = float(size_bytes)
    for prefix in _BINARY_PREFIXES:
        if value < 1024 or prefix == _BINARY_PREFIXES[-1]:
            return f"{size_bytes} B" if prefix == "B" else f"{value:.1f} {prefix}"
        value /= 1024
    raise AssertionError("unreachable")


def format_count(count: int) -> str:
    """Return a count as text with a decimal prefix: ``300775552`` is ``300.8 M``."""
    for limit, suffix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.1f} {suffix}"
    return str(count)
