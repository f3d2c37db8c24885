"""What the training verbs need beyond the base install, asked for by name where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge_agent.core.errors import ConfigurationError

TRAINING_PACKAGES = frozenset({"torch", "onnx", "onnxscript", "sklearn", "skimage", "matplotlib", "scipy", "gpytorch", "linear_operator"})


@contextmanager
def training_extra(verb: str) -> Iterator[None]:
    """Imports of a verb that needs the extra; raise ConfigurationError, naming the verb and the package, where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAINING_PACKAGES:
            raise
        raise ConfigurationError(
            f"model-repo {verb}", f"needs {error.name}", "install the extra: pip install '.[train]' in the checkout"
        ) from error
