"""The endpoints of what is loaded: tell of it, read it again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from server.reloading import Reloader
from server.routes import PROBLEMS, AppSolver
from server.schemas import ModelList, ModelSummary, ReloadAnswer
from server.security.access import require_admin

MODELS = "/v1/models"

router = APIRouter()


async def get_reloader(request: Request) -> Reloader:
    """The application's reloader."""
    reloader = request.app.state.reloader
    assert isinstance(reloader, Reloader)
    return reloader


AppReloader = Annotated[Reloader, Depends(get_reloader)]


@router.get(MODELS)
async def models(solver: AppSolver) -> ModelList:
    """The loaded bundles, and which of them answers where a request names none."""
    loaded = solver.loaded
    return ModelList(
        models=[ModelSummary.of(bundle.manifest) for bundle in loaded.bundles],
        defaults=loaded.defaults,
    )


# A plain function: it runs in a thread, for as long as opening takes.
@router.post(MODELS + "/reload", responses=PROBLEMS, dependencies=[Depends(require_admin)])
def reload(reloader: AppReloader) -> ReloadAnswer:
    """Read the bundles again from their directories; puzzles in work are not disturbed."""
    done = reloader.reload()
    return ReloadAnswer(
        added=list(done.added),
        replaced=list(done.replaced),
        removed=list(done.removed),
        unchanged=list(done.unchanged),
        seconds=round(done.seconds, 3),
    )
