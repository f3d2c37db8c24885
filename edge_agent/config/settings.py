"""Every setting, its default and what it means: the JSON Schema and `config show` come from here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from edge_agent.config.duration import Duration
from edge_agent.config.patterns import Pattern
from edge_agent.core.address import LOOPBACK, is_https_or_local
from edge_agent.core.formats import FRAME_PATTERNS
from edge_agent.core.naming import NameRule
from edge_agent.core.shift import Shift


def _rule(text: str) -> str:
    NameRule.parse(text)
    return text


Rule = Annotated[str, AfterValidator(_rule)]
TELLING_LENGTH = 12
"""A shorter part of an address is a word, such as alerts, rather than a secret."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class Section(BaseModel):
    """A table of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AgentSettings(Section):
    """The agent itself."""

    name: Name = "edge-agent"
    """Names this agent in events and to Kafka; two agents that share a broker need two names."""
    state_dir: Path | None = None
    """Where the journal lives; the platform's place when absent. Never inside a watched folder, never on a network drive."""
    retention: Duration = 90 * 86400.0
    """How long results stay in the journal and in the JSON Lines files; what was not yet published always stays."""
    model_dirs: tuple[Path, ...] = ()
    """Folders that hold served models, searched before the models that ship with the agent."""
    threads: int = Field(default=0, ge=0, le=256)
    """Threads of the embedded model; 0 lets it use every core."""
    decoders: int = Field(default=1, ge=1, le=16)
    """Processes that read frames."""
    heartbeat: Annotated[Duration, Field(ge=1)] = 60.0
    """Time between life signs, at least a second."""

    @property
    def place(self) -> Path:
        """The state directory: as configured, else the platform's."""
        return self.state_dir or Path(platformdirs.user_state_dir("edge-agent", appauthor=False))


class ModelSettings(Section):
    """The model that answers a stream's frames."""

    name: Name
    """A folder in model_dirs, or a model that ships with the agent, such as sem-real."""
    version: str | None = None
    """Refuse any other version of the model."""
    calibration: Path | None = None
    """A calibration of one's own instrument, as `edge-agent calibrate` writes it; the one that ships with the model when absent."""
    backend: Literal["embedded", "triton"] = "embedded"
    """Run the model in this process, or ask a Triton server."""
    url: str | None = None
    """Triton's gRPC address, host:port."""

    @model_validator(mode="after")
    def _triton_needs_an_address(self) -> ModelSettings:
        if self.backend == "triton" and not self.url:
            raise ValueError("backend = 'triton' needs url = 'host:port' (Triton's gRPC port, usually 8001)")
        if self.backend == "embedded" and self.url:
            raise ValueError("url is for backend = 'triton'; add that line or remove url")
        return self


class ReferralSettings(Section):
    """Which predictions a person should decide: by coverage or by risk, not both."""

    coverage: float | None = Field(default=0.9, gt=0, le=1)
    """The share of frames, of those the model was calibrated on, that is accepted; the rest is referred. Unset by risk."""
    risk: float | None = Field(default=None, gt=0, lt=1)
    """The share of wrong answers among accepted frames that is bearable; needs a model whose calibration bounds it."""

    @model_validator(mode="before")
    @classmethod
    def _coverage_or_risk(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("risk") is None:
            return given
        if given.get("coverage") is not None:
            raise ValueError("coverage and risk are two ways to say when a person is asked; keep one of the two")
        return {**given, "coverage": None}


class DriftSettings(Section):
    """When to raise an alarm."""

    false_alarms_per_month: float = Field(default=1.0, gt=0, le=1000)
    """How many false alarms a month are bearable."""
    frames_per_hour: float = Field(default=60.0, gt=0, le=1_000_000)
    """The instrument's usual pace, which turns the line above into a threshold."""
    smallest_shift: str | None = None
    """The smallest change to be told, such as "noise +15 %", "dose -30 %" or "blur +0.5 px": `config validate` says how soon it is told."""

    @field_validator("smallest_shift")
    @classmethod
    def _is_a_known_shift(cls, value: str | None) -> str | None:
        return value if value is None else Shift.parse(value).words


class StreamSettings(Section):
    """One watched folder."""

    name: Name
    """Names the stream in events and metrics."""
    path: Path
    """The folder the instrument writes into."""
    include: Annotated[tuple[Pattern, ...], Field(min_length=1)] = FRAME_PATTERNS
    """Patterns of files to read, relative to path."""
    exclude: tuple[Pattern, ...] = ()
    """Patterns of files to leave alone."""
    observer: Literal["auto", "native", "polling"] = "auto"
    """How new files are noticed: by the operating system's events, or by looking; auto prefers events."""
    start: Literal["now", "beginning"] = "now"
    """Whether files that were there before the first run are read."""
    settle: Duration = 1.0
    """How long a file must rest before it is read."""
    settle_timeout_s: Duration = 60.0
    """When to give up on a file that never becomes complete."""
    scan_interval_s: Duration = 10.0
    """Time between scans that catch what events missed; longer by itself in very large folders."""
    sample: Rule = "folder"
    """How a frame's sample is known: folder, metadata:KEY, name:REGEX with one group, none."""
    lot: Rule = "predicted"
    """How a frame's declared lot is known, likewise; predicted means it is not declared."""
    time_zone: str = "UTC"
    """The time zone of times in the instrument's files that carry none, such as Europe/Zurich."""
    model: ModelSettings
    referral: ReferralSettings = ReferralSettings()
    drift: DriftSettings = DriftSettings()

    @field_validator("time_zone")
    @classmethod
    def _time_zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone, such as Europe/Zurich or UTC") from None
        return value


class TopicSettings(Section):
    """Kafka topics."""

    frames: str = "edge.frames"
    """Every frame and every file that could not be read."""
    alerts: str = "edge.alerts"
    """Episodes that open, change and close."""
    agents: str = "edge.agents"
    """Life signs."""
    baselines: str = "edge.baselines"
    """What operators acknowledged, re-based and held."""
    cursors: str = "edge.cursors"
    """The agents' last published sequence numbers; compacted."""


class KafkaSettings(Section):
    """The broker; without this section events go to JSON Lines files in the state directory."""

    bootstrap_servers: tuple[str, ...]
    """host:port of one or more brokers."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the broker is spoken to."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """How the agent proves who it is, with a SASL protocol."""
    sasl_username: str | None = None
    """The name it does so under."""
    sasl_password: SecretStr | None = None
    """Better in sasl_password_file or EDGE_AGENT__KAFKA__SASL_PASSWORD."""
    sasl_password_file: Path | None = None
    """A file that holds the password and nothing else."""
    oauth_token_file: Path | None = None
    """With OAUTHBEARER: a file that holds the token, kept fresh by others; read again for every connection."""
    oauth_token_url: str | None = None
    """With OAUTHBEARER, instead of the file: the authorization server's token endpoint, https, which is asked by client credentials."""
    oauth_client_id: str | None = None
    """The name that the authorization server knows this agent by."""
    oauth_client_secret: SecretStr | None = None
    """Better in oauth_client_secret_file or EDGE_AGENT__KAFKA__OAUTH_CLIENT_SECRET."""
    oauth_client_secret_file: Path | None = None
    """A file that holds the client's secret and nothing else."""
    oauth_scope: str | None = None
    """What is asked for; the server's default when absent."""
    oauth_ca_file: Path | None = None
    """Certificates that vouch for the token endpoint, PEM; the system's when absent."""
    ssl_ca_file: Path | None = None
    """Certificates that vouch for the broker, PEM; the system's when absent."""
    ssl_certificate_file: Path | None = None
    """The agent's certificate, PEM."""
    ssl_key_file: Path | None = None
    """The key of the agent's certificate, PEM."""
    replication_factor: int = Field(default=1, ge=1, le=32)
    """For topics this agent has to create."""
    topics: TopicSettings = TopicSettings()

    @field_validator("bootstrap_servers", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            host, colon, port = address.rpartition(":")
            if "@" in address:  # never told: a password may stand before it
                raise ValueError("a broker's address is host:port; who logs in stands in sasl_username")
            if not (host and colon and port.isdigit()):
                raise ValueError(f"{address!r} is not host:port")
        if not value:
            raise ValueError("at least one host:port is needed")
        return value

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> KafkaSettings:
        if self.sasl_mechanism == "OAUTHBEARER":
            self._check_oauth()
            return self
        if self.security_protocol.startswith("SASL"):
            password = self.sasl_password or self.sasl_password_file
            needed = {"sasl_mechanism": self.sasl_mechanism, "sasl_username": self.sasl_username, "sasl_password_file": password}
            if missing := [name for name, given in needed.items() if not given]:
                raise ValueError(f"security_protocol = '{self.security_protocol}' needs {' and '.join(missing)}")
            return self
        logins = ("sasl_mechanism", "sasl_username", "sasl_password", "sasl_password_file")
        if unused := [name for name in logins if getattr(self, name)]:
            protocols = "SASL_SSL, or SASL_PLAINTEXT where the network is trusted"
            said = f"security_protocol = '{self.security_protocol}' logs nobody in: set {protocols}, or remove {' and '.join(unused)}"
            raise ValueError(said)
        return self

    def _check_oauth(self) -> None:
        if self.security_protocol != "SASL_SSL":  # whoever reads the token may use it
            raise ValueError("sasl_mechanism = 'OAUTHBEARER' needs security_protocol = 'SASL_SSL'")
        if bool(self.oauth_token_file) == bool(self.oauth_token_url):
            raise ValueError("sasl_mechanism = 'OAUTHBEARER' needs either oauth_token_file or oauth_token_url")
        if self.oauth_token_url is not None:
            if not is_https_or_local(self.oauth_token_url):
                raise ValueError("oauth_token_url is no https:// address without a password in it, nor http:// on this machine")
            needed = {
                "oauth_client_id": self.oauth_client_id,
                "oauth_client_secret_file": self.oauth_client_secret or self.oauth_client_secret_file,
            }
            if missing := [name for name, given in needed.items() if not given]:
                raise ValueError(f"oauth_token_url needs {' and '.join(missing)}")


class AlertSettings(Section):
    """Who hears of an alert at once, beside the event log; and the pictures that are kept of it."""

    command: tuple[str, ...] | None = Field(default=None, min_length=1)
    """A program and its arguments, started without a shell for each alert, which it reads as one JSON event on standard input.

    Other users of the machine may see its arguments: secrets belong into a file that it reads.
    """
    webhook: SecretStr | None = None
    """An http(s) address that takes each alert by POST; better in webhook_file or EDGE_AGENT__ALERT__WEBHOOK, since most hold a token."""
    webhook_file: Path | None = None
    """A file that holds the address and nothing else."""
    timeout: Annotated[Duration, Field(gt=0, le=60)] = 10.0
    """How long the command or the webhook may take over one alert."""
    give_up: Duration = 86400.0
    """How old an alert that nobody takes may become before the next one's turn comes; log and metrics tell of it."""
    evidence_episodes: int = Field(default=100, ge=0, le=1000)
    """Of how many episodes, the newest, pictures are kept in the state directory's evidence folder, about 1 MB each; 0 makes none."""

    @field_validator("command")
    @classmethod
    def _a_program(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and not value[0].strip():
            raise ValueError('the first part names no program; write it as command = ["program", "argument"]')
        if value is not None and any("\0" in part for part in value):
            raise ValueError("a part holds a NUL character")
        return value

    @model_validator(mode="after")
    def _one_address(self) -> AlertSettings:
        if self.webhook is not None and self.webhook_file is not None:
            raise ValueError("webhook and webhook_file are two ways to give one address; keep one of the two")
        return self


class HttpSettings(Section):
    """Metrics and health; loopback unless TLS or a token protects it."""

    listen: str = "127.0.0.1:9464"
    """host:port."""
    tls_certificate_file: Path | None = None
    """Serve HTTPS with this certificate, PEM."""
    tls_key_file: Path | None = None
    """The certificate's key, PEM."""
    token: SecretStr | None = None
    """Better in token_file or EDGE_AGENT__HTTP__TOKEN."""
    token_file: Path | None = None
    """A file that holds the bearer token and nothing else; /healthz stays open."""

    @property
    def host(self) -> str:
        """The address to bind."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind, 0 for any."""
        return int(self.listen.rpartition(":")[2])

    @model_validator(mode="after")
    def _guarded_beyond_loopback(self) -> HttpSettings:
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"listen = {self.listen!r} is not host:port")
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValueError("TLS needs both tls_certificate_file and tls_key_file")
        guarded = self.tls_certificate_file or self.token or self.token_file
        if self.host not in LOOPBACK and not guarded:
            raise ValueError(f"listen = {self.listen!r} is open to the network: set token_file, or tls_certificate_file and tls_key_file")
        return self


class LogSettings(Section):
    """What the agent says of itself on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least grave message that is written."""
    format: Literal["console", "json"] = "console"
    """Lines for people, or one JSON object a line."""


class Settings(Section):
    """The whole configuration."""

    agent: AgentSettings = AgentSettings()
    stream: tuple[StreamSettings, ...] = Field(min_length=1)
    kafka: KafkaSettings | None = None
    alert: AlertSettings = AlertSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()

    @field_validator("stream")
    @classmethod
    def _names_differ(cls, streams: tuple[StreamSettings, ...]) -> tuple[StreamSettings, ...]:
        names = [stream.name for stream in streams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two streams are named {twice[0]!r}; names tell streams apart")
        return streams

    @property
    def secrets(self) -> tuple[str, ...]:
        """Secret values of this configuration, so that a log can blank them; of a webhook's address what follows the host, too."""
        held = [self.http.token, self.alert.webhook]
        if self.kafka is not None:
            held += [self.kafka.sasl_password, self.kafka.oauth_client_secret]
        told = [secret.get_secret_value() for secret in held if secret is not None]
        way = self.alert.webhook.get_secret_value().partition("://")[2].partition("/")[2] if self.alert.webhook else ""
        return (*told, way) if len(way) >= TELLING_LENGTH else tuple(told)
