#compdef opconsole
# zsh completion for opconsole:  eval "$(opconsole completion zsh)"   in ~/.zshrc, behind compinit
_opconsole() {
    local -a found values shown
    local one
    found=("${(@f)$(${words[1]} complete -- "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    if [[ "${found[1]}" == ":files" ]]; then
        _files
        return
    fi
    for one in $found; do
        values+=("${one%%$'\t'*}")
        shown+=("${one/$'\t'/  -- }")
    done
    (( $#values )) && compadd -l -d shown -a values
}
compdef _opconsole opconsole
