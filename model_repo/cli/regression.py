"""`model-repo regression …`: the regressions, from data to report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model_repo.cli.extra import training_extra

regression_app = typer.Typer(
    help="Uncertainty of a number: formation enthalpy from composition, and the sinusoid of Bi et al.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Out = Annotated[Path, typer.Option("--out", help="The report's folder; the page is written beside it as OUT.md.")]


@regression_app.command()
def composition(
    data: Annotated[Path, typer.Option("--data", help="The folder of oqmd_formation_enthalpy.csv.", exists=True, file_okay=False)],
    out: Out,
    work: Annotated[Path, typer.Option("--work", help="Where trained members are kept; run again to go on.")] = Path("composition-members"),
) -> None:
    """Train the ensemble, the GP head and LLPR on formation enthalpies; write the report.

    Example: model-repo regression composition --data data/composition --out model_repo/reports/composition
    """
    with training_extra("regression"):
        from model_repo.regression.run import run_composition
    print(f"report: {run_composition(data, out, work)}")


@regression_app.command()
def sinusoid(out: Out) -> None:
    """Fit the 500-point sinusoid with 10, 50 and 100 inducing points; write the report.

    Example: model-repo regression sinusoid --out model_repo/reports/sinusoid
    """
    with training_extra("regression"):
        from model_repo.regression.run import run_sinusoid
    print(f"report: {run_sinusoid(out)}")
