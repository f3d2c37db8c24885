"""The ensemble inside the agent's own process, on ONNX Runtime."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import ModelError, PredictorUnavailableError
from edge_agent.core.memory import return_free_memory
from edge_agent.inference.answers import Answers, check_shapes, wanted_outputs
from edge_agent.inference.canary import call_roll, canary_fields
from edge_agent.inference.manifest import load_manifest, verify
from edge_agent.inference.predictor import PredictorOfModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction
    from edge_agent.core.protocols import Clock
    from edge_agent.core.telemetry import Telemetry
    from edge_agent.inference.canary import RollCall
    from edge_agent.inference.manifest import Manifest

FIELDS_A_RUN = 4
"""Fields the graph takes at once: on a CPU 12 need 120 MB more than 4 and are no faster (tests/benchmarks/bench_inference.py)."""


class EmbeddedPredictor(PredictorOfModel):
    """Answers frames with the model in `folder`, one run at a time on its own thread.

    Args:
        folder: the model's folder.
        threads: threads of one run; 0 lets ONNX Runtime take every core.
        idle_s: seconds without a frame after which the model leaves memory, to be loaded again by the next; None keeps it.
        telemetry: told of runs in flight and of canaries.
        clock: dates the canaries.
        fields_a_run: fields the graph takes at once.
        with_maps: also ask for local maps, where the model has them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = 0,
        idle_s: float | None = 300.0,
        telemetry: Telemetry | None = None,
        clock: Clock | None = None,
        fields_a_run: int = FIELDS_A_RUN,
        with_maps: bool = False,
    ) -> None:
        super().__init__(folder, telemetry, clock)
        self._folder = folder
        self._threads = threads
        self._idle_s = idle_s
        self._fields_a_run = fields_a_run
        self._outputs = [tensor.name for tensor in wanted_outputs(self._manifest, with_maps=with_maps)]
        self._session: Any = None
        self._executor: ThreadPoolExecutor | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._warming: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory now."""
        return self._session is not None

    async def start(self) -> None:
        """Verify the digests, load the model and run the canary; raise ModelError."""
        self._stopping = False
        self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="inference")
        await self.check()

    def warm(self) -> None:
        """Load the model where it has left memory, while the frame that will need it settles; a failure is the next frame's to tell."""
        if not self.loaded and self._executor is not None and (self._warming is None or self._warming.done()):
            self._warming = asyncio.ensure_future(self._warm())

    async def _warm(self) -> None:
        roll = self._roll
        with contextlib.suppress(ModelError, PredictorUnavailableError):
            await self._on_thread(self._load)
        if self._roll is not roll:
            self._tell_canary()

    async def predict(self, frames: Sequence[Frame]) -> list[Prediction]:
        """Answer `frames` in order.

        FrameRejectedError names, as `thing`, the content hash of a frame that no member answers; PredictorUnavailableError tells that
        `stop` came first.
        """
        if not frames:
            return []
        roll = self._roll
        predictions: list[Prediction] = await self._on_thread(self._predict, frames)
        if self._roll is not roll:
            self._tell_canary()
        return predictions

    async def check(self) -> None:
        """Run the canary and leave out members that do not give the known answer; raise ModelError when none does."""
        await self._on_thread(self._check)
        self._tell_canary()

    async def stop(self) -> None:
        """Release the model and its thread; a run under way ends after the fields it is at."""
        self._stopping = True
        self._cancel_idle_timer()
        if self._warming is not None:
            self._warming.cancel()
        if self._executor is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._unload)
            self._executor.shutdown(wait=False)
            self._executor = None

    async def _on_thread(self, call: Any, *args: Any) -> Any:
        if self._executor is None:
            raise RuntimeError("start the predictor first")
        loop = asyncio.get_running_loop()
        self._cancel_idle_timer()
        self._count(1)
        try:
            return await loop.run_in_executor(self._executor, call, *args)
        finally:
            self._count(-1)
            if self._idle_s is not None and not self._in_flight and self._executor is not None:
                self._idle_timer = loop.call_later(self._idle_s, self._executor.submit, self._unload)

    def _cancel_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _predict(self, frames: Sequence[Frame]) -> list[Prediction]:
        self._load()
        began = time.perf_counter()
        batch = self._tile(frames)
        answers = self._run(batch.fields)
        return batch.predictions(answers, self._manifest, time.perf_counter() - began, self._roll.stale)

    def _check(self) -> None:
        if not self._load():
            self._roll = self._canary()

    def _load(self) -> bool:
        """Bring the model into memory, where it is not, and run the canary; whether it was not."""
        if self._session is not None:
            return False
        self._session = open_session(self._folder, self._threads, self._manifest)
        try:
            self._roll = self._canary()
        except Exception:
            self._session = None
            raise
        return True

    def _canary(self) -> RollCall:
        manifest = self._manifest
        fields = canary_fields(manifest.preprocessing.input_px)
        answers = self._run(fields)
        check_shapes(answers, len(fields), manifest)
        thing, remedy = f"model {manifest.name}", "reinstall onnxruntime, or export the model again"
        return call_roll(manifest, answers.probabilities, answers.distances, manifest.canary.tolerance, thing, remedy)

    def _run(self, fields: NDArray[np.float32]) -> Answers:
        answers = []
        for k in range(0, len(fields), self._fields_a_run):
            if self._stopping:
                raise PredictorUnavailableError(f"model {self._manifest.name}", "is stopping", "start it again")
            answers.append(Answers(*self._session.run(self._outputs, {self._manifest.input.name: fields[k : k + self._fields_a_run]})))
        return Answers.joined(answers)

    def _unload(self) -> None:
        self._session = None
        gc.collect()
        return_free_memory()


def open_session(folder: Path, threads: int = 0, manifest: Manifest | None = None) -> Any:
    """An ONNX Runtime session on the CPU for the model in `folder`, its digests verified; raise ModelError.

    `manifest` is what the model has to be; None takes the folder's own.
    """
    import onnxruntime  # noqa: PLC0415  (120 ms that no other verb should pay)

    manifest = manifest or load_manifest(folder)
    verify(folder, manifest)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = folder / manifest.onnx.file
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class of its own for each way a graph can be wrong
        raise ModelError(str(path), f"ONNX Runtime refuses it ({error})".replace("\n", " "), "export the model again") from error
    ins, outs = {t.name for t in session.get_inputs()}, {t.name for t in session.get_outputs()}
    wanted = {tensor.name for tensor in manifest.outputs.tensors}
    if ins != {manifest.input.name} or not wanted <= outs:
        raise ModelError(
            str(path),
            f"takes {sorted(ins)} and returns {sorted(outs)}, its manifest names {manifest.input.name} and {sorted(wanted)}",
            "export the model again so that graph and manifest belong together",
        )
    return session
