"""Class names from a text file."""

from pathlib import Path

from penstock.errors import InputError, os_reason

BACKGROUND = "background"


def read_labels(path: Path) -> list[str]:
    """Return one name a line.

    Raises:
        InputError: the file cannot be read or is no text.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"cannot read labels from {str(path)!r}: {reason}",
            help="give a text file with one class name a line",
        ) from error


def fit_labels(labels: list[str], class_count: int) -> list[str]:
    """Return one label per class.

    Label files for ImageNet come with and without a name for class 0, "background"; both fit
    networks with and without that class.

    Raises:
        InputError: the numbers differ otherwise.
    """
    if len(labels) == class_count + 1 and labels[0] == BACKGROUND:
        return labels[1:]
    if len(labels) == class_count - 1 and BACKGROUND not in labels:
        return [BACKGROUND, *labels]
    if len(labels) != class_count:
        raise InputError(
            f"the labels file names {len(labels)} classes, the output has {class_count} values",
            help="give a file with one name a line, for this network's classes",
        )
    return labels
