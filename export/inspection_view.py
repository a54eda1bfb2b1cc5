"""An inspected bundle as tables."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from export.inspection import OPERATORS_NEED, Inspection, TensorFact
from export.manifest import Accuracy, EffortBudget, ParityReport

YES, NO = "[green]✓[/green]", "[red]✗[/red]"
MOST_OPERATORS = 8


def show(found: Inspection, console: Console) -> None:
    """Print everything; what is wrong goes last."""
    for table in (
        _summary(found),
        _puzzles(found),
        _files(found),
        _parity(found),
        _accuracy(found),
    ):
        if table.row_count:
            console.print(table)
    for graph in _graphs(found):
        console.print(graph)
    if any(graph.operators is None and graph.inputs for graph in found.graphs):
        console.print(f"For operators and opset of the graphs: {OPERATORS_NEED}")
    for problem in found.problems:
        console.print(f"{NO} {escape(problem)}", soft_wrap=True, highlight=False)
    if not found.problems:
        console.print(f"{YES} everything is as the manifest says")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _summary(found: Inspection) -> Table:
    manifest = found.manifest
    source, restart = manifest.source, manifest.restart
    table = Table(title=str(found.bundle), title_justify="left", box=None, show_header=False)
    rows = {
        "name": manifest.name,
        "cell": manifest.cell,
        "parameters": f"{manifest.parameters:,}",
        "recursions": f"{manifest.latent_recursions} latent, {manifest.deep_recursions} deep",
        "trained supervision steps": str(manifest.trained_supervision_steps),
        "restarts": f"by {restart.by}, start noise {restart.noise_scale:g}",
        "source": f"{source.name}, {source.weights} weights after {source.optimizer_steps:,} "
        "optimizer steps",
        "checkpoint sha256": source.sha256,
        "opset": str(manifest.opset),
    }
    kernel, tasks = found.kernel, found.tasks
    if kernel is not None and kernel.weights is not None:
        rows["kernel weights"] = (
            f"{kernel.weights:,}: {kernel.blocks} blocks, D {kernel.hidden_size}, "
            f"width {kernel.width}"
        )
    if tasks is not None and manifest.tasks is not None:
        learnt = "can" if tasks.adaptable else "cannot (no checkpoint)"
        rows["tasks"] = (
            f"{manifest.tasks.tasks} in {manifest.tasks.variants} variants; others {learnt} be "
            "learnt from it"
        )
        if manifest.voters:
            rows["voters"] = f"{len(manifest.voters)} further networks that know them"
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def _puzzles(found: Inspection) -> Table:
    table = _table("puzzles", "puzzle", "state", "carry", "factors", "low", "standard", "max")
    for graph in found.manifest.graphs:
        efforts = graph.efforts
        table.add_row(
            graph.spec.name,
            f"{graph.state_len} × {graph.hidden_size}",
            graph.dtype,
            graph.precision,
            *(_budget(level) for level in (efforts.low, efforts.standard, efforts.max)),
        )
    return table


def _budget(level: EffortBudget) -> str:
    return f"{level.attempts} × {level.max_steps}"


def _files(found: Inspection) -> Table:
    table = _table("files", "file", "bytes", "hash")
    for file in found.files:
        size = "missing" if file.size_bytes is None else f"{file.size_bytes:,}"
        table.add_row(escape(file.file), size, NO if file.problem else YES)
    return table


def _parity(found: Inspection) -> Table:
    table = _table(
        "parity with PyTorch", "runtime", "puzzle", "same answers", "same steps", "q_halt within"
    )
    reports: list[tuple[str, str, ParityReport]] = [
        ("onnxruntime", graph.spec.name, graph.parity)
        for graph in (*found.manifest.graphs, *found.manifest.voters)
    ]
    if found.manifest.kernel is not None:
        compiled = found.manifest.kernel.parity.items()
        reports += [("compiled", name, parity) for name, parity in compiled]
    for runtime, puzzle, parity in reports:
        table.add_row(
            runtime,
            puzzle,
            f"{parity.same_answers}/{parity.puzzles}",
            f"{parity.same_steps}/{parity.puzzles}",
            f"{parity.largest_q_halt_difference:.1e}",
        )
    return table


def _accuracy(found: Inspection) -> Table:
    table = _table("measured", "data", "puzzles", "attempts", "steps", "exact", "verified")
    for one in found.manifest.accuracy:
        table.add_row(
            escape(one.data),
            f"{one.puzzles:,}",
            f"{one.attempts}",
            f"{one.supervision_steps}",
            *_shares(one),
        )
    return table


def _shares(one: Accuracy) -> tuple[str, str]:
    return f"{one.exact:.1%}", "" if one.verified is None else f"{one.verified:.1%}"


def _graphs(found: Inspection) -> list[Table]:
    tables = []
    for graph in found.graphs:
        if not graph.inputs:
            continue
        table = _table(f"{escape(graph.file)}", "", "tensor", "type", "shape")
        for side, tensors in (("in", graph.inputs), ("out", graph.outputs)):
            for tensor in tensors:
                table.add_row(side, tensor.name, tensor.type, _shape(tensor))
        if graph.operators is not None:
            total = sum(graph.operators.values())
            common = list(graph.operators.items())[:MOST_OPERATORS]
            told = ", ".join(f"{count} {name}" for name, count in common)
            rest = ", …" if len(graph.operators) > MOST_OPERATORS else ""
            table.caption = f"opset {graph.opset}; {total} operators: {told}{rest}"
            table.caption_justify = "left"
        tables.append(table)
    return tables


def _shape(tensor: TensorFact) -> str:
    return " × ".join(str(size) for size in tensor.shape)
