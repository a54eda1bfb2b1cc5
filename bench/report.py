"""What a benchmark says: rows of figures that keep all their rounds, and where they come from."""

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from pydantic import BaseModel, ConfigDict, Field

from kernel.lattice import usable_cores

FORMAT_VERSION = 1
PACKAGES = ("torch", "onnxruntime", "onnxruntime-gpu", "numpy")
GIB = 2**30

Label = str | int  # an int is a place on a chart's axis: a batch size, a number of connections
Setting = str | int | float | bool | None


class BenchError(Exception):
    """A benchmark that cannot run as asked; the message says what is missing."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Frozen):
    """One measured quantity: all rounds, in the order in which they ran."""

    unit: str
    median: float
    lowest: float
    highest: float
    rounds: tuple[float, ...] = Field(min_length=1)

    @classmethod
    def of(cls, rounds: Iterable[float], unit: str) -> "Figure":
        """A figure from its rounds, at least one. unit: as `puzzle-steps/s`, `ms`, `share`."""
        values = tuple(rounds)
        return cls(
            unit=unit,
            median=median(values),
            lowest=min(values),
            highest=max(values),
            rounds=values,
        )


class Row(_Frozen):
    """A contender in one situation: labels say which, figures what it did there.

    All rows of a report have the same labels; a row lacks the figures that do not apply to it.
    """

    labels: dict[str, Label]
    figures: dict[str, Figure]


class Chart(_Frozen):
    """How a report is drawn: a panel per value of `panel`, a line per value of `series`.

    x: a label; where its values are text, bars stand in place of lines. y: a figure.
    """

    x: str
    y: str
    series: str
    panel: str | None = None


class Machine(_Frozen):
    """Where it ran. cores: those this process may use."""

    cpu: str
    cores: int
    memory_gib: float | None
    accelerator: str | None
    os: str
    python: str
    versions: dict[str, str]


class Report(_Frozen):
    """One benchmark's whole outcome. notes: what was left out, and why."""

    format_version: int = FORMAT_VERSION
    benchmark: str
    command: str
    machine: Machine
    settings: dict[str, Setting]
    rows: tuple[Row, ...]
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Write the report as JSON, aside and renamed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.partial")
        aside.write_text(self.model_dump_json(indent=1) + "\n")
        aside.replace(path)


def this_machine(accelerator: str | None = None, packages: Sequence[str] = PACKAGES) -> Machine:
    """The machine at hand; `packages` that are not installed are left out."""
    return Machine(
        cpu=_cpu_model(),
        cores=usable_cores(),
        memory_gib=_memory_gib(),
        accelerator=accelerator,
        os=platform.platform(terse=True),
        python=platform.python_version(),
        versions={name: found for name in packages if (found := _version(name)) is not None},
    )


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB, 1)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
