"""`edge-agent simulate`: write frames as an instrument does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from edge_agent.simulate import Source


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write into, one folder a sample.")],
    lots: Annotated[int | None, typer.Option(help="How many of the known lots; all by default.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples, numbered from 0.")] = 6,
    frames: Annotated[int, typer.Option(min=1, help="Frames a sample.")] = 12,
    unseen: Annotated[list[int], typer.Option(metavar="SAMPLE", help="Show an unseen lot; repeatable.")] = [],  # noqa: B006 - typer reads it
    filament: Annotated[
        list[str], typer.Option(metavar="SAMPLE:STRENGTH", help="Change the filament from a sample on, until SAMPLE:0; repeatable.")
    ] = [],  # noqa: B006 - typer reads it
    unrelated: Annotated[list[int], typer.Option(metavar="SAMPLE", help="Show no micrographs at all; repeatable.")] = [],  # noqa: B006 - typer reads it
    rate: Annotated[float, typer.Option(min=0.0, help="Frames a second; 0 for at once.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Draws samples and frames.")] = 0,
    ageing: Annotated[
        float, typer.Option(metavar="FRACTION", help="Share of the beam current that a filament loses from sample to sample, such as 0.01.")
    ] = 0.0,
    source: Annotated[
        Literal["real", "virtual"], typer.Option(help="Where frames come from: real micrographs, or the virtual microscope's 30 lots.")
    ] = "real",
    images: Annotated[
        Path | None,
        typer.Option(help="A folder with known/LOT/*.png and unseen/LOT/*.png; the shipped micrographs by default."),
    ] = None,
) -> None:
    """Write frames as an instrument does, and the truth beside the folder in DIR.truth.jsonl.

    Example: edge-agent simulate frames --samples 6 --filament 2:1 --filament 4:0 --unseen 5 --rate 2

    Thirty lots that never were: edge-agent simulate frames --source virtual --samples 40 --ageing 0.01
    """
    import numpy as np

    from edge_agent.core.errors import ConfigurationError, EdgeAgentError
    from edge_agent.simulate import Micrographs, VirtualLots, VirtualMicroscope, plan_samples, simulate

    strengths: dict[int, float] = {}
    for text in filament:
        number, _, strength = text.partition(":")
        try:
            strengths[int(number)] = float(strength)
        except ValueError:
            raise typer.BadParameter(f"{text} is not SAMPLE:STRENGTH, such as 2:1", param_hint="--filament") from None
    if images and source != "real":
        raise ConfigurationError("--images", f"--source {source} shows no images from a folder", "drop one of the two flags")

    def real() -> Source:
        return Micrographs.of(images) if images else Micrographs.shipped()

    def virtual() -> Source:
        return VirtualLots(VirtualMicroscope(seed))

    rng = np.random.default_rng(seed)
    chosen = {"real": real, "virtual": virtual}[source]()
    plan = plan_samples(chosen, samples, rng, lots=lots, filament=strengths, unseen=unseen, unrelated=unrelated, ageing=ageing)
    total = samples * frames
    try:
        with typer.progressbar(length=total, label=f"{total} frames of {source} micrographs") as bar:
            truth = simulate(plan, directory, frames=frames, rate=rate, seed=seed, on_frame=lambda _path, _sample: bar.update(1))
    except OSError as error:
        raise EdgeAgentError(str(directory), f"it cannot be written ({error.strerror})", "name a folder you may write") from None
    typer.echo(f"{total} frames in {directory}, the truth in {truth}")
