"""The embedded model answers frames in order, in bounded batches, and comes and goes from memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import psutil
import pytest

from edge_agent.core.errors import FrameRejectedError, ModelError, PredictorUnavailableError
from edge_agent.core.telemetry import Telemetry
from edge_agent.inference import EmbeddedPredictor, canary_fields, embedded, load_manifest, tile
from tests.frames_of import frame_of, noise_frame
from tests.served_model import edit_manifest, exchange_members, write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny")


class Heard(Telemetry):
    def __init__(self) -> None:
        self.in_flight: list[int] = []
        self.canaries: list[float] = []

    def requests_in_flight(self, requests: int) -> None:
        self.in_flight.append(requests)

    def canary_answered(self, at_s: float) -> None:
        self.canaries.append(at_s)


class StoppedClock:
    def now_ns(self) -> int:
        return 1_700_000_000_000_000_000

    def monotonic_s(self) -> float:
        return 0.0


@pytest.mark.parametrize("fields_a_run", [1, 5, 100])
async def test_every_frame_gets_its_own_answer_however_the_fields_are_batched(folder: Path, fields_a_run: int) -> None:
    manifest = load_manifest(folder)
    frames = [noise_frame(0), noise_frame(1, (256, 256)), noise_frame(2, (64, 900))]
    session = onnxruntime.InferenceSession(str(folder / "1/model.onnx"), providers=["CPUExecutionProvider"])
    predictor = EmbeddedPredictor(folder, threads=1, fields_a_run=fields_a_run)
    await predictor.start()
    try:
        predictions = await predictor.predict(frames)
    finally:
        await predictor.stop()
    for frame, prediction in zip(frames, predictions, strict=True):
        fields, grid = tile(frame.pixels, frame.full_scale, manifest.preprocessing)
        probabilities, distances = session.run(["probabilities", "distances"], {"fields": fields})
        np.testing.assert_allclose(prediction.probabilities, probabilities, atol=1e-6)
        np.testing.assert_allclose(prediction.distances, distances, rtol=1e-5)
        assert prediction.grid == grid
        assert prediction.lots == manifest.lots
        assert prediction.model == manifest.identity
        assert prediction.members_expected == prediction.probabilities.shape[1] == 2
        assert prediction.inference_s > 0


async def test_no_frames_need_no_answer(folder: Path) -> None:
    predictor = EmbeddedPredictor(folder)
    assert await predictor.predict([]) == []


async def test_another_graph_is_refused_before_it_is_loaded(folder: Path) -> None:
    (folder / "1/model.onnx").write_bytes(b"not the graph")
    predictor = EmbeddedPredictor(folder)
    with pytest.raises(ModelError, match=hashlib.sha256(b"not the graph").hexdigest()):
        await predictor.start()
    assert not predictor.loaded
    await predictor.stop()


async def test_a_file_that_is_no_graph_is_one_clear_line(folder: Path) -> None:
    (folder / "1/model.onnx").write_bytes(b"rubbish")
    edit_manifest(folder, onnx={"file": "1/model.onnx", "sha256": hashlib.sha256(b"rubbish").hexdigest()})
    predictor = EmbeddedPredictor(folder)
    with pytest.raises(ModelError, match="ONNX Runtime refuses it") as caught:
        await predictor.start()
    assert "\n" not in str(caught.value)
    await predictor.stop()


async def test_a_wrong_canary_stops_the_start(folder: Path) -> None:
    known = load_manifest(folder).canary.model_dump(mode="json")
    known["probabilities"][0] = [[0.9, 0.05, 0.05]] * 2
    edit_manifest(folder, canary=known)
    predictor = EmbeddedPredictor(folder)
    with pytest.raises(ModelError, match="canary differs from the known answer"):
        await predictor.start()
    await predictor.stop()


async def test_outputs_of_another_shape_than_promised_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "three", members=3)
    other = load_manifest(write_tiny_model(tmp_path / "two"))
    dump = other.model_dump(mode="json")
    edit_manifest(folder, members=2, outputs=dump["outputs"], canary=dump["canary"])
    predictor = EmbeddedPredictor(folder)
    with pytest.raises(ModelError, match="its manifest expects"):
        await predictor.start()
    await predictor.stop()


async def test_a_member_that_is_not_finite_is_left_out_and_counted_as_missing(tmp_path: Path) -> None:
    predictor = EmbeddedPredictor(write_tiny_model(tmp_path / "tiny", members=3, nan_above=0.75))
    await predictor.start()
    bright, dark = frame_of(np.full((256, 256), 250, np.uint8)), frame_of(np.full((256, 256), 20, np.uint8))
    spoiled, sound = await predictor.predict([bright, dark])
    await predictor.stop()
    assert (spoiled.probabilities.shape[1], spoiled.distances.shape[1], spoiled.members_expected) == (2, 2, 3)
    assert np.isfinite(spoiled.probabilities).all()
    assert (spoiled.members_missing, spoiled.members_stale) == (("member 1 (seed 11)",), ())
    assert sound.probabilities.shape[1] == 3
    assert (sound.members_missing, sound.members_stale) == ((), ())


async def test_members_that_changed_since_the_known_answer_are_left_out_by_name(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny", members=4)
    exchange_members(folder, 2)
    exchange_members(folder, 3, weight=float("nan"))
    predictor = EmbeddedPredictor(folder)
    await predictor.start()
    (prediction,) = await predictor.predict([noise_frame(0)])
    await predictor.stop()
    assert prediction.probabilities.shape[1] == prediction.distances.shape[1] == 2
    assert prediction.members_expected == 4
    assert prediction.members_stale == ("member 3 (seed 13)",)
    assert prediction.members_missing == ("member 4 (seed 14)",)
    assert "member 3 (seed 13) is stale: its canary differs from the known answer by 0." in predictor.degradation
    assert "member 4 (seed 14) gives no finite answer" in predictor.degradation
    whole = EmbeddedPredictor(write_tiny_model(tmp_path / "whole", members=4))
    await whole.start()
    (reference,) = await whole.predict([noise_frame(0)])
    await whole.stop()
    assert whole.degradation == ""
    np.testing.assert_array_equal(prediction.probabilities, reference.probabilities[:, :2])


@pytest.mark.parametrize("weight", [None, float("nan")])
async def test_a_model_none_of_whose_members_gives_the_known_answer_is_refused(tmp_path: Path, weight: float | None) -> None:
    folder = write_tiny_model(tmp_path / "tiny", members=3)
    exchange_members(folder, 0, 1, 2, weight=weight)
    predictor = EmbeddedPredictor(folder)
    with pytest.raises(ModelError, match="canary differs from the known answer"):
        await predictor.start()
    await predictor.stop()


@pytest.mark.parametrize("fields_a_run", [1, 100])
async def test_maps_come_with_the_fields_they_are_of_and_only_when_they_are_wanted(tmp_path: Path, fields_a_run: int) -> None:
    folder = write_tiny_model(tmp_path / "tiny", with_map=True)
    frames = [noise_frame(0), noise_frame(1, (256, 256))]
    answers = {}
    for with_maps in (False, True):
        predictor = EmbeddedPredictor(folder, with_maps=with_maps, fields_a_run=fields_a_run)
        await predictor.start()
        answers[with_maps] = await predictor.predict(frames)
        await predictor.stop()
    assert [prediction.local_maps for prediction in answers[False]] == [None, None]
    for frame, prediction in zip(frames, answers[True], strict=True):
        fields, _ = tile(frame.pixels, frame.full_scale, load_manifest(folder).preprocessing)
        pooled = fields.reshape(len(fields), 8, 8, 8, 8).mean(axis=(2, 4))
        np.testing.assert_allclose(prediction.local_maps, pooled, atol=1e-6)


async def test_a_model_without_maps_gives_none(folder: Path) -> None:
    predictor = EmbeddedPredictor(folder, with_maps=True)
    await predictor.start()
    (prediction,) = await predictor.predict([noise_frame(0)])
    await predictor.stop()
    assert prediction.local_maps is None
    assert prediction.distance_kind == "mahalanobis"


async def test_a_map_the_graph_does_not_return_is_refused(folder: Path) -> None:
    outputs = load_manifest(folder).model_dump(mode="json")["outputs"]
    edit_manifest(folder, outputs=outputs | {"local_map": {"name": "local_map", "dtype": "float32", "shape": [-1, 8, 8]}})
    predictor = EmbeddedPredictor(folder)
    with pytest.raises(ModelError, match=r"its manifest names fields and .*local_map"):
        await predictor.start()
    await predictor.stop()


async def test_a_map_of_another_shape_than_promised_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny", with_map=True)
    outputs = load_manifest(folder).model_dump(mode="json")["outputs"]
    outputs["local_map"]["shape"] = [-1, 4, 4]
    edit_manifest(folder, outputs=outputs)
    predictor = EmbeddedPredictor(folder, with_maps=True)
    with pytest.raises(ModelError, match=r"\(2, 8, 8\), its manifest expects .*\(2, 4, 4\)"):
        await predictor.start()
    await predictor.stop()


async def test_a_frame_that_no_member_answers_is_rejected_by_name(tmp_path: Path) -> None:
    predictor = EmbeddedPredictor(write_tiny_model(tmp_path / "tiny", members=1, nan_above=0.75))
    await predictor.start()
    bright, dark = frame_of(np.full((256, 256), 250, np.uint8)), frame_of(np.full((256, 256), 20, np.uint8))
    with pytest.raises(FrameRejectedError) as caught:
        await predictor.predict([dark, bright])
    assert (caught.value.thing, caught.value.cause) == (bright.content_hash, "rejected_by_model")
    assert len(await predictor.predict([dark])) == 1
    await predictor.stop()


async def test_it_tells_of_runs_and_canaries(folder: Path) -> None:
    heard = Heard()
    predictor = EmbeddedPredictor(folder, telemetry=heard, clock=StoppedClock())
    await predictor.start()
    await asyncio.gather(*(predictor.predict([noise_frame(k)]) for k in range(3)))
    await predictor.stop()
    assert heard.canaries == [1_700_000_000.0]
    assert max(heard.in_flight) == 3
    assert heard.in_flight[-1] == 0


async def until(condition: Any, limit_s: float = 10) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  (what is awaited happens on another thread)
            await asyncio.sleep(0.005)


async def test_the_model_leaves_memory_when_idle_and_comes_back_with_the_next_frame(folder: Path) -> None:
    predictor = EmbeddedPredictor(folder, idle_s=0.02)
    await predictor.start()
    first = await predictor.predict([noise_frame(0)])
    await until(lambda: not predictor.loaded)
    again = await predictor.predict([noise_frame(0)])
    np.testing.assert_array_equal(first[0].probabilities, again[0].probabilities)
    await until(lambda: not predictor.loaded)
    await predictor.stop()


async def test_a_model_that_is_called_for_early_is_there_for_its_frame_and_leaves_again_without_one(folder: Path) -> None:
    heard = Heard()
    predictor = EmbeddedPredictor(folder, idle_s=0.3, telemetry=heard)
    predictor.warm()
    assert not predictor.loaded, "not before it was started"
    await predictor.start()
    await until(lambda: not predictor.loaded)
    for _ in range(3):
        predictor.warm()
    await until(lambda: predictor.loaded)
    await until(lambda: len(heard.canaries) == 2)
    await predictor.predict([noise_frame(0)])
    assert len(heard.canaries) == 2, "it was not loaded again"
    await until(lambda: not predictor.loaded)
    predictor.warm()
    await until(lambda: predictor.loaded)
    await until(lambda: not predictor.loaded)
    (folder / "1/model.onnx").write_bytes(b"another")
    predictor.warm()
    with pytest.raises(ModelError, match="its manifest expects"):
        await predictor.predict([noise_frame(0)])
    predictor.warm()
    await predictor.stop()


async def test_a_graph_exchanged_while_it_was_out_of_memory_is_refused(folder: Path) -> None:
    predictor = EmbeddedPredictor(folder, idle_s=0.02)
    await predictor.start()
    await until(lambda: not predictor.loaded)
    (folder / "1/model.onnx").write_bytes(b"another")
    with pytest.raises(ModelError, match="its manifest expects"):
        await predictor.predict([noise_frame(0)])
    await predictor.stop()


async def test_another_model_that_is_whole_in_itself_is_refused_while_this_one_is_out_of_memory(folder: Path, tmp_path: Path) -> None:
    """The folder's manifest fits its graph, but neither is what the agent said it would ask."""
    predictor = EmbeddedPredictor(folder, idle_s=0.02)
    await predictor.start()
    await until(lambda: not predictor.loaded)
    shutil.copytree(write_tiny_model(tmp_path / "other", seed=1), folder, dirs_exist_ok=True)
    with pytest.raises(ModelError, match="its manifest expects"):
        await predictor.predict([noise_frame(0)])
    assert not predictor.loaded
    await predictor.stop()


async def test_the_roll_is_called_again_whenever_the_model_comes_back_into_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    predictor = EmbeddedPredictor(folder, idle_s=0.02, telemetry=heard)
    await predictor.start()
    await until(lambda: not predictor.loaded)
    await predictor.predict([noise_frame(0)])
    assert len(heard.canaries) == 2
    await until(lambda: not predictor.loaded)
    monkeypatch.setattr(embedded, "canary_fields", lambda px: canary_fields(px)[::-1])  # answers that nobody knows
    for _ in range(2):
        with pytest.raises(ModelError, match="canary differs from the known answer"):
            await predictor.predict([noise_frame(0)])
        assert not predictor.loaded
    await predictor.stop()


async def test_a_frame_that_only_stale_members_answer_waits(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny", members=3, nan_above=0.75)
    exchange_members(folder, 1, 2)
    predictor = EmbeddedPredictor(folder)
    await predictor.start()
    assert predictor.left_out == ({1, 2}, frozenset())
    bright, dark = frame_of(np.full((256, 256), 250, np.uint8)), frame_of(np.full((256, 256), 20, np.uint8))
    with pytest.raises(PredictorUnavailableError, match=r"by stale members only: member 2 \(seed 12\), member 3 \(seed 13\)"):
        await predictor.predict([bright])
    assert len(await predictor.predict([dark])) == 1
    await predictor.stop()


async def test_it_can_start_again_after_stop_and_leaves_no_thread(folder: Path) -> None:
    before = psutil.Process().num_threads()
    predictor = EmbeddedPredictor(folder, threads=1)
    for _ in range(2):
        await predictor.start()
        assert len(await predictor.predict([noise_frame(0)])) == 1
        await predictor.stop()
        assert not predictor.loaded
    await until(lambda: psutil.Process().num_threads() <= before)


async def test_stopping_does_not_wait_for_the_frames_that_are_under_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = EmbeddedPredictor(folder, fields_a_run=1)
    await predictor.start()
    session, runs, begun = predictor._session, [], threading.Event()

    class Slow:
        def run(self, *args: Any) -> Any:
            runs.append(1)
            begun.set()
            released.wait(10)
            return session.run(*args)

    released = threading.Event()
    monkeypatch.setattr(predictor, "_session", Slow())
    asked = asyncio.ensure_future(predictor.predict([noise_frame(0)]))
    await asyncio.to_thread(begun.wait, 10)
    stopped = asyncio.ensure_future(predictor.stop())
    await until(lambda: predictor._stopping)
    released.set()
    with pytest.raises(PredictorUnavailableError, match="is stopping"):
        await asked
    await stopped
    assert len(runs) == 1


def test_onnx_runtime_reports_to_nobody(tmp_path: Path, folder: Path) -> None:
    """From 1.31 on it keeps an id and a database of what it would send in the home folder: none must appear."""
    said = f"from pathlib import Path; from edge_agent.inference.embedded import open_session; open_session(Path({str(folder)!r}))"
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: text for name, text in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    places = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "USERPROFILE", "LOCALAPPDATA")}
    subprocess.run([sys.executable, "-c", said], env={**environment, **places}, check=True, timeout=60)
    assert list(home.rglob("*")) == []
