# fish completion for opconsole:  opconsole completion fish > ~/.config/fish/completions/opconsole.fish
function __opconsole_complete
    set -l found (command opconsole complete -- (commandline -cp) 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path (commandline -ct)
    else if test (count $found) -gt 0
        printf '%s\n' $found
    end
end
complete -c opconsole -f -a '(__opconsole_complete)'
