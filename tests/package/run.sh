#!/usr/bin/env bash
# As a packager would: build, install, move, link against it in every way that is promised, run. Called by .ci/run from the top folder;
# about a minute of one processor. Each program really shares a service (consumer/consumer.c).
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
work=$(mktemp -d)
trap '[ -n "${KEEP-}" ] || rm -rf "$work"' EXIT
mkdir -m 700 "$work/run"
export XDG_RUNTIME_DIR="$work/run" # logs and hints of the services
unset CFLAGS CPPFLAGS CXXFLAGS LDFLAGS PROCREF_KEEPER_PATH PKG_CONFIG_PATH MAKEFLAGS MAKELEVEL MFLAGS || true
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
version=$(sed -n 's/^#define PROCREF_VERSION "\(.*\)"/\1/p' include/procref/procref.h)

say() { printf '%4d s  %s\n' $SECONDS "$*"; }
die() {
    echo "package: $*" >&2
    exit 1
}
quietly() { # its output is shown if it fails
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; die "failed: $*"; }
}
found() { grep "$@" >/dev/null; } # reads to the end: with -q the writer could die of SIGPIPE, and pipefail would see that
share() { # share PROGRAM...: shares a service of its own; the last word is the program
    timeout 60 "$@" "package-$$" || die "does not share a service: $*"
}
needs_library() { readelf -d "$1" | found 'NEEDED.*libprocref\.so\.0'; }

# ---- the header, in every dialect that is promised -----------------------------------------------------------------
# every_dialect: the header comes first, twice, and its initialisers are used.
every_dialect() {
    printf '%s\n' '#include <procref/procref.h>' '#include <procref/procref.h>' \
        'int use(void);' \
        'int use(void) {' \
        '    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;' \
        '    procref_error error = PROCREF_ERROR_INIT;' \
        '    error = (config.size == sizeof config) ? error : error;' \
        '    return error.size == sizeof error ? PROCREF_E_TIMEOUT : PROCREF_E_AGAIN;' \
        '}' >"$work/header.c"
    cp "$work/header.c" "$work/header.cpp"
    local common="-fsyntax-only -Wall -Wextra -Wpedantic -pedantic-errors -Wshadow -Wundef -Werror"
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || { say "no $compiler here"; continue; }
        for standard in c99 c11 c17 c2x; do
            $compiler -Iinclude -std=$standard $common -Wstrict-prototypes -Wmissing-prototypes "$work/header.c"
        done
        for standard in c++11 c++14 c++17 c++20; do
            $compiler -Iinclude -std=$standard $common -Wzero-as-null-pointer-constant -Wcast-qual "$work/header.cpp"
            # A find_package() user's folders are system folders. Elsewhere the initialisers' casts are seen.
            $compiler -isystem include -std=$standard $common -Wold-style-cast "$work/header.cpp"
        done
    done
}

# ---- against an installed prefix -----------------------------------------------------------------------------------
consumers() { # consumers PREFIX LIBDIR
    local build="$work/consumer-$RANDOM" pc="$1/$2/pkgconfig"
    quietly cmake -S tests/package/consumer -B "$build" -DCMAKE_PREFIX_PATH="$1"
    grep -q "procref_DIR:PATH=$1/" "$build/CMakeCache.txt" || die "another procref was found than that in $1"
    quietly cmake --build "$build"
    for program in c-shared c-static cpp11-shared cpp17-static; do
        share "$build/$program"
        case $program in
        *-shared) needs_library "$build/$program" || die "$program does not use the shared library" ;;
        *-static) ! needs_library "$build/$program" || die "$program uses the shared library" ;;
        esac
    done
    [ "$(PKG_CONFIG_PATH=$pc pkg-config --modversion procref)" = "$version" ] || die "pkg-config tells another version"
    # shellcheck disable=SC2046 # pkg-config prints words
    cc -Wall -Wextra -Werror tests/package/consumer/consumer.c -o "$build/pc-shared" \
        $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs procref)
    needs_library "$build/pc-shared"
    LD_LIBRARY_PATH="$1/$2" share "$build/pc-shared"
    # shellcheck disable=SC2046
    cc -static -Wall -Wextra -Werror tests/package/consumer/consumer.c -o "$build/pc-static" \
        $(PKG_CONFIG_PATH=$pc pkg-config --static --cflags --libs procref)
    share "$build/pc-static"
    PKG_CONFIG_PATH=$pc pkg-config --static --libs procref | found -e -pthread || die "no -pthread for static use"
    # The compiled-in place is not this one: the keeper is found beside the library, in the prefix as it is now.
    share "$build/without_execveat" "$build/c-shared"
}

# ---- as a part of another project ------------------------------------------------------------------------------------
subproject() { # subproject NAME CMAKE-ARGUMENTS...
    local name=$1 build="$work/sub-$1"
    shift
    quietly cmake -S tests/package/subproject -B "$build" -DPROCREF_SOURCES="$top" "$@"
    quietly cmake --build "$build"
    share "$build/stranger-procref"
    share "$build/stranger-static"
    quietly cmake --install "$build" --prefix "$build/prefix"
    [ "$(find "$build/prefix" -type f | wc -l)" -eq 2 ] || die "$name: procref installs itself with a stranger's project"
}

# ---- what a distribution does ----------------------------------------------------------------------------------------
hygiene() { # hygiene ROOT: all installed files
    local file needle
    while read -r file; do
        for needle in "$top" "$work"; do
            ! strings -a "$file" | found -F "$needle" || die "$file names the folder of its build, $needle"
        done
    done < <(find "$1" -type f)
    while read -r file; do
        ! readelf -dW "$file" | found -E '\((RPATH|RUNPATH)\)' || die "$file has an rpath"
        ! readelf -lW "$file" | grep -E 'GNU_STACK' | found E || die "$file wants an executable stack"
        readelf -SW "$file" | found '\.debug_info' || die "$file was stripped"
        readelf -nW "$file" | found 'Build ID' || die "$file has no build id"
    done < <(find "$1" -type f \( -name 'libprocref.so.*' -o -name procref-keeper -o -path '*/bin/procref' \))
}

# command_in PREFIX: what a user of the command has after an installation, in a prefix that was moved here.
command_in() {
    local bin="$1/bin/procref" share="$1/share" page name recipe
    [ "$("$bin" --version)" = "procref $version" ] || die "$bin tells another version"
    ! readelf -dW "$bin" | found 'NEEDED.*libprocref' || die "$bin needs the shared library"
    for page in man/procref*.[15]; do
        name=$(basename "$page")
        [ -s "$share/man/man${name##*.}/$name" ] || die "no manual page $name"
    done
    bash -n "$share/bash-completion/completions/procref"
    grep -q '^#compdef procref' "$share/zsh/site-functions/_procref"
    grep -q '^complete -c procref' "$share/fish/vendor_completions.d/procref.fish"
    for page in json.md status.schema.json; do
        cmp "docs/$page" "$share/doc/procref/$page" || die "docs/$page is not installed"
    done
    for recipe in data/services/*.service; do
        [ ! -e "$recipe" ] || cmp "$recipe" "$share/procref/services/$(basename "$recipe")" || die "$recipe is not installed"
    done
    timeout 60 env -C "$work" "$bin" doctor --quiet || die "$bin doctor says that procref does not work here"
    # From a folder without any file of ours: acquires, becomes the command, and nothing is left.
    [ "$(timeout 60 env -C "$work" "$bin" run "package-$$" --command 'sleep 1000' -- sh -c 'echo $PROCREF_NAME')" = "package-$$" ] ||
        die "$bin does not run a command"
    timeout 60 env -C "$work" "$bin" wait "package-$$" || die "the service of $bin run stays"
}

# The flags of Debian's dpkg-buildflags with everything on, plus those of Fedora that differ.
distribution() {
    local map="-ffile-prefix-map=$top=. -ffile-prefix-map=$work/obj=." lto="-flto=auto -ffat-lto-objects" library libdir
    libdir=$(cc -print-multiarch) libdir=lib${libdir:+/$libdir} # Debian's, where there is such a thing
    export CPPFLAGS="-Wdate-time -D_FORTIFY_SOURCE=3"
    export CFLAGS="-g -O2 $map $lto -fstack-protector-strong -fstack-clash-protection -Wformat -Werror=format-security"
    export LDFLAGS="-Wl,-z,relro -Wl,-z,now $lto"
    [ "$(uname -m)" != x86_64 ] || CFLAGS+=" -fcf-protection"
    quietly cmake -S . -B "$work/obj" -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX=/usr \
        -DCMAKE_INSTALL_LIBDIR="$libdir" -DPROCREF_WERROR=ON
    quietly cmake --build "$work/obj" -v
    DESTDIR="$work/root" quietly cmake --install "$work/obj"
    unset CFLAGS CPPFLAGS LDFLAGS
    library="$work/root/usr/$libdir/libprocref.so.$version"
    cc -O2 -flto=auto -Iinclude tests/package/consumer/consumer.c "${library%.so*}.a" -pthread -o "$work/optimised"
    share "$work/optimised"
    # As dh_strip and brp-strip-lto treat an archive: what link-time optimisation left there holds gcc's command line.
    strip --strip-debug --wildcard -R '.gnu.lto_*' -R '.gnu.debuglto_*' -N __gnu_lto_slim -N __gnu_lto_v1 "${library%.so*}.a"
    hygiene "$work/root"
    [ "$(readelf -dW "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" = libprocref.so.0 ] || die "another soname"
    [ "$(readlink "${library%"$version"}"0)" = "libprocref.so.$version" ] || die "the soname leads elsewhere"
    readelf -dW "$library" | found BIND_NOW || die "LDFLAGS do not count"
    nm -D "$library" | found '__.*_chk' || die "CPPFLAGS do not count"
    nm -D "$library" | found '__stack_chk_fail' || die "CFLAGS do not count"
    # The carried keeper is the installed one without its debug information.
    strip -o "$work/keeper" "$work/root/usr/libexec/procref/procref-keeper"
    python3 -c 'import sys; library, keeper = (open(f, "rb").read() for f in sys.argv[1:])
sys.exit(keeper not in library)' "$library" "$work/keeper" || die "the carried keeper is not the installed one"
    # Packages are split: the static library may be in another one, or nowhere.
    consumers "$work/root/usr" "$libdir"
    rm "$work/root/usr/$libdir/libprocref.a" "$work/root/usr/$libdir/cmake/procref/"procref-static*
    printf '%s\n' 'cmake_minimum_required(VERSION 3.21)' 'project(shared-only C)' \
        'find_package(procref 0.1 CONFIG REQUIRED COMPONENTS shared)' 'get_target_property(x procref::procref TYPE)' \
        'find_package(procref CONFIG QUIET COMPONENTS static)' 'if(procref_FOUND)' 'message(FATAL_ERROR static)' 'endif()' \
        >"$work/CMakeLists.txt"
    quietly cmake -S "$work" -B "$work/shared-only" -DCMAKE_PREFIX_PATH="$work/root/usr"
}

absolute_folders() { # CMAKE_INSTALL_…DIR may be absolute: GNUInstallDirs
    quietly cmake -S . -B "$work/absolute" -DCMAKE_INSTALL_PREFIX=/opt/p -DCMAKE_INSTALL_LIBDIR=/opt/l \
        -DCMAKE_INSTALL_INCLUDEDIR=/opt/i -DCMAKE_INSTALL_LIBEXECDIR=/opt/x
    local told
    told=$(PKG_CONFIG_PATH=$work/absolute pkg-config --cflags --libs procref)
    [ "$(echo $told)" = "-I/opt/i -L/opt/l -lprocref" ] || die "procref.pc with absolute folders tells: $told"
}

# The same sources in another folder, on another day, give the same bytes.
reproducible() {
    mkdir "$work/elsewhere"
    cp -r CMakeLists.txt CMakePresets.json LICENSE cmake completions include man src "$work/elsewhere"
    [ ! -d data ] || cp -r data "$work/elsewhere"
    (cd "$work/elsewhere" && quietly cmake --preset release && quietly cmake --build build/release)
    for file in libprocref.so libprocref.a procref-keeper procref; do
        cmp "build/release/$file" "$work/elsewhere/build/release/$file" || die "$file depends on where it is built"
    done
}

if [ "${1-}" = distribution ]; then distribution; exit; fi # while working on it
say "the header"
every_dialect
say "build and install"
tools/build.sh release -DPROCREF_WERROR=ON # at -O2 gcc sees more than in the tests' builds
quietly cmake --install build/release --prefix "$work/first"
hygiene "$work/first"
say "the command"
command_in "$work/first"
pages=$work/first/share/man
while read -r name _; do # `man procref_handle_release` shows procref_handle(3)
    (cd "$pages" && mandoc -T ascii "man3/$name.3") | sed 's/.\x08//g' | found "$name" || die "no manual page $name(3)"
done < <(grep -v '^#' tests/abi/symbols)
say "the interface"
tools/abi.sh check build/release/libprocref.so
say "who links against it"
consumers "$work/first" "$(sed -n 's/^CMAKE_INSTALL_LIBDIR:.*=//p' build/release/CMakeCache.txt)"
say "and when the prefix was moved"
mkdir "$work/far" && mv "$work/first" "$work/far/second"
command_in "$work/far/second"
consumers "$work/far/second" "$(sed -n 's/^CMAKE_INSTALL_LIBDIR:.*=//p' build/release/CMakeCache.txt)"
say "as a part of another project"
subproject add
subproject fetch -DHOW=fetch -DBUILD_SHARED_LIBS=OFF
say "absolute folders"
absolute_folders
say "the same bytes elsewhere"
reproducible
say "with a distribution's flags"
distribution
say "all right"
