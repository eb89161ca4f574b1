#!/bin/sh
# tools/pg_bindir.sh: prints the folder of an installed PostgreSQL server's programs; fails without a word if there is none.
#
# Debian keeps the server's programs out of PATH, one folder for each major version. Looked at in turn: $PG_BINDIR, what PATH
# finds, what pg_config says, the newest of the folders that packages use. Client programs alone do not count.
set -u

has_all() { # has_all FOLDER
    for program in postgres initdb pg_ctl pg_controldata pg_isready psql pgbench; do
        [ -x "$1/$program" ] || return 1
    done
}
newest() { # newest FOLDER...: 16 before 9.6, by the version that the path contains
    printf '%s\n' "$@" | sort -V -r
}

from_path=$(command -v postgres 2>/dev/null) && from_path=$(dirname "$(readlink -f "$from_path")")
from_config=$(pg_config --bindir 2>/dev/null)
while read -r folder; do
    if [ -n "$folder" ] && has_all "$folder"; then
        printf '%s\n' "$folder"
        exit 0
    fi
done <<EOF
${PG_BINDIR:-}
$from_path
$from_config
$(newest /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/lib/postgresql*/bin /usr/libexec/postgresql*)
EOF
exit 1
