"""`edge-agent init`: write a first configuration."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    folder: Path = typer.Argument(..., help="The folder the instrument writes into."),
    output: Path = typer.Option(Path("edge-agent.toml"), "--output", "-o", help="Where to write the configuration."),
    name: str = typer.Option("sem", help="A name for the stream."),
    model: str = typer.Option("sem-real", help="The model that answers its frames."),
    force: bool = typer.Option(False, help="Overwrite an existing file."),
) -> None:
    """Write a minimal configuration for a folder.

    Example: edge-agent init D:/images
    """
    from pydantic import ValidationError

    from edge_agent.config import ModelSettings, StreamSettings, minimal_configuration
    from edge_agent.core.errors import ConfigurationError, ModelError
    from edge_agent.core.printable import printable
    from edge_agent.inference import find_model

    if output.exists() and not force:
        raise ConfigurationError(str(output), "it exists already", "choose another with --output, or overwrite it with --force")
    if not folder.is_dir():
        raise ConfigurationError(str(folder), "there is no such folder", "name the folder that the instrument writes into")
    try:
        StreamSettings(name=name, path=folder, model=ModelSettings(name=model))
    except ValidationError as error:
        wrong = error.errors()[0]
        option = "--model" if error.title == ModelSettings.__name__ else "--name"
        raise typer.BadParameter(f"{wrong['input']!r}: {wrong['msg']}", param_hint=option) from None
    try:
        find_model(model)
    except ModelError as error:
        typer.echo(printable(f"{error}; or set [agent] model_dirs in {output} to the folder that holds it"), err=True)
    try:
        output.write_text(minimal_configuration(folder.absolute(), name, model), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            str(output), f"it cannot be written ({error.strerror})", "choose another with --output, in a folder you may write"
        ) from None
    typer.echo(f"{output} is written. Check it with: edge-agent doctor --config {output}; start with: edge-agent run --config {output}")
