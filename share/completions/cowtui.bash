# bash completion for cowtui(1)                             -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later

_cowtui()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local common='--color --quiet --verbose --help --version' options command='' word

    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in info | map | create | merge | resize | recover | undo)
            command=$word
            break
            ;;
        esac
    done
    case $command in
    info | map) options="--backing --json $common" ;;
    create) options="--reserve --dry-run --yes --force --json $common" ;;
    merge) options="--backing --output --dry-run --yes --force --json $common" ;;
    resize) options="--backing --policy --output --reserve --shrink --dry-run --yes --force --json $common" ;;
    recover) options="--backing --dry-run --yes --force --json $common" ;;
    undo) options="--backing --discard --dry-run --yes --force --json $common" ;;
    *) options="--backing --script --theme --ascii $common" ;;
    esac

    COMPREPLY=()
    case $previous in
    --color)
        mapfile -t COMPREPLY < <(compgen -W 'auto never always' -- "$current")
        return
        ;;
    --policy)
        mapfile -t COMPREPLY < <(compgen -W 'extend copy keep' -- "$current")
        return
        ;;
    --reserve | --theme)
        return
        ;;
    -b | --backing | -o | --output | --script)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    case $current in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
    *)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(
            [ -n "$command" ] || compgen -W 'info map create merge resize recover undo' -- "$current"
            compgen -f -- "$current"
        )
        ;;
    esac
}

complete -F _cowtui cowtui
