# Completion of procref(1) for bash, with or without the package bash-completion.
# Each option that `procref COMMAND --help` lists is in _procref_options; tests/cli/test_completions.py compares.

_procref_commands='run hold ps status logs stop wait check doctor torture'

_procref_options() {
    local which='-f --file --scope --base-dir --ignore'
    local start='--command --ready --port -t --timeout --start-timeout --stop-timeout -l --linger --share -q --quiet'
    case $1 in
    run) echo "--tree $which $start" ;;
    hold) echo "-p --pid --for --ready-fd $which $start" ;;
    ps) echo "--json" ;;
    status) echo "$which --json" ;;
    logs) echo "-f --follow -n --lines --file --scope --base-dir" ;;
    stop) echo "$which --force -t --timeout" ;;
    wait) echo "$which -t --timeout" ;;
    check) echo "$which --json" ;;
    doctor) echo "--clean --base-dir -q --quiet" ;;
    torture) echo "--seconds --seed --clients --services --keep --trace" ;;
    esac
}

# Does this option of the command take a value, as the next word?
_procref_takes_value() {
    case $1:$2 in
    logs:-f) return 1 ;;
    *:-f | *:--file | *:--scope | *:--base-dir | *:--ignore | *:--command | *:--ready | *:--port | *:-t | *:--timeout | \
        *:--start-timeout | *:--stop-timeout | *:-l | *:--linger | *:-p | *:--pid | *:--for | *:--ready-fd | *:-n | *:--lines | \
        *:--seconds | *:--seed | *:--clients | *:--services) return 0 ;;
    esac
    return 1
}

# The project's folder of service files: the nearest on the way up, not above the home.
_procref_project() {
    local at=$PWD
    while [ -n "$at" ] && [ ! -d "$at/.procref" ] && [ "$at" != "$HOME" ]; do
        at=${at%/*}
    done
    printf '%s\n' "$at/.procref"
}

# Names of service files, where procref looks for them.
_procref_files() {
    local folder file name program
    program=$(type -P "${_procref_program:-procref}")
    for folder in . "$(_procref_project)" "${XDG_CONFIG_HOME:-$HOME/.config}/procref" /etc/procref \
        "${PROCREF_RECIPES:-${program%/bin/*}/share/procref/services}"; do
        for file in "$folder"/*.service; do
            name=${file##*/}
            [ -e "$file" ] && printf '%s\n' "${name%.service}"
        done
    done
}

_procref_running() {
    local name rest
    "${_procref_program:-procref}" ps 2>/dev/null </dev/null | while read -r name rest; do
        [ "$name" = NAME ] || [ "$name" = '?' ] || [ -z "$rest" ] || printf '%s\n' "$name"
    done
}

_procref_names() {
    [ "$1" = check ] || _procref_running
    _procref_files
}

# _procref_reply WORD CHOICE…: those that begin with WORD, without what readline keeps of it: it replaces _procref_replaced, which
# begins before "@", and after ":" and "=" (COMP_WORDBREAKS).
_procref_reply() {
    local word=$1 choice kept=${1%"$_procref_replaced"}
    shift
    for choice; do
        [[ $choice == "$word"* ]] && COMPREPLY+=("${choice#"$kept"}")
    done
}

_procref_paths() { # _procref_paths WORD [SUFFIX]: folders, and files that end so
    local path kept=${1%"$_procref_replaced"}
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do
        if [ -d "$path" ] || [[ -n ${2-} && $path == *"$2" ]]; then
            COMPREPLY+=("${path#"$kept"}")
        fi
    done < <(compgen -f -- "$1")
}

_procref_value() { # _procref_value OPTION WORD
    local pid
    case $1 in
    -f | --file) _procref_paths "$2" .service ;;
    --base-dir) _procref_paths "$2" ;;
    --scope)
        _procref_paths "$2"
        _procref_reply "$2" user
        ;;
    --ready)
        compopt -o nospace 2>/dev/null
        _procref_reply "$2" tcp notify unix: exec: log:
        ;;
    --command) COMPREPLY=($(compgen -c -- "$2")) ;;
    -p | --pid)
        for pid in /proc/[0-9]*; do
            [ -O "$pid" ] && _procref_reply "$2" "${pid#/proc/}"
        done
        ;;
    esac
}

# The command that procref run becomes: at is the place of "--" in COMP_WORDS.
_procref_command() {
    local at
    for ((at = 1; at < COMP_CWORD; at++)); do
        [ "${COMP_WORDS[at]}" = -- ] && break
    done
    if declare -F _command_offset >/dev/null; then
        _command_offset $((at + 1))
    elif [ $COMP_CWORD -eq $((at + 1)) ]; then
        COMPREPLY=($(compgen -c -- "${COMP_WORDS[COMP_CWORD]}"))
    else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
    fi
}

_procref() {
    local _procref_replaced=${2-} _procref_program=${COMP_WORDS[0]} line=${COMP_LINE:0:COMP_POINT} words word previous command='' named='' filed='' name i
    COMPREPLY=()
    # By blanks: readline cuts redis@test in two.
    read -ra words <<<"$line"
    word=''
    [[ $line == *[[:space:]] ]] || word=${words[${#words[@]} - 1]}
    [ -n "$word" ] || words+=('')
    previous=${words[${#words[@]} - 2]}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
        --) _procref_command; return ;;
        --file=*) [[ ${words[i]} == *@.service ]] || filed=yes ;;
        -*)
            if _procref_takes_value "$command" "${words[i]}"; then
                ((i++))
                case ${words[i - 1]} in # a template needs the name of an instance
                -f | --file) [[ ${words[i]} == *@.service ]] || filed=yes ;;
                esac
            fi
            ;;
        *) [ -z "$command" ] && command=${words[i]} || named=yes ;;
        esac
    done
    if [ -z "$command" ]; then
        _procref_reply "$word" $_procref_commands help -h --help --version
    elif [[ $word == --*=* ]]; then
        # readline has set "--file=" aside; the reply is what comes after it
        _procref_value "${word%%=*}" "${word#*=}"
    elif _procref_takes_value "$command" "$previous"; then
        _procref_value "$previous" "$word"
    elif [[ $word == -* ]]; then
        _procref_reply "$word" $(_procref_options "$command") -h --help
        [ "$command" != run ] || _procref_reply "$word" --
    elif [ -z "$filed" ] && { [ -z "$named" ] || [ "$command" = hold ]; }; then # which holds several
        case $command in
        help) _procref_reply "$word" $_procref_commands ;;
        run | hold | status | logs | stop | wait | check)
            while IFS= read -r name; do
                [[ $name == "$word"* ]] && printf -v name %q "$name" && COMPREPLY+=("${name#"${word%"$_procref_replaced"}"}")
            done < <(_procref_names "$command" | sort -u)
            [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *@ ]] || compopt -o nospace 2>/dev/null
            ;;
        esac
    elif [ "$command" = run ]; then
        COMPREPLY=(--)
    fi
}

complete -F _procref procref
