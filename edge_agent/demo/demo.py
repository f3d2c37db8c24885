"""The whole demo: an instrument, the real agent, what was injected and what was found."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import EdgeAgentError, ModelError
from edge_agent.core.frame import Acquisition, Frame
from edge_agent.demo.outcome import Outcome, compare, in_words
from edge_agent.demo.picture import Thumbnail, draw
from edge_agent.demo.record import Record
from edge_agent.demo.scenario import FRAMES_A_SAMPLE, injections, plan_demo
from edge_agent.demo.stage import demo_settings, perform
from edge_agent.demo.view import View, outcome_table
from edge_agent.drift import DriftSettings, SequentialJudge, load_calibration
from edge_agent.frames import measure
from edge_agent.inference import EmbeddedPredictor, find_model, load_manifest
from edge_agent.simulate import Micrographs, views
from edge_agent.uncertainty import score

if TYPE_CHECKING:
    from rich.console import Console

    from edge_agent.core.event import Event
    from edge_agent.simulate import PlannedSample

MODEL = "sem-real"
NOTE = (
    "No false-alarm guarantee can be given on these data: no lot has 6 independent calibration samples. "
    "Filament change and rubbish are simulated."
)
DECLARED = "Each sample carries the lot its operator believes it to be, the unseen one a known lot's name."
UNDECLARED = (
    "No sample carries a lot: the agent has only the network's word, and an unseen lot that the network names firmly is often missed."
)
MEANING = "Evidence of change is counted in normal frames: chance alone reaches it at most once in so many."
SETTING = "set for\n{:g} false alarm a month ({:,.0f} normal frames)"
RATE = 6.0
SHOWN = 4
"""Which frame of a sample stands in the picture."""


def run_demo(out: Path, console: Console, *, seed: int = 0, rate: float = RATE, declared: bool = True) -> Outcome:
    """Run the demo, print its table and write `out`/demo.png; raises EdgeAgentError when it cannot run.

    Args:
        out: the picture's folder.
        console: where to print.
        seed: draws images, fields of view and noise.
        rate: frames a second the instrument writes; 0 for at once.
        declared: whether each sample carries the lot its operator believes it to be, or the agent has only the network's word.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "demo.png").touch()
    except OSError as error:
        raise EdgeAgentError(f"--out {out}", f"no picture can be written there ({error.strerror})", "name a folder you may write") from None
    folder = find_model(MODEL)
    manifest = load_manifest(folder)
    if manifest.calibration is None:
        raise ModelError(f"model {MODEL}", "ships no calibration, so nothing can be judged", "run `model-repo calibrate sem-real`")
    console.print(SequentialJudge(load_calibration(folder / manifest.calibration.file)).guarantee, soft_wrap=True, highlight=False)
    console.print(DECLARED if declared else UNDECLARED, soft_wrap=True, highlight=False)
    console.print(MEANING, soft_wrap=True, highlight=False)
    plan = plan_demo(Micrographs.shipped(), seed)
    record = Record()
    with tempfile.TemporaryDirectory(prefix="edge-agent-demo-", ignore_cleanup_errors=True) as place:
        frames = Path(place) / "instrument"
        frames.mkdir()
        settings = demo_settings(frames, Path(place) / "state", MODEL, declared=declared)
        with View(console, record, len(plan) * FRAMES_A_SAMPLE) as view:

            def take(event: Event) -> None:
                view.show(record.take(event))

            asyncio.run(perform(settings, plan, frames=FRAMES_A_SAMPLE, rate=rate, seed=seed, on_event=take))
    injected = injections(plan, FRAMES_A_SAMPLE)
    alarms = list(record.alarms.values())
    outcome = compare(injected, alarms)
    console.print(outcome_table(outcome))
    for sentence in in_words(outcome):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    picture = out / "demo.png"
    drift = settings.stream[0].drift
    setting = SETTING.format(
        drift.false_alarms_per_month, DriftSettings(drift.false_alarms_per_month, drift.frames_per_hour).frames_between_false_alarms
    )
    thumbnails = asyncio.run(_thumbnails(folder, plan, seed))
    draw(picture, record.points, injected, alarms, thumbnails, setting=setting, note=NOTE)
    console.print(f"picture: {picture}", soft_wrap=True, highlight=False)
    return outcome


async def _thumbnails(folder: Path, plan: tuple[PlannedSample, ...], seed: int) -> list[Thumbnail]:
    """One frame of each sort with its field entropy."""
    chosen: dict[tuple[str, str], PlannedSample] = {}
    for planned in plan:
        chosen.setdefault((planned.shift or "normal", planned.lot if planned.shift is None else ""), planned)
    predictor = EmbeddedPredictor(folder)
    await predictor.start()
    try:
        found = []
        for (shift, _), planned in list(chosen.items()):
            pixels = np.asarray(list(views(planned, FRAMES_A_SAMPLE, seed))[SHOWN].pixels)
            frame = Frame(pixels, 255.0, 0, 1, "", Acquisition(), measure(pixels, 255.0))
            [prediction] = await predictor.predict([frame])
            found.append(Thumbnail(pixels, score(prediction).field_entropy, shift if shift == planned.lot else f"{shift}: {planned.lot}"))
        return found
    finally:
        await predictor.stop()
