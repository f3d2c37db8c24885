"""`edge-agent doctor`: try every part once, and say what stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edge_agent.cli.options import ConfigOption

if TYPE_CHECKING:
    from edge_agent.agent import Finding

WORDS = {"fine": "fine ", "mend": "MEND ", "note": "note "}


def command(
    config: ConfigOption = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Write one hidden file into each watched folder for a second, to see whether its events arrive.")
    ] = False,
    user: Annotated[
        str | None,
        typer.Option("--as", metavar="USER", help="Try files, folders and a decoder as this account, such as the service's; for root."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Try all that an installation can get wrong, and say of each part that it is fine, or what to do. A running agent is not disturbed.

    Whom [alert] names gets a test alert; a broker gets one transaction on a scratch topic. Exit code 1 when something is to be mended.

    Example: edge-agent doctor --config edge-agent.toml

    Example: sudo edge-agent doctor --as edge-agent --probe
    """
    import asyncio
    import json

    from edge_agent.agent import Finding, examine
    from edge_agent.config import find_configuration, load_settings
    from edge_agent.core.errors import ConfigurationError
    from edge_agent.observe import configure_logging

    path = find_configuration(config)
    configure_logging("error", "console")
    try:
        found = asyncio.run(examine(load_settings(path), path, probe=probe, user=user))
    except ConfigurationError as error:
        found = [Finding("configuration", "mend", str(error))]
    if as_json:
        typer.echo(json.dumps(_as_object(found), indent=2))
    else:
        for finding in found:
            typer.echo(f"{WORDS[finding.state]} {finding.part}: {finding.said}")
        number = sum(not finding.good for finding in found)
        typer.echo("Nothing is to be mended." if not number else f"{number} to be mended.")
    if not all(finding.good for finding in found):
        raise typer.Exit(1)


def _as_object(found: list[Finding]) -> dict[str, object]:
    return {
        "good": all(finding.good for finding in found),
        "findings": [{"part": finding.part, "state": finding.state, "said": finding.said} for finding in found],
    }
