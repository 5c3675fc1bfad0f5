#!/bin/sh
# Tries a build on a machine of its target: smoke.sh PROGRAM VERSION [SECONDS [PATIENCE]]
# The demo runs SECONDS after its first report, which may take PATIENCE tenths of a second.
set -eu
program=$1 version=$2 seconds=${3:-10} patience=${4:-600}

fail() {
  echo "Cannot release $program: $1" >&2
  exit 1
}

folder=$(mktemp -d)
demo=
trap '[ -z "$demo" ] || kill -9 "$demo" 2>/dev/null || true; rm -rf "$folder"' EXIT

"$program" version | tee "$folder/version"
grep -qF "komari-agent-deno $version (" "$folder/version" || fail "it is not version $version"

"$program" --dry-run --json >"$folder/dry-run.json" || fail "no dry run"
for value in '"cpu_cores": [1-9]' '"mem_total": [1-9]' '"disk_total": [1-9]' '"usage": [0-9]'; do
  grep -q "$value" "$folder/dry-run.json" || {
    cat "$folder/dry-run.json"
    fail "a dry run without $value"
  }
done

# The file is there before the demo, which a busy machine starts late.
: >"$folder/demo"
"$program" demo >"$folder/demo" 2>&1 &
demo=$!
while ! grep -q 'First report accepted' "$folder/demo" && [ "$patience" -gt 0 ]; do
  patience=$((patience - 1))
  sleep 0.1
done
sleep "$seconds"
kill "$demo" 2>/dev/null || true
status=0
wait "$demo" || status=$?
demo=
cat "$folder/demo"
[ "$status" -eq 0 ] || fail "the demo ended with exit code $status"
grep -q 'First report accepted' "$folder/demo" || fail "a demo without a report"
grep -q " error " "$folder/demo" && fail "errors in the demo"
exit 0
