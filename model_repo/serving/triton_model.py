"""The served ensemble on Triton's Python backend, where Triton has no ONNX Runtime backend of its own.

`model-repo layout` copies this file beside the graph as model.py; it runs in Triton's own environment (NumPy < 2, onnxruntime).
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported; it would call home
import onnxruntime
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]  # Triton puts it on the path of its stub


class TritonPythonModel:
    """One instance of the model; Triton calls initialize, execute and finalize."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph whose digest the configuration names; raise when another one lies here."""
        config = json.loads(args["model_config"])
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        graph = path.read_bytes()
        found, expected = hashlib.sha256(graph).hexdigest(), config["parameters"]["onnx_sha256"]["string_value"]
        if found != expected:
            raise pb_utils.TritonModelException(
                f"{path} has SHA-256 {found}, config.pbtxt expects {expected}; run `model-repo layout` again"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(config["parameters"]["threads"]["string_value"])
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._input = config["input"][0]["name"]
        self._outputs = [output["name"] for output in config["output"]]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer all waiting requests with one run of the graph, and each with the outputs it asks for: few want the maps."""
        asked = [set(request.requested_output_names()) for request in requests]
        names = [name for name in self._outputs if any(name in wanted for wanted in asked)]
        inputs = [pb_utils.get_input_tensor_by_name(request, self._input).as_numpy() for request in requests]
        answers = self._session.run(names, {self._input: np.concatenate(inputs)})
        cuts = np.cumsum([len(fields) for fields in inputs])[:-1]
        parts = [np.split(answer, cuts) for answer in answers]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor(name, part[k]) for name, part in zip(names, parts, strict=True) if name in wanted])
            for k, wanted in enumerate(asked)
        ]

    def finalize(self) -> None:
        """Let the graph go."""
        self._session = None
