#!/bin/sh
# bench/crate/build.sh FOLDER: builds the crate's program as FOLDER/crate-peer, if cargo is there and the
# registry answers. Never fails: otherwise FOLDER/crate-peer.missing says why, and the bench repeats it.
set -u
source=$(cd "$(dirname "$0")" && pwd)
folder=$1
work=$folder/crate
mkdir -p "$work/src"
rm -f "$folder/crate-peer.missing"

missing() {
    rm -f "$folder/crate-peer"
    echo "$1" >"$folder/crate-peer.missing"
    echo "bench: the crate is not measured: $1" >&2
    exit 0
}

command -v cargo >/dev/null 2>&1 || missing "no cargo"
# Built from a copy, so that the lock file and the objects stay out of the sources.
for file in Cargo.toml src/main.rs; do
    cmp -s "$source/$file" "$work/$file" || cp "$source/$file" "$work/$file" || missing "no space"
done
if ! CARGO_HTTP_TIMEOUT=10 CARGO_NET_RETRY=1 CARGO_TARGET_DIR=$work/target timeout 300 \
    cargo build --release --quiet --manifest-path "$work/Cargo.toml" >"$folder/crate.log" 2>&1; then
    cat "$folder/crate.log" >&2
    missing "cargo could not build it (no registry?)"
fi
cp "$work/target/release/crate-peer" "$folder/crate-peer" || missing "no space"
