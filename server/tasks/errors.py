"""What can be wrong with learning a task, or with where learnt tasks are kept."""


class TaskDirectoryError(Exception):
    """The directory of tasks cannot be used; the server does not start."""


class AdaptationUnavailableError(Exception):
    """This server cannot learn tasks; the message says what it lacks."""


class AdaptationFailedError(Exception):
    """A task could not be learnt; the message says why."""


class AdaptationQueueFullError(Exception):
    """Too many tasks wait to be learnt."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} tasks wait to be learnt; that is all that may wait")


class TaskNotReadyError(Exception):
    """A task that is not learnt yet, or could not be."""


class TaskInBundleError(Exception):
    """A task of a bundle cannot be removed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is in a bundle; only tasks that were learnt here can be removed")
