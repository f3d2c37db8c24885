"""The ensemble on a Triton server, over asynchronous gRPC.

What the server says of itself is not believed: its configuration must carry the manifest's digest, and an inference with a known answer
must succeed for at least one member; the others are left out and named. After any failure both are asked again before the next frame.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import PredictorUnavailableError
from edge_agent.inference.answers import Answers, wanted_outputs
from edge_agent.inference.canary import call_roll, canary_fields
from edge_agent.inference.predictor import PredictorOfModel
from edge_agent.inference.triton_config import ServedConfig, absence, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction
    from edge_agent.core.protocols import Clock
    from edge_agent.core.telemetry import Telemetry

TLS_SCHEME = "grpcs://"
PLAIN_SCHEME = "grpc://"
FIELDS_A_REQUEST = 48
"""Four frames of 12 fields: 0.8 MB a request, so that several requests overlap and the server batches them as it likes."""
CONTROL_TIMEOUT_S = 5.0
CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),  # gRPC's own is two minutes, for which a server that is back would stay unused
    ("grpc.min_reconnect_backoff_ms", 5_000),  # the time a connection may take, whatever its name says
]


class TritonPredictor(PredictorOfModel):
    """Answers frames with a model that a Triton server at `url` serves.

    Args:
        folder: the model's folder; its manifest says what the server must serve.
        url: host:port of the server's gRPC endpoint; `grpcs://host:port` speaks TLS, trusting gRPC's roots
            (or those in the file that GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names).
        timeout_s: seconds after which a request is given up.
        in_flight: requests under way at the same time.
        telemetry: told of requests in flight and of canaries.
        clock: dates the canaries.
        with_maps: also ask for local maps, where the model has them.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        timeout_s: float = 30.0,
        in_flight: int = 4,
        telemetry: Telemetry | None = None,
        clock: Clock | None = None,
        with_maps: bool = False,
    ) -> None:
        super().__init__(folder, telemetry, clock)
        self._outputs = wanted_outputs(self._manifest, with_maps=with_maps)
        self._url = url
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(in_flight)
        self._checking = asyncio.Lock()
        self._client: Any = None
        self._tiler: ThreadPoolExecutor | None = None
        self._served: ServedConfig | None = None

    async def start(self) -> None:
        """Connect, then `check`."""
        if self._client is None:
            self._client = _connect(self._url)
            self._tiler = ThreadPoolExecutor(1, thread_name_prefix="tiles")
        await self.check()

    async def predict(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Answer `frames` in order; raise PredictorUnavailableError when the same call may succeed later.

        FrameRejectedError names, as `thing`, the content hash of a frame that no member answers.
        """
        if not frames:
            return []
        served = self._served or await self._checked()
        stale = self._roll.stale  # a canary may run while the requests do: what it finds then may hold for any of them, or no more
        batch = await asyncio.get_running_loop().run_in_executor(self._tiler, self._tile, frames)
        began = time.perf_counter()
        size = min(served.max_batch, FIELDS_A_REQUEST)
        parts = [batch.fields[k : k + size] for k in range(0, len(batch.fields), size)]
        requests = [asyncio.ensure_future(self._infer(part)) for part in parts]
        try:
            answers = await asyncio.gather(*requests)
        finally:
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
        return batch.predictions(Answers.joined(answers), self._manifest, time.perf_counter() - began, stale | self._roll.stale)

    async def check(self) -> None:
        """Compare the configuration, run the canary and leave out members that do not give the known answer.

        Raises PredictorUnavailableError, or ModelError when another graph is served or no member gives the known answer.
        """
        async with self._checking:
            await self._check()

    async def stop(self) -> None:
        """Close the connection."""
        client, self._client, self._served = self._client, None, None
        if client is not None:
            await client.close()
        if self._tiler is not None:
            self._tiler.shutdown(wait=False)
            self._tiler = None

    async def _checked(self) -> ServedConfig:
        async with self._checking:
            return self._served or await self._check()

    async def _check(self) -> ServedConfig:
        self._served = None
        served = await self._ask_config()
        canary = self._manifest.canary
        answers = await self._infer(canary_fields(self._manifest.preprocessing.input_px))
        tolerance = canary.fp16_tolerance if served.precision == "fp16" else canary.tolerance
        thing, remedy = self._thing, "lay the model out again with `model-repo layout` and reload it in Triton"
        self._roll = call_roll(self._manifest, answers.probabilities, answers.distances, tolerance, thing, remedy)
        self._served = served
        self._tell_canary()
        return served

    async def _ask_config(self) -> ServedConfig:
        from tritonclient.utils import InferenceServerException  # noqa: PLC0415  (loaded only where Triton is used)

        name, version = self._manifest.name, self._manifest.version
        client = self._connected()
        try:
            with self._silence.asked():
                answer = await client.get_model_config(name, version, client_timeout=CONTROL_TIMEOUT_S)
        except InferenceServerException as error:
            if error.status() not in {"StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE"}:
                raise self._unavailable(error) from error
        else:
            return read_config(answer.config, self._manifest, self._url)
        try:
            index = await client.get_model_repository_index(client_timeout=CONTROL_TIMEOUT_S)
        except InferenceServerException as error:
            raise self._unavailable(error) from error
        raise absence(index.models, self._manifest, self._url)

    async def _infer(self, fields: NDArray[np.float32]) -> Answers:
        from tritonclient.grpc import InferInput, InferRequestedOutput  # noqa: PLC0415  (loaded only where Triton is used)
        from tritonclient.utils import InferenceServerException  # noqa: PLC0415  (as above)

        manifest = self._manifest
        tensor = InferInput(manifest.input.name, list(fields.shape), "FP32")
        tensor.set_data_from_numpy(fields)
        wanted = [InferRequestedOutput(output.name) for output in self._outputs]
        async with self._places:
            client = self._connected()
            self._count(1)
            try:
                with self._silence.asked():
                    answer = await client.infer(
                        manifest.name, [tensor], model_version=manifest.version, outputs=wanted, client_timeout=self._timeout_s
                    )
            except InferenceServerException as error:
                raise self._unavailable(error) from error
            finally:
                self._count(-1)
        try:
            return Answers(*(answer.as_numpy(output.name).reshape(len(fields), *output.shape[1:]) for output in self._outputs))
        except (AttributeError, ValueError) as error:  # absent, or with another number of bytes than its shape asks for
            raise self._unavailable("an answer lacks a tensor or has another size than it says") from error

    @property
    def _thing(self) -> str:
        return f"model {self._manifest.name} on Triton at {self._url}"

    def _connected(self) -> Any:
        if self._client is None:
            raise RuntimeError("start the predictor first")
        return self._client

    def _unavailable(self, cause: Any) -> PredictorUnavailableError:
        self._served = None
        reason = " ".join(str(cause).split())
        return PredictorUnavailableError(
            self._thing,
            f"does not answer ({reason})",
            "start Triton, or unload and load the model there when the server itself is up; frames wait meanwhile",
        )


def _connect(url: str) -> Any:
    from tritonclient.grpc.aio import InferenceServerClient  # noqa: PLC0415  (loaded only where Triton is used)

    address = url.removeprefix(TLS_SCHEME).removeprefix(PLAIN_SCHEME)
    return InferenceServerClient(address, ssl=url.startswith(TLS_SCHEME), channel_args=CHANNEL_OPTIONS)
