# bash completion for cowtui(1)                             -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later

# The words of a line as cowtui gets them. Where readline takes '=' for the end of a word, "--color=al" comes as
# three words; here they are one again.
_cowtui_words()
{
    local i word
    words=() cword=0
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 1)) && { [[ $word == =* && ${words[-1]} == --* && ${words[-1]} != *=* ]] ||
            [[ ${COMP_WORDS[i - 1]} == '=' && ${words[-1]} == --*= ]]; }; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    cword=$((${#words[@]} - 1))
}

_cowtui()
{
    local words cword command='' options word value i
    local common='--color --quiet --verbose --help --version' changes='--dry-run --yes --force --json'
    local with_argument='--backing --in --interval --svg --png --owner --extract --diff --from --partition --socket --policy --method --to --output --reserve
        --script --theme --color'
    local current previous option=''

    COMPREPLY=()
    _cowtui_words
    current=${words[cword]} previous=${words[cword - 1]}
    for ((i = 1; i < cword; i++)); do
        word=${words[i]}
        case $word in
        info | map | record | replay | list | help | family | files | check | create | diff | merge | resize | pages | compact | rebase | convert | serve | \
            mount | recover | undo)
            command=$word
            break
            ;;
        -b | -o) ((i++)) ;;
        --*) [[ " "${with_argument//$'\n'/ }" " == *" $word "* ]] && ((i++)) ;;
        esac
    done
    case $command in
    info) options="--backing --no-backing --json $common" ;;
    map) options="--backing --no-backing --scan --follow --interval --svg --png --hilbert --dry-run --force --json $common" ;;
    list) options="--no-backing --json $common" ;;
    help) options=$common ;;
    family) options="--in --json $common" ;;
    files) options="--backing --no-backing --owner --owners --extract --diff --from --partition --output --dry-run --force --json $common" ;;
    check) options="--backing --no-backing --quick --repair --dry-run --yes --json $common" ;;
    create) options="--from --reserve $changes $common" ;;
    diff) options="--output --reserve --sectors $changes $common" ;;
    merge) options="--backing --no-backing --output --in-place $changes $common" ;;
    resize)
        options="--backing --no-backing --family --in --policy --in-place --method --output --reserve --shrink --grow-fs"
        options+=" --resize-fs $changes $common" ;;
    pages) options="--backing --no-backing --output --reserve $changes $common" ;;
    compact) options="--backing --no-backing --sectors --unused --output --reserve $changes $common" ;;
    rebase) options="--backing --no-backing --to --restamp --safe --mtime --sectors --output --reserve $changes $common" ;;
    convert) options="--backing --no-backing --to --with-backing --output --reserve $changes $common" ;;
    serve) options="--backing --write --socket --once --dry-run --yes --json $common" ;;
    mount) options="--backing --write --partition --fs --dry-run --yes --json $common" ;;
    recover) options="--backing --forward --back $changes $common" ;;
    undo) options="--backing --discard $changes $common" ;;
    *) options="--backing --no-backing --script --theme --ascii --mouse --no-config --tour $common" ;;
    esac

    # The value of an option: behind it, or behind its '='.
    case $current in
    --*=*) option=${current%%=*} value=${current#*=} ;;
    *) case " "${with_argument//$'\n'/ }" -b -o " in *" $previous "*) option=$previous value=$current ;; esac ;;
    esac
    if [ -n "$option" ]; then
        case $option in
        --color) mapfile -t COMPREPLY < <(compgen -W 'auto never always' -- "$value") ;;
        --force)
            case $command in resize) i=cut-foreign ;; compact) i=larger ;; *) i= ;; esac
            mapfile -t COMPREPLY < <(compgen -W "$i" -- "$value")
            ;;
        --method) mapfile -t COMPREPLY < <(compgen -W 'copy header inserted moved' -- "$value") ;;
        --policy) mapfile -t COMPREPLY < <(compgen -W 'extend copy keep' -- "$value") ;;
        --theme) mapfile -t COMPREPLY < <(compgen -W '16 contrast dark default light mono' -- "$value") ;;
        -b | -o | --backing | --from | --in | --output | --script | --to)
            if [ "$command$option" = convert--to ]; then
                mapfile -t COMPREPLY < <(compgen -W 'v3 qcow2' -- "$value")
            elif [[ $command$option == replay--@(from|to) ]]; then
                COMPREPLY=()
            elif [ "$command$option" = files--from ]; then
                mapfile -t COMPREPLY < <(compgen -W 'guest backing' -- "$value")
            else
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$value")
            fi
            ;;
        esac
        # Where '=' ends no word, what is replaced begins with the option.
        if [[ $current == --*=* && $COMP_WORDBREAKS != *=* ]]; then
            COMPREPLY=("${COMPREPLY[@]/#/$option=}")
        fi
        return
    fi
    local commands='info map record replay list help family files check create diff merge resize pages compact rebase convert serve mount
        recover undo'
    case $current in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
    *)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(
            [ -n "$command" ] && [ "$command" != help ] || compgen -W "$commands" -- "$current"
            [ "$command" = help ] || compgen -f -- "$current"
        )
        ;;
    esac
}

complete -F _cowtui cowtui
