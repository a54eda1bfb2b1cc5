"""The design's arrows, kept: who imports whom, and what a file may do when it is imported.

docs/architecture.md draws the same table.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[1]
PACKAGES = ("puzzles", "kernel", "model", "training", "export", "server", "client", "cli", "bench")
RE_EXPORTING = {"client"}  # whose users say `from client import Ponder`
NOT_SERVED = {"bench"}  # not in the image
LONGEST_FILE = 300  # lines
# Outside functions nobody may ask the machine, the environment or the disk, or set anything up.
DOES_SOMETHING = {
    *("basicConfig", "getenv", "is_available", "device_count", "get_available_providers"),
    *("open", "read_text", "read_bytes", "parse_args", "set_num_threads", "manual_seed"),
    *("default_rng", "InferenceSession", "run"),
}


class Allowed(NamedTuple):
    """What files may import: our modules by prefix, and third-party packages."""

    ours: frozenset[str]
    third_party: frozenset[str]


def allow(ours: str, third_party: str) -> Allowed:
    return Allowed(frozenset(ours.split()), frozenset(third_party.split()))


ALLOWED = {
    "puzzles": allow("puzzles", "numpy pydantic"),
    "kernel": allow("kernel puzzles", "llvmlite numpy"),
    "model": allow("model puzzles", "numpy pydantic safetensors torch"),
    "training": allow(
        "training kernel model puzzles",
        "huggingface_hub matplotlib numba numpy pydantic rich safetensors tensorboard torch",
    ),
    "export": allow(
        "export kernel model puzzles",
        "numpy onnx onnx_ir onnxruntime pydantic rich safetensors torch",
    ),
    "export/manifest.py": allow("puzzles", "pydantic"),
    "server": allow(
        "server kernel puzzles export.manifest",
        "anyio fastapi numpy onnxruntime opentelemetry prometheus_client pydantic "
        "pydantic_settings rich starlette uvicorn",
    ),
    "client": allow("client", "httpx2 pydantic tenacity"),
    "cli": allow(" ".join(PACKAGES), "rich torch typer yaml"),
    "bench": allow(
        "bench export kernel model puzzles server training",
        "fastapi hypothesis litserve matplotlib numpy onnx onnxruntime pydantic pytest rich "
        "schemathesis torch typer uvicorn uvloop",
    ),
}


def package_files() -> list[Path]:
    return sorted(
        path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    )


def allowed_in(path: Path) -> Allowed:
    return ALLOWED.get(path.as_posix(), ALLOWED[path.parts[0]])


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere below, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def forbidden_imports(tree: ast.AST, allowed: Allowed) -> list[str]:
    """Imports outside the standard library that the table does not know."""
    return sorted(
        module
        for module in imported_modules(tree)
        if (root := module.partition(".")[0]) not in sys.stdlib_module_names
        and root not in allowed.third_party
        and not any(f"{module}.".startswith(f"{prefix}.") for prefix in allowed.ours)
    )


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported, those of class bodies too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.ClassDef):
            yield from at_import(statement.body)


def calls_at_import(statement: ast.stmt) -> Iterator[str]:
    """Names of the functions that an assignment calls, looking into no lambda."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        if not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def import_effects(tree: ast.Module) -> list[str]:
    """Lines that do more than import, define or name a value."""
    effects = []
    for statement in at_import(tree.body):
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.Pass():
                harmless = True
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                harmless = True
            case ast.Expr(ast.Constant()):  # a docstring, or the ... of a protocol
                harmless = True
            case ast.Assign() | ast.AnnAssign():
                names = {call.rpartition(".")[2] for call in calls_at_import(statement)}
                harmless = not names & DOES_SOMETHING and "environ" not in ast.unparse(statement)
            case ast.If(ast.Name("TYPE_CHECKING")):
                harmless = True
            case _:
                harmless = False
        if not harmless:
            effects.append(f"line {statement.lineno}: {ast.unparse(statement).splitlines()[0]}")
    return effects


def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


@pytest.mark.parametrize("path", package_files(), ids=str)
def test_a_package_imports_only_what_the_design_allows(path: Path) -> None:
    assert forbidden_imports(parse(path), allowed_in(path)) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("server/engine.py", "import torch"),
        ("server/engine.py", "def f():\n    import onnx.helper"),
        ("server/app.py", "from export.bundle import write"),
        ("server/app.py", "from model.config import ModelConfig"),
        ("export/manifest.py", "import onnxruntime"),
        ("export/manifest.py", "from export.contract import BATCH"),
        ("training/trainer.py", "from export import bundle"),
        ("model/trm.py", "from training.recipe import Recipe"),
        ("puzzles/maze.py", "from torch import Tensor"),
        ("puzzles/maze.py", "from . import sudoku"),
        ("server/app.py", "from bench.report import Report"),
        ("client/schemas.py", "from server.schemas import SolveAnswer"),
        ("server/app.py", "from client.sync_client import Ponder"),
        ("bench/step.py", "from cli.console import console"),
    ],
)
def test_a_forbidden_import_is_seen(path: str, source: str) -> None:
    assert len(forbidden_imports(ast.parse(source), allowed_in(Path(path)))) == 1


def test_the_server_may_read_manifests_and_nothing_else_of_the_exporter() -> None:
    source = "import onnxruntime as ort, json\nfrom export.manifest import Manifest"
    assert forbidden_imports(ast.parse(source), ALLOWED["server"]) == []


@pytest.mark.parametrize("path", sorted(Path(ROOT, "cli").glob("*.py")), ids=lambda p: p.name)
def test_the_command_line_imports_our_packages_inside_its_commands(path: Path) -> None:
    outside = [
        module
        for statement in parse(path).body
        if not isinstance(statement, ast.FunctionDef)
        and not ast.unparse(statement).startswith("if TYPE_CHECKING:")
        for module in imported_modules(statement)
    ]
    loaded = {module.partition(".")[0] for module in outside}
    assert not loaded & {*PACKAGES, "torch", "onnx", "yaml"} - {"cli"}


@pytest.mark.parametrize("package", sorted({*PACKAGES} - RE_EXPORTING))
def test_init_holds_a_docstring_and_nothing_else(package: str) -> None:
    tree = parse(Path(package, "__init__.py"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize("package", sorted(RE_EXPORTING))
def test_init_imports_its_own_package_and_names_what_it_exports(package: str) -> None:
    docstring, *imports, exported = parse(Path(package, "__init__.py")).body
    assert isinstance(docstring, ast.Expr)
    assert {module.partition(".")[0] for node in imports for module in imported_modules(node)} == {
        package
    }
    assert ast.unparse(exported).startswith("__all__ = ")


@pytest.mark.parametrize("path", package_files(), ids=str)
def test_importing_a_module_does_nothing(path: Path) -> None:
    if path.name != "__main__.py":
        assert import_effects(parse(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "torch.set_num_threads(2)",
        "for name in names: register(name)",
        "DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'",
        "TOKEN = os.environ['TOKEN']",
        "TABLE = Path('table.json').read_text()",
        "class Settings:\n    rng = np.random.default_rng()",
        "try:\n    import torch\nexcept ImportError:\n    torch = None",
    ],
)
def test_an_effect_of_importing_is_seen(source: str) -> None:
    assert len(import_effects(ast.parse(source))) == 1


def test_definitions_and_values_are_no_effects_of_importing() -> None:
    source = '"""Doc."""\nlog = logging.getLogger(__name__)\nREAD = lambda p: p.read_text()\n'
    source += "class A:\n    x: int = Field(gt=0)\n    def f(self): return open('x')"
    assert import_effects(ast.parse(source)) == []


def test_no_source_file_is_longer_than_a_sitting() -> None:
    files = [path for path in ROOT.glob("*/**/*.py") if _is_ours(path)]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}


def _is_ours(path: Path) -> bool:
    return path.relative_to(ROOT).parts[0] in (*PACKAGES, "tests")


def test_the_wheel_and_the_image_hold_every_package() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = find_packages(str(ROOT), include=setup["packages"]["find"]["include"])
    found = {path.parent.as_posix().replace("/", ".") for path in package_files()}
    assert set(packed) == found
    copied = [
        source
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert {*PACKAGES, "bundles"} - NOT_SERVED <= set(copied)
    assert not NOT_SERVED & set(copied)
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert [source for source in copied if f"!{source}" not in sent] == []
