"""What every pass is."""

from typing import ClassVar, Protocol

from penstock.ir.graph import Graph


class Pass(Protocol):
    """Rewrites a graph into one that computes the same outputs, byte for byte.

    A pass is a frozen dataclass in a file of its own name; applied twice it changes nothing more.
    Names, shapes and types of graph inputs and outputs stay as they are.

    Attributes:
        name: the file's name, for dumps and messages.
    """

    name: ClassVar[str]

    def apply(self, graph: Graph) -> Graph:
        """Return the rewritten graph."""
        ...
