"""What an agent that nobody disturbs says of the same frames in the same order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.an_agent import AgentProcess
from tests.faults.bench.checker import SCORED_TYPE, Undisturbed, alert_of
from tests.faults.bench.microscope import picture

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.bench.checker import Kept
    from tests.faults.bench.truth import Truth

MARK = " again"


def undisturbed(home: Path, models: Path, triton_url: str, truth: Truth, kept: Kept) -> Undisturbed:
    """Lay the judged frames out in the order in which they were judged, and have them judged by `run --once`.

    A second content of a path gets a name of its own in the same sample; file times ascend, so that the order is the same.
    """
    recipes = {(version.path, version.content_hash): version.recipe for versions in truth.versions.values() for version in versions}
    images = home / "images"
    again: dict[str, str] = {}
    stream = f'model.backend = "triton"\nmodel.url = "{triton_url}"'
    agent = AgentProcess(home, images, model_dirs=models, stream=stream)
    for number, frame in enumerate(sorted(kept.frames, key=lambda frame: (frame.seq, frame.frame_index))):
        recipe = recipes.get((frame.path, frame.content_hash))
        if recipe is None:  # nobody wrote it: the checker says so
            continue
        place = images / frame.path
        while place.exists():
            place = place.with_name(f"{place.stem}{MARK}.tif")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(picture(*recipe))
        again[place.relative_to(images).as_posix()] = frame.path
        os.utime(place, ns=(10**18 + number * 10**6,) * 2)
    with agent:
        if agent.run_once(1800) != 0:
            raise RuntimeError(f"the undisturbed agent failed:\n{agent.log[-3000:]}")
    events = agent.events()
    alerts = []
    for event in events:
        if event["type"].startswith("edge.alert."):
            data = event["data"]
            named = {
                "onset_path": again.get(data["onset_path"], data["onset_path"]),
                "evidence_paths": [again.get(path, path) for path in data["evidence_paths"]],
            }
            alerts.append(alert_of(event["type"], {**data, **named}))
    return Undisturbed(tuple(alerts), tuple(event["data"] for event in events if event["type"] == SCORED_TYPE))
