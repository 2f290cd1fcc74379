#!/usr/bin/env bash
# Runs a job on a Ray cluster, follows it until it ends, stops it: launch/submit.sh --help. See docs/cluster.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$here/.venv/bin/python
[ -x "$python" ] || python=$(command -v python3) || { echo "submit: no Python found; run make setup" >&2; exit 2; }
export PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}
exec "$python" -m launch.submit "$@"
