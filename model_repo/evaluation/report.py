"""An evaluation as a page that a person reads: tables, what they mean, and where the model fails."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from model_repo import pages
from model_repo.evaluation.answers import FRAME_SCORES, SCORES
from model_repo.evaluation.evaluate import ALONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from model_repo.evaluation.detection import Detection
    from model_repo.evaluation.evaluate import Evaluation
    from model_repo.evaluation.quality import Difference, Quality

FAILING_AUC = 0.8
GUARANTEED_SAMPLES = 6
METHODS = {
    "deep_ensemble": "deep ensemble",
    "softmax": "softmax, one network",
    "mc_dropout": "MC dropout",
    "spectral_gp": "spectral Gaussian process",
    "vgp_head": "Gaussian-process head",
    "llpr": "last-layer rigidity (LLPR)",
    ALONE: "its members, each alone (mean)",
}


def write_report(evaluation: Evaluation, out: Path, command: str, pictures: Sequence[tuple[str, str]], remarks: str = "") -> Path:
    """Write `out`.md and `out`/figures.json; return the page's path.

    Args:
        evaluation: what is told.
        out: folder of the figures; the page stands beside it.
        command: what makes the page again.
        pictures: file names in `out`, with captions.
        remarks: what a person has to say of the model, put before the tables.
    """
    return pages.write(out, asdict(evaluation), _page(evaluation, out.name, command, pictures, remarks))


def failures(evaluation: Evaluation) -> list[str]:
    """One sentence for each kind of shift that entropy misses, beside the score that finds it, if one does."""
    sentences = []
    for row in evaluation.detections:
        if row.level != "frame" or row.auc["entropy"].value >= FAILING_AUC:
            continue
        name, best = max(row.auc.items(), key=lambda item: item[1].value)
        better = f"{name} has {best}" if best.value >= FAILING_AUC else f"no score reaches {FAILING_AUC:g} (best: {name}, {best})"
        sentences.append(f"Entropy fails on {row.kind} ({row.origin}): frame AUC {row.auc['entropy']}; {better}.")
    return sentences or [f"Entropy reached a frame AUC of {FAILING_AUC:g} on every kind tried here."]


def _page(evaluation: Evaluation, folder: str, command: str, pictures: Sequence[tuple[str, str]], remarks: str) -> Iterator[str]:
    yield f"# {evaluation.name} version {evaluation.version}: evaluation of the served graph"
    yield ""
    yield f"Method {METHODS[evaluation.method]}, {evaluation.members} members; {evaluation.source}. Graph SHA-256 `{evaluation.digest}`."
    yield f"Made by `{command}` in {evaluation.seconds:.0f} s on {evaluation.machine} (the machine was shared with other work)."
    yield "Every figure stands with its 95 % interval, a bootstrap over independent samples; differences are paired on the same samples."
    if evaluation.origin == "simulated":
        yield "**All lots here are simulated**; only the unrelated photographs are real. Nothing here is a claim about a real instrument."
    yield ""
    if remarks:
        yield from (remarks.strip(), "")
    yield from _sources(evaluation)
    yield from _answers(evaluation)
    yield from _trust(evaluation)
    yield from _shifts(evaluation)
    yield "## Where this fails"
    yield ""
    yield from (f"- {sentence}" for sentence in failures(evaluation))
    yield from _standing_limits(evaluation)
    yield ""
    yield "## Pictures"
    yield ""
    for name, caption in pictures:
        yield f"![{caption}]({folder}/{name})"
        yield ""
    yield "## How it was trained"
    yield ""
    yield from (f"- {key}: {json.dumps(value)}" for key, value in evaluation.training.items())


def _sources(evaluation: Evaluation) -> Iterator[str]:
    yield "## Sources (images or fields / independent samples)"
    yield ""
    yield "| lot | train | calibration | test | unseen |"
    yield "|---|---|---|---|---|"
    rows: dict[str, list[str]] = {}
    for lot, sides in evaluation.counts.items():
        cells = [f"{sides[s]['images']} / {sides[s]['groups']}" if s in sides else "-" for s in ("train", "calibration", "test", "unseen")]
        rows.setdefault(" | ".join(cells), []).append(lot)
    for cells_text, lots in rows.items():
        yield f"| {lots[0] if len(lots) == 1 else f'{lots[0]} to {lots[-1]}, each'} | {cells_text} |"
    yield ""


def _answers(evaluation: Evaluation) -> Iterator[str]:
    yield "## Answers on the test side"
    yield ""
    yield "A frame is a whole image, tiled as the agent tiles it; its probability is the mean over its fields. ECE has 20 equal bins;"
    yield "risk is the share of wrong answers among the 90 % of least entropy."
    yield ""
    yield "| origin | level | method | frames (samples) | n | accuracy | NLL | ECE | risk at 90 % |"
    yield "|---|---|---|---|---|---|---|---|---|"
    yield from (_quality_row(row, evaluation.origin) for row in evaluation.qualities)
    yield ""
    if evaluation.differences:
        yield f"{METHODS[evaluation.method].capitalize()} less the other method, paired on the same samples:"
        yield ""
        yield "| origin | level | less | accuracy | NLL | ECE | risk at 90 % | its risk over the other's |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from (_difference_row(row, evaluation.origin) for row in evaluation.differences)
        yield ""


def _trust(evaluation: Evaluation) -> Iterator[str]:
    yield "## May an answer be believed?"
    yield ""
    yield "Thresholds of the manifest, fitted on the calibration side, as they turn out on the test frames; the agent uses these."
    yield ""
    yield "| origin | asked for | entropy threshold, nats | coverage on test | risk on test |"
    yield "|---|---|---|---|---|"
    for row in evaluation.referral:
        yield f"| {evaluation.origin} | {row.asked} | {row.threshold:.4f} | {row.coverage} | {row.risk} |"
    yield ""
    tempering = evaluation.tempering
    if tempering is None:
        yield "Temperature: none between 0.05 and 20 is best on the calibration fields; the network is left as it is."
    else:
        yield (
            f"Temperature {tempering.temperature:.2f} (fitted on calibration fields): on test fields NLL {tempering.nll_before:.3f} -> "
            f"{tempering.nll_after:.3f}, ECE {tempering.ece_before:.3f} -> {tempering.ece_after:.3f}. "
            f"The served graph has temperature {evaluation.training.get('temperature', 1)}."
        )
    yield ""
    found = evaluation.conformal
    if found is None:
        yield "Conformal sets: a lot has a single sample on a side, so no coverage can be measured."
    else:
        yield (
            f"Conformal sets at {found.test.nominal:.0%}, class-conditional, calibrated on the calibration side: on the test side they "
            f"hold the true lot in {found.test.pooled:.3f} (standard error {found.test_error:.3f}, over test samples and drawn calibration "
            f"samples), with {found.test.set_size:.2f} lots in a set; {sum(lot.missed for lot in found.test.lots)} of "
            f"{len(found.test.lots)} lots are off by family-wise 5 % (exact binomial over samples)."
        )
        yield (
            f"Over 20 random halvings of all untrained samples, which checks the procedure, not the network: {found.halvings.pooled:.3f} "
            f"(standard error {found.halvings.standard_error:.3f}), {sum(lot.missed for lot in found.halvings.lots)} lots off."
        )
        yield f"The agent's p-value of the distance is at most 0.1 in {found.strange} of normal test frames."
    yield ""


def _shifts(evaluation: Evaluation) -> Iterator[str]:
    yield "## Shifts: AUC against the test frames of known lots"
    yield ""
    yield "Distance is the raw score, pooled over lots; distance for its lot is less the calibration median of the predicted lot, as a"
    yield "judge would take it. Noise for its lot is Immerkaer's estimate on the full-resolution frame, as its absolute difference from the"
    yield "calibration median of the predicted lot; the simulated filament adds noise by its definition. Accuracy is that of the shifted"
    yield "frames, where they still have a known lot, after that of the same samples before the change. Rows of all unseen lots have"
    yield "intervals over lots."
    for level in ("frame", "field"):
        yield ""
        yield f"### {level.capitalize()} level"
        yield ""
        scores = FRAME_SCORES if level == "frame" else SCORES
        yield f"| origin | kind | frames (samples) | n | accuracy | {' | '.join(scores)} |"
        yield "|---|---|---|---|---|" + "---|" * len(scores)
        for detection in evaluation.detections:
            if detection.level == level:
                yield _detection_row(detection, scores)
    yield ""
    if evaluation.others:
        yield "Entropy's frame AUC by method (intervals of the other methods by 100 replicates):"
        yield ""
        methods = list(dict.fromkeys(row.method for row in evaluation.others))
        yield f"| origin | kind | {METHODS[evaluation.method]} | {' | '.join(METHODS[name] for name in methods)} |"
        yield "|---|---|---|" + "---|" * len(methods)
        own = {row.kind: row for row in evaluation.detections if row.level == "frame"}
        for kind in dict.fromkeys(row.kind for row in evaluation.others):
            rows = {row.method: row for row in evaluation.others if row.kind == kind}
            cells = " | ".join(str(rows[name].entropy) for name in methods)
            yield f"| {own[kind].origin} | {kind} | {own[kind].auc['entropy']} | {cells} |"
        yield ""
    if not evaluation.tellings:
        return
    yield "Telling known frames, filament changes, unseen lots and unrelated pictures apart (logistic regression on entropy, mutual"
    yield "information, distance and acquisition statistics for the lot; cross-validated, samples kept whole): balanced accuracy"
    yield ", ".join(f"from {name} {telling.balanced_accuracy}" for name, telling in evaluation.tellings.items()) + "."
    yield ""


def _standing_limits(evaluation: Evaluation) -> Iterator[str]:
    sides = [found for found in evaluation.counts.values() if "test" in found]
    smallest = min(found["test"]["groups"] for found in sides)
    if smallest < GUARANTEED_SAMPLES:
        yield f"- The smallest lot has {smallest} independent test sample(s): exchanging one source can move a figure by a whole image."
    if min(found["calibration"]["groups"] for found in sides) < GUARANTEED_SAMPLES:
        yield "- A lot has fewer than 6 independent samples for calibration, so no false-alarm rate can be guaranteed on these data."
    if evaluation.origin == "real":
        yield "- The filament changes are simulated on real frames; no real filament change was to be had."
        yield "- The melt-pool tiles are probably optical: telling them from electron micrographs is easier than telling an unseen SEM lot."
        yield "- Noise may tell a kind because its source is another instrument: that says nothing of what is imaged."
    else:
        yield "- Lots, specimens and column are simulated: a real instrument has shifts that nobody thought of here."
    yield "- Best steps, referral thresholds and what a method fits were chosen on the calibration side: bounds are slightly optimistic."
    yield "- An interval without width says only that no sample differed: with n samples and no miss, up to 3 in n may be wrong (95 %)."
    yield "- Percentile intervals of the ECE lie high, since resampled bins are noisier than the bins themselves."
    yield "- One training of each method: what other seeds would give is not in the intervals."


def _quality_row(row: Quality, origin: str) -> str:
    cells = " | ".join(map(str, (row.accuracy, row.nll, row.ece, row.risk_at_90)))
    return f"| {origin} | {row.level} | {METHODS[row.method]} | {row.frames} ({row.groups}) | {row.count} | {cells} |"


def _difference_row(row: Difference, origin: str) -> str:
    cells = " | ".join(map(str, (row.accuracy, row.nll, row.ece, row.risk_at_90, row.risk_ratio)))
    return f"| {origin} | {row.level} | {METHODS[row.other]} | {cells} |"


def _detection_row(row: Detection, scores: tuple[str, ...]) -> str:
    cells = " | ".join(str(row.auc[name]) for name in scores)
    right = "-" if row.accuracy is None else f"{row.accuracy:.3f}"
    if row.accuracy_before is not None:
        right = f"{row.accuracy_before:.3f} to {right}"
    return f"| {row.origin} | {row.kind} | {row.frames} ({row.groups}) | {row.count} | {right} | {cells} |"
