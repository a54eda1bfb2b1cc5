"""What goes over the wire: requests, answers, the description of a model. pydantic only."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from export.manifest import Accuracy, Effort, Efforts, Manifest
from puzzles.errors import CellProblem, InvalidGridError
from puzzles.kind import RawGrid, Verdict
from server.lane import SolveResult
from server.policy import Status, StoppedBy

HealthStatus = Literal["ok", "ready", "starting", "draining", "recovering", "failed"]
LONGEST_DEADLINE_MS = 24 * 60 * 60 * 1000
EXAMPLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"

_GRID_SCHEMA = {
    "description": "One line of characters (`.` or `0` = empty), or rows of integers (0 = empty).",
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    ],
}
_VERIFIED = {
    Verdict.solved: True,
    Verdict.wrong: False,
    Verdict.unknown: None,
    None: False,  # there was no answer
}
ModelName = Annotated[
    str | None,
    Field(description="The bundle that shall answer, by its name [`/v1/models` tells which]."),
]
_ITEMS_SCHEMA = {"type": "array", "items": {"$ref": "#/components/schemas/SolveRequest"}}


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SolveRequest(_Wire):
    """One puzzle and what may be spent on it; what is left out, the server's settings decide.

    `grid` is checked by `read_grid`, which can name the cells that are wrong.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "sudoku", "grid": EXAMPLE}})

    kind: str = Field(description="Kind of puzzle, as `sudoku`.")
    grid: Annotated[Any, WithJsonSchema(_GRID_SCHEMA)]
    model: ModelName = None
    effort: Effort | None = Field(
        None,
        description="How much the puzzle may cost: a number of attempts and of supervision steps "
        "for each, by what was measured of the bundle. `/v1/models` tells them.",
    )
    max_steps: int | None = Field(
        None, ge=1, description="Supervision steps per attempt, in place of the effort's."
    )
    attempts: int | None = Field(
        None, ge=1, description="Attempts before giving up, in place of the effort's."
    )
    deadline_ms: int | None = Field(
        None, ge=0, le=LONGEST_DEADLINE_MS, description="Time to answer, from arrival."
    )


class BatchRequest(_Wire):
    """Puzzles of any mixture of kinds and sizes; each is checked and fails alone."""

    items: Annotated[list[Any], WithJsonSchema(_ITEMS_SCHEMA)]


class Timing(_Wire):
    """Where the time went: waiting for a slot, and in one."""

    queue_ms: float
    compute_ms: float


class SolveAnswer(_Wire):
    """What came of one puzzle.

    `solution` is null unless `status` is solved: an answer that the rules have checked
    (`verified`), or on which the network halted where no rule can check (`verified` is null).
    """

    status: Status
    solution: list[list[int]] | None
    verified: bool | None
    steps: int = Field(description="Supervision steps over all attempts.")
    attempts: int = Field(description="Attempts begun.")
    stopped_by: StoppedBy
    halt_probability: float | None = Field(description="Of the last step; null if none ran.")
    timing: Timing
    model: str

    @classmethod
    def of(cls, result: SolveResult) -> "SolveAnswer":
        """The wire form of a result."""
        return cls(
            status=result.finish.status,
            solution=None if result.solution is None else result.solution.tolist(),
            verified=_VERIFIED[result.verdict],
            steps=result.spent.steps,
            attempts=result.spent.attempts,
            stopped_by=result.finish.stopped_by,
            halt_probability=result.halt_probability,
            timing=Timing(
                queue_ms=round(1000 * result.queue_s, 3),
                compute_ms=round(1000 * result.compute_s, 3),
            ),
            model=result.model,
        )


class ProblemError(_Wire):
    """One thing wrong: a cell (`row`, `column`, counted from 1), or a field of the request."""

    detail: str
    row: int | None = None
    column: int | None = None
    field: str | None = None


class Problem(_Wire):
    """RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemError] | None = None
    instance: str | None = Field(None, description="The request, as the log names it.")


class BatchResult(_Wire):
    """One item's answer, or what was wrong with it; `index` is its place in the request."""

    index: int
    result: SolveAnswer | None = None
    problem: Problem | None = None


class BatchAnswer(_Wire):
    """Results in the order of the items."""

    results: list[BatchResult]


class ModelSummary(_Wire):
    """A loaded bundle; `efforts`: what a puzzle may cost, by its name and by level."""

    name: str
    puzzles: list[str]
    efforts: dict[str, Efforts]
    cell: str
    parameters: int
    trained_supervision_steps: int
    accuracy: tuple[Accuracy, ...]

    @classmethod
    def of(cls, manifest: Manifest) -> "ModelSummary":
        """What a manifest says that a client may care about."""
        return cls(
            name=manifest.name,
            puzzles=[graph.spec.name for graph in manifest.graphs],
            efforts={graph.spec.name: graph.efforts for graph in manifest.graphs},
            cell=manifest.cell,
            parameters=manifest.parameters,
            trained_supervision_steps=manifest.trained_supervision_steps,
            accuracy=manifest.accuracy,
        )


class ModelList(_Wire):
    """Every loaded bundle. `defaults`: by puzzle, which one answers where a request names none."""

    models: list[ModelSummary]
    defaults: dict[str, str]


class ReloadAnswer(_Wire):
    """Names of the loaded bundles after a reload, and of those that are gone.

    `unchanged` ones go on as they were; `replaced`: other files under the same name.
    """

    added: list[str]
    replaced: list[str]
    removed: list[str]
    unchanged: list[str]
    seconds: float = Field(description="That it took to open and warm what is new.")


class Health(_Wire):
    """Whether the process lives (`ok`), or takes puzzles (`ready`)."""

    status: HealthStatus


def read_grid(raw: object) -> RawGrid:
    """Check that `raw` is text or rows of integers, whatever a client may have sent.

    Raises: InvalidGridError naming row and column of everything that is no integer.
    """
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, list):
        raise InvalidGridError(CellProblem("expected a line of text or rows of integers"))
    problems = [
        CellProblem("expected a row of integers", r)
        for r, row in enumerate(raw, 1)
        if not isinstance(row, list)
    ]
    problems += [
        CellProblem(f"expected an integer, got {_json_type(cell)}", r, c)
        for r, row in enumerate(raw, 1)
        if isinstance(row, list)
        for c, cell in enumerate(row, 1)
        if type(cell) is not int  # bool is an int, but not a symbol
    ]
    if problems:
        raise InvalidGridError(*problems)
    return raw


def _json_type(cell: object) -> str:
    names = {bool: "a boolean", float: "a float", str: "text", list: "a list", dict: "an object"}
    return "null" if cell is None else names.get(type(cell), type(cell).__name__)
