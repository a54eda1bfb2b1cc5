"""`ponder inspect`: what is in a bundle, and whether it is what its manifest says."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, said_clearly


def inspect(
    bundle: Annotated[Path, typer.Argument(help="Bundle directory.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print a bundle's manifest, figures, files and graphs; all that it vouches for is checked.

    Exit status 1 if anything is not as the manifest says, 2 if there is no manifest to read.
    """
    from export.inspection import inspect_bundle
    from export.inspection_view import show
    from export.manifest import BundleError
    from server.engine import check_tensors

    with said_clearly(BundleError):
        found = inspect_bundle(bundle, check_tensors)
    if json:
        console.print(found.model_dump_json(), soft_wrap=True, highlight=False, markup=False)
    else:
        show(found, console)
    raise typer.Exit(1 if found.problems else 0)
