# bash completion for cowtui(1)                             -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by share/completions/completions.py from src/cli/tables.c: change the tables.

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

# Sets command, which is "" for the screen and before there is one, and n: how many operands stand there.
_cowtui_command()
{
    local i first=yes
    command='' n=0
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        -b | --backing | --interval | --for | --at | --svg | --png | --in | --owner | --extract | \
            --diff | --from | --partition | --socket | --fix | --policy | -o | --output | --to | --mtime | \
            --reserve | --method | --script | --theme | --color) ((i++)) ;;
        -[!0-9.]*) ;;
        *)
            if [ -z "$first" ]; then
                ((n++))
                continue
            fi
            first=
            case ${words[i]} in
            info | map | record | replay | files | check | list | family | create | diff | merge | \
                resize | pages | compact | rebase | convert | serve | mount | recover | undo | help)
                command=${words[i]} ;;
            *) n=1 ;;
            esac
            ;;
        esac
    done
}

# The themes that there are: the user's, those beside the program, and those in it.
_cowtui_themes()
{
    local config=${XDG_CONFIG_HOME-} file program
    [[ $config == /* ]] || config=${HOME-}/.config
    program=$(type -P -- "${COMP_WORDS[0]}") && program=$(readlink -f -- "$program") || program=
    {
        printf '%s\n' 16 contrast dark default light mono
        for file in "$config"/cowtui/themes/*.theme ${program:+"${program%/*}"/../share/cowtui/themes/*.theme}; do
            [ ! -e "$file" ] || printf '%s\n' "$(basename -- "$file" .theme)"
        done
    } | LC_ALL=C grep -xE '[A-Za-z0-9_-][A-Za-z0-9_.-]*' | LC_ALL=C sort -u
}

# Offers for "$value" what the word says: files, directories, themes, or one of those words.
_cowtui_offer() # FILE | DIR | THEME | WORDS
{
    case $1 in
    FILE | DIR)
        compopt -o filenames 2>/dev/null
        if [ "$1" = FILE ]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
        else
            mapfile -t COMPREPLY < <(compgen -d -- "$value")
        fi
        ;;
    THEME) mapfile -t COMPREPLY < <(compgen -W "$(_cowtui_themes)" -- "$value") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$value") ;;
    esac
}

_cowtui()
{
    local words cword command n options value option='' current previous commands
    local common='--color --quiet --verbose --help --version'

    COMPREPLY=()
    _cowtui_words
    current=${words[cword]} previous=${words[cword - 1]}
    _cowtui_command
    case $command in
    info)
        options="--backing --no-backing --json $common" ;;
    map)
        options="--backing --no-backing --scan --follow --interval --svg --png --hilbert --dry-run --force --json
            $common" ;;
    record)
        options="--backing --no-backing --interval --for --output --force --json $common" ;;
    replay)
        options="--at --owners --files --from --to --json --script --theme --ascii --mouse --no-config $common" ;;
    files)
        options="--backing --no-backing --owner --owners --extract --diff --from --partition --output --dry-run
            --force --json $common" ;;
    check)
        options="--backing --no-backing --quick --repair --fix --dry-run --yes --json $common" ;;
    list)
        options="--no-backing --json $common" ;;
    family)
        options="--in --json $common" ;;
    create)
        options="--from --reserve --dry-run --yes --force --json $common" ;;
    diff)
        options="--output --sectors --reserve --dry-run --yes --force --json $common" ;;
    merge)
        options="--backing --no-backing --output --in-place --dry-run --yes --force --json $common" ;;
    resize)
        options="--backing --no-backing --in --policy --output --in-place --reserve --family --method --dry-run
            --shrink --grow-fs --resize-fs --yes --force --json $common" ;;
    pages)
        options="--backing --no-backing --output --reserve --dry-run --yes --force --json $common" ;;
    compact)
        options="--backing --no-backing --output --sectors --unused --reserve --dry-run --yes --force --json
            $common" ;;
    rebase)
        options="--backing --no-backing --output --to --restamp --safe --mtime --sectors --reserve --dry-run --yes
            --force --json $common" ;;
    convert)
        options="--backing --no-backing --output --to --with-backing --reserve --dry-run --yes --force --json
            $common" ;;
    serve)
        options="--backing --write --socket --once --dry-run --yes --json $common" ;;
    mount)
        options="--backing --partition --write --fs --dry-run --yes --json $common" ;;
    recover)
        options="--backing --forward --back --dry-run --yes --force --json $common" ;;
    undo)
        options="--backing --discard --dry-run --yes --force --json $common" ;;
    help)
        options="$common" ;;
    *)
        options="--backing --no-backing --script --tour --theme --ascii --mouse --no-config $common" ;;
    esac

    # The value of an option: behind it, or behind its '='.
    case $current in
    --*=*) option=${current%%=*} value=${current#*=} ;;
    *)
        case $previous in
        -b | --backing | --interval | --for | --at | --svg | --png | --in | --owner | --extract | \
            --diff | --from | --partition | --socket | --fix | --policy | -o | --output | --to | --mtime | \
            --reserve | --method | --script | --theme | --color)
            option=$previous value=$current ;;
        esac
        ;;
    esac
    if [ -n "$option" ]; then
        case $command$option in
        *-b | *--backing | *--svg | *--png | *--in | create--from | *--socket | *-o | *--output | \
            rebase--to | *--script)
            _cowtui_offer 'FILE' ;;
        files--from)
            _cowtui_offer 'guest backing' ;;
        *--policy)
            _cowtui_offer 'extend copy keep' ;;
        convert--to)
            _cowtui_offer 'v3 qcow2' ;;
        *--method)
            _cowtui_offer 'copy header inserted moved' ;;
        resize--force)
            _cowtui_offer 'cut-foreign' ;;
        compact--force)
            _cowtui_offer 'larger' ;;
        *--theme)
            _cowtui_offer 'THEME' ;;
        *--color)
            _cowtui_offer 'auto never always' ;;
        esac
        # Where '=' ends no word, what is replaced begins with the option.
        if [[ $current == --*=* && $COMP_WORDBREAKS != *=* ]]; then
            COMPREPLY=("${COMPREPLY[@]/#/$option=}")
        fi
        return
    fi
    value=$current
    commands='info map record replay files check list family create diff merge resize pages compact rebase convert
        serve mount recover undo help'
    case $current in
    -*) _cowtui_offer "$options" ;;
    *)
        case $command:$n in
        :0)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(
                compgen -W "$commands" -- "$current"
                compgen -f -- "$current"
            )
            ;;
        info:0 | map:0 | record:0 | replay:0 | files:0 | check:0 | list:* | family:0 | create:0 | \
            create:1 | diff:0 | diff:1 | merge:0 | resize:0 | pages:0 | compact:0 | rebase:0 | convert:0 | \
            serve:0 | mount:0 | recover:0 | undo:0)
            _cowtui_offer FILE ;;
        mount:1)
            _cowtui_offer DIR ;;
        help:0)
            _cowtui_offer "$commands" ;;
        esac
        ;;
    esac
}

complete -F _cowtui cowtui
