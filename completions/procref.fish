# Completion of procref(1) for fish. Each option that `procref COMMAND --help` lists is here; tests/cli/test_completions.py compares.

# The words before the cursor, up to "--"; the first that is no option is the command.
function __procref_command
    for word in (commandline -opc)[2..-1]
        if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
    return 1
end

function __procref_after_dashes
    contains -- -- (commandline -opc)
end

function __procref_is
    set -l command (__procref_command)
    and contains -- $command $argv
    and not __procref_after_dashes
end

# Whether a name can follow: after a file only that of a template's instance, after a name only another that hold holds.
function __procref_wants_name
    set -l words (commandline -opc)[2..-1]
    set -l command (__procref_command)
    set -l takers -f --file --scope --base-dir --ignore --command --ready --port -t --timeout --start-timeout --stop-timeout \
        -l --linger -p --pid --for --ready-fd -n --lines
    test "$command" = logs; and set -e takers[1]
    set -l names 0
    while set -q words[1]
        set -l word $words[1]
        set -e words[1]
        if contains -- $word $takers
            string match -q -- '-f' $word; or string match -q -- '--file' $word
            and not string match -q -- '*@.service' "$words[1]"
            and return 1
            set -e words[1]
        else if string match -q -- '--file=*' $word
            string match -q -- '*@.service' $word; or return 1
        else if not string match -q -- '-*' $word
            set names (math $names + 1)
        end
    end
    test $names -le 1; or test "$command" = hold
end

function __procref_needs_command
    not __procref_command >/dev/null
    and not __procref_after_dashes
end

# The command that procref run becomes, completed as it would be by itself.
function __procref_rest
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    set -l rest (string escape -- $words[(math $at + 1)..-1])
    complete -C (string join ' ' -- $rest (commandline -ct))
end

function __procref_running
    procref ps 2>/dev/null </dev/null | string match -rv '^(NAME|\?) ' | string replace -r ' .*' ''
end

function __procref_files
    set -l config $XDG_CONFIG_HOME
    test -n "$config"; or set config ~/.config
    set -l recipes $PROCREF_RECIPES
    test -n "$recipes"; or set recipes (string replace -r '/bin/[^/]*$' '/share/procref/services' -- (command -s procref))
    set -l project $PWD # the nearest on the way up
    while test -n "$project" -a ! -d "$project/.procref" -a "$project" != "$HOME"
        set project (string replace -r '/[^/]*$' '' -- $project)
    end
    for folder in . $project/.procref $config/procref /etc/procref $recipes
        for file in $folder/*.service
            string replace -r '.*/(.*)\.service$' '$1' -- $file
        end
    end
end

complete -c procref -f
complete -c procref -n __procref_needs_command -s h -l help -d 'help'
complete -c procref -n __procref_needs_command -s V -l version -d 'the version'
complete -c procref -n __procref_needs_command -a help -d 'the options of a command in short'
complete -c procref -n __procref_needs_command -a run -d 'hold a service while a command runs'
complete -c procref -n __procref_needs_command -a hold -d 'hold a service until stopped, or until a process ends'
complete -c procref -n __procref_needs_command -a ps -d 'the services that run, and who holds them'
complete -c procref -n __procref_needs_command -a status -d 'one service: its process, its holders, why it is alive'
complete -c procref -n __procref_needs_command -a logs -d 'what a service wrote to its output'
complete -c procref -n __procref_needs_command -a stop -d 'stop a service that nobody holds'
complete -c procref -n __procref_needs_command -a wait -d 'wait until a service is gone'
complete -c procref -n __procref_needs_command -a check -d 'read a service file and say what was understood'
complete -c procref -n __procref_needs_command -a doctor -d 'whether this system gives what procref promises'
complete -c procref -n __procref_needs_command -a torture -d 'crash everything for a while, and look whether a promise breaks'

complete -c procref -n __procref_after_dashes -a '(__procref_rest)'

set -l all run hold ps status logs stop wait check doctor torture
complete -c procref -n '__procref_is help' -a "$all"
set -l named run hold status logs stop wait check
complete -c procref -n "__procref_is $all" -s h -l help -d 'help'
complete -c procref -n '__procref_is run hold status logs stop wait; and __procref_wants_name' -a '(__procref_running)' -d 'runs'
complete -c procref -n "__procref_is $named; and __procref_wants_name" -a '(__procref_files)' -d 'service file'
complete -c procref -n '__procref_is run' -a -- -d 'the command follows'

# Which service: files and scopes.
complete -c procref -n '__procref_is run hold status stop wait check' -s f -l file -rka '(__fish_complete_suffix .service)' -d 'the service file'
complete -c procref -n '__procref_is logs' -l file -rka '(__fish_complete_suffix .service)' -d 'the service file'
complete -c procref -n "__procref_is $named" -l scope -xa 'user (__fish_complete_directories)' -d 'share beyond the folder of the service file'
complete -c procref -n "__procref_is $named" -l base-dir -xa '(__fish_complete_directories)' -d 'the folder of log and hints'
complete -c procref -n '__procref_is run hold status stop wait check' -l ignore -x -d 'go on without this key of the service file'

# How it is started.
complete -c procref -n '__procref_is run hold' -l command -xa '(__fish_complete_command)' -d 'what starts it, without a service file'
complete -c procref -n '__procref_is run hold' -l ready -xa 'tcp notify unix: exec: log:' -d 'when it is up'
complete -c procref -n '__procref_is run hold' -l port -x -d 'its port, instead of a free one'
complete -c procref -n '__procref_is run hold' -l start-timeout -x -d 'how long its start may take'
complete -c procref -n '__procref_is run hold' -l stop-timeout -x -d 'from SIGTERM to SIGKILL'
complete -c procref -n '__procref_is run hold' -s l -l linger -x -d 'how long it stays when nobody holds it'
complete -c procref -n '__procref_is run hold' -l share -d 'accept what runs, even if started otherwise'
complete -c procref -n '__procref_is run hold' -s q -l quiet -d 'no word while it starts'
complete -c procref -n '__procref_is run hold stop wait' -s t -l timeout -x -d 'how long to wait'

# Of one command.
complete -c procref -n '__procref_is run' -l tree -d 'hold until all that the command started has ended'
complete -c procref -n '__procref_is hold' -s p -l pid -xa '(__fish_complete_pids)' -d 'until this process ends'
complete -c procref -n '__procref_is hold' -l for -x -d 'what it is for'
complete -c procref -n '__procref_is hold' -l ready-fd -x -d 'write a line to this descriptor once it holds'
complete -c procref -n '__procref_is ps status check' -l json -d 'print JSON'
complete -c procref -n '__procref_is logs' -s f -l follow -d 'go on with what is written from now on'
complete -c procref -n '__procref_is logs' -s n -l lines -x -d 'only the last lines'
complete -c procref -n '__procref_is stop' -l force -d 'also while somebody holds it'
complete -c procref -n '__procref_is doctor' -l clean -d 'remove what killed services left and nobody uses'
complete -c procref -n '__procref_is doctor' -l base-dir -xa '(__fish_complete_directories)' -d 'look for leftovers there, too'
complete -c procref -n '__procref_is doctor' -s q -l quiet -d 'only warnings and failures'
complete -c procref -n '__procref_is torture' -l seconds -x -d 'how long'
complete -c procref -n '__procref_is torture' -l seed -x -d 'the dice of an earlier run'
complete -c procref -n '__procref_is torture' -l clients -x -d 'at most so many processes for each service'
complete -c procref -n '__procref_is torture' -l services -x -d 'so many services at the same time'
complete -c procref -n '__procref_is torture' -l keep -d 'keep the folder, whatever the verdict'
complete -c procref -n '__procref_is torture' -l trace -d 'write a trace for the evidence; slower'
