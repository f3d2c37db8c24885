#!/usr/bin/env bash
# Runs tests with CPython for Windows under wine, on a Debian or Ubuntu machine:
#
#   bash tests/peers/windows.sh tests/unit/watch tests/unit/journal
#
# It is no Windows: the kernel behind it is Linux's, so file events, locks, rights and services are wine's. What it does find is code
# that is wrong for Windows: paths, missing modules and signals, ways to start and end processes. CPython comes from Maven
# (org.bytedeco:cpython), everything else from the package index. wine 8 lacks two things that are made here: bcryptprimitives.dll, and
# python3.dll, which hands a name on to python311.dll. Not part of CI: the unit tests take ten times as long as on Linux.
set -euo pipefail
cd "$(dirname "$0")/../.."

PEER=${EDGE_AGENT_PEERS:-$HOME/.cache/edge-agent-peers}/windows
CPYTHON=3.11.3-1.5.9
PYTHON=$PEER/org/bytedeco/cpython/windows-x86_64
PACKAGES=$PYTHON/lib/site-packages
export WINEPREFIX=$PEER/prefix WINEARCH=win64 WINEDEBUG=-all

install() {
    apt-get install -y --no-install-recommends wine wine64 gcc-mingw-w64-x86-64 maven unzip
    mkdir -p "$PEER"
    mvn -q -B dependency:copy -Dartifact="org.bytedeco:cpython:$CPYTHON:jar:windows-x86_64" -DoutputDirectory="$PEER" -Dmdep.stripVersion=true
    unzip -qo "$PEER"/cpython-windows-x86_64.jar -d "$PEER"
    cp "$PYTHON"/lib/{vcruntime140,vcruntime140_1,libffi-8,sqlite3}.dll "$PYTHON"

    cat >"$PEER/random.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE into, SIZE_T count) { return SystemFunction036(into, (ULONG)count); }
C
    x86_64-w64-mingw32-gcc -shared -o "$PYTHON/bcryptprimitives.dll" "$PEER/random.c" -ladvapi32
    {
        printf 'LIBRARY python3\nEXPORTS\n'
        x86_64-w64-mingw32-objdump -p "$PYTHON/python311.dll" | sed -nE '/Name Pointer\] Table/,$ s/.*[[:space:]](_?Py[A-Za-z0-9_]*)$/  \1 = python311.\1/p'
    } >"$PEER/python3.def"
    printf '' >"$PEER/nothing.c"
    x86_64-w64-mingw32-gcc -shared -nostartfiles -Wl,--entry,0 -o "$PYTHON/python3.dll" "$PEER/nothing.c" "$PEER/python3.def"

    # numpy 2 needs complex functions of the C library that wine 8 lacks
    python3 - >"$PEER/requirements.txt" <<'PY'
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
wanted = [*project["dependencies"], *project["optional-dependencies"]["service"]]
print("\n".join(line.split(";")[0].strip() for line in wanted if not line.startswith("numpy")))
print("numpy==1.26.4\ncolorama\nonnx<1.18\npytest\npytest-timeout\npytest-asyncio\nhypothesis\nhttpx\njsonschema\npyyaml")
PY
    python3 -m pip install --quiet --target "$PACKAGES" --platform win_amd64 --python-version 3.11 --implementation cp \
        --only-binary=:all: -r "$PEER/requirements.txt"
    wine winecfg -v win10
    touch "$PEER/installed"
}

[ -e "$PEER/installed" ] || install
printf '%s\r\n' "Z:${PWD//\//\\}" >"$PACKAGES/edge-agent.pth"
# wine's standard streams must be pipes
: | wine "$PYTHON/python.exe" -m pytest -q -p no:cacheprovider --basetemp 'C:\t' "$@" 2>&1 | cat
