"""What the engines are doing now, for whoever watches: `GET /v1/engine`."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from server.lane import Lane
from server.routes import AppSolver
from server.schemas import HealthStatus

router = APIRouter()


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LaneNow(_Wire):
    """A lane. Totals count from when it was opened: the difference of two looks is a rate."""

    puzzle: str
    model: str
    runtime: str
    slots: int
    working: int = Field(description="Rows in slots.")
    waiting: int
    background_waiting: int = Field(description="Lines of batches that wait.")
    steps_total: int = Field(description="Supervision steps run, each of all its rows at once.")
    rows_total: int = Field(description="Rows in them.")
    solved_total: int
    unsolved_total: int

    @classmethod
    def of(cls, lane: Lane) -> "LaneNow":
        """As it is now; read without a lock, so figures may be of one step and the next."""
        return cls(
            puzzle=lane.name,
            model=lane.model,
            runtime=lane.runtime,
            slots=lane.slots,
            working=lane.scheduler.working,
            waiting=lane.scheduler.waiting,
            background_waiting=lane.scheduler.background_waiting,
            steps_total=lane.counts.steps,
            rows_total=lane.counts.rows,
            solved_total=lane.counts.solved,
            unsolved_total=lane.counts.unsolved,
        )


class EngineNow(_Wire):
    """Every lane of the loaded bundles, and those of learnt tasks while they have work."""

    state: HealthStatus
    lanes: list[LaneNow]
    uptime_s: float


@router.get("/v1/engine")
async def engine(solver: AppSolver) -> EngineNow:
    """What every lane is doing; cheap enough to be asked several times a second."""
    return EngineNow(
        state=solver.state,
        lanes=[LaneNow.of(lane) for lane in solver.lanes],
        uptime_s=round(solver.uptime_s, 3),
    )
