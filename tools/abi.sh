#!/bin/sh
# tools/abi.sh update|check [LIBRARY]: the binary interface, as libabigail reads it from the debug information.
#
#   update   writes tests/abi/procref-MACHINE.abi anew; commit it with the change that made it necessary
#   check    tells every difference to that file, and fails if there is one
#
# LIBRARY is build/release/libprocref.so, which tools/build.sh release makes, unless another is named: build it with -g.
# A change that removes or alters something needs another minor version as long as procref is 0.x, and a new node in
# src/procref.map; an addition needs its line in tests/abi/symbols.
set -eu
cd "$(dirname "$0")/.."
what=${1-} library=${2:-build/release/libprocref.so}
stored=tests/abi/procref-$(uname -m).abi

command -v abidw >/dev/null && command -v abidiff >/dev/null || {
    echo "abi: no abidw or abidiff here (Debian and Ubuntu: abigail-tools); tools/setup.sh ci installs them" >&2
    exit 1
}
case $what in
update)
    # The types of the header and nothing that a builder's folder, machine or file could change.
    abidw --headers-dir include --drop-private-types --exported-interfaces-only --no-elf-needed \
        --no-corpus-path --no-comp-dir-path --no-show-locs --type-id-style hash --out-file "$stored" "$library"
    echo "abi: wrote $stored, $(grep -c '<elf-symbol ' "$stored") symbols"
    ;;
check)
    if [ ! -e "$stored" ]; then
        echo "abi: there is no $stored to compare with: only other machines were recorded"
        exit 0
    fi
    if ! abidiff --headers-dir2 include --drop-private-types --exported-interfaces-only "$stored" "$library"; then
        echo "abi: the interface is not that of $stored; if it is meant to change: tools/abi.sh update" >&2
        exit 1
    fi
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
