"""`edge-agent inspect`: what the model makes of one file, and where it is unsure."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    file: Path = typer.Argument(..., help="A frame file."),
    model: str = typer.Option("sem-real", help="The model to ask: a shipped one's name, or a model's folder."),
    picture: Path | None = typer.Option(None, "--map", help="Write the first frame with its entropy map over it to this PNG."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    config: Path | None = typer.Option(None, "--config", "-c", help="Also look for the model in this configuration's model_dirs."),
) -> None:
    """Decode one file, ask the model, and show acquisition, score and the map of entropy over the frame's fields.

    Example: edge-agent inspect D:/images/A17/0001.tif --map map.png
    """
    import dataclasses
    import json
    import math

    from edge_agent.config import load_settings
    from edge_agent.core.errors import EdgeAgentError
    from edge_agent.inspection import entropy_picture, entropy_text, inspect_file

    model_dirs = load_settings(config).agent.model_dirs if config else ()
    inspected = inspect_file(file, model, model_dirs)
    for one in inspected:
        frame, score = one.frame, one.score
        told = {
            "file": str(file),
            "frame_index": frame.frame_index,
            "shape": list(frame.pixels.shape),
            "content_hash": frame.content_hash,
            "acquisition": {key: value for key, value in dataclasses.asdict(frame.acquisition).items() if value not in (None, {})},
            "statistics": dataclasses.asdict(frame.statistics),
            "score": dataclasses.asdict(score),
            "model": dataclasses.asdict(one.prediction.model),
        }
        if as_json:
            typer.echo(json.dumps(told, default=str))
            continue
        height, width = frame.pixels.shape
        typer.echo(f"{file} frame {frame.frame_index + 1} of {frame.frame_count}: {width} x {height} pixels")
        for name, value in told["acquisition"].items():  # type: ignore[attr-defined]  # a dict of dicts
            typer.echo(f"  {name}: {value if name != 'extra' else f'{len(value)} further keys, shown with --json'}")
        p_value = "unknown" if score.p_value is None else f"{score.p_value:.3f}"
        typer.echo(
            f"  lot {score.lot}, confidence {score.confidence:.3f}, {score.members_answering} members of {one.prediction.model.name}"
        )
        typer.echo(f"  entropy {score.entropy:.3f} nats, mutual information {score.mutual_information:.3f} nats")
        typer.echo(f"  distance {score.distance:.2f}, its p-value within the lot {p_value}")
        typer.echo(f"  a person should decide: {'yes' if score.referred else 'no'}")
        typer.echo("  entropy by field, denser is less sure:")
        for line in entropy_text(score.field_entropy, math.log(len(one.prediction.lots))):
            typer.echo(f"    |{line}|")
    if picture is not None:
        first = inspected[0]
        drawn = entropy_picture(first.frame.pixels, first.frame.full_scale, first.score.field_entropy, math.log(len(first.prediction.lots)))
        try:
            drawn.save(picture, "PNG")
        except OSError as error:
            raise EdgeAgentError(f"--map {picture}", f"it cannot be written ({error.strerror})", "name a file you may write") from None
        typer.echo(f"map written to {picture}", err=as_json)
