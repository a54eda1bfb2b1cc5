"""Runs the shell commands of a guide, in order, in a directory of its own, as a reader would.

A few things are not literal, so that it takes seconds (`quicker`): training, adapting and
benchmarks stop at once, data sets and evaluations are small, the Hub is a folder with two files;
`ponder serve` gets a free port and is waited for, `make serve` is `ponder serve`, and what else is
made or installed is only looked up. A curl that gets a problem for an answer fails. Blocks that are
marked `console` need what a test has not: Docker, systemd, a GPU, a minute.
"""

import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.docs.warm import run_warm, warm_process

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.1:8000"
SHELL = re.compile(r"^```(?:sh|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 600
TRAINING = ("optimizer_steps=2", "validate_every=2", "save_every=2", "compile=false")
TRAINING += ("model.latent_recursions=1",)  # exporting takes a time that grows with each
# What takes long to import, in training, evaluating and exporting.
IMPORTED = ("cli.main", "training.session", "training.plot", "training.adaptation", "torch._dynamo")
IMPORTED += ("torch.onnx", "onnxscript.optimizer")  # onnxruntime starts threads: none in a fork
LINKED = ("recipes", "docs", "bench", "deploy", "tests", "Makefile", "pyproject.toml")

_PONDER = """#!/bin/bash
exec {python} -m tests.docs.guides "$@"
"""
_CURL = '#!/bin/bash\nexec /usr/bin/curl --fail-with-body --max-time 300 "$@"\n'
_MAKE = """#!/bin/bash
[ "$1" = serve ] && exec ponder serve
exec /usr/bin/make --dry-run -C {root} "$@"
"""
_PIP = """#!/bin/bash
exec {python} -m pip install --dry-run --no-deps --no-index --no-build-isolation -q {root}
"""


def run_guide(guide: Path, directory: Path, *, before: str = "", but: Sequence[str] = ()) -> str:
    """What its commands print; AssertionError if one fails.

    before: commands that its reader has done already; but: blocks of it to leave out.
    """
    port = _free_port()
    _lay_out(directory)
    blocks = [block for block in SHELL.findall(guide.read_text()) if block not in but]
    commands = "\n".join(blocks).replace(ADDRESS, f"127.0.0.1:{port}")
    commands = commands.replace('"minutes": 1,', '"minutes": 0.01,')
    environment = os.environ | {
        "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GUIDE_PORT": str(port),
        "GUIDE_COMMANDS": warm_process(ROOT, IMPORTED),
        "PONDER_URL": f"http://127.0.0.1:{port}",
        "PONDER_BATCH_DIR": str(directory / "data" / "batches"),
        "PONDER_TASK_DIR": str(directory / "data" / "tasks"),
        "OMP_WAIT_POLICY": "passive",
        "TORCHDYNAMO_DISABLE": "1",  # compiling takes a minute or two
    }
    script = f"set -euo pipefail\n{before}\n{commands}\n"
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        _end_server(directory / "server.pid")
    assert done.returncode == 0, f"{guide.name}\n{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def quicker(words: Sequence[str]) -> list[str]:
    """A `ponder` command as it is run here."""
    changed = list(words)
    match changed[:2]:
        case ["train", *_]:
            changed += [word for setting in TRAINING for word in ("--set", setting)]
        case ["adapt", *_]:
            changed += ["--no-compile", "--minutes", "0.01"]
        case ["export", *_]:
            changed += ["--parity-puzzles", "8"]
        case ["evaluate", *_]:
            changed += ["--puzzle-limit", "2"]
            if changed[1].startswith("bundles/"):
                changed += ["--runtime", "onnxruntime"]  # compiles nothing
            if "--attempts" in changed:
                changed[changed.index("--attempts") + 1] = "1,2"
        case ["bench", *_]:
            changed += ["--quick"]
        case ["data", "arc"] if "--made" in changed:
            changed[changed.index("--made") + 1] = "2"
        case ["data", "sudoku"]:
            _make_smaller(changed)
    return changed


def _make_smaller(words: list[str]) -> None:
    """Some puzzles in place of thousands."""
    if "hub" in words:
        words += ["--hub-dir", "hub"]
    size = words[words.index("--size") + 1] if "--size" in words else "9"
    made, kept = {"4": (400, 20), "16": (3, 1)}.get(size, (30, 5))
    for flag, most in (("--generate", made), ("--validation", kept), ("--test", kept)):
        if flag in words:
            words[words.index(flag) + 1] = str(most)


def _lay_out(directory: Path) -> None:
    """Commands, and what a clone has beside them; nothing is written into the clone itself."""
    for name in ("bin", "bundles", "data", ".venv/bin"):
        (directory / name).mkdir(parents=True)
    for name in LINKED:
        if (ROOT / name).exists():
            (directory / name).symlink_to(ROOT / name)
    for bundle in (ROOT / "bundles").iterdir():
        (directory / "bundles" / bundle.name).symlink_to(bundle)
    python = sys.executable
    scripts = {
        "bin/ponder": _PONDER.format(python=python),
        ".venv/bin/ponder": _PONDER.format(python=python),
        "bin/python": f'#!/bin/bash\nexec {python} "$@"\n',
        "bin/pip": _PIP.format(python=python, root=ROOT),
        "bin/curl": _CURL,
        "bin/make": _MAKE.format(root=ROOT),
    }
    for name, script in scripts.items():
        path = directory / name
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _end_server(pid: Path) -> None:
    if pid.exists():
        subprocess.run(["kill", pid.read_text().strip()], check=False, capture_output=True)


_START_SERVER = """
[ -f server.pid ] && kill "$(cat server.pid)" && sleep 0.2
"$0" -m cli serve --port "$GUIDE_PORT" "$@" > server.log 2>&1 < /dev/null &
echo $! > server.pid
for _ in $(seq 600); do
  /usr/bin/curl -sf "http://127.0.0.1:$GUIDE_PORT/readyz" > /dev/null && exit 0
  kill -0 "$(cat server.pid)" 2> /dev/null || break
  sleep 0.1
done
cat server.log >&2
exit 1
"""


def _run(words: list[str]) -> None:
    """Become the server, or have the command run."""
    if words[:1] == ["serve"]:
        bash = ["/bin/bash", "-c", _START_SERVER, sys.executable, *words[1:]]
        os.execv(bash[0], bash)  # noqa: S606
    sys.exit(run_warm(os.environ["GUIDE_COMMANDS"], ["cli", *quicker(words)]))


if __name__ == "__main__":
    _run(sys.argv[1:])
