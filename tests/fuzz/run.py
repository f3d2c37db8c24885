"""One target under atheris, in a process of its own: `python -m tests.fuzz.run TARGET [libFuzzer's arguments]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import atheris

OURS = ["edge_agent.frames", "edge_agent.core", "edge_agent.config", "edge_agent.watch", "edge_agent.pipeline", "edge_agent.inference"]
OTHERS = {"tifffile": ("tiff", "fei", "zeiss"), "PIL": ("png", "jpeg", "bmp"), "fabio": ("cbf", "sfrm", "axis")}
"""Libraries in Python whose branches guide a target too, by parts of its name: to instrument one takes many seconds."""
GUIDING = [*OURS, *(library for library, parts in OTHERS.items() if any(part in sys.argv[1] for part in parts))]

with atheris.instrument_imports(include=GUIDING, enable_loader_override=False):
    from edge_agent.frames import readers
    from tests.fuzz.targets import targets

    for module in pkgutil.walk_packages(importlib.import_module("edge_agent.frames.readers").__path__, "edge_agent.frames.readers."):
        importlib.import_module(module.name)  # readers import what they need late: now is when it is instrumented


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    import warnings

    import structlog

    warnings.simplefilter("ignore")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    readers()
    name, *arguments = sys.argv[1:]
    atheris.Setup([sys.argv[0], *arguments], targets()[name], enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
