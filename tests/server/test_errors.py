"""Every error that can reach a client has its status and code."""

import importlib
import inspect
import pkgutil

import puzzles.errors
import server
from puzzles.errors import PuzzleError
from server.arrivals import ClientGoneError
from server.batches.errors import BatchDirectoryError
from server.batches.window import SolverStoppedError
from server.errors import BY_ERROR, problem_of
from server.offline import OfflineError
from server.puzzle_files import PuzzleFileError
from server.security.keys import KeyFileError
from server.security.opening import NoKeysError
from server.serving import AddressError
from server.settings import KeysOnCommandLineError
from server.tasks.errors import TaskDirectoryError
from server.trace_export import TracingUnavailableError

# Never a response: nobody is there to read it, or there is no server.
NOT_FOR_CLIENTS = {
    *(KeyFileError, KeysOnCommandLineError, NoKeysError),
    *(ClientGoneError, OfflineError, PuzzleFileError, AddressError, PuzzleError),
    *(BatchDirectoryError, SolverStoppedError, TaskDirectoryError, TracingUnavailableError),
}


def own_errors() -> set[type[Exception]]:
    modules = [
        importlib.import_module(found.name)
        for package in (puzzles, server)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not found.name.endswith("__main__")
    ]
    return {
        value
        for module in modules
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == module.__name__
    }


def test_every_error_of_ours_is_mapped() -> None:
    assert own_errors() - NOT_FOR_CLIENTS == {
        error for error in BY_ERROR if error.__module__.split(".")[0] in ("server", "puzzles")
    }


def test_codes_tell_problems_apart() -> None:
    kinds = set(BY_ERROR.values())
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_an_unforeseen_error_tells_nothing_of_itself() -> None:
    problem = problem_of(RuntimeError("secret path"))
    assert (problem.status, problem.code) == (500, "internal_error")
    assert "secret" not in problem.model_dump_json()
