#!/bin/sh
# tools/demo.sh SERVICE: runs the demo that was built. Everything but PostgreSQL runs as whoever calls.
#
# PostgreSQL refuses to run as root, and a service belongs to the user who acquires it. So root runs the whole demo (driver,
# clients, keepers, PostgreSQL) as an ordinary user who exists for this run only. A system user: when an ordinary one logs out,
# systemd-logind removes his semaphores and shared memory (RemoveIPC=, logind.conf(5)).
set -eu
cd "$(dirname "$0")/.."
built=build/bench/examples
service=$1
if [ "$service" != postgres ]; then
    exec $built/demo "$service"
fi

PATH=$(tools/pg_bindir.sh):$PATH || { echo "demo: no PostgreSQL server found" >&2; exit 1; }
export PATH
if [ "$(id -u)" -ne 0 ]; then
    exec $built/demo postgres
fi

user=procref-demo-$$
folder="" made=""
remove_user() { # refused while a process of his is ending
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ! userdel "$user" 2>/dev/null || return 0
        sleep 0.3
    done
    echo "demo: the user $user is left: userdel $user" >&2
}
cleanup() {
    [ -z "$made" ] || remove_user
    [ -z "$folder" ] || rm -rf "$folder"
    folder="" made=""
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

folder=$(mktemp -d "${TMPDIR:-/tmp}/procref-demo-XXXXXX")
echo "demo: PostgreSQL does not run as root: all runs as the user $user, who is made now and removed at the end"
useradd --system --user-group --no-create-home --home-dir "$folder/tmp" --shell /bin/sh "$user"
made=yes
# Copies, for the folder of the build may be closed to others.
cp $built/demo $built/client build/bench/libprocref.so.0 "$folder"
chmod 755 "$folder" "$folder"/*
install -d -o "$user" -g "$user" -m 700 "$folder/tmp"
cd "$folder"
# Not exec: what was made is removed below.
runuser -u "$user" -- env -u XDG_RUNTIME_DIR TMPDIR="$folder/tmp" HOME="$folder/tmp" LD_LIBRARY_PATH="$folder" \
    "$folder/demo" postgres
