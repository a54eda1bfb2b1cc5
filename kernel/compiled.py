"""Code of a network, compiled in memory for the CPU that it runs on."""

import ctypes
import functools
from typing import final

import llvmlite.binding as llvm

from kernel.isa import Isa
from kernel.layout import Network
from kernel.network_code import HELP, RUN, SHARE, NetworkCode
from kernel.step_code import StepCode
from kernel.train_code import TrainCode

SPEED_LEVEL = 2  # of instruction selection, as -O2 has it; a third level gained nothing here


@final
class Compiled:
    """Machine code of one network, for puzzles of all sizes and any number of threads."""

    def __init__(self, code: NetworkCode) -> None:
        """Compile; a second or two.

        Without LLVM's passes over the whole module: the code is written as they would leave it,
        and they take longer than everything else, for machine code that is no faster.
        """
        self.network = code.network
        self.isa = code.isa
        self.layout = code.layout
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(),
            features=llvm.get_host_cpu_features().flatten(),
            opt=SPEED_LEVEL,
            jit=True,
        )
        module = llvm.parse_assembly(str(code.module))
        module.verify()
        self._engine = llvm.create_mcjit_compiler(module, machine)  # owns the code: keep it
        self._engine.finalize_object()
        # Functions of ctypes let go of the interpreter's lock while they run.
        one = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        several = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
        self._run = one(self._engine.get_function_address(RUN))
        self._help = one(self._engine.get_function_address(HELP))
        self._share = several(self._engine.get_function_address(SHARE))

    def run(self, job: int) -> None:
        """Take rows of the job with its table at this address, until none is left."""
        self._run(job)

    def help(self, job: int) -> None:
        """Do so each time that `share` is called with the job, until its table says it is over."""
        self._help(job)

    def share(self, jobs: int, count: int) -> None:
        """Run so many jobs, whose tables' addresses are listed at this address, and wait for all.

        The first one in this thread; in each of the others a thread is in `help`.
        """
        self._share(jobs, count)


@functools.cache
def compiled_step(network: Network, isa: Isa) -> Compiled:
    """Supervision steps, compiled once in a process. Raises: UnsupportedError."""
    return Compiled(StepCode(network, isa))


@functools.cache
def compiled_training(network: Network, isa: Isa) -> Compiled:
    """Supervision steps with gradients, compiled once in a process. Raises: UnsupportedError."""
    return Compiled(TrainCode(network, isa))
