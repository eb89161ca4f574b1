#!/usr/bin/env zsh
# capture.zsh FOLDER LINE: what a zsh with FOLDER (and its dump in CAPTURE_DUMP) in its fpath offers when TAB is pressed after LINE, one a line.
# A shell on a pseudo-terminal whose compadd also prints; after the idea of Valodim's zsh-capture-completion (MIT).
zmodload zsh/zpty
folder=$1 line=$2 setup=$(mktemp)
trap 'rm -f $setup' EXIT
cat >$setup <<'SETUP'
PROMPT=
fpath=($CAPTURE_FOLDER $fpath)
autoload -U compinit
compinit -u -d $CAPTURE_DUMP
bindkey '^M' undefined
bindkey '^J' undefined
bindkey '^I' complete-word
null-line() { echo -E - $'\0' }
compprefuncs=(null-line)
comppostfuncs=(null-line exit)
zstyle ':completion:*' list-grouped false
zstyle ':completion:*' insert-tab false
zmodload zsh/zutil
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    typeset -a hits
    builtin compadd -A hits "$@"
    builtin compadd "$@"
    (( $#hits )) && print -rl -- $IPREFIX${^hits}
}
echo ok
SETUP
export CAPTURE_FOLDER=$folder
zpty z zsh -f -i
zpty -w z "source $setup"
repeat 10; do
    zpty -r z answer || break
    [[ $answer == ok* ]] && break
done
[[ $answer == ok* ]] || exit 2
zpty -n -w z "$line"$'\t'
integer seen
while zpty -r z; do :; done | while IFS= read -r answer; do
    if [[ $answer == *$'\0\r' ]]; then
        (( seen++ )) && exit 0
        continue
    fi
    (( seen )) && print -r -- ${answer%$'\r'}
done
