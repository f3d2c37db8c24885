#!/bin/sh
# Makes the secrets that compose.yaml needs, each once; delete a file and run this again to change it.
set -eu
cd "$(dirname "$0")/secrets"
for name in metrics_token grafana_password; do
    if [ ! -e "$name" ]; then
        # the containers' users must be able to read it; the folder keeps this machine's other users out
        (umask 022 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$name")
        echo "made secrets/$name"
    fi
done
chmod 700 .
