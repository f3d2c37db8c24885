"""A configuration is read whole, or refused with one line that names the place and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import Settings, find_configuration, load_settings, minimal_configuration
from edge_agent.core.errors import ConfigurationError

FIVE_LINES = """
[[stream]]
name = "sem"
path = "images"
include = ["**/*.tif"]
model.name = "sem-real"
"""
KAFKA = FIVE_LINES + "[kafka]\nbootstrap_servers = 'a:1'\nsecurity_protocol = '"
OAUTH = KAFKA + "SASL_SSL'\nsasl_mechanism = 'OAUTHBEARER'\noauth_token_url = '"


def written(folder: Path, text: str) -> Path:
    path = folder / "edge-agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_five_lines_are_enough(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, FIVE_LINES), {})
    (stream,) = settings.stream
    assert (stream.name, stream.model.name, stream.model.backend) == ("sem", "sem-real", "embedded")
    assert stream.path == tmp_path / "images"
    assert settings.kafka is None
    assert settings.agent.state_dir is not None
    assert settings.agent.state_dir.is_absolute()


def test_what_init_writes_is_understood(tmp_path: Path) -> None:
    folder = tmp_path / 'odd "name" ü'
    settings = load_settings(written(tmp_path, minimal_configuration(folder, "sem", "sem-real")), {})
    assert settings.stream[0].path == folder
    assert {"**/*.tif", "**/*.jpeg", "**/*.dm4", "**/*.emd"} <= set(settings.stream[0].include), "vendors' own formats, too"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FIVE_LINES + "setle = 2", "[stream sem] setle is no setting; did you mean 'settle'?"),
        (FIVE_LINES + "[kafak]\n", "[kafak] is no setting; did you mean 'kafka'?"),
        (FIVE_LINES.replace("model.name", "model.nam"), "[stream sem] model.nam is no setting; did you mean 'name'?"),
        (FIVE_LINES.replace('path = "images"', ""), "[stream sem] path is missing"),
        ("[agent]\nname = 'a'", "[[stream]] is missing"),
        (FIVE_LINES + "[agent]\nretention = inf", "[agent] retention"),
        (FIVE_LINES + "settle = 'soon'", "[stream sem] settle: a duration is a number of seconds"),
        (FIVE_LINES + "sample = 'name:S[0-9]+'", "0 groups, exactly one is needed"),
        (FIVE_LINES + "time_zone = 'Mars/Olympus'", "'Mars/Olympus' is no IANA time zone"),
        (FIVE_LINES + "model.backend = 'triton'", "needs url = 'host:port'"),
        (FIVE_LINES + "model.url = 'h:1'", "url is for backend = 'triton'"),
        (FIVE_LINES + FIVE_LINES, "two streams are named 'sem'"),
        (FIVE_LINES + "[http]\nlisten = '0.0.0.0:9464'", "open to the network: set token_file"),
        (FIVE_LINES + "[http]\nlisten = 'nowhere'", "is not host:port"),
        (FIVE_LINES + "[kafka]\nbootstrap_servers = 'broker'", "'broker' is not host:port"),
        (
            FIVE_LINES + "[kafka]\nbootstrap_servers = 'a:1'\nsecurity_protocol = 'SASL_SSL'\nsasl_username = 'pc7'",
            "security_protocol = 'SASL_SSL' needs sasl_mechanism and sasl_password_file",
        ),
        (
            KAFKA + "SASL_PLAINTEXT'\nsasl_mechanism = 'OAUTHBEARER'\noauth_token_file = 't'",
            "'OAUTHBEARER' needs security_protocol = 'SASL_SSL'",
        ),
        (KAFKA + "SASL_SSL'\nsasl_mechanism = 'OAUTHBEARER'", "needs either oauth_token_file or oauth_token_url"),
        (OAUTH + "http://a.org/'", "oauth_token_url is no https:// address"),
        (OAUTH + "https://me:hush@a.org/'", "oauth_token_url is no https:// address"),
        (OAUTH + "https://a.org/'", "oauth_token_url needs oauth_client_id and oauth_client_secret_file"),
        (
            FIVE_LINES + "[stream.drift]\nfalse_alarms_per_month = 0",
            "[stream sem] drift.false_alarms_per_month: input should be greater than 0",
        ),
        ("[[stream]\n", "it is not TOML"),
        ('[[stream]]\npath = "D:\\images"', "write Windows paths with /"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place_and_the_way_out(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, {})
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.exit_code == 78


def test_an_absent_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="edge-agent init"):
        load_settings(tmp_path / "none.toml", {})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, FIVE_LINES + "[log]\nlevel = 'error'")
    settings = load_settings(
        path,
        {
            "EDGE_AGENT__LOG__LEVEL": "debug",
            "EDGE_AGENT__STREAM__0__SETTLE": "2.5",
            "EDGE_AGENT__KAFKA__BOOTSTRAP_SERVERS": "one:9092,two:9092",
            "EDGE_AGENT__KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "EDGE_AGENT__KAFKA__SASL_MECHANISM": "PLAIN",
            "EDGE_AGENT__KAFKA__SASL_USERNAME": "pc7",
            "EDGE_AGENT__KAFKA__SASL_PASSWORD": "hush",
        },
    )
    assert settings.log.level == "debug"
    assert settings.stream[0].settle == 2.5
    assert settings.kafka is not None
    assert settings.kafka.bootstrap_servers == ("one:9092", "two:9092")
    assert "hush" not in settings.model_dump_json()


@pytest.mark.parametrize("name", ["EDGE_AGENT__STREAM__7__PATH", "EDGE_AGENT__STREAM__SEM__PATH", "EDGE_AGENT__STREAM__0"])
def test_a_variable_that_names_no_stream_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_settings(written(tmp_path, FIVE_LINES), {name: "x"})


@pytest.mark.parametrize("name", ["EDGE_AGENT_HTTP__TOKEN", "EDGE_AGENT_HTTP_TOKEN", "edge_agent_http_TOKEN"])
def test_a_variable_with_one_underscore_is_refused_with_its_right_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name}.*name it EDGE_AGENT__(HTTP|http)__TOKEN"):
        load_settings(written(tmp_path, FIVE_LINES), {name: "x"})
    others = ("CONFIG", "IMAGES", "STREAMS", "PEERS", "TEST_SEED", "TEST_BURST")
    load_settings(written(tmp_path, FIVE_LINES), {f"EDGE_AGENT_{name}": "x" for name in others})


@pytest.mark.parametrize(
    "name", ["EDGE_AGENT_SERVICE_HOST", "EDGE_AGENT_PORT", "EDGE_AGENT_HTTP_SERVICE_HOST", "EDGE_AGENT_HTTP_PORT_9108_TCP"]
)
def test_what_kubernetes_sets_is_nobodys_mistake(tmp_path: Path, name: str) -> None:
    load_settings(written(tmp_path, FIVE_LINES), {name: "x"})


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("EDGE_AGENT_STATE_DIR", "EDGE_AGENT__AGENT__STATE_DIR"),
        ("EDGE_AGENT_NAME", "EDGE_AGENT__AGENT__NAME"),
        ("EDGEAGENT_RETENTION", "EDGE_AGENT__AGENT__RETENTION"),
        ("EDGEAGENT__HTTP__LISTEN", "EDGE_AGENT__HTTP__LISTEN"),
        ("EDGEAGENT__STREAM__0__PATH", "EDGE_AGENT__STREAM__0__PATH"),
        ("EDGEAGENT__KAFFKA", "EDGE_AGENT__KAFFKA"),
        ("EDGEAGENT_HTTP_TOKEN", "EDGE_AGENT__HTTP__TOKEN"),
        ("EDGE_AGENT_STREAM_0_PATH", "EDGE_AGENT__STREAM__0__PATH"),
        ("EDGE_AGENT_STREAM__0__MODEL__NAME", "EDGE_AGENT__STREAM__0__MODEL__NAME"),
    ],
)
def test_a_variable_that_all_but_names_a_setting_is_refused_with_its_right_name(tmp_path: Path, name: str, right: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: it sets nothing; name it {right}, "):
        load_settings(written(tmp_path, FIVE_LINES), {name: "x"})


def test_the_file_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_configuration(None, {}).parent != tmp_path
    written(tmp_path, FIVE_LINES)
    assert find_configuration(None, {}) == Path("edge-agent.toml")
    assert find_configuration(None, {"EDGE_AGENT_CONFIG": "other.toml"}) == Path("other.toml")
    assert find_configuration(Path("given.toml"), {"EDGE_AGENT_CONFIG": "other.toml"}) == Path("given.toml")


def test_every_setting_says_what_it_means() -> None:
    silent = [
        f"{section}.{name}"
        for section, fields in Settings.model_json_schema()["$defs"].items()
        for name, field in fields["properties"].items()
        if "description" not in field and "$ref" not in field
    ]
    assert silent == []


def test_what_looks_like_a_number_stays_text_where_text_is_wanted(tmp_path: Path) -> None:
    variables = {
        "EDGE_AGENT__HTTP__TOKEN": "12345678",
        "EDGE_AGENT__STREAM__0__MODEL__VERSION": "1",
        "EDGE_AGENT__STREAM__0__EXCLUDE": '["a/*", "b/*"]',
        "EDGE_AGENT__AGENT__THREADS": "3",
        "EDGE_AGENT__AGENT__RETENTION": "86400",
    }
    settings = load_settings(written(tmp_path, FIVE_LINES), variables)
    assert settings.http.token is not None
    assert settings.http.token.get_secret_value() == "12345678"
    assert settings.stream[0].model.version == "1"
    assert settings.stream[0].exclude == ("a/*", "b/*")
    assert (settings.agent.threads, settings.agent.retention) == (3, 86400)


def test_files_of_secrets_and_certificates_lie_beside_the_configuration(tmp_path: Path) -> None:
    tables = "[http]\ntoken_file = 'token'\n[kafka]\nbootstrap_servers = 'a:1'\nssl_ca_file = 'ca.pem'\n"
    settings = load_settings(written(tmp_path, FIVE_LINES + tables), {})
    assert settings.http.token_file == tmp_path / "token"
    assert settings.kafka is not None
    assert settings.kafka.ssl_ca_file == tmp_path / "ca.pem"
