"""A stream's line on files of the past: built and started as the agent does, without journal, events, metrics or address."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from edge_agent.agent.compose import Predictors, find_served_model, make_line, make_reader
from edge_agent.config import DriftSettings, Settings, StreamSettings
from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError
from edge_agent.core.telemetry import NoTelemetry
from edge_agent.watch import frame_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge_agent.core.frame import FileIdentity
    from edge_agent.pipeline import StreamLine


def find_stream(settings: Settings, name: str | None) -> StreamSettings:
    """The stream called `name`, or the only one; raises ConfigurationError."""
    known = ", ".join(stream.name for stream in settings.stream)
    if name is None:
        if len(settings.stream) > 1:
            raise ConfigurationError("--stream", "the configuration has several streams", f"name one of {known}")
        return settings.stream[0]
    found = next((stream for stream in settings.stream if stream.name == name), None)
    if found is None:
        raise ConfigurationError(f"--stream {name}", "there is no such stream in the configuration", f"known: {known}")
    return found


def with_other_limits(
    stream: StreamSettings, *, calibration: Path | None, false_alarms_per_month: float | None, frames_per_hour: float | None
) -> StreamSettings:
    """The stream with another calibration or threshold; None leaves a setting as it is. Raises ConfigurationError."""
    wanted = {"false_alarms_per_month": false_alarms_per_month, "frames_per_hour": frames_per_hour}
    given = {name: value for name, value in wanted.items() if value is not None}
    try:
        drift = DriftSettings.model_validate({**stream.drift.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        flag = "--" + str(first["loc"][0]).replace("_", "-")
        raise ConfigurationError(f"{flag} {first['input']}", first["msg"], "give another number") from None
    model = stream.model if calibration is None else stream.model.model_copy(update={"calibration": calibration.absolute()})
    return stream.model_copy(update={"drift": drift, "model": model})


def files_in(stream: StreamSettings, folder: Path) -> list[tuple[int, FileIdentity]]:
    """Frame files in `folder` as the stream would number and order them; raises ConfigurationError when there is none."""
    if not folder.is_dir():
        raise ConfigurationError(str(folder), "there is no such folder", "correct the path, or connect its drive")
    files = frame_files(folder, stream.include, stream.exclude, stream.name)
    if not files:
        patterns = ", ".join(stream.include)
        raise ConfigurationError(
            str(folder), f"holds no frame file of stream {stream.name} ({patterns})", "name another folder, or correct include and exclude"
        )
    return files


def model_lots(settings: Settings, stream: StreamSettings) -> tuple[str, ...]:
    """The lots that the stream's model knows; raises ModelError."""
    return find_served_model(settings, stream).manifest.lots


@asynccontextmanager
async def line_on(settings: Settings, stream: StreamSettings, folder: Path) -> AsyncIterator[StreamLine]:
    """The stream's line with a fresh judge, its paths relative to `folder`, its model started; raises EdgeAgentError."""
    placed = stream.model_copy(update={"path": folder})
    model = find_served_model(settings, placed)
    predictor = Predictors(settings, NoTelemetry(), SystemClock()).of(placed, model)
    reader = make_reader(settings, placed)
    try:
        await predictor.start()
        yield make_line(placed, model, predictor, reader, None)
    finally:
        await predictor.stop()
        await reader.close()
