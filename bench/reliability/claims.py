"""What a trial says: claims with their figures, each of which held or did not."""

import time
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from bench.report import Machine, this_machine


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Claim(_Frozen):
    """One promise: what was measured, what was promised, whether it held."""

    text: str
    measured: str
    promised: str
    held: bool


class Trial(_Frozen):
    """A trial's whole outcome."""

    trial: str
    machine: Machine
    seconds: float
    claims: tuple[Claim, ...]
    facts: dict[str, float | int | str]

    @property
    def held(self) -> bool:
        """Whether every claim did."""
        return all(claim.held for claim in self.claims)


class Findings(_Frozen):
    """What a trial measured, before it is dressed up: claims, and facts to understand them by."""

    claims: Sequence[Claim]
    facts: dict[str, float | int | str]


def at_most(text: str, measured: float, limit: float, unit: str = "") -> Claim:
    """Holds if `measured` is no more than `limit`."""
    return _bounded(text, measured, limit, unit, "≤", held=measured <= limit)


def at_least(text: str, measured: float, limit: float, unit: str = "") -> Claim:
    """Holds if `measured` is no less than `limit`."""
    return _bounded(text, measured, limit, unit, "≥", held=measured >= limit)


def exactly(text: str, measured: object, expected: object) -> Claim:
    """Holds if both are equal."""
    return Claim(
        text=text, measured=str(measured), promised=str(expected), held=measured == expected
    )


def tried(name: str, trial: Callable[[], Findings]) -> Trial:
    """Run a trial and say where and for how long it ran."""
    started_s = time.monotonic()
    findings = trial()
    return Trial(
        trial=name,
        machine=this_machine(),
        seconds=round(time.monotonic() - started_s, 1),
        claims=tuple(findings.claims),
        facts=findings.facts,
    )


def show(trial: Trial, console: Console) -> None:
    """A table for people."""
    table = Table(title=f"{trial.trial} ({trial.seconds:.0f} s)", title_justify="left")
    for column in ("claim", "measured", "promised", ""):
        table.add_column(column)
    for claim in trial.claims:
        verdict = "[green]held" if claim.held else "[bold red]FAILED"
        table.add_row(claim.text, claim.measured, claim.promised, verdict)
    console.print(table)
    for name, fact in trial.facts.items():
        console.print(f"  {name}: {fact}", highlight=False)


def _bounded(
    text: str, measured: float, limit: float, unit: str, sign: str, *, held: bool
) -> Claim:
    unit = f" {unit}" if unit else ""
    return Claim(
        text=text, measured=f"{measured:.4g}{unit}", promised=f"{sign} {limit:.4g}{unit}", held=held
    )
