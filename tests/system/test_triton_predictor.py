"""A real Triton answers like the embedded model, and whatever it says of itself is checked."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.core.errors import ModelError, PredictorUnavailableError
from edge_agent.core.telemetry import Telemetry
from edge_agent.inference import EmbeddedPredictor, TritonPredictor, find_model, make_predictor
from model_repo.serving.layout import layout
from tests.conftest import absent
from tests.frames_of import noise_frame
from tests.peers.triton import TritonServer, free_port, triton_serving, why_absent
from tests.served_model import edit_manifest, write_manifest, write_tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.core.prediction import Prediction
    from edge_agent.core.protocols import Predictor


class Heard(Telemetry):
    def __init__(self) -> None:
        self.in_flight: list[int] = []
        self.canaries = 0

    def requests_in_flight(self, requests: int) -> None:
        self.in_flight.append(requests)

    def canary_answered(self, at_s: float) -> None:
        self.canaries += 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", members=3)


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Serves `tiny`, refuses `broken` (its graph is exchanged) and holds `idle`, which nobody loads."""
    if reason := why_absent():
        absent("triton", reason)
    scratch = tmp_path_factory.mktemp("triton")
    layout(folder, scratch / "repository", "python", threads=1)
    broken = layout(write_tiny_model(scratch / "broken", name="broken"), scratch / "repository", "python")
    (broken / "1" / "model.onnx").write_bytes(b"another graph")
    with TritonServer(scratch / "repository", scratch) as running:
        yield running


@pytest.fixture
def own_server(folder: Path, tmp_path: Path) -> Iterator[TritonServer]:
    """A server that the test may ill-treat."""
    with triton_serving(folder, tmp_path, explicit=True) as running:
        yield running


async def recovers(predictor: TritonPredictor, limit_s: float = 20) -> None:
    async with asyncio.timeout(limit_s):
        while True:
            try:
                await predictor.check()
            except PredictorUnavailableError:
                await asyncio.sleep(0.1)
            else:
                return


async def test_triton_gives_the_embedded_models_answers(folder: Path, server: TritonServer) -> None:
    heard = Heard()
    frames = [noise_frame(k, shape) for k, shape in enumerate([(768, 1024), (300, 520), (64, 64)] * 4)]
    embedded = EmbeddedPredictor(folder, threads=1)
    triton = make_predictor("triton", folder, url=server.url, telemetry=heard)
    await embedded.start()
    await triton.start()
    try:
        pairs = list(zip(await embedded.predict(frames), await triton.predict(frames), strict=True))
    finally:
        await triton.stop()
        await embedded.stop()
    assert len(pairs) == len(frames)
    for ours, theirs in pairs:
        np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-5)
        np.testing.assert_allclose(theirs.distances, ours.distances, rtol=1e-5)
        assert (theirs.grid, theirs.model, theirs.members_expected) == (ours.grid, ours.model, 3)
    assert heard.canaries == 1
    assert 2 <= max(heard.in_flight) <= 4
    assert heard.in_flight[-1] == 0


async def test_the_shipped_model_answers_alike_in_both_places(tmp_path: Path) -> None:
    folder = find_model("sem-real")
    embedded = EmbeddedPredictor(folder, threads=1)
    await embedded.start()
    ours = await embedded.predict([noise_frame(3)])
    await embedded.stop()
    with triton_serving(folder, tmp_path) as running:
        triton = TritonPredictor(folder, running.url)
        await triton.start()
        theirs = await triton.predict([noise_frame(3)])
        await triton.stop()
    np.testing.assert_allclose(theirs[0].probabilities, ours[0].probabilities, atol=1e-5)
    np.testing.assert_allclose(theirs[0].distances, ours[0].distances, rtol=1e-4)


async def test_another_digest_is_refused_with_both_named(folder: Path, server: TritonServer, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "tiny", members=3, seed=1)
    predictor = TritonPredictor(other, server.url)
    with pytest.raises(ModelError) as caught:
        await predictor.start()
    await predictor.stop()
    assert predictor.model.digest in str(caught.value)
    assert TritonPredictor(folder, server.url).model.digest in str(caught.value)
    assert "model-repo layout" in caught.value.remedy
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"version": "2"}, ModelError, "is not served, but version 1 is"),
        ({"name": "tinny"}, ModelError, "is not in the server's repository, which holds broken, tiny"),
        ({"name": "broken"}, PredictorUnavailableError, "is not loaded .*config.pbtxt expects"),
    ],
)
async def test_what_the_server_lacks_is_told_clearly(
    folder: Path, server: TritonServer, tmp_path: Path, change: dict[str, str], kind: type[Exception], said: str
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    edit_manifest(tmp_path / "copy", **change)
    predictor = TritonPredictor(tmp_path / "copy", server.url)
    with pytest.raises(kind, match=said):
        await predictor.start()
    await predictor.stop()


async def test_a_server_that_computes_something_else_fails_the_canary(folder: Path, server: TritonServer, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    manifest = TritonPredictor(folder, server.url)._manifest.model_dump(mode="json")
    manifest["canary"]["probabilities"][1] = [[0.98, 0.01, 0.01]] * 3
    write_manifest(tmp_path / "copy", manifest)
    predictor = TritonPredictor(tmp_path / "copy", server.url)
    with pytest.raises(ModelError, match="canary differs from the known answer"):
        await predictor.start()
    await predictor.stop()


async def test_a_member_that_triton_computes_otherwise_is_left_out_by_name(folder: Path, server: TritonServer, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    manifest = TritonPredictor(folder, server.url)._manifest.model_dump(mode="json")
    manifest["canary"]["probabilities"][1][2] = [0.98, 0.01, 0.01]
    write_manifest(tmp_path / "copy", manifest)
    predictor = TritonPredictor(tmp_path / "copy", server.url)
    await predictor.start()
    (prediction,) = await predictor.predict([noise_frame(0)])
    await predictor.stop()
    assert (prediction.probabilities.shape[1], prediction.members_expected, prediction.members_missing) == (2, 3, ())
    assert prediction.members_stale == ("member 3 (seed 13)",)
    assert "member 3 (seed 13) is stale" in predictor.degradation


async def test_triton_computes_maps_for_those_who_want_them(tmp_path: Path) -> None:
    """Both ask at once, so that Triton may join requests that differ in what they want."""
    folder = write_tiny_model(tmp_path / "tiny", with_map=True)
    frames = [noise_frame(number) for number in range(3)]

    async def ask(predictor: Predictor) -> list[Prediction]:
        await predictor.start()
        try:
            return await predictor.predict(frames)
        finally:
            await predictor.stop()

    with triton_serving(folder, tmp_path) as running:
        mapped, plain = await asyncio.gather(
            ask(TritonPredictor(folder, running.url, with_maps=True)), ask(TritonPredictor(folder, running.url))
        )
    ours = await ask(EmbeddedPredictor(folder, with_maps=True))
    for mine, theirs, without in zip(ours, mapped, plain, strict=True):
        np.testing.assert_allclose(theirs.local_maps, mine.local_maps, atol=1e-5)
        assert without.local_maps is None
        for one in (theirs, without):
            np.testing.assert_allclose(one.probabilities, mine.probabilities, atol=1e-5)


async def test_a_server_that_lacks_the_map_is_refused(folder: Path, server: TritonServer, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    outputs = TritonPredictor(folder, server.url)._manifest.model_dump(mode="json")["outputs"]
    edit_manifest(tmp_path / "copy", outputs=outputs | {"local_map": {"name": "local_map", "dtype": "float32", "shape": [-1, 8, 8]}})
    predictor = TritonPredictor(tmp_path / "copy", server.url)
    with pytest.raises(ModelError, match=r"the manifest expects .*local_map"):
        await predictor.start()
    await predictor.stop()


async def test_no_server_is_unavailable_and_not_a_wrong_model(folder: Path) -> None:
    predictor = TritonPredictor(folder, f"127.0.0.1:{free_port()}")
    with pytest.raises(PredictorUnavailableError, match="does not answer") as caught:
        await predictor.start()
    assert "\n" not in str(caught.value)
    await predictor.stop()


async def test_a_server_that_accepts_and_never_answers_runs_into_the_time_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.inference.triton.CONTROL_TIMEOUT_S", 0.3)
    released = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    listener = await asyncio.start_server(mute, "127.0.0.1", 0)
    predictor = TritonPredictor(folder, f"127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    with pytest.raises(PredictorUnavailableError):
        await predictor.start()
    await predictor.stop()
    released.set()
    listener.close()
    await listener.wait_closed()


async def test_a_server_stopped_midway_and_started_again_goes_on_answering(folder: Path, own_server: TritonServer) -> None:
    predictor = TritonPredictor(folder, own_server.url)
    await predictor.start()
    try:
        before = await predictor.predict([noise_frame(0)])
        own_server.stop()
        for _ in range(2):
            with pytest.raises(PredictorUnavailableError, match="does not answer"):
                await predictor.predict([noise_frame(0)])
        await asyncio.to_thread(own_server.start)
        await recovers(predictor)
        after = await predictor.predict([noise_frame(0)])
    finally:
        await predictor.stop()
    np.testing.assert_array_equal(before[0].probabilities, after[0].probabilities)


async def test_a_server_that_comes_back_with_another_model_is_refused_at_the_next_frame(
    folder: Path, own_server: TritonServer, tmp_path: Path
) -> None:
    predictor = TritonPredictor(folder, own_server.url)
    await predictor.start()
    try:
        own_server.stop()
        with pytest.raises(PredictorUnavailableError):
            await predictor.predict([noise_frame(0)])
        layout(write_tiny_model(tmp_path / "tiny", members=3, seed=5), own_server.repository, "python")
        await asyncio.to_thread(own_server.start)
        with pytest.raises(ModelError, match="serves the graph"):
            await recovers(predictor)
    finally:
        await predictor.stop()


async def test_a_killed_worker_fails_the_canary_while_the_server_says_ready_until_the_model_is_reloaded(
    folder: Path, own_server: TritonServer
) -> None:
    heard = Heard()
    predictor = TritonPredictor(folder, own_server.url, telemetry=heard)
    await predictor.start()
    try:
        assert own_server.kill_stubs() == 1
        with pytest.raises(PredictorUnavailableError, match="unload and load the model"):
            await predictor.check()
        assert own_server.says_ready
        with pytest.raises(PredictorUnavailableError):
            await predictor.predict([noise_frame(0)])
        assert heard.canaries == 1
        await asyncio.to_thread(own_server.reload, "tiny")
        await recovers(predictor)
        assert len(await predictor.predict([noise_frame(0)])) == 1
    finally:
        await predictor.stop()


async def test_a_model_that_nobody_loaded_is_waited_for(folder: Path, own_server: TritonServer) -> None:
    predictor = TritonPredictor(folder, own_server.url)
    await asyncio.to_thread(own_server.unload, "tiny")
    with pytest.raises(PredictorUnavailableError, match=r"is not loaded .*; load it in Triton"):
        await predictor.start()
    await asyncio.to_thread(own_server.reload, "tiny")
    await recovers(predictor)
    await predictor.stop()


ASK_OVER_TLS = """
import asyncio, pathlib, sys
from edge_agent.inference import TritonPredictor
from tests.frames_of import noise_frame
async def main():
    predictor = TritonPredictor(pathlib.Path(sys.argv[1]), sys.argv[2])
    try:
        await predictor.start()
        print(len(await predictor.predict([noise_frame(0)])))
    finally:
        await predictor.stop()
asyncio.run(main())
"""


def test_tls_is_spoken_and_an_unknown_certificate_is_not_trusted(folder: Path, tmp_path: Path) -> None:
    if reason := why_absent():
        absent("triton", reason)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    layout(folder, tmp_path / "repository", "python", threads=1)
    tls = ("--grpc-use-ssl=true", f"--grpc-server-cert={certificate}", f"--grpc-server-key={key}")
    with TritonServer(tmp_path / "repository", tmp_path, options=tls) as running:
        command = [sys.executable, "-c", ASK_OVER_TLS, folder, f"grpcs://{running.url}"]
        # gRPC reads its roots once a process, so each trust needs its own
        trusting = os.environ | {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate)}
        answered = subprocess.run(command, env=trusting, capture_output=True, text=True, check=False)
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answered.stdout == "1\n", answered.stderr
    assert refused.returncode != 0
    assert "PredictorUnavailableError" in refused.stderr
