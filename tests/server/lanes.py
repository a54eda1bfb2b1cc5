"""Lanes of a test's own engines as what is loaded."""

from pathlib import Path

from export.manifest import MANIFEST_FILE, GraphEntry, Manifest, ParityReport, SourceCheckpoint
from server.lane import Lane
from server.loaded import Loaded, OpenBundle


def loaded(*lanes: Lane) -> Loaded:
    """One bundle with these lanes, on no disk."""
    entries = [
        GraphEntry(
            spec=lane.puzzle.spec,
            file="none",
            sha256="0" * 64,
            state_len=1,
            hidden_size=1,
            parity=ParityReport(
                puzzles=1,
                supervision_steps=1,
                same_answers=1,
                same_steps=1,
                largest_q_halt_difference=0.0,
            ),
        )
        for lane in lanes
    ]
    manifest = Manifest(
        name=lanes[0].model,
        cell="lattice",
        opset=18,
        parameters=0,
        latent_recursions=1,
        deep_recursions=1,
        trained_supervision_steps=16,
        source=SourceCheckpoint(name="none", sha256="0" * 64, optimizer_steps=0),
        restart=lanes[0].restart,
        graphs=tuple(entries),
    )
    return Loaded([OpenBundle(Path(MANIFEST_FILE), b"", manifest, lanes)])
