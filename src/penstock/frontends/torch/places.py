"""Where in a module a node of its program lies."""

from torch.fx import Node


def module_of(node: Node) -> str:
    """Return the path of the module that a node belongs to; empty for the outermost one."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


def place_of(node: Node) -> str:
    """Return module and node, as an error names them."""
    return f"{module_of(node) or 'the outermost module'} ({node.name})"
