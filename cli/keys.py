"""`ponder keys`: API keys of a server."""

from typing import Annotated

import typer

from cli.console import console, errors, said_clearly


def keys() -> None:
    """API keys of a server."""


def new(
    name: Annotated[str, typer.Argument(help="Whose key it is, for logs and metrics.")],
    admin: Annotated[
        bool, typer.Option("--admin", help="May also change how the server serves.")
    ] = False,
) -> None:
    """Make a key: the line for --api-key-file goes to stdout, the key itself to stderr, once."""
    import secrets

    from server.security.keys import KeyFileError, new_key

    with said_clearly(KeyFileError):
        made = new_key(name, "admin" if admin else "user", secrets.token_bytes)
    errors.print(
        f"the key, which nothing can show again:\n{made.secret}", soft_wrap=True, highlight=False
    )
    console.print(made.line, soft_wrap=True, highlight=False)
