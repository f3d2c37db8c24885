"""`model-repo <step> RECIPE`: the steps of making a served model; each imports what it needs only when it runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_agent.core.errors import EdgeAgentError
from model_repo.cli.extra import training_extra
from model_repo.cli.regression import regression_app
from model_repo.method_kind import MethodKind

if TYPE_CHECKING:
    from model_repo.data.source import Source
    from model_repo.recipe import Recipe

app = typer.Typer(
    name="model-repo",
    help="Train, evaluate, export and lay out the ensembles that edge-agent asks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(regression_app, name="regression")


class Target(StrEnum):
    """Where a Triton repository is to run."""

    PYTHON = "python"
    ONNXRUNTIME = "onnxruntime"
    TENSORRT_PLAN = "tensorrt_plan"


class Precision(StrEnum):
    """A TensorRT plan's arithmetic."""

    FP32 = "fp32"
    FP16 = "fp16"


RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name or file, for example sem-real.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A served model's folder, or the name of a shipped one.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="The folder of the lots' folders; for the virtual microscope, where its fields are kept.", file_okay=False),
]
Method = Annotated[MethodKind | None, typer.Option("--method", help="Another method than the recipe's.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]


@app.command()
def train(
    recipe: RecipeName,
    out: Out,
    data: Data = None,
    method: Method = None,
    member: Annotated[list[int] | None, typer.Option("--member", help="Train only the member of this seed; repeatable.")] = None,
) -> None:
    """Train a recipe's members; run again to go on after an interruption.

    Example: model-repo train sem-real --data data/sem --out checkpoints/sem-real
    """
    with training_extra("train"):
        from model_repo.train import train as train_members
    loaded, source = _recipe_and_source(recipe, method, data)
    unknown = set(member or ()) - set(loaded.training.seeds)
    if unknown:
        raise EdgeAgentError(f"--member {min(unknown)}", "is no seed of the recipe", f"use one of {loaded.training.seeds}")
    for result in train_members(loaded, source, out, seeds=member or ()):
        print(f"member {result.seed}: kept step {result.step}, calibration NLL {result.calibration_nll:.4f}, {result.seconds:.0f} s")


@app.command()
def export(
    recipe: RecipeName,
    checkpoints: Annotated[Path, typer.Option("--checkpoints", help="The folder that `train` wrote.", exists=True, file_okay=False)],
    out: Out,
    data: Data = None,
    method: Method = None,
    temperature: Annotated[
        bool, typer.Option("--temperature", help="Divide the logits by the calibration side's best temperature.")
    ] = False,
) -> None:
    """Make one ONNX graph of the trained networks, with its manifest.

    Example: model-repo export sem-real --data data/sem --checkpoints checkpoints/sem-real --out model_repo/served/sem-real
    """
    with training_extra("export"):
        from model_repo.export import export as export_model
    loaded, source = _recipe_and_source(recipe, method, data)
    manifest = export_model(loaded, source, checkpoints, out, with_temperature=temperature)
    print(f"{manifest.name} version {manifest.version}: {manifest.members} members, SHA-256 {manifest.onnx.sha256}")


@app.command()
def evaluate(
    recipe: RecipeName,
    out: Out,
    data: Data = None,
    model: Annotated[str | None, typer.Option("--model", help="The served model's folder; the shipped one otherwise.")] = None,
    against: Annotated[
        list[Path] | None, typer.Option("--against", help="Another method's served folder, for the table; repeatable.")
    ] = None,
) -> None:
    """Run the served graph on the test side and on shifted frames; write the report beside OUT as OUT.md.

    Example: model-repo evaluate sem-real --data data/sem --out model_repo/reports/sem-real
    """
    with training_extra("evaluate"):
        from model_repo.evaluation import draw_all, failures, write_report
        from model_repo.evaluation import evaluate as evaluate_model
    loaded, source = _recipe_and_source(recipe, None, data)
    evaluation, answers = evaluate_model(loaded, source, _served(model or loaded.name), against or ())
    options = [
        *(["--data DIR"] if loaded.data.source == "micrographs" else []),
        *(["--model MODEL"] if model else []),
        *(f"--against {folder.name}" for folder in against or ()),
    ]
    command = " ".join(["model-repo evaluate", loaded.name, *options, f"--out {_shown(out)}"])
    page = write_report(evaluation, out, command, draw_all(evaluation, answers, out), loaded.remarks)
    for row in evaluation.qualities:
        print(f"{row.level:5} {row.method:14} accuracy {row.accuracy.value:.3f}  NLL {row.nll.value:.3f}  ECE {row.ece.value:.3f}")
    for sentence in failures(evaluation):
        print(sentence)
    print(f"report: {page}")


@app.command("learning-curve")
def learning_curve(
    recipe: RecipeName,
    checkpoints: Annotated[Path, typer.Option("--checkpoints", help="The folder that `train` wrote.", exists=True, file_okay=False)],
    out: Out,
    work: Annotated[Path, typer.Option("--work", help="Keeps the checkpoints of the smaller training sets.")],
    data: Data = None,
    networks: Annotated[int, typer.Option("--networks", min=1, help="Networks trained at each size.")] = 2,
    accuracy: Annotated[float, typer.Option("--accuracy", min=0, max=1, help="The accuracy whose number of samples is asked for.")] = 0.95,
) -> None:
    """Train on 10, 25, 50 and 100 % of the samples; write confidence without labels beside accuracy, and what more would buy, to OUT.md.

    Example: model-repo learning-curve sem-virtual --checkpoints checkpoints --work curve --out model_repo/reports/sem-virtual-curve
    """
    with training_extra("learning-curve"):
        from model_repo.learning import learning_curve as measure
        from model_repo.learning import write_learning_report
    from model_repo.recipe import find_recipe, load_recipe

    loaded = load_recipe(find_recipe(recipe))
    measured = measure(loaded, data, checkpoints, work, networks=networks, wanted=accuracy)
    command = (
        f"model-repo learning-curve {loaded.name}{' --data DIR' if data else ''} --checkpoints DIR --work DIR --networks {networks} "
        f"--accuracy {accuracy:g} --out {_shown(out)}"
    )
    print(f"report: {write_learning_report(measured, out, command)}")


@app.command()
def calibrate(
    recipe: RecipeName,
    data: Data = None,
    model: Annotated[str | None, typer.Option("--model", help="The served model's folder; the shipped one otherwise.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write a calibrated copy there; a shipped model needs it.")] = None,
) -> None:
    """Measure what is normal for each lot on the calibration side; write calibration.json into the model's folder, or a copy of it.

    Example: model-repo calibrate sem-real --data data/sem --out models/sem-real
    """
    with training_extra("calibrate"):
        from model_repo.calibrate import calibrate as calibrate_model
    from edge_agent.inference import shipped_models

    loaded, source = _recipe_and_source(recipe, None, data)
    folder, shipped = _served(model or loaded.name), shipped_models()
    if out is None and shipped is not None and folder.resolve().is_relative_to(shipped.resolve()):
        raise typer.BadParameter("a model that ships is not overwritten; say where its calibrated copy goes", param_hint="--out")
    print(calibrate_model(folder, source, loaded.calibration, out=out))


@app.command()
def layout(
    model: ModelName,
    out: Out,
    target: Annotated[Target, typer.Option("--target", help="Where Triton is to run the model.")] = Target.ONNXRUNTIME,
    instances: Annotated[int, typer.Option("--instances", min=1, help="Copies that answer at the same time.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=0, help="Threads of one instance on a CPU; 0: as the runtime likes.")] = 0,
) -> None:
    """Write a Triton model repository.

    Example: model-repo layout sem-real --out triton --target onnxruntime
    """
    from model_repo.serving.layout import layout as lay_out

    print(lay_out(_served(model), out, target.value, instances=instances, threads=threads))


@app.command("compile")
def compile_(
    model: ModelName,
    out: Out,
    precision: Annotated[Precision, typer.Option("--precision")] = Precision.FP32,
    max_batch: Annotated[int, typer.Option("--max-batch", min=1, help="Most fields a request may hold.")] = 48,
) -> None:
    """Build a TensorRT plan on this machine's GPU and refuse it when it differs from the ONNX.

    Example: model-repo compile sem-real --out compiled --precision fp16
    """
    from model_repo.serving.compile import compile_plan

    print(compile_plan(_served(model), out, precision.value, max_batch=max_batch))


@app.command("list")
def list_() -> None:
    """Name the recipes and the shipped models.

    Example: model-repo list
    """
    from edge_agent.inference import MANIFEST_NAME, load_manifest, shipped_models
    from model_repo.recipe import RECIPES

    for path in sorted(RECIPES.glob("*.toml")):
        print(f"recipe  {path.stem}")
    folder = shipped_models()
    for path in sorted(folder.glob(f"*/{MANIFEST_NAME}")) if folder else ():
        manifest = load_manifest(path.parent)
        print(f"model   {manifest.name} version {manifest.version}: {manifest.members} members, lots {', '.join(manifest.lots)}")


@app.command()
def inspect(model: ModelName) -> None:
    """Check a served model's digests and show its manifest.

    Example: model-repo inspect sem-real
    """
    from edge_agent.inference import load_manifest, verify

    folder = _served(model)
    manifest = load_manifest(folder)
    verify(folder, manifest)
    print(manifest.model_dump_json(indent=2, exclude={"canary"}))


def main() -> None:
    """Run the command line; an expected error is one line on standard error and an exit code."""
    try:
        app()
    except EdgeAgentError as error:
        sys.stderr.write(f"model-repo: {error}\n")
        sys.exit(error.exit_code)


def _recipe_and_source(name: str, method: MethodKind | None, data: Path | None) -> tuple[Recipe, Source]:
    from model_repo.data.opening import open_source
    from model_repo.recipe import find_recipe, load_recipe

    loaded = load_recipe(find_recipe(name))
    if method is not None:
        loaded = loaded.with_method(method)
    return loaded, open_source(loaded, data)


def _served(model: str) -> Path:
    from edge_agent.inference import find_model

    return Path(model) if Path(model).is_dir() else find_model(model)


def _shown(out: Path) -> Path:
    """Relative where it can be: a report says nothing of the machine's folders."""
    try:
        return out.resolve().relative_to(Path.cwd())
    except ValueError:
        return Path(out.name)
