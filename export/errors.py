"""What can be wrong with an export.

ExportError
├── ContractError               the graph is not what the server relies on; `problems` names all
│   ├── NameMismatchError       inputs or outputs missing, unknown or in another order
│   └── ShapeMismatchError      a tensor of another dtype or shape
├── ReweightingError            a graph cannot take over a model's weights; `problems` names all
└── ParityError                 onnxruntime and PyTorch disagree; `problems` names all puzzles
    ├── AnswerMismatchError     on answers
    ├── StepCountMismatchError  on the supervision steps that puzzles took, the answers being equal
    └── HaltLogitMismatchError  on q_halt after the first step
"""

from collections.abc import Sequence

SHOWN = 10  # problems that a message spells out; `problems` holds them all


class ExportError(Exception):
    """Base of everything that stops an export."""


class _ListedError(ExportError):
    def __init__(self, what: str, problems: Sequence[str]) -> None:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        super().__init__(f"{what}: {'; '.join(problems[:SHOWN])}{more}")
        self.problems = tuple(problems)


class ContractError(_ListedError):
    """The graph's inputs or outputs are not the step graph's contract."""


class NameMismatchError(ContractError):
    """Inputs or outputs are missing, unknown or in another order."""


class ShapeMismatchError(ContractError):
    """An input or output has another dtype or shape."""


class ReweightingError(_ListedError):
    """A step graph cannot take over the weights of a model."""


class ParityError(_ListedError):
    """The exported graph does not do what the PyTorch model does."""


class AnswerMismatchError(ParityError):
    """Whole solves end in different answers."""


class StepCountMismatchError(ParityError):
    """Whole solves end in the same answers after different numbers of supervision steps."""


class HaltLogitMismatchError(ParityError):
    """q_halt differs by more than rounding after the first supervision step."""
