"""`edge-agent inspect`: what was understood of one file, what the model makes of it, and where it has seen nothing like it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from edge_agent.core.prediction import Prediction, Score
    from edge_agent.inspection import Inspected, Inspection


def command(
    file: Path | None = typer.Argument(None, help="A frame file."),
    model: str | None = typer.Option(
        None, help="The model to ask: a name, or a model's folder. Otherwise that of the configured stream that holds the file."
    ),
    no_model: bool = typer.Option(False, "--no-model", help="Ask no model; show what was understood."),
    frame: int | None = typer.Option(None, "--frame", min=0, metavar="N", help="Only this frame of a stack, counted from 0."),
    with_all: bool = typer.Option(False, "--all", help="Also show the vendor's further keys."),
    formats: bool = typer.Option(False, "--formats", help="List the formats that are read, by what, and whether that is installed."),
    picture: Path | None = typer.Option(None, "--map", help="Write the first frame with its entropy map over it to this PNG."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON, one line a frame."),
    config: Path | None = typer.Option(None, "--config", "-c", help="Where streams and model_dirs are named; else as for `run`."),
) -> None:
    """Read one file in a process of its own and show what was understood; then ask the model, and show score, entropy and local map.

    What was understood: format, completeness, frames, pixels, and how they were taken, each value with the tag that told it. A file that
    cannot be read is told in one line. Of a stack the first 8 frames are shown, or the one that --frame names. The local map, which not
    every model has, is larger where the frame is less like the training set. A person should decide frames as in a stream that says
    nothing of referral: those of an entropy above what the model accepts at coverage 0.9.

    Example: edge-agent inspect D:/images/A17/0001.tif --map map.png
    """
    import json

    from edge_agent.config import find_configuration, load_settings
    from edge_agent.core.errors import ConfigurationError
    from edge_agent.inspection import as_plain, inspect

    if formats:
        _show_formats(as_json=as_json)
        return
    if file is None:
        raise ConfigurationError("FILE", "is missing", "name a frame file, or say --formats")
    place = find_configuration(config)
    settings = load_settings(place) if config is not None or place.exists() else None
    seen = inspect(file, settings, model, ask=not no_model, frame=frame)
    if seen.unasked:
        typer.echo(f"no model was asked: {seen.unasked}", err=True)
    if as_json:
        for told in as_plain(seen):
            typer.echo(json.dumps(told, default=str))
    else:
        _show(seen, with_all=with_all)
    if frame is None and seen.left:
        typer.echo(
            f"{seen.left} more {'frame' if seen.left == 1 else 'frames'} in the file: say --frame N, from 0 to {seen.understood.count - 1}",
            err=as_json,
        )
    if picture is not None:
        _draw(picture, seen.answers, as_json=as_json)


def _show(seen: Inspection, *, with_all: bool) -> None:
    from edge_agent.core.printable import printable
    from edge_agent.inspection import described, lines_of

    typer.echo(f"{printable(str(seen.file))}: {described(seen.understood, seen.complete)}")
    before: list[str] = []
    for frame in seen.frames:
        typer.echo(f"frame {frame.frame_index}, {seen.understood.count} in the file")
        lines = list(lines_of(frame, with_all=with_all))
        for number, line in enumerate(lines):
            if not number or line not in before:  # of the next frame, what is not as it was
                typer.echo(f"  {printable(line)}")
        before = lines
        if (answer := seen.answers.get(frame.frame_index)) is not None:
            _show_score(answer)
            _show_maps(answer.prediction, answer.score)


def _show_formats(*, as_json: bool) -> None:
    import dataclasses
    import json

    from edge_agent.inspection import formats

    for one in formats():
        if as_json:
            typer.echo(json.dumps(dataclasses.asdict(one)))
            continue
        by = f"{one.library or 'numpy'} {one.installed}" if one.installed else f"{one.library}, NOT INSTALLED"
        suffixes = " ".join(suffix if suffix in one.usual else f"({suffix})" for suffix in one.suffixes)
        typer.echo(f"{one.name:<12}{suffixes:<46}  {by}\n{'':<12}complete when {one.rule}")
    if not as_json:
        typer.echo("Streams take suffixes in brackets where `include` names them; what is NOT INSTALLED comes with the extra `formats`.")


def _draw(picture: Path, answers: dict[int, Inspected], *, as_json: bool) -> None:
    import math

    from edge_agent.core.errors import EdgeAgentError
    from edge_agent.inspection import entropy_picture

    if not answers:
        raise EdgeAgentError(f"--map {picture}", "no model was asked, so there is no map to draw", "leave --map out")
    first = answers[min(answers)]
    most = math.log(len(first.prediction.lots))
    drawn = entropy_picture(first.frame.pixels, first.frame.full_scale, first.score.field_entropy, most)
    try:
        drawn.save(picture, "PNG")
    except OSError as error:
        raise EdgeAgentError(f"--map {picture}", f"it cannot be written ({error.strerror})", "name a file you may write") from None
    typer.echo(f"entropy map written to {picture}: no red is 0, the strongest {most:.3g} nats", err=as_json)


def _show_score(one: Inspected) -> None:
    prediction, score = one.prediction, one.score
    p_value = "unknown" if score.p_value is None else f"{score.p_value:.3f}"
    members = f"{score.members_answering} of {prediction.members_expected} members of {prediction.model.name}"
    typer.echo(f"  lot {score.lot}, confidence {score.confidence:.3f}, {members}")
    left_out = [f"{name} (gives no finite probabilities)" for name in score.members_missing]
    left_out += [f"{name} (no longer gives the canary's known answer)" for name in score.members_stale]
    if left_out:
        typer.echo(f"  LEFT OUT: {', '.join(left_out)}; these scores are not comparable with the model's calibration")
    information = f"{score.mutual_information:.3f} nats" if score.members_answering > 1 else "unknown (one member)"
    typer.echo(f"  entropy {score.entropy:.3f} nats, mutual information {information}")
    typer.echo(f"  distance {score.distance:.2f} (logarithm, {prediction.distance_kind}), its p-value within the lot {p_value}")
    rule = f"at coverage {one.coverage:g}, " + (
        "for which the model has no threshold" if one.referral_threshold is None else f"entropy above {one.referral_threshold:.3g} nats"
    )
    typer.echo(f"  a person should decide: {'yes' if score.referred else 'no'} ({rule})")


def _show_maps(prediction: Prediction, score: Score) -> None:
    import math

    import numpy as np

    from edge_agent.inspection import frame_map, legend, map_text

    most, lots = math.log(len(prediction.lots)), len(prediction.lots)
    typer.echo(f"  entropy by field, denser is less sure ({legend(0.0, most, 'nats')}: an even guess among {lots} lots)")
    for line in map_text(np.asarray(score.field_entropy), 0.0, most):
        typer.echo(f"    |{line}|")
    if prediction.local_maps is None:
        return
    cells = frame_map(prediction.local_maps, prediction.grid)
    finite = cells[np.isfinite(cells)]
    if not finite.size:
        typer.echo("  local map: the model gives no finite value for this frame")
        return
    least, most = float(finite.min()), float(finite.max())
    typer.echo(f"  local map, denser is less like the training set ({legend(least, most, '')}, inverse rigidity, this frame's own range)")
    for line in map_text(cells, least, most):
        typer.echo(f"    |{line}|")
