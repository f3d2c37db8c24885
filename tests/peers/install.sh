#!/usr/bin/env bash
# Installs the heavy servers the system tests talk to, each into its own folder: install.sh [kafka] [triton] [prometheus] ... (all, or nothing said: every one).
set -euo pipefail

peers="${EDGE_AGENT_PEERS:-$HOME/.cache/edge-agent-peers}"
mkdir -p "$peers"

# The first Python that NumPy 1.26 and Triton's stubs know.
python_for_triton() {
    local python
    for python in "${PYTHON:-python3}" python3 python3.12 python3.11 python3.10; do
        "$python" -c 'import ensurepip, sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo "$python"; return; }
    done
    echo "triton: needs Python 3.10 to 3.12 with venv; install one or set PYTHON" >&2
    return 1
}

# NVIDIA's server binary as pytriton ships it, with the Python backend; NumPy 2 would turn every output tensor into 0 bytes without an error.
triton() {
    local stamp="$peers/triton/installed"
    [ -f "$stamp" ] && return
    rm -rf "$peers/triton"
    local python
    python="$(python_for_triton)"
    "$python" -m venv "$peers/triton"
    "$peers/triton/bin/pip" install --quiet --no-deps nvidia-pytriton==0.7.0
    # pytriton's own Python package is never imported, so that what it depends on need not be here
    "$peers/triton/bin/pip" install --quiet numpy==1.26.4 'onnxruntime>=1.20,<2'
    touch "$stamp"
}

# A broker's jars, from Maven; Java 17 and Maven from the distribution where they are missing.
kafka() {
    local stamp="$peers/kafka/installed" pom
    [ -f "$stamp" ] && return
    if ! { type -P java && type -P mvn; } >/dev/null; then
        install_packages kafka openjdk-17-jre-headless maven
    fi
    rm -rf "$peers/kafka"
    pom="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/pom.xml"
    mvn --quiet --batch-mode -f "$pom" dependency:copy-dependencies -DoutputDirectory="$peers/kafka"
    touch "$stamp"
}

# install_packages PEER PACKAGE...: from the distribution, as root or with sudo, or say what is missing.
install_packages() {
    local peer="$1" as_root=()
    shift
    if ! command -v apt-get >/dev/null || { [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; }; then
        echo "$peer: as root: apt-get install $*" >&2
        return 1
    fi
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Prometheus with promtool, Alertmanager with amtool, and kcat, from the distribution.
prometheus() {
    local missing=() name
    for name in prometheus promtool amtool kcat; do
        type -P "$name" >/dev/null || missing+=("$name")
    done
    { type -P prometheus-alertmanager || type -P alertmanager; } >/dev/null || missing+=(alertmanager)
    [ ${#missing[@]} -eq 0 ] || install_packages prometheus prometheus prometheus-alertmanager kcat
}

# A clock that tests can turn.
libfaketime() {
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || install_packages libfaketime libfaketime
}

[ $# -gt 0 ] && [ "$1" != all ] || set -- kafka triton prometheus libfaketime
for peer in "$@"; do
    case "$peer" in
        kafka | triton | prometheus | libfaketime) "$peer" ;;
        *) echo "unknown peer: $peer" >&2; exit 2 ;;
    esac
done
