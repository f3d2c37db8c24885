"""`edge-agent hold`: have every prediction of a stream referred until it is released."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_agent.cli.options import ConfigOption, StreamOption, WhoOption, WhyOption


def command(
    who: WhoOption,
    why: WhyOption,
    stream: StreamOption = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End it by itself after this time, such as 2h.")] = None,
    release: Annotated[bool, typer.Option("--release", help="Release what is held.")] = False,
    config: ConfigOption = None,
) -> None:
    """Hold a stream's predictions: frames are scored and judged, and every one is referred to a person.

    Example: edge-agent hold --stream sem --who "A. Curie" --why "an unseen lot is under the beam" --for 2h

    And then: edge-agent hold --stream sem --release --who "A. Curie" --why "the lot has been tested"
    """
    from pydantic import TypeAdapter, ValidationError

    from edge_agent.agent import ask
    from edge_agent.agent.past import find_stream
    from edge_agent.config import Duration, find_configuration, load_settings

    if release and duration is not None:
        raise typer.BadParameter("a release holds from now on; drop --for", param_hint="--for")
    for_s = None
    if duration is not None:
        try:
            for_s = TypeAdapter(Duration).validate_python(duration)
        except ValidationError as error:
            raise typer.BadParameter(str(error.errors()[0]["msg"]), param_hint="--for") from None
        if for_s <= 0:
            raise typer.BadParameter("it must be longer than nothing", param_hint="--for")
    settings = load_settings(find_configuration(config))
    typer.echo(ask(settings, "release" if release else "hold", who, why, stream=find_stream(settings, stream).name, for_s=for_s))
