"""Alerts by webhook and by command: at least once, in order, without a shell, and without showing the address."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError, SinkUnavailableError
from edge_agent.core.event import OutboxRow
from edge_agent.core.telemetry import Telemetry
from edge_agent.publish import CommandSink, GivingUp, WebhookSink, alert_test, shown_address
from tests.peers.webhook import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_NS = 1_800_000_000_000_000_000
ROW = OutboxRow(7, alert_test("pc7", "sem", NOW_NS))


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as made:
        yield made


async def posted(receiver: WebhookReceiver, timeout_s: float = 5.0) -> None:
    sink = WebhookSink(receiver.url, timeout_s)
    try:
        await sink.recover("j1", 9)
        await sink.publish([ROW])
    finally:
        await sink.close()


async def test_a_webhook_gets_a_structured_cloudevent(receiver: WebhookReceiver) -> None:
    await posted(receiver)
    ((path, headers, event),) = receiver.got
    assert path == "/hooks/T0KEN-xxxxxxxxxxxxxxxxxxxx?key=s3cret"
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert (event["specversion"], event["type"], event["journalid"], event["sequence"]) == ("1.0", "edge.alert.test.v1", "j1", f"{7:020d}")
    assert event["data"] == json.loads(ROW.event.data)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (500, "answered 500 Internal Server Error"),
        (404, "answered 404 Not Found"),
        ((302, "/elsewhere"), "answered 302 Found"),
        ((307, "/elsewhere"), "answered 307"),
        ("hang", "timed out"),
        ("drip", "has not answered"),
        ("break", "broke off"),
    ],
)
async def test_what_is_no_acknowledgement_is_a_reason_without_the_address(receiver: WebhookReceiver, answer: Any, said: str) -> None:
    receiver.always = answer
    with pytest.raises(SinkUnavailableError) as caught:
        await posted(receiver, 0.4)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"the webhook at http://127.0.0.1:{receiver.port}: ")
    assert "s3cret" not in str(caught.value)
    assert "T0KEN" not in str(caught.value)
    assert caught.value.__cause__ is None, "a traceback must not show the address either"
    assert receiver.got == []


async def test_a_receiver_that_is_away_is_a_reason() -> None:
    with WebhookReceiver() as gone:
        pass
    with pytest.raises(SinkUnavailableError, match="cannot be reached"):
        await posted(gone)


@pytest.mark.parametrize(
    "address",
    ["", "hooks.example.org", "ftp://example.org/x", "file:///etc/passwd", "https://", "https://user:s3cret@example.org/",
     "https://example.org/s3cret token", "https://example.org/s3cr\nt", "https://[::1/s3cret", "https://example.org:99999/s3cret", "https://exämple.org/"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WebhookSink(address, 1.0)
    assert "s3cr" not in str(caught.value)
    assert caught.value.exit_code == 78


def test_of_an_address_only_the_host_is_shown() -> None:
    assert shown_address("https://hooks.example.org/a/b?c=d") == "https://hooks.example.org"
    assert shown_address("http://[::1]:8080/a") == "http://[::1]:8080"


def program(folder: Path, body: str) -> list[str]:
    script = folder / "told me.py"
    script.write_text(f"import json, os, sys, time, pathlib\n{body}\n")
    return [sys.executable, str(script), str(folder / "out $(touch injected); .json")]


async def run(command: list[str], timeout_s: float = 20.0) -> None:
    sink = CommandSink(command, timeout_s)
    try:
        await sink.recover("j1", 9)
        await sink.publish([ROW])
    finally:
        await sink.close()


async def test_a_command_reads_the_event_and_no_shell_reads_its_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGE_AGENT__KAFKA__SASL_PASSWORD", "s3cret")
    body = "event = json.load(sys.stdin)\npathlib.Path(sys.argv[1]).write_text(json.dumps([event, dict(os.environ)]))"
    await run(program(tmp_path, body))
    event, environment = json.loads((tmp_path / "out $(touch injected); .json").read_text())
    assert event["data"] == json.loads(ROW.event.data)
    assert event["id"] == ROW.event.id
    assert not (tmp_path / "injected").exists()
    assert not any(name.startswith("EDGE_AGENT__") for name in environment), "our secrets are not the program's business"
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("body", "said"),
    [("sys.exit(3)", "ended with exit code 3"), ("time.sleep(600)", "was killed after 0.8 s"), ("os.kill(os.getpid(), 9)", "exit code -9")],
)
async def test_only_exit_code_0_acknowledges(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(SinkUnavailableError, match=said):
        await run(program(tmp_path, body), 0.8 if "sleep" in body else 20.0)


async def test_a_program_that_does_not_read_its_input_may_succeed(tmp_path: Path) -> None:
    await run(program(tmp_path, "sys.stdin.close()"))


@pytest.mark.parametrize("name", ["no-such-program-7", "not executable", "/"])
async def test_a_program_that_is_not_there_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "not executable").write_text("#!/bin/sh\n")
    with pytest.raises(SinkUnavailableError, match="there is no such program"):
        await run([name])


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are posix")
async def test_what_a_killed_program_has_started_ends_with_it(tmp_path: Path) -> None:
    body = (
        "import subprocess\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path(sys.argv[1]).write_text(str(child.pid))\ntime.sleep(600)"
    )
    with pytest.raises(SinkUnavailableError, match="was killed"):
        await run(program(tmp_path, body), 2.0)
    pid = int((tmp_path / "out $(touch injected); .json").read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


class Turned:
    """A clock that a test sets."""

    def __init__(self, now_ns: int) -> None:
        self.ns = now_ns

    def now_ns(self) -> int:
        return self.ns

    def monotonic_s(self) -> float:
        return self.ns / 1e9


class Failures(Telemetry):
    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []

    def publish_failed(self, sink: str, reason: str) -> None:
        self.reasons.append((sink, reason))


async def test_an_alert_that_nobody_takes_for_a_day_is_given_up_and_counted(receiver: WebhookReceiver) -> None:
    clock, heard = Turned(NOW_NS + 86_400 * 10**9), Failures()
    sink = GivingUp(WebhookSink(receiver.url, 5.0), 86_400.0, clock, heard)
    await sink.recover("j1", 9)
    receiver.answers = [400, 400, 204]
    with pytest.raises(SinkUnavailableError):
        await sink.publish([ROW])
    assert heard.reasons == []
    clock.ns += 10**9
    await sink.publish([ROW])
    assert heard.reasons == [("webhook", "given_up")]
    await sink.publish([ROW])
    assert len(receiver.got) == 1, "what is old is tried all the same"
    await sink.close()


def test_a_test_event_says_that_it_is_one() -> None:
    event = alert_test("pc7", "sem", SystemClock().now_ns())
    data = json.loads(event.data)
    assert (event.type, data["phase"], data["action"]) == ("edge.alert.test.v1", "test", "Nothing is to be done.")
