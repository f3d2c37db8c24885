"""The agent's log on standard error: one form for our lines and for those of the libraries."""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Literal, TextIO

import structlog

from edge_agent.core.blanking import HIDDEN, Blanking
from edge_agent.observe.flood import Flood

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

QUIET_LIBRARIES = ("uvicorn", "asyncio", "watchdog", "PIL", "tifffile")
"""Their chatter below warning helps nobody."""
SILENT_LIBRARIES = ("kafka",)
"""Told by us alone: while a broker is away kafka-python writes megabytes an hour, and its debug lines carry the configuration."""
SECRET_NAME = re.compile(r"password|passwd|secret|token|authorization|credential|api_?key|private_?key", re.IGNORECASE)


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["console", "json"] = "console",  # noqa: A002 - the setting's own name
    *,
    secrets: Sequence[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every log line, structlog's and the standard library's, to `stream` (standard error) in one format.

    Args:
        level: the least grave message that is written.
        format: lines for people, or one JSON object a line.
        secrets: values that are blanked wherever they turn up; values under a secret's name always are.
        stream: where lines go.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        hide_secrets,
    ]
    ending: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if format == "json"
        else [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending]
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(Flood())
    handler.setFormatter(_BlankingFormatter(formatter, Blanking(secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in SILENT_LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # so that a later call takes effect for loggers already made
    )


def hide_secrets(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Blank the value of every key that is named like a secret."""
    for name in line:
        if SECRET_NAME.search(name):
            line[name] = HIDDEN
    return line


def hide_in_tracebacks(secrets: Sequence[str]) -> None:
    """Blank `secrets` in the traceback that ends the process, or a thread of it, too."""
    blanked = Blanking(secrets)

    def told(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(blanked("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = told
    threading.excepthook = lambda ended: told(ended.exc_type, ended.exc_value, ended.exc_traceback)


_COMMANDS = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]|\x1b(?!\\[[0-9;]*m)")
"""What names of files may hold and terminals obey: controls but those that colour a line, and marks that turn its direction."""


class _BlankingFormatter(logging.Formatter):
    """Blanks known secret values in finished lines, wherever they came from, and what a terminal would obey."""

    def __init__(self, inner: logging.Formatter, blanked: Blanking) -> None:
        super().__init__()
        self._inner = inner
        self._blanked = blanked

    def format(self, record: logging.LogRecord) -> str:
        return _COMMANDS.sub("?", self._blanked(self._inner.format(record)))
