# bash completion for opconsole:  eval "$(opconsole completion bash)"   in ~/.bashrc
_opconsole() {
    local line="${COMP_LINE:0:COMP_POINT}" current found prefix=""
    current="${line##*[[:space:]]}"
    COMPREPLY=()
    local IFS=$'\n'
    found=($("${COMP_WORDS[0]}" complete -- "$line" 2>/dev/null | cut -f1))
    if [[ "${found[0]}" == ":files" ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$current"))
        return
    fi
    # readline takes a colon for the end of a word, so that only what follows it is to be completed.
    if [[ "$current" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
        prefix="${current%"${current##*:}"}"
    fi
    local one
    for one in "${found[@]}"; do
        COMPREPLY+=("${one#"$prefix"}")
    done
}
complete -o nosort -F _opconsole opconsole 2>/dev/null || complete -F _opconsole opconsole
