"""Commands that begin in a moment: forks of a process that has imported what they need.

A guide runs a dozen commands, and each would import PyTorch anew, for some seconds of a core. What
runs is the module, as `python -m` would, with its own arguments, directory, environment and
standard streams. `python warm.py FOLDER MODULE...` is the process that forks.
"""

import atexit
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MOST_BYTES = 2**17  # of arguments and environment


class Asked(NamedTuple):
    """What is to be run."""

    arguments: list[str]  # after `python -m`
    directory: str
    environment: dict[str, str]


@functools.cache
def warm_process(root: Path, modules: tuple[str, ...]) -> str:
    """The address of one that has these modules of `root`; it ends with this process."""
    folder = tempfile.mkdtemp(prefix="warm-")  # short: an address has a hundred characters
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, folder, *modules],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(_end, process)
    assert process.stdout is not None
    address = process.stdout.readline().decode().strip()
    assert address, f"{modules} cannot be imported"
    return address


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def run_warm(address: str, arguments: Sequence[str]) -> int:
    """`python -m ARGUMENTS` by the process at this address. Returns: its exit status."""
    asked = Asked([*arguments], str(Path.cwd()), dict(os.environ))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(asked).encode()], (0, 1, 2))
        return int(connection.recv(16))


def _next_command(address: str) -> Asked:
    """Fork whenever somebody asks; returns in the fork, which is to be the command.

    Ends the process when standard input ends.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for commands
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen()
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                sys.exit()
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    return _fork_command(connection)


def _fork_command(connection: socket.socket) -> Asked:
    """Returns in the command; the process that calls this waits for it, tells, and ends."""
    message, streams, _, _ = socket.recv_fds(connection, MOST_BYTES, 3)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return Asked(*json.loads(message))
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(command, 0)
    with suppress(BrokenPipeError):  # who asked has been killed
        connection.send(str(os.waitstatus_to_exitcode(status) % 256).encode())
    os._exit(0)


def _main(folder: str, *modules: str) -> None:
    for module in modules:
        importlib.import_module(module)
    asked = _next_command(f"{folder}/socket")
    os.chdir(asked.directory)
    os.environ.clear()
    os.environ.update(asked.environment)
    sys.argv = asked.arguments
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
