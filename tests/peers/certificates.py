"""Certificates of a test's own authority, as openssl makes them, and web tokens that it signs."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, PEM: in two files, and in one as Kafka's keystores want it."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Vouches for what it issues."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        subject = ("-subj", f"/CN={name} of the tests", "-days", "2", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl("req", "-x509", *CURVE, *subject, "-keyout", str(self._key), "-out", str(self.certificate))

    def issue(self, name: str, *alternatives: str, days: int = 2) -> Issued:
        """A certificate for `alternatives`, such as DNS:localhost; one of -1 days has expired."""
        key, request, certificate, both = (self._folder / f"{name}.{end}" for end in ("key", "csr", "pem", "both.pem"))
        _openssl("req", *CURVE, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(alternatives or ('DNS:unnamed.invalid',))}\n")
        by = ("-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial")
        _openssl("x509", "-req", "-in", str(request), *by, "-days", str(days), "-extfile", str(extensions), "-out", str(certificate))
        both.write_text(key.read_text() + certificate.read_text())
        return Issued(certificate, key, both)


class TokenIssuer:
    """Signs web tokens (RFC 7519, RS256) that a broker checks against `keys`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._key = folder / "issuer.key"
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(self._key))
        modulus = _openssl("rsa", "-in", str(self._key), "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        public = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": _base64(bytes.fromhex(modulus)), "e": "AQAB"}
        self.keys = folder / "jwks.json"
        self.keys.write_text(json.dumps({"keys": [public]}))

    def token(self, subject: str, seconds: float = 3600, **claims: Any) -> str:
        """A token for `subject` that ends after so many seconds."""
        now = int(time.time())
        body = {"sub": subject, "iat": now, "exp": int(now + seconds), "aud": "kafka", "iss": "tests", "scope": "kafka", **claims}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "1"}, body))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self._key)], input=signed.encode(), check=True, capture_output=True
        ).stdout
        return f"{signed}.{_base64(signature)}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout
