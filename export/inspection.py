"""What is in a bundle, and whether it is what its manifest says. Needs neither torch nor onnx.

Graphs are opened by onnxruntime; where the package onnx is installed, their operators are counted
too.
"""

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort
from pydantic import BaseModel, ConfigDict, computed_field

from export.manifest import BundleError, GraphEntry, Manifest, NamedFile, file_sha256
from kernel.weights import LatticeWeights, WeightsError
from puzzles.arc_task import InvalidTaskError
from puzzles.errors import UnknownKindError
from puzzles.known_tasks import read_known_tasks
from puzzles.registry import by_name

# Compares a graph's inputs and outputs with its entry: (path, entry, inputs, outputs).
# Raises: BundleError.
CheckTensors = Callable[[Path, GraphEntry, Sequence[Any], Sequence[Any]], None]
OPERATORS_NEED = "pip install onnx"
DEFAULT_DOMAINS = ("", "ai.onnx")


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileFact(_Fact):
    """A file that the manifest vouches for; problem: why it is not that file."""

    file: str
    size_bytes: int | None
    problem: str | None


class TensorFact(_Fact):
    """An input or output; shape: sizes, and names of axes that are free."""

    name: str
    type: str
    shape: tuple[int | str, ...]


class GraphFact(_Fact):
    """A step graph as onnxruntime reads it; operators and opset: as onnx does, if it is there."""

    puzzle: str
    file: str
    inputs: tuple[TensorFact, ...] = ()
    outputs: tuple[TensorFact, ...] = ()
    operators: dict[str, int] | None = None
    opset: int | None = None
    problems: tuple[str, ...] = ()


class KernelFact(_Fact):
    """Weights for the compiled kernel; sizes of the network that they are of."""

    file: str
    hidden_size: int | None = None
    width: int | None = None
    blocks: int | None = None
    weights: int | None = None
    problem: str | None = None


class TasksFact(_Fact):
    """The list of tasks; adaptable: whether there is a checkpoint to learn further tasks from."""

    file: str
    tasks: int | None
    adaptable: bool
    problem: str | None = None


class Inspection(_Fact):
    """Everything there is to tell of a bundle."""

    bundle: Path
    manifest: Manifest
    files: tuple[FileFact, ...]
    graphs: tuple[GraphFact, ...]
    kernel: KernelFact | None
    tasks: TasksFact | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def problems(self) -> tuple[str, ...]:
        """What is not as the manifest says."""
        parts = (self.kernel, self.tasks)
        found = [f"{one.file}: {one.problem}" for one in self.files if one.problem]
        found += [f"{one.file}: {why}" for one in self.graphs for why in one.problems]
        found += [f"{one.file}: {one.problem}" for one in parts if one and one.problem]
        return tuple(found)


def inspect_bundle(bundle: Path, check_tensors: CheckTensors) -> Inspection:
    """Look at every part of a bundle. Raises: BundleError if its manifest cannot be read."""
    manifest = Manifest.parse(bundle)
    return Inspection(
        bundle=bundle,
        manifest=manifest,
        files=tuple(_file(bundle, named) for named in manifest.files),
        graphs=tuple(
            _graph(bundle, manifest, entry, check_tensors)
            for entry in (*manifest.graphs, *manifest.voters)
        ),
        kernel=None if manifest.kernel is None else _kernel(bundle, manifest.kernel.file),
        tasks=_tasks(bundle, manifest),
    )


def _file(bundle: Path, named: NamedFile) -> FileFact:
    path = bundle / named.file
    try:
        size, found = path.stat().st_size, file_sha256(path)
    except OSError as error:
        return FileFact(file=named.file, size_bytes=None, problem=error.strerror or str(error))
    same = found == named.sha256
    problem = None if same else f"sha256 {found}, but the manifest says {named.sha256}"
    return FileFact(file=named.file, size_bytes=size, problem=problem)


def _graph(
    bundle: Path, manifest: Manifest, entry: GraphEntry, check_tensors: CheckTensors
) -> GraphFact:
    path = bundle / entry.file
    fact = GraphFact(puzzle=entry.spec.name, file=entry.file)
    if not path.is_file():
        return fact
    problems = list(_puzzle_problems(entry))
    try:
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        problem = f"onnxruntime cannot load it: {error}"
        return fact.model_copy(update={"problems": (*problems, problem)})
    inputs, outputs = session.get_inputs(), session.get_outputs()
    try:
        check_tensors(path, entry, inputs, outputs)
    except BundleError as error:
        problems.append(str(error))
    operators, opset = _operators(path)
    if opset is not None and opset != manifest.opset:
        problems.append(f"opset {opset}, but the manifest says {manifest.opset}")
    return GraphFact(
        puzzle=entry.spec.name,
        file=entry.file,
        inputs=tuple(_tensors(inputs)),
        outputs=tuple(_tensors(outputs)),
        operators=operators,
        opset=opset,
        problems=tuple(problems),
    )


def _puzzle_problems(entry: GraphEntry) -> Iterable[str]:
    try:
        if by_name(entry.spec.name).spec != entry.spec:
            yield f"its {entry.spec.name} is not the puzzle that this version knows"
    except UnknownKindError as error:
        yield str(error)


def _tensors(values: Iterable[Any]) -> Iterable[TensorFact]:
    for value in values:
        shape = tuple("any" if size is None else size for size in value.shape)
        yield TensorFact(
            name=value.name, type=value.type.removeprefix("tensor(").rstrip(")"), shape=shape
        )


def _operators(path: Path) -> tuple[dict[str, int] | None, int | None]:
    """How often each operator occurs, commonest first, and the opset; None without onnx."""
    if importlib.util.find_spec("onnx") is None:
        return None, None
    import onnx

    found = onnx.load(path, load_external_data=False)
    counts = Counter(node.op_type for node in found.graph.node)
    for function in found.functions:
        counts.update(node.op_type for node in function.node)
    opsets = [one.version for one in found.opset_import if one.domain in DEFAULT_DOMAINS]
    return dict(counts.most_common()), opsets[0] if opsets else None


def _kernel(bundle: Path, file: str) -> KernelFact:
    if not (bundle / file).is_file():
        return KernelFact(file=file)
    try:
        weights = LatticeWeights.load(bundle / file)
    except WeightsError as error:
        return KernelFact(file=file, problem=str(error))
    network = weights.network
    arrays = [array for block in weights.blocks for array in block]
    arrays += [weights.roles, weights.starts, weights.answer, weights.halt, weights.halt_bias]
    return KernelFact(
        file=file,
        hidden_size=network.hidden_size,
        width=network.width,
        blocks=network.blocks,
        weights=sum(array.size for array in arrays),
    )


def _tasks(bundle: Path, manifest: Manifest) -> TasksFact | None:
    table = manifest.tasks
    if table is None:
        return None
    adaptable = (bundle / table.checkpoint).is_dir()
    fact = TasksFact(file=table.file, tasks=None, adaptable=adaptable)
    if not (bundle / table.file).is_file():
        return fact
    try:
        found = len(read_known_tasks(bundle / table.file))
    except InvalidTaskError as error:
        return fact.model_copy(update={"problem": str(error)})
    problem = None if found == table.tasks else f"{found} tasks, the manifest says {table.tasks}"
    return fact.model_copy(update={"tasks": found, "problem": problem})
