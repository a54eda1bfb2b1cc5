"""What a lane has done, in plain numbers."""

from dataclasses import dataclass

from server.policy import Status


@dataclass
class LaneCounts:
    """What a lane has done since it was opened; only the worker's thread counts.

    steps: supervision steps, which are runs of the engine; rows: in all of them; solved, unsolved:
    puzzles that were answered.
    """

    steps: int = 0
    rows: int = 0
    solved: int = 0
    unsolved: int = 0

    def answered(self, status: Status) -> None:
        """A puzzle got its answer."""
        if status is Status.solved:
            self.solved += 1
        else:
            self.unsolved += 1
