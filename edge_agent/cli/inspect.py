"""`edge-agent inspect`: what the model makes of one file, where it is unsure, and where it has seen nothing like it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from edge_agent.core.prediction import Prediction, Score
    from edge_agent.inspection import Inspected


def command(
    file: Path = typer.Argument(..., help="A frame file."),
    model: str | None = typer.Option(
        None, help="The model to ask: a name, or a model's folder. Otherwise that of the configured stream that holds the file."
    ),
    picture: Path | None = typer.Option(None, "--map", help="Write the first frame with its entropy map over it to this PNG."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    config: Path | None = typer.Option(None, "--config", "-c", help="Where streams and model_dirs are named; else as for `run`."),
) -> None:
    """Decode one file, ask the model, and show acquisition, score, the map of entropy over the frame's fields, and the local map.

    The local map, which not every model has, is larger where the frame is less like the training set. A person should decide frames
    as in a stream that says nothing of referral: those of an entropy above what the model accepts at coverage 0.9.

    Example: edge-agent inspect D:/images/A17/0001.tif --map map.png
    """
    import dataclasses
    import json
    import math

    from edge_agent.config import find_configuration, load_settings
    from edge_agent.core.errors import EdgeAgentError
    from edge_agent.inspection import entropy_picture, inspect_file, listed, model_for

    place = find_configuration(config)
    settings = load_settings(place) if config is not None or place.exists() else None
    asked = model or model_for(file, settings)
    inspected = inspect_file(file, asked, settings.agent.model_dirs if settings else ())
    for one in inspected:
        frame, score, prediction = one.frame, one.score, one.prediction
        acquisition = {key: value for key, value in dataclasses.asdict(frame.acquisition).items() if value not in (None, {})}
        told = {
            "file": str(file),
            "frame_index": frame.frame_index,
            "shape": list(frame.pixels.shape),
            "content_hash": frame.content_hash,
            "acquisition": acquisition,
            "statistics": dataclasses.asdict(frame.statistics),
            "score": dataclasses.asdict(score) | {"mutual_information": score.mutual_information if score.members_answering > 1 else None},
            "referral_coverage": one.coverage,
            "referral_threshold": one.referral_threshold,
            "distance_kind": prediction.distance_kind,
            "members_expected": prediction.members_expected,
            "local_maps": None if prediction.local_maps is None else listed(prediction.local_maps),
            "model": dataclasses.asdict(prediction.model),
        }
        if as_json:
            typer.echo(json.dumps(told, default=str))
            continue
        height, width = frame.pixels.shape
        typer.echo(f"{file} frame {frame.frame_index + 1} of {frame.frame_count}: {width} x {height} pixels")
        for name, value in acquisition.items():
            typer.echo(f"  {name}: {value if name != 'extra' else f'{len(value)} further keys, shown with --json'}")
        _show_score(one)
        _show_maps(prediction, score)
    if picture is not None:
        first = inspected[0]
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
