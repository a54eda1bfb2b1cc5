"""The process that learns a task: how it is begun, and that it ends with the server."""

import os
import subprocess
from pathlib import Path

from server.settings import Settings
from server.tasks.directory import Registration, TaskDirectory
from server.tasks.process import adapting_command
from tests.server.adapting_server import DEADLINE_SECONDS, OTHER, Served, register


def test_how_a_task_is_to_be_learnt_reaches_the_process(arc_bundle: Path, tmp_path: Path) -> None:
    served = Served(arc_bundle, tmp_path / "tasks")
    with served.running() as client:
        register(client, minutes=1.5, tries=5, side=9, what="embedding")
        register(client, OTHER)
    directory = TaskDirectory(served.directory)
    settings = Settings(adapt_threads=3)
    command = adapting_command(settings, directory, lambda model: Path("bundles", model))
    options = []
    for asked in directory.registrations():
        said = list(command(asked))
        begin = said.index("--name")
        told = dict(zip(said[begin::2], said[begin + 1 :: 2], strict=True))
        names = ("minutes", "tries", "side", "what", "threads")
        options.append([told[f"--{name}"] for name in names])
    directory.close()
    assert options == [["1.5", "5", "9", "embedding", "3"], ["5", "2", "0", "network", "3"]]


def test_the_process_ends_with_the_server(arc_bundle: Path, tmp_path: Path) -> None:
    """Whatever ends the server: nothing holds the other end of the process's standard input."""
    served = Served(arc_bundle, tmp_path / "tasks")
    served.mode = "wait"
    task = served.directory / "t" / "task.json"
    task.parent.mkdir(parents=True)
    registration = Registration(
        id="t", name=None, created_ms=0, train=[], model="m", what="network", minutes=1
    )
    read_end, write_end = os.pipe()
    process = subprocess.Popen(served.command_of(registration), stdin=read_end)
    os.close(read_end)
    os.close(write_end)
    assert process.wait(DEADLINE_SECONDS) == 1
