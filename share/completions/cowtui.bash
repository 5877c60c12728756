# bash completion for cowtui(1)                             -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later

_cowtui()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local common='--color --quiet --verbose --help --version' changes='--dry-run --yes --force --json'
    local options command='' word

    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in info | map | files | check | create | diff | merge | resize | pages | compact | rebase | convert | recover | undo)
            command=$word
            break
            ;;
        esac
    done
    case $command in
    info) options="--backing --json $common" ;;
    map) options="--backing --scan --json $common" ;;
    files) options="--backing --owner --owners --extract --diff --from --partition --output --dry-run --force --json $common" ;;
    check) options="--backing --quick --repair --dry-run --yes --json $common" ;;
    create) options="--reserve $changes $common" ;;
    diff) options="--output --reserve --sectors $changes $common" ;;
    merge) options="--backing --output --in-place $changes $common" ;;
    resize) options="--backing --policy --output --reserve --shrink $changes $common" ;;
    pages) options="--backing --output --reserve $changes $common" ;;
    compact) options="--backing --sectors --unused --output --reserve $changes $common" ;;
    rebase) options="--backing --to --restamp --safe --sectors --output --reserve $changes $common" ;;
    convert) options="--backing --to --output --reserve $changes $common" ;;
    recover) options="--backing $changes $common" ;;
    undo) options="--backing --discard $changes $common" ;;
    *) options="--backing --script --theme --ascii $common" ;;
    esac

    COMPREPLY=()
    case $command$previous in
    convert--to)
        mapfile -t COMPREPLY < <(compgen -W 'v3' -- "$current")
        return
        ;;
    esac
    case $previous in
    --color)
        mapfile -t COMPREPLY < <(compgen -W 'auto never always' -- "$current")
        return
        ;;
    --policy)
        mapfile -t COMPREPLY < <(compgen -W 'extend copy keep' -- "$current")
        return
        ;;
    --from)
        mapfile -t COMPREPLY < <(compgen -W 'guest backing' -- "$current")
        return
        ;;
    --reserve | --theme | --owner | --extract | --diff | --partition)
        return
        ;;
    -b | --backing | -o | --output | --script | --to)
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
            [ -n "$command" ] || compgen -W 'info map files check create diff merge resize pages compact rebase convert
                recover undo' -- "$current"
            compgen -f -- "$current"
        )
        ;;
    esac
}

complete -F _cowtui cowtui
