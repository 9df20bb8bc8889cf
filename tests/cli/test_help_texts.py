"""What help texts and pages name exists: verbs and their options."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from penstock.cli.entry import cli

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "src" / "penstock").rglob("*.py"), *(ROOT / "docs").glob("*.md")])
NAMED = re.compile(r"(?:`+|^ {4}|^)penstock ([a-z]+)([^`\n]*)", re.MULTILINE)


def _options(command: click.Command) -> set[str]:
    """Return the options of a command and of those below it."""
    own = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union({"--help"}, *(_options(sub) for sub in below))


def _named(path: Path) -> Iterator[tuple[str, str]]:
    for match in NAMED.finditer(path.read_text(encoding="utf-8")):
        for option in re.findall(r"--[a-z][a-z-]*", match[2]) or [""]:
            yield match[1], option


def test_verbs_and_options_exist() -> None:
    named = [(path.name, *found) for path in FILES for found in _named(path)]
    assert len(named) > 100
    wrong = [
        f"{file}: penstock {verb} {option}"
        for file, verb, option in named
        if verb not in cli.commands or (option and option not in _options(cli.commands[verb]))
    ]
    assert wrong == []
