"""What `--help` says is what the commands' authors wrote: no bracket is lost to markup."""

import re
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from cli.main import app

BRACKETS = re.compile(r"\[[^\]]*\]")
COMMANDS = typer.main.get_command(app)
ELSEWHERE = ("serve",)  # its help is the settings'


def leaves(command: object, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command that has options of its own."""
    inside = getattr(command, "commands", {})
    if not inside and words != ELSEWHERE:
        yield words
    for name, sub in inside.items():
        yield from leaves(sub, *words, name)


def of(words: tuple[str, ...]) -> object:
    command: object = COMMANDS
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    return command


@pytest.mark.parametrize("words", list(leaves(COMMANDS)), ids=" ".join)
def test_defaults_in_brackets_are_shown(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"], terminal_width=400, env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.replace("│", " ").split())
    for parameter in of(words).params:  # type: ignore[attr-defined]
        for default in BRACKETS.findall(getattr(parameter, "help", None) or ""):
            assert default in shown, parameter.name
