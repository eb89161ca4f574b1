#!/bin/sh
# tools/build.sh PRESET [-DNAME=VALUE...]: configures and builds build/PRESET. Quiet unless it fails; warnings are shown.
set -eu
preset=$1
shift
cd "$(dirname "$0")/.."
unset MAKEFLAGS MAKELEVEL MFLAGS || true # of the make that called; another one builds
mkdir -p build
log=build/$preset.log
begin=$(date +%s.%N)

if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset" --parallel "$(nproc)"; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "build: preset $preset failed; the above is $log" >&2
    exit 1
fi
grep -E 'warning:|CMake Warning' "$log" >&2 || true
awk -v begin="$begin" -v end="$(date +%s.%N)" -v preset="$preset" \
    'BEGIN { printf "build: preset %s in build/%s, %.1f s\n", preset, preset, end - begin }'
