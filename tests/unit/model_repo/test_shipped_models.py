"""The models in the package answer as their manifests promise, and sem-virtual knows the lots it was trained on."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.core.frame import Acquisition, Frame
from edge_agent.drift import load_calibration
from edge_agent.frames import content_hash, measure
from edge_agent.inference import EmbeddedPredictor, canary_differences, canary_fields, load_manifest, open_session, shipped_models, verify
from edge_agent.simulate import KNOWN_LOTS, VirtualMicroscope
from edge_agent.uncertainty import score

FOLDER = shipped_models()
NAMES = ("sem-real", "sem-virtual")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_gives_its_known_answer_and_is_light_enough(name):
    folder = FOLDER / name
    manifest = load_manifest(folder)
    verify(folder, manifest)
    (answer,) = open_session(folder).run(["probabilities"], {"fields": canary_fields(manifest.preprocessing.input_px)})
    assert max(canary_differences(manifest.canary, answer)) < manifest.canary.tolerance
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 20e6
    assert set(load_calibration(folder / manifest.calibration.file).lots) == set(manifest.lots)


async def test_sem_virtual_names_most_lots_of_samples_it_never_saw():
    predictor = EmbeddedPredictor(FOLDER / "sem-virtual", with_maps=True)
    await predictor.start()
    try:
        microscope = VirtualMicroscope(7)
        views = [next(iter(microscope.frames(lot, 0, 1))) for lot in KNOWN_LOTS]
        frames = [Frame(view.pixels, 255.0, 0, 1, content_hash(view.pixels), Acquisition(), measure(view.pixels, 255.0)) for view in views]
        predictions = await predictor.predict(frames)
    finally:
        await predictor.stop()
    right = [score(prediction).lot == lot for prediction, lot in zip(predictions, KNOWN_LOTS, strict=True)]
    assert np.mean(right) > 0.6
    assert predictions[0].local_maps.shape == (4, 16, 16)
