"""The log: one form for everybody's lines, and no secrets in it."""

from __future__ import annotations

import io
import json
import logging
import warnings

import pytest
import structlog
from pydantic import SecretStr

from edge_agent.observe import configure_logging

pytestmark = pytest.mark.usefixtures("logging_restored")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_the_libraries_lines_look_alike():
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    structlog.get_logger("edge_agent.watch").info("settled", path="a/\u00fc.tif")
    logging.getLogger("watchdog.observers").warning("folder %s is gone", "a")

    ours, theirs = lines(stream)
    assert (ours["event"], ours["level"], ours["logger"], ours["path"]) == ("settled", "info", "edge_agent.watch", "a/\u00fc.tif")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("folder a is gone", "warning", "watchdog.observers")
    assert ours.keys() - {"path"} == theirs.keys()


def test_a_person_reads_plain_lines():
    stream = io.StringIO()
    configure_logging("info", "console", stream=stream)
    structlog.get_logger("edge_agent").warning("broker lost", waiting=12)

    assert "broker lost" in stream.getvalue()
    assert "waiting=12" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_less_grave_lines_are_left_out(level, written: int):
    stream = io.StringIO()
    configure_logging(level, "json", stream=stream)
    log = structlog.get_logger("edge_agent")
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")

    assert len(lines(stream)) == written


@pytest.mark.parametrize("library", ["kafka.conn", "uvicorn.error", "asyncio"])
def test_libraries_do_not_chatter_even_in_debug(library: str):
    stream = io.StringIO()
    configure_logging("debug", "json", stream=stream)
    logging.getLogger(library).debug("sasl_plain_password=hunter2")
    logging.getLogger(library).info("chatter")

    assert stream.getvalue() == ""


def test_a_client_that_cannot_reach_its_broker_does_not_fill_the_log():
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    for _ in range(1000):
        logging.getLogger("kafka.producer.sender").warning("Got an exception when trying to find a node. Going to back off and retry")

    assert stream.getvalue() == ""


@pytest.mark.parametrize("format_", ["console", "json"])
def test_secrets_are_never_printed(format_):
    stream = io.StringIO()
    configure_logging("info", format_, secrets=("hunter2", ""), stream=stream)
    log = structlog.get_logger("edge_agent")
    log.info("login", sasl_password="opensesame", token=SecretStr("opensesame"), Authorization="Bearer opensesame")
    logging.getLogger("uvicorn").error("cannot log in with %s", "hunter2")
    log.error("failed", exc_info=RuntimeError("refused: hunter2"))

    assert "opensesame" not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("*****") >= 5


def test_a_traceback_stays_within_its_json_line():
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    structlog.get_logger("edge_agent").error("failed", exc_info=ValueError("no such lot"))

    (line,) = lines(stream)
    assert "ValueError: no such lot" in str(line["exception"])


def test_warnings_are_log_lines_too():
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("deprecated", stacklevel=1)

    assert "deprecated" in str(lines(stream)[0]["event"])


def test_configuring_again_does_not_double_lines():
    stream = io.StringIO()
    for _ in range(2):
        configure_logging("info", "json", stream=stream)
    structlog.get_logger("edge_agent").info("once")

    assert len(lines(stream)) == 1
