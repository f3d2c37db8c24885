"""Secrets that stand in files of their own."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from edge_agent.config.ordinary import NotOrdinaryError, read_ordinary
from edge_agent.config.settings import Settings
from edge_agent.core.errors import ConfigurationError

LONGEST_BYTES = 4096


def with_secrets(settings: Settings) -> Settings:
    """`settings` with what is in the secret files in place of their names, so that a log can blank it; raises ConfigurationError."""
    http, kafka, alert = settings.http, settings.kafka, settings.alert
    if http.token_file is not None:
        token = read_secret("[http] token_file", http.token_file)
        http = http.model_copy(update={"token": SecretStr(token), "token_file": None})
    if kafka is not None and kafka.sasl_password_file is not None:
        password = read_secret("[kafka] sasl_password_file", kafka.sasl_password_file)
        kafka = kafka.model_copy(update={"sasl_password": SecretStr(password), "sasl_password_file": None})
    if kafka is not None and kafka.oauth_client_secret_file is not None:
        secret = read_secret("[kafka] oauth_client_secret_file", kafka.oauth_client_secret_file)
        kafka = kafka.model_copy(update={"oauth_client_secret": SecretStr(secret), "oauth_client_secret_file": None})
    if alert.webhook_file is not None:
        address = read_secret("[alert] webhook_file", alert.webhook_file)
        alert = alert.model_copy(update={"webhook": SecretStr(address), "webhook_file": None})
    return settings.model_copy(update={"http": http, "kafka": kafka, "alert": alert})


def read_secret(setting: str, path: Path, longest_bytes: int = LONGEST_BYTES) -> str:
    """The text in `path` without the white space around it; raises ConfigurationError, which names `setting`."""
    thing = f"{setting} = {path}"
    try:
        content = read_ordinary(path, longest_bytes)
        secret = content.decode("utf-8-sig").strip()
    except NotOrdinaryError:
        raise ConfigurationError(thing, "it is no ordinary file", "name a file that holds the secret and nothing else") from None
    except OSError as error:
        raise ConfigurationError(thing, f"it cannot be read ({error.strerror})", "check the path and its permissions") from None
    except UnicodeDecodeError:
        raise ConfigurationError(thing, "it is not UTF-8 text", "write the secret, and nothing else, into it as UTF-8") from None
    if not secret:
        raise ConfigurationError(thing, "it is empty", "write the secret, and nothing else, into it")
    if len(content) > longest_bytes:
        raise ConfigurationError(thing, f"it is longer than {longest_bytes} bytes", "write the secret, and nothing else, into it")
    return secret
