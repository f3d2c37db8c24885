"""An evaluation as a page that a person reads: tables, what they mean, and where the model fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model_repo.evaluate import Detection, Evaluation, Figure, Quality

FAILING_AUC = 0.8
SCORES = ("entropy", "mutual information", "distance")
FRAME_SCORES = (*SCORES, "distance for its lot", "noise for its lot")


def write_report(evaluation: Evaluation, out: Path, command: str) -> Path:
    """Write `out`.md and `out`/figures.json; return the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "figures.json").write_text(json.dumps(evaluation.to_json(), indent=1) + "\n", encoding="utf-8")
    page = out.with_suffix(".md")
    page.write_text("\n".join(_page(evaluation, out.name, command)) + "\n", encoding="utf-8")
    return page


def failures(evaluation: Evaluation) -> list[str]:
    """One sentence for each kind of shift that entropy misses, beside the score that finds it, if one does."""
    sentences = []
    for row in evaluation.detections:
        if row.level != "frame" or row.auc["entropy"].value >= FAILING_AUC:
            continue
        name, best = max(row.auc.items(), key=lambda item: item[1].value)
        better = (
            f"{name} has {_figure(best)}"
            if best.value >= FAILING_AUC
            else f"no score reaches {FAILING_AUC:g} (best: {name}, {_figure(best)})"
        )
        sentences.append(f"Entropy fails on {row.kind} ({row.origin}): frame AUC {_figure(row.auc['entropy'])}; {better}.")
    return sentences or ["Entropy reached a frame AUC of 0.8 on every kind tried here."]


def _page(evaluation: Evaluation, folder: str, command: str) -> Iterator[str]:
    yield f"# {evaluation.name} version {evaluation.version}: evaluation of the served graph"
    yield ""
    yield f"Graph SHA-256 `{evaluation.digest}`, {evaluation.members} members."
    yield f"Made by `{command}` in {evaluation.seconds:.0f} s on {evaluation.machine} (the machine was shared with other work)."
    yield "Every figure stands with its 95 % interval, a bootstrap over independent groups. With so few groups the intervals are rough, and"
    yield "nothing here holds beyond these few sources."
    yield ""
    yield "## Sources (images / independent groups)"
    yield ""
    yield "| lot | train | calibration | test | unseen |"
    yield "|---|---|---|---|---|"
    for lot, sides in evaluation.counts.items():
        cells = [f"{sides[s]['images']} / {sides[s]['groups']}" if s in sides else "-" for s in ("train", "calibration", "test", "unseen")]
        yield f"| {lot} | {' | '.join(cells)} |"
    yield ""
    yield "## Answers on the test side"
    yield ""
    yield "A frame is a whole image, tiled as the agent tiles it; its probability is the mean over its fields. `single network` is the"
    yield f"mean over the {evaluation.members} members of what each alone would reach. ECE has 20 equal bins; risk is the share of wrong"
    yield "answers among the 90 % of least entropy."
    yield ""
    yield "| origin | level | method | images (groups) | n | accuracy | NLL | ECE | risk at 90 % |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in evaluation.qualities:
        yield _quality_row(row)
    yield ""
    yield "## Shifts: AUC against the test frames of known lots"
    yield ""
    yield "Distance is the raw score, pooled over lots; distance for its lot is less the calibration median of the predicted lot, as a"
    yield "judge would take it. Noise for its lot is Immerkaer's estimate on the full-resolution frame, as its absolute difference from the"
    yield "calibration median of the predicted lot."
    for level in ("frame", "field"):
        yield ""
        yield f"### {level.capitalize()} level"
        yield ""
        scores = FRAME_SCORES if level == "frame" else SCORES
        yield f"| origin | kind | images (groups) | n | {' | '.join(scores)} |"
        yield "|---|---|---|---|" + "---|" * len(scores)
        for detection in evaluation.detections:
            if detection.level == level:
                yield _detection_row(detection, scores)
    yield ""
    yield "## Where this fails"
    yield ""
    yield from (f"- {sentence}" for sentence in failures(evaluation))
    yield from _standing_limits(evaluation)
    yield ""
    yield "## Pictures"
    yield ""
    for stem, caption in (
        ("roc", "ROC of entropy, mutual information and distance, field level"),
        ("entropy", "Entropy of fields by kind"),
        ("risk", "Risk against coverage, test fields"),
        ("map", "The test frame of largest entropy (real; MIT, see LICENSES.md) and its per-field entropy"),
    ):
        yield f"![{caption}]({folder}/{stem}.png)"
        yield ""
    yield "## How it was trained"
    yield ""
    yield from (f"- {key}: {json.dumps(value)}" for key, value in evaluation.training.items())


def _standing_limits(evaluation: Evaluation) -> Iterator[str]:
    smallest = min(sides["test"]["groups"] for sides in evaluation.counts.values() if "test" in sides)
    yield f"- The smallest lot has {smallest} independent test group(s): a figure can move by a whole image when one source is exchanged."
    yield "- No lot has 6 independent samples for calibration, so no false-alarm rate can be guaranteed on these data."
    yield "- The filament changes are simulated on real frames; no real filament change was to be had."
    yield "- The melt-pool tiles are probably optical: telling them from electron micrographs is easier than telling an unseen SEM lot."
    yield "- Noise finds every kind here because these sources come from other instruments; it says nothing of what is imaged."
    yield "- The member's best step and the referral thresholds were both chosen on the calibration side."


def _figure(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _quality_row(row: Quality) -> str:
    cells = (row.accuracy, row.nll, row.ece, row.risk_at_90)
    return f"| real | {row.level} | {row.method} | {row.frames} ({row.groups}) | {row.count} | {' | '.join(map(_figure, cells))} |"


def _detection_row(row: Detection, scores: tuple[str, ...]) -> str:
    cells = " | ".join(_figure(row.auc[name]) for name in scores)
    return f"| {row.origin} | {row.kind} | {row.frames} ({row.groups}) | {row.count} | {cells} |"
