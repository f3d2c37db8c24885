"""The process that draws: it reads files that may be bad, and takes the processor only while nobody else wants it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from edge_agent.core.errors import EdgeAgentError
from edge_agent.evidence.local_map import Mapped, draw_local_map
from edge_agent.evidence.look import compared, look
from edge_agent.evidence.strip import draw_strip
from edge_agent.evidence.task import Drawn, Standing, Task
from edge_agent.frames.pipe import send
from edge_agent.frames.worker import serve
from edge_agent.inference import EmbeddedPredictor, load_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction
    from edge_agent.evidence.look import Seen

NICE = 10


def main() -> None:
    """Draw until standard input closes."""
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415 - windows only

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICE)
    serve(Task, draw, send, alone=False)


def draw(task: Task) -> Drawn:
    """Read the frames and draw what can be shown."""
    evidence = look(task.evidence, task.limits)
    standings = tuple(seen.standing for seen in evidence)
    notes = [f"{_named(seen)}: {_said(seen.standing)}" for seen in evidence if seen.frame is None]
    if all(seen.frame is None for seen in evidence):
        return Drawn(None, None, standings, (), None, ("No picture was made: none of the evidence frames can be shown.", *notes))
    before = compared(task.before, task.limits)
    if not before:
        notes.append("No frame from before the onset can be shown for comparison.")
    strip = draw_strip(task.title, [seen for _, seen in before], evidence)
    local_map, mapped = None, None
    if task.model is not None:
        mapped = max((place for place, seen in enumerate(evidence) if seen.frame is not None), key=lambda place: _telling(evidence[place]))
        try:
            local_map = _map(task, task.model, before[-1][1] if before else None, evidence[mapped])
        except (EdgeAgentError, MemoryError) as error:
            notes.append(f"No local map was made: {str(error) or 'it needs more memory than it may use'}.")
        else:
            if local_map is None:
                notes.append("No local map was made: the model gave no finite value.")
        mapped = mapped if local_map is not None else None
    return Drawn(strip, local_map, standings, tuple(place for place, _ in before), mapped, tuple(notes))


def _telling(seen: Seen) -> float:
    """The farther from the training set, the more telling."""
    return float("-inf") if seen.wanted.distance is None else seen.wanted.distance


def _map(task: Task, model: Path, before: Seen | None, evidence: Seen) -> bytes | None:
    shown = [seen for seen in (before, evidence) if seen is not None and seen.frame is not None]
    predictions = asyncio.run(_ask(model, [seen.frame for seen in shown if seen.frame is not None]))
    mapped = [
        Mapped(seen.wanted.name, seen.wanted.sample, seen.frame, prediction)
        for seen, prediction in zip(shown, predictions, strict=True)
        if seen.frame is not None
    ]
    field_px = load_manifest(model).preprocessing.field_px
    return draw_local_map(task.title[:1], mapped[0] if len(mapped) > 1 else None, mapped[-1], field_px)


async def _ask(model: Path, frames: list[Frame]) -> list[Prediction]:
    predictor = EmbeddedPredictor(model, threads=1, idle_s=None, with_maps=True)
    await predictor.start()
    try:
        return await predictor.predict(frames)
    finally:
        await predictor.stop()


def _named(seen: Seen) -> str:
    return f"{seen.wanted.name} [frame {seen.wanted.frame_index}]"


def _said(standing: Standing) -> str:
    return {
        Standing.GONE: "the file is no longer there",
        Standing.CHANGED: "the file has changed since it was judged",
        Standing.UNREADABLE: "the file cannot be read now",
    }[standing]


if __name__ == "__main__":
    main()
