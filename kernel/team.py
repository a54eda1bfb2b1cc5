"""Threads that step rows of the same step side by side; the caller's is one of them."""

import ctypes
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import final

import numpy as np

from kernel.compiled import Compiled
from kernel.job import Field
from kernel.memory import Bytes, JobTable, aligned
from kernel.threads_code import SEMAPHORE_BYTES


class Team(ABC):
    """As many threads as there are jobs."""

    @abstractmethod
    def run(self, threads: int) -> None:
        """Run so many of the jobs, one at least, side by side, and wait for all."""


def team_of(step: Compiled, jobs: Sequence[JobTable]) -> Team:
    """Threads of compiled code where its semaphores can be had, Python's elsewhere."""
    return NativeTeam(step, jobs) if sys.platform == "linux" else PythonTeam(step, jobs)


@final
class NativeTeam(Team):
    """Helpers that stay in compiled code: who holds Python's lock does not hold them up."""

    def __init__(self, step: Compiled, jobs: Sequence[JobTable]) -> None:
        self._step = step
        self._addresses = np.array([job.address for job in jobs], np.int64)
        for job in jobs[1:]:
            job.own({Field.begin: _semaphore(), Field.done: _semaphore()})
            # A daemon: nobody waits for it when the process ends.
            threading.Thread(
                target=_help, args=(step, job), name="ponder-kernel", daemon=True
            ).start()
        weakref.finalize(self, _dismiss, jobs[1:])

    def run(self, threads: int) -> None:
        self._step.share(self._addresses.ctypes.data, threads)


@final
class PythonTeam(Team):
    """Helpers in a thread pool."""

    def __init__(self, step: Compiled, jobs: Sequence[JobTable]) -> None:
        self._step = step
        self._jobs = jobs
        self._pool = ThreadPoolExecutor(max(1, len(jobs) - 1), "ponder-kernel")

    def run(self, threads: int) -> None:
        started = [self._pool.submit(self._step.run, job.address) for job in self._jobs[1:threads]]
        self._step.run(self._jobs[0].address)
        for other in started:
            other.result()


def _help(step: Compiled, job: JobTable) -> None:
    """Keeps code and table alive for as long as the thread is in them."""
    step.help(job.address)


def _dismiss(helpers: Sequence[JobTable]) -> None:
    for job in helpers:
        job.set(Field.over, 1)
        _libc().sem_post(ctypes.c_void_p(job.at(Field.begin)))


def _semaphore() -> Bytes:
    memory = aligned(SEMAPHORE_BYTES)
    _libc().sem_init(ctypes.c_void_p(memory.ctypes.data), 0, 0)
    return memory


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
