"""The mistakes people make in a configuration: each is one line that says what, where and what to do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import jsonschema
import pytest

from edge_agent.config import Settings, load_settings, toml_text
from edge_agent.config.lines import line_of
from edge_agent.core.errors import ConfigurationError

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
GOOD = """[[stream]]
name = "sem"
path = "images"
model.name = "sem-real"
"""

MISTAKES = [
    ("a typo in a setting", GOOD + "setle = 2", "line 5: [stream sem] setle is no setting; did you mean 'settle'?"),
    ("a typo in a section", GOOD + "[htpp]\n", "line 5: [htpp] is no setting; did you mean 'http'?"),
    (
        "a typo further down",
        GOOD + "\n[stream.drift]\nframes_per_hours = 1",
        "line 7: [stream sem] drift.frames_per_hours is no",
    ),
    ("another word for it", GOOD.replace("path =", "folder ="), "line 3: [stream sem] folder is no setting; did you mean 'path'?"),
    ("a typo that another section knows", "[agents]\n" + GOOD, "line 1: [agents] is no setting; did you mean 'agent'?"),
    ("an empty list", GOOD + "include = []", 'it is a list of one at least, not []; write it as include = ["...", "..."]'),
    ("a setting of another section", GOOD + "threads = 2", "line 5: [stream sem] threads is no setting; it belongs under [agent]"),
    (
        "a stream without its heading",
        'name = "sem"\npath = "images"',
        "line 1: [name] is no setting; it belongs under [agent] or",
    ),
    ("one bracket", GOOD.replace("[[stream]]", "[stream]"), "line 1: [stream] is one table; begin each stream with [[stream]]"),
    ("one bracket, twice", (GOOD + GOOD).replace("[[stream]]", "[stream]"), "two streams begin with [[stream]] each"),
    (
        "a bracket forgotten",
        "[[stream]\n",
        "line 1: it is not TOML: expected ']]'",
    ),
    ("two streams of one name", GOOD + GOOD, "two streams are named 'sem'"),
    ("a name too few", GOOD.replace('name = "sem"\n', ""), "line 1: [stream 0] name is missing"),
    ("text for a number", GOOD + 'scan_interval_s = "soon"', "line 5: [stream sem] scan_interval_s: a duration is a number of seconds"),
    ("true for a duration", GOOD + "settle = true", "line 5: [stream sem] settle: a duration is a number of seconds"),
    ("a number for text", GOOD.replace('"images"', "3"), 'line 3: [stream sem] path: it is a path, not 3; write it as path = "..."'),
    ("text for a list", GOOD + 'include = "**/*.tif"', 'it is a list, not \'**/*.tif\'; write it as include = ["...", "..."]'),
    ("a value for a table", 'log = "debug"\n' + GOOD, "line 1: [log]: it is a table, not 'debug'; write its settings under a heading"),
    ("half a thread", GOOD + "[agent]\nthreads = 1.5", "line 6: [agent] threads: input should be a valid integer"),
    ("no word for a number", GOOD + '[agent]\nthreads = "two"', "line 6: [agent] threads: it is a whole number, not 'two'"),
    (
        "a backslash in double quotes",
        GOOD.replace('"images"', '"D:\\images"'),
        "line 3: it is not TOML: unescaped '\\' in a string",
    ),
    (
        "backslashes that mean something",
        GOOD.replace('"images"', '"D:\\new\\tif"'),
        "line 3: [stream sem] path holds a control",
    ),
    (
        "a regular expression in double quotes",
        GOOD + 'sample = "name:(S\\d+)_"',
        "line 5: it is not TOML: unescaped",
    ),
    ("text without quotes", GOOD.replace('"sem"', "sem"), "line 2: it is not TOML: invalid value in name; put text into quotes"),
    (
        "a path without quotes",
        GOOD.replace('"images"', "/data/images"),
        "line 3: it is not TOML: invalid value in path; put text",
    ),
    ("typographic quotes", GOOD.replace('"sem"', "\u201csem\u201d"), "line 2: it is not TOML: invalid value in name; use straight quotes"),
    ("a colon", GOOD.replace("path =", "path:"), "line 3: it is not TOML: expected '=' after a key"),
    ("set twice", GOOD + 'path = "other"\n\n', "it is set twice; keep one of the two"),
    ("Python's True", GOOD + "settle = True", "line 5: it is not TOML: invalid value in settle; write true or false, or a number"),
    ("braces", GOOD + 'include = ["**/*.{tif,png}"]', "line 5: [stream sem] include.0: '**/*.{tif,png}': braces mean nothing in patterns"),
    ("commas", GOOD + 'include = ["*.tif, *.png"]', "commas mean nothing in patterns"),
    ("a whole path for a pattern", GOOD + 'include = ["D:/images/*.tif"]', "is a whole path; patterns are relative to the stream's path"),
    ("two stars in a name", GOOD + 'include = ["**.tif"]', "** stands for folders and needs a / beside it, as in **/*.tif"),
    ("a bracket in a pattern", GOOD + 'include = ["[0-9*.tif"]', "a bracket is not closed"),
    ("no pattern", GOOD + "include = []", "line 5: [stream sem] include"),
    ("a bad regular expression", GOOD + "sample = 'name:(S[0-9+'", "line 5: [stream sem] sample: '(S[0-9+' is not a regular expression"),
    ("no group in it", GOOD + "sample = 'name:S[0-9]+'", "has 0 groups, exactly one is needed, as in name:(S[0-9]+)_"),
    ("no such rule", GOOD + "lot = 'path'", "line 5: [stream sem] lot: 'path' is none of folder, metadata:KEY, name:REGEX"),
    ("nan for a rate", GOOD + "[stream.drift]\nfalse_alarms_per_month = nan", "line 6: [stream sem] drift.false_alarms_per_month"),
    ("nan for a share", GOOD + "[stream.referral]\ncoverage = nan", "line 6: [stream sem] referral.coverage"),
    (
        "more than all",
        GOOD + "[stream.referral]\ncoverage = 90",
        "line 6: [stream sem] referral.coverage: input should be less",
    ),
    ("no change of that name", GOOD + "drift.smallest_shift = 'foo +1 %'", "line 5: [stream sem] drift.smallest_shift"),
    ("a time zone of summer", GOOD + "time_zone = 'CEST'", "line 5: [stream sem] time_zone: 'CEST' is no IANA time zone"),
    ("a port that is none", GOOD + "[http]\nlisten = '127.0.0.1:99999'", "is not host:port"),
    ("several at once", GOOD + "setle = 2\ninclud = []", "(1 more to mend)"),
]


@pytest.mark.parametrize(("text", "said"), [pytest.param(text, said, id=what) for what, text, said in MISTAKES])
def test_a_mistake_is_one_line_with_the_place_and_the_way_out(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, {})
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD.encode("utf-16"), "it is UTF-16 text, which some editors call Unicode; save it as UTF-8"),
        (GOOD.encode("utf-16-le"), "it is UTF-16 text"),
        (GOOD.replace("images", "é").encode("cp1252"), "line 3: it is not UTF-8 text; save it as UTF-8"),
        (b"", "[[stream]] is missing"),
    ],
)
def test_a_file_of_another_encoding_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, {})
    assert said in str(caught.value)


@pytest.mark.parametrize("content", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD.replace("\nname =", "\n\tname\t=")])
def test_a_byte_order_mark_other_line_ends_and_tabs_are_no_mistake(tmp_path: Path, content: str) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_bytes(content.encode())
    assert load_settings(path, {}).stream[0].name == "sem"


def test_a_folder_for_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="it is a folder; name the file in it"):
        load_settings(tmp_path, {})


def test_a_mistake_in_the_environment_is_told_of_its_variable(tmp_path: Path) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_text(GOOD)
    with pytest.raises(ConfigurationError, match=r"^\$EDGE_AGENT__STREAM__0__SETTLE \(over .*settle: a duration is"):
        load_settings(path, {"EDGE_AGENT__STREAM__0__SETTLE": "soon"})
    with pytest.raises(ConfigurationError, match=r"^\$EDGE_AGENT__AGENT__THREAD "):
        load_settings(path, {"EDGE_AGENT__AGENT__THREAD": "1"})


@pytest.mark.parametrize(
    "line",
    ["[http]\ntoken = 12345678", "[http]\ntoken = hush12345678", "[alert]\nwebhook = [12345678]", "[http]\ntoken = \u201c12345678\u201d"],
)
def test_no_mistake_shows_a_secret(tmp_path: Path, line: str) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_text(GOOD + line, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, {})
    assert "line 6" in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_a_line_is_found_in_every_way_to_write_a_setting() -> None:
    lines = ("# a comment", "[agent]", 'name = "a"', "", "[[stream]]", '"path" = "x"', 'model = { name = "m" }', "[stream.drift]", "x = 1")
    text = "\n".join((*lines, "[[stream]]", 'model.name = "n"'))
    assert line_of(text, ("agent", "name")) == 3
    assert line_of(text, ("stream", 0, "path")) == 6
    assert line_of(text, ("stream", 0, "model", "name")) == 7
    assert line_of(text, ("stream", 0, "drift", "x")) == 9
    assert line_of(text, ("stream", 1, "model", "name")) == 11
    assert line_of(text, ("stream", 1, "path")) == 10
    assert line_of(text, ("kafka",)) is None


def test_the_schema_takes_durations_as_the_file_does() -> None:
    schema = Settings.model_json_schema()
    stream = {"name": "sem", "path": "images", "model": {"name": "sem-real"}}
    for settle in (2, 0.5, "2s", "500ms", "90 d"):
        jsonschema.validate({"stream": [{**stream, "settle": settle}], "agent": {"heartbeat": "1min"}}, schema)
    for settle in ("soon", -1, True):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"stream": [{**stream, "settle": settle}]}, schema)
    assert json.dumps(schema).count('"pattern"') >= 5


@pytest.mark.parametrize(
    ("tables", "variables", "said"),
    [
        ("", {"EDGE_AGENT__KAFKA": "hush"}, r"\$EDGE_AGENT__KAFKA .*\[kafka\]: it is a table; "),
        ("", {"EDGE_AGENT__KAFKA": '["hush"]'}, r"\$EDGE_AGENT__KAFKA .*\[kafka\]: it is a table; "),
        ("", {"EDGE_AGENT__HTTP": "hush"}, r"\$EDGE_AGENT__HTTP .*\[http\]: it is a table; "),
        ("", {"EDGE_AGENT__ALERT": "hush"}, r"\$EDGE_AGENT__ALERT .*\[alert\]: it is a table; "),
        ("[kafka]\nbootstrap_servers = 'me:hush@b:9092'", {}, "a broker's address is host:port; who logs in stands in sasl_username"),
        ("[kafka]\nbootstrap_servers = 'b:1,me:hush@b'", {}, "a broker's address is host:port; who logs in stands in sasl_username"),
    ],
)
def test_what_may_be_a_secret_is_not_told(tmp_path: Path, tables: str, variables: dict[str, str], said: str) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_text(f"{GOOD}{tables}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_settings(path, variables)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "unused"),
    [
        ({"SASL_USERNAME": "pc7"}, "remove sasl_username"),
        ({"SASL_PASSWORD": "hush"}, "remove sasl_password"),
        (
            {"SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "pc7", "SASL_PASSWORD_FILE": "f", "SECURITY_PROTOCOL": "SSL"},
            "remove sasl_mechanism and sasl_username and sasl_password_file",
        ),
    ],
)
def test_a_login_that_no_protocol_uses_is_told(tmp_path: Path, settings: dict[str, str], unused: str) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_text(f"{GOOD}[kafka]\nbootstrap_servers = 'b:1'\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"logs nobody in: set SASL_SSL, .*, or {unused};") as caught:
        load_settings(path, {f"EDGE_AGENT__KAFKA__{name}": value for name, value in settings.items()})
    assert "hush" not in str(caught.value)


@posix_only
def test_a_device_and_a_pipe_are_no_configuration(tmp_path: Path) -> None:
    pipe = tmp_path / "edge-agent.toml"
    os.mkfifo(pipe)  # whoever opens it waits for ever
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match=f"{path}: it is no ordinary file; name a file that holds the configuration"):
            load_settings(path, {})


def test_a_file_longer_than_any_configuration_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "edge-agent.toml"
    path.write_text(f"{GOOD}#" + " " * (toml_text.LONGEST_BYTES - len(GOOD) - 1), encoding="utf-8")
    load_settings(path, {})
    with path.open("a") as file:
        file.write("#")
    with pytest.raises(ConfigurationError, match="it is longer than 1 MB"):
        load_settings(path, {})
