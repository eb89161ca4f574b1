#!/bin/sh
# tools/setup.sh GROUP...: installs what is missing for these groups, and nothing else.
#
#   build    a C compiler, CMake, jansson, pkg-config, and musl for a small keeper (optional: without it the system's libc)
#   tests    cmocka, pkg-config, Python 3
#   redis    redis-server and redis-cli; no Redis is started, now or at boot
#   postgres a PostgreSQL server and its client programs; no cluster is made or started, and none that exists is touched
#   ci       clang, g++ (the header is for C++, too), libabigail, mandoc, zsh, fish and bash-completion
#
# With apt-get (Debian, Ubuntu), as root or through sudo. Elsewhere it names what is missing.
set -eu
cd "$(dirname "$0")/.."
no_musl=build/.no-musl-package # apt has none: do not ask again at every make

missing="" optional="" why=""
need() { # need PACKAGE REASON
    missing="$missing $1"
    why="$why
  $1: $2"
}
has() { command -v "$1" >/dev/null 2>&1; }
compiles() { # compiles "SOURCE" [FLAGS]
    source=$1
    shift
    has cc && printf '%s\n' "$source" | cc -x c -fsyntax-only "$@" - >/dev/null 2>&1
}

for group in "$@"; do
    case $group in
    build)
        has gcc || has cc || need gcc "the compiler"
        compiles '#include <stdio.h>' || need libc6-dev "the C library's headers"
        has cmake || need cmake "builds everything"
        has musl-gcc || [ -e $no_musl ] || optional="$optional musl-tools"
        has pkg-config || need pkg-config "finds jansson"
        compiles '#include <jansson.h>' || need libjansson-dev "the command writes JSON with it"
        ;;
    tests)
        has pkg-config || need pkg-config "finds cmocka"
        compiles '#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>' || need libcmocka-dev "the tests are written with it"
        has python3 || need python3 "the checker of the transition table"
        ;;
    redis)
        if ! has redis-server || ! has redis-cli; then
            need redis-server "the real service that is shared"
        fi
        ;;
    postgres)
        if ! tools/pg_bindir.sh >/dev/null; then
            need postgresql "the real database that is shared"
        fi
        ;;
    ci)
        has clang || need clang "the second compiler"
        has g++ || need g++ "the header is for C++, too"
        has abidw || need abigail-tools "compares the binary interface with the recorded one"
        has mandoc || need mandoc "checks the manual pages"
        has zsh || need zsh "its completions are tested in it"
        has fish || need fish "its completions are tested in it"
        [ -e /usr/share/bash-completion/bash_completion ] || need bash-completion "bash's completions are tested with it"
        ;;
    *)
        echo "setup: unknown group $group" >&2
        exit 2
        ;;
    esac
done

too_old() {
    echo "setup: CMake $(cmake --version | sed -n '1s/.* //p') is too old, 3.21 is needed" >&2
    exit 1
}
check_cmake() { # 3.21 or newer: presets of version 3
    cmake --version | awk 'NR == 1 { split($3, v, "."); exit !(v[1] > 3 || (v[1] == 3 && v[2] >= 21)) }' || too_old
}

if [ -z "$missing" ] && [ -z "$optional" ]; then
    ! has cmake || check_cmake
    exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=sudo # asks for the password only where somebody can type it
    else
        as_root=none
    fi
fi
if ! has apt-get || [ "$as_root" = none ]; then
    if [ -z "$missing" ]; then
        echo "setup: no musl-gcc (package musl-tools); the keeper is built with the system's libc"
        exit 0
    fi
    if has apt-get; then
        echo "setup: these are missing, and this is neither root nor may it use sudo:$why" >&2
        echo "setup: let root do: apt-get install$missing" >&2
    else
        echo "setup: these are missing, and there is no apt-get to install them (Debian's names):$why" >&2
    fi
    exit 1
fi

# Debian starts a service when its package is installed, unless this file says no (exit status 101).
policy=/usr/sbin/policy-rc.d
own_policy=""
# Debian makes and starts a cluster `main` when its first PostgreSQL of a version is installed, unless this file says no.
cluster_conf=/etc/postgresql-common/createcluster.conf
saved_conf="" own_conf=""
cleanup() {
    [ -z "$own_policy" ] || $as_root rm -f $policy
    own_policy=""
    [ -z "$saved_conf" ] || $as_root mv -f "$saved_conf" $cluster_conf
    [ -z "$own_conf" ] || $as_root rm -f $cluster_conf
    saved_conf="" own_conf=""
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
forbid_start() { # forbid_start WHAT
    echo "setup: the packaged $1 is kept from starting"
    if [ ! -e $policy ]; then
        own_policy=yes
        printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod 755 $policy
    fi
}

apt() {
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        echo "setup: apt-get $* failed" >&2
        return 1
    fi
}

# The file belongs to postgresql-common, which comes first and makes no cluster itself. As it was again afterwards (cleanup).
forbid_cluster() {
    echo "setup: installing${as_root:+ through $as_root}: postgresql-common, which is then told to make no cluster"
    apt install -y --no-install-recommends postgresql-common
    if $as_root test -e $cluster_conf; then
        $as_root cp -p $cluster_conf $cluster_conf.procref
        saved_conf=$cluster_conf.procref
    else
        own_conf=yes
    fi
    # The last line that sets it counts.
    echo "create_main_cluster = false" | $as_root tee -a $cluster_conf >/dev/null
}

mkdir -p build
log=build/setup.log
echo "setup: missing:$missing$optional"
apt update || echo "setup: going on with the package lists that are there" >&2
for package in $optional; do
    if apt-cache show "$package" >/dev/null 2>&1; then
        missing="$missing $package"
    else
        echo "setup: no package $package here; the keeper is built with the system's libc"
        : >$no_musl
    fi
done
if [ -n "$missing" ]; then
    case " $missing " in *" redis-server "*) forbid_start Redis ;; esac
    case " $missing " in
    *" postgresql "*)
        forbid_start PostgreSQL
        forbid_cluster
        ;;
    esac
    echo "setup: installing${as_root:+ through $as_root}:$missing"
    # shellcheck disable=SC2086 # a list of words
    apt install -y --no-install-recommends $missing
    case " $missing " in
    *" redis-server "*)
        if has systemctl; then
            $as_root systemctl disable redis-server >/dev/null 2>&1 || true
            echo "setup: redis-server is not started at boot (systemctl enable redis-server changes that)"
        fi
        ;;
    esac
    case " $missing " in
    *" postgresql "*)
        echo "setup: PostgreSQL is installed, without a cluster (pg_createcluster makes one)"
        tools/pg_bindir.sh >/dev/null || { echo "setup: its programs are not where they are expected" >&2; exit 1; }
        ;;
    esac
fi
! has cmake || check_cmake
