#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the completions of bash, zsh and fish from the tables of options and commands (src/cli/tables.c, and
options.h, which says what a row means) and the names of the themes that the program has in it.
Usage: completions.py          all three, where they lie: cowtui.bash, _cowtui and cowtui.fish beside this file
       completions.py SHELL    that one, on standard output"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[{},=]|\.\w+|\w+|<<|[-+|&~()*])')
COMMENT = re.compile(r"/\*.*?\*/", re.S)
FILE, DIR, THEME, COMMAND, NOTHING = "FILE", "DIR", "THEME", "COMMAND", ""
BITS = {}  # what options.h calls the commands


class Row:
    """A row of a table, its members as attributes; what it does not name is None."""

    def __init__(self, members):
        self.__dict__.update(members)


# ---- reading the tables ----------------------------------------------------------------------------------


def members(header, struct):
    """The members of a struct of the header, in their order."""
    body = re.search(r"^struct %s \{(.*?)^\};" % struct, header, re.S | re.M).group(1)
    for declaration in body.split(";")[:-1]:
        yield re.search(r"\(\*(\w+)\)|(\w+)\s*$", declaration).group(1) or declaration.split()[-1].lstrip("*")


def value_of(tokens):
    """What the words between two commas are: a text, a number, a name as it stands, or None."""
    if tokens and all(token.startswith('"') for token in tokens):
        return "".join(token[1:-1] for token in tokens).replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    text = " ".join(tokens)
    if text in ("NULL", "0", ""):
        return None
    if text.startswith("'"):
        return text[1:-1]
    if "CLI_" in text and not re.fullmatch(r"CLI_(FLAG|TEXT|MANY|FORCE)", text):
        return eval("(" + text.replace("( unsigned )", "") + ")", {}, dict(BITS))
    return text


def rows(source, header, table, struct):
    """The rows of a table, up to the one without a name."""
    names = list(members(header, struct))
    body = re.search(r"\b%s\[\] = \{(.*?)^\};" % table, source, re.S | re.M).group(1)
    at, depth, fields, name, held = 0, 0, {}, None, []
    while match := TOKEN.match(body, at):
        token, at = match.group(1), match.end()
        depth += {"{": 1, "}": -1, "(": 1, ")": -1}.get(token, 0)
        if token == "{":
            fields, name, held = {}, names[0], []
        elif depth == 1 and token == "," or token == "}":
            if held:
                fields[name] = value_of(held)
                name = names[min(names.index(name) + 1, len(names) - 1)]
            held = []
            if token == "}" and fields.get("name"):
                yield Row({member: fields.get(member) for member in names})
        elif token.startswith(".") and not held:
            name = token[1:]
        elif token != "=" and depth > 0:
            held.append(token)
    if body[at:].strip():
        sys.exit(f"completions.py: {table}: this is not understood: {body[at:].strip()[:40]}")


def expanded(source, words):
    """The table with the rows of FRONT_EACH_OPTION in the place of its name, as the compiler sees them."""
    text = re.search(r"#define FRONT_EACH_OPTION\(OPTION, FOR\)(.*?[^\\])\n\n", words, re.S).group(1)
    text = " ".join(text.replace("\\\n", " ").split())
    text = re.sub(r"\bFOR\((\w+)\)", r"CLI_\1", text)
    each = re.findall(r'OPTION\((("[^"]*"|[^()"])*)\)', text)
    options = [re.sub(r'^("[^"]*", [^,]+), (\w+), ([^,]+), (\w+), (.*?), (?=")', r"\1, \3, CLI_\2, \4, \5, 0, ", row.strip(), flags=re.S) for row, _ in each]
    return re.sub(r"FRONT_EACH_OPTION\(CHANGE_OPTION, FOR\),?", "".join("{%s}," % row for row in options), source)


def named(header, each):
    """What a list of names (EACH(X) X(ONE) X(TWO, two)) names."""
    return re.findall(r"\(([A-Z0-9_]+)[,)]", re.search(r"#define %s\(\w+\)(.*?[^\\])\n" % each, header, re.S).group(1))


class Tables:
    """All that is offered."""

    def __init__(self):
        header = COMMENT.sub("", (ROOT / "src/cli/options.h").read_text())
        source = COMMENT.sub("", (ROOT / "src/cli/tables.c").read_text())
        words = COMMENT.sub("", (ROOT / "src/front/change/words.h").read_text())
        source = expanded(source, words)
        changes = named(words, "FRONT_EACH_CHANGE")
        every = ["SCREEN", *changes, *named(header, "CLI_EACH_COMMAND")]
        BITS.update({f"CLI_PLACE_{name}": place for place, name in enumerate(every)}, CLI_COMMANDS=len(every))
        BITS.update({f"CLI_{name}": 1 << place for place, name in enumerate(every)})
        header = header.replace("FRONT_EACH_CHANGE(OR_BIT)", "".join(f" | CLI_{name}" for name in changes))
        for name, text in re.findall(r"\b(CLI_[A-Z0-9_]+) = ([^,}]+)", header):
            BITS[name] = eval(f"({text})", {}, dict(BITS))
        self.options = [row for row in rows(source, header, "cli_option_table", "cli_option") if row.help]
        self.commands = [row for row in rows(source, header, "cli_command_table", "cli_command") if row.run]
        self.force = list(rows(source, header, "cli_force_table", "cli_force_word"))
        self.screen = Row({"name": "", "bit": BITS["CLI_SCREEN"], "operands": "[IMAGE | DIR]", "n_operands": "1"})
        self.themes = sorted(path.stem for path in (ROOT / "share/themes").glob("*.theme"))
        if len(self.options) < 30 or len(self.commands) < 10 or not self.themes:
            sys.exit("completions.py: the tables are not where they were")
        self.everywhere = [option for option in self.options if all(option.takes & c.bit for c in self.all())]

    def all(self):
        """The commands, and the screen as one."""
        return [*self.commands, self.screen]

    def names(self):
        return [command.name for command in self.commands]

    def of(self, command):
        """The options of a command."""
        return [option for option in self.options if option.takes & command.bit]

    def spellings(self):
        """All options that want an argument in the next word, unless it stands behind a "="."""
        return [word for option in self.options if option.argument and option.kind != "CLI_FORCE" for word in spelled(option)]

    def said(self, text, command):
        """Of a text "COMMAND: this; COMMAND: that" what is that command's, else all of it."""
        parts = [part.partition(": ") for part in (text or "").split("; ")]
        if any(name not in self.names() for name, _, _ in parts):
            return text or ""
        return next((words for name, _, words in parts if name == command.name), "")

    def help(self, option, command):
        return self.said(option.help, command) or option.help

    def values(self, option, command):
        """What can stand for an option's argument: FILE, DIR, THEME, NOTHING, or words."""
        if option.kind == "CLI_FORCE":
            return " ".join(word.name for word in self.force if word.takes & command.bit)
        return self.said(option.values, command) or (FILE if option.argument in ("FILE", "PLACE") else NOTHING)

    def exclusive(self, option, command):
        """The options that do not go with this one, itself among them unless it may stand there again."""
        found = [] if option.kind == "CLI_MANY" else [option]
        for other in self.of(command):
            told = other.name in self.said(option.excludes, command).split() or option.name in self.said(other.excludes, command).split()
            if told and other is not option:
                found.append(other)
        return found


def spelled(option):
    return ([f"-{option.letter}"] if option.letter else []) + [f"--{option.name}"]


def operands(command):
    """The operands of a command as (word, what can stand there): "-o RAW IMAGE" has one."""
    text = re.sub(r"(?<!\S)-\S+ \S+", "", command.operands)
    found = re.findall(r"\[[^]]*\]|\w+", text)
    for words in found[: int(command.n_operands or 1)]:
        words = words.strip("[]")
        kind = {"SIZE": NOTHING, "DIR": DIR, "DIRECTORY": DIR, "COMMAND": COMMAND}.get(words, FILE)
        yield words, kind


def head(shell):
    return f"""# {shell} completion for cowtui(1)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by share/completions/completions.py from src/cli/tables.c: change the tables.
"""


def wrapped(words, indent, end=""):
    """Words in lines that are not too long."""
    lines, line = [], ""
    for word in words:
        if line and len(indent) + len(line) + len(word) > 108:
            lines.append(line)
            line = ""
        line += (" " if line else "") + word
    return f"{end}\n{indent}".join([*lines, line])


def either(words, indent):
    """Words as a pattern of case, without what ends it."""
    return wrapped([f"{word} |" for word in words[:-1]] + [words[-1]], indent, " \\")


def template(text, **parts):
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


# ---- bash ------------------------------------------------------------------------------------------------

BASH = r"""
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
        @SPELLINGS@) ((i++)) ;;
        -[!0-9.]*) ;;
        *)
            if [ -z "$first" ]; then
                ((n++))
                continue
            fi
            first=
            case ${words[i]} in
            @COMMANDS@)
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
        printf '%s\n' @THEMES@
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
    local common='@COMMON@'

    COMPREPLY=()
    _cowtui_words
    current=${words[cword]} previous=${words[cword - 1]}
    _cowtui_command
    case $command in
@OPTIONS@
    esac

    # The value of an option: behind it, or behind its '='.
    case $current in
    --*=*) option=${current%%=*} value=${current#*=} ;;
    *)
        case $previous in
        @SPELLINGS@)
            option=$previous value=$current ;;
        esac
        ;;
    esac
    if [ -n "$option" ]; then
        case $command$option in
@VALUES@
        esac
        # Where '=' ends no word, what is replaced begins with the option.
        if [[ $current == --*=* && $COMP_WORDBREAKS != *=* ]]; then
            COMPREPLY=("${COMPREPLY[@]/#/$option=}")
        fi
        return
    fi
    value=$current
    commands='@NAMES@'
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
@OPERANDS@
        esac
        ;;
    esac
}

complete -F _cowtui cowtui
"""


def bash_values(tables):
    """A branch for each kind of value that some option has."""
    found = {}
    for option in tables.options:
        if not option.argument:
            continue
        takers = [(command, tables.values(option, command)) for command in tables.all() if option.takes & command.bit]
        alike = len({values for _, values in takers}) == 1
        for command, values in takers if not alike else [(None, takers[0][1])]:
            for word in [f"--{option.name}"] if option.kind == "CLI_FORCE" else spelled(option):
                if values:
                    found.setdefault(values, []).append(("*" if alike else command.name) + word)
    for values, patterns in found.items():
        yield "        " + either(patterns, "            ") + f")\n            _cowtui_offer '{values}' ;;"


def bash_operands(tables):
    found = {}
    for command in tables.commands:
        if command.operands.endswith("..."):
            found.setdefault(FILE, []).append(f"{command.name}:*")
            continue
        for at, (_, kind) in enumerate(operands(command)):
            found.setdefault(kind, []).append(f"{command.name}:{at}")
    for kind, patterns in found.items():
        if kind != NOTHING:
            offer = '"$commands"' if kind == COMMAND else kind
            yield "        " + either(patterns, "            ") + f")\n            _cowtui_offer {offer} ;;"


def bash(tables):
    def options(command):
        words = [f"--{option.name}" for option in tables.of(command) if option not in tables.everywhere]
        return f"    {command.name or '*'})\n        options=\"" + wrapped([*words, '$common" ;;'], "            ")

    return head("bash").replace("\n", " " * 29 + "-*- shell-script -*-\n", 1) + template(
        BASH, SPELLINGS=either(tables.spellings(), "            "), COMMANDS=either(tables.names(), "                "),
        THEMES=" ".join(tables.themes), COMMON=" ".join(f"--{option.name}" for option in tables.everywhere),
        OPTIONS="\n".join(options(command) for command in tables.all()), VALUES="\n".join(bash_values(tables)),
        NAMES=wrapped(tables.names(), "        "), OPERANDS="\n".join(bash_operands(tables)))


# ---- zsh -------------------------------------------------------------------------------------------------

ZSH = r"""
_cowtui_commands() {
    local -a commands
    commands=(
@SUMMARIES@
    )
    _describe command commands
}

_cowtui_first() {
    _cowtui_commands
    _files
}

# The themes that there are: the user's, those beside the program, and those in it.
_cowtui_themes() {
    local config=${XDG_CONFIG_HOME-} program=${${(Q)words[1]}:c:A}
    local -aU themes
    [[ $config == /* ]] || config=${HOME-}/.config
    themes=(@THEMES@ $config/cowtui/themes/*.theme(N:t:r))
    [[ -x $program ]] && themes+=(${program:h}/../share/cowtui/themes/*.theme(N:t:r))
    themes=(${themes:#*[^A-Za-z0-9_.-]*})
    _wanted themes expl theme compadd -a themes
}

# The command is the first word that is no option, and no option's argument.
local command= word i
for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    case $word in
    @SPELLINGS@)
        ((i++)) ;;
    -?*) ;;
    *)
        case $word in
        @COMMANDS@)
            command=$word ;;
        esac
        break ;;
    esac
done

local -a common
common=(
@COMMON@
)
case $command in
@CASES@
esac
"""

SHOWN = {"BACKING": "backing file", "RAW": "raw disk", "N": "number", "OFFSET": "byte or sector", "DIR": "directory",
         "DIR | FILE": "directory or file", "SIZE": "size", "IMAGE | DIR": "image or directory"}


def shown(words):
    return SHOWN.get(words, words.lower())


def zsh_quoted(text):
    return "'" + text.replace("'", "'\"'\"'") + "'"


def zsh_action(kind):
    return {FILE: "_files", DIR: "_files -/", THEME: "_cowtui_themes", COMMAND: "_cowtui_commands", NOTHING: " "}.get(kind) or f"({kind})"


def zsh_option(tables, option, command):
    """The option as _arguments wants it, the short and the long form each."""
    said = re.sub(r"([\\\[\]])", r"\\\1", tables.help(option, command))
    others = [word for other in tables.exclusive(option, command) for word in spelled(other)]
    alone = option.excludes == "*"
    values = tables.values(option, command)
    for word in spelled(option):
        argument = ""
        if option.kind == "CLI_FORCE":
            tail = "=-" if values and word.startswith("--") else ""
            argument = f"::word:({values})" if tail else ""
        elif option.argument:
            tail = "=" if word.startswith("--") else "+"
            argument = f":{shown(option.argument)}:{zsh_action(values)}"
        else:
            tail = ""
        before = "(- *)" if alone else "*" if option.kind == "CLI_MANY" else f"({' '.join(others)})" if len(others) > 1 else ""
        yield zsh_quoted(f"{before}{word}{tail}[{said}]{argument}")


def zsh_case(tables, command):
    specs = [spec for option in tables.of(command) if option not in tables.everywhere for spec in zsh_option(tables, option, command)]
    if command is tables.screen:
        places = ["'1: :_cowtui_first'"]
    else:
        many = command.operands.endswith("...")
        places = ["'1:command:'"] + [zsh_quoted(("*" if many else str(at + 2)) + f":{shown(words)}:{zsh_action(kind)}")
                                     for at, (words, kind) in enumerate(operands(command))]
    lines = wrapped(["_arguments -S $common", *specs, *places, ";;"], "        ", " \\")
    return f"{command.name or '*'})\n    {lines}"


def zsh(tables):
    return "#compdef cowtui\n" + head("zsh") + template(
        ZSH, THEMES=" ".join(tables.themes), SPELLINGS=either(tables.spellings(), "        "),
        SUMMARIES="\n".join("        " + zsh_quoted(f"{command.name}:{command.summary}") for command in tables.commands),
        COMMANDS=either(tables.names(), "            "),
        COMMON="\n".join(f"    {spec}" for option in tables.everywhere for spec in zsh_option(tables, option, tables.screen)),
        CASES="\n".join(zsh_case(tables, command) for command in tables.all()))


# ---- fish ------------------------------------------------------------------------------------------------

FISH = r"""
# Prints the command, which is "screen" where there is none, and how many operands stand there.
function __cowtui_line
    set -l command screen
    set -l first yes
    set -l skip no
    set -l n 0
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case @SPELLINGS@
                set skip yes
            case '-*'
                string match -qr '^-[0-9.]' -- $word; and set n (math $n + 1)
            case @COMMANDS@
                if test $first = yes
                    set command $word
                else
                    set n (math $n + 1)
                end
                set first no
            case '*'
                set n (math $n + 1)
                set first no
        end
    end
    echo $command
    echo $n
end

# Whether the command is one of those.
function __cowtui_is
    contains -- (__cowtui_line)[1] $argv
end

# Whether what comes is an operand: COMMAND NUMBER... says which, counted from 0.
function __cowtui_at
    set -l line (__cowtui_line)
    test $line[1] = $argv[1]; and contains -- $line[2] $argv[2..-1]
end

# Whether what comes is one operand more than the command takes.
function __cowtui_full
    set -l line (__cowtui_line)
    test $line[1] = $argv[1]; and test $line[2] -ge $argv[2]
end

# The themes that there are: the user's, those beside the program, and those in it.
function __cowtui_themes
    set -l config $HOME/.config
    string match -q '/*' -- "$XDG_CONFIG_HOME"; and set config $XDG_CONFIG_HOME
    set -l program (command -s -- (commandline -opc)[1])
    set -l files $config/cowtui/themes/*.theme
    test -n "$program"; and set -a files (path dirname -- (path resolve -- $program))/../share/cowtui/themes/*.theme
    set files (string replace -r '.*/' '' -- $files | string replace -r '\.theme$' '')
    printf '%s\n' @THEMES@ (string match -r '^[A-Za-z0-9_.-]+$' -- $files) | sort -u
end

@SUMMARIES@

@OPERANDS@

@OPTIONS@
"""


def fish_quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_operands(tables):
    for command in tables.all():
        if command.operands.endswith("..."):
            continue
        name, places = command.name or "screen", list(operands(command))
        for at, (_, kind) in enumerate(places):
            offer = {FILE: None, NOTHING: "", DIR: " -a '(__fish_complete_directories (commandline -ct))'",
                     COMMAND: f" -a {fish_quoted(' '.join(tables.names()))}"}[kind]
            if offer is not None:
                yield f"complete -c cowtui -n '__cowtui_at {name} {at}' -f{offer}"
        yield f"complete -c cowtui -n '__cowtui_full {name} {len(places)}' -f"


def fish_options(tables):
    """A line for each option, or several where it is not the same for all commands."""
    for option in tables.options:
        kinds = {}
        for command in tables.all():
            if option.takes & command.bit:
                kinds.setdefault((tables.help(option, command), tables.values(option, command)), []).append(command.name or "screen")
        for (said, values), names in kinds.items():
            line = "complete -c cowtui"
            if option not in tables.everywhere or len(kinds) > 1:
                line += f" -n '__cowtui_is {' '.join(names)}'"
            line += (f" -s {option.letter}" if option.letter else "") + f" -l {option.name}"
            if option.kind == "CLI_FORCE":
                yield f"{line} -d {fish_quoted(said)}"
                if values:
                    yield f"complete -c cowtui -n '__cowtui_is {' '.join(names)}' -l {option.name} -f -a {fish_quoted(values)}"
                continue
            if option.argument:
                line += {FILE: " -r", NOTHING: " -x", THEME: " -x -a '(__cowtui_themes)'",
                         DIR: " -x -a '(__fish_complete_directories (commandline -ct))'"}.get(values) or f" -x -a {fish_quoted(values)}"
            yield f"{line} -d {fish_quoted(said)}"


def fish(tables):
    return head("fish") + template(
        FISH, SPELLINGS=wrapped(tables.spellings(), "                ", " \\"), COMMANDS=wrapped(tables.names(), "                ", " \\"),
        THEMES=" ".join(tables.themes),
        SUMMARIES="\n".join(f"complete -c cowtui -n '__cowtui_at screen 0' -a {command.name} -d {fish_quoted(command.summary)}"
                            for command in tables.commands),
        OPERANDS="\n".join(fish_operands(tables)), OPTIONS="\n".join(fish_options(tables)))


def main():
    shells = {"bash": (bash, "cowtui.bash"), "zsh": (zsh, "_cowtui"), "fish": (fish, "cowtui.fish")}
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1] not in shells):
        sys.exit(__doc__)
    tables = Tables()
    if len(sys.argv) == 2:
        print(shells[sys.argv[1]][0](tables), end="")
        return
    for write, name in shells.values():
        (ROOT / "share/completions" / name).write_text(write(tables))


main()
