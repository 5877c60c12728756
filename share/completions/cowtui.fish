# fish completion for cowtui(1)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by share/completions/completions.py from src/cli/tables.c: change the tables.

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
            case -b --backing --interval --for --at --svg --png --in --owner --extract --diff --from \
                --partition --socket --fix --policy -o --output --to --mtime --reserve --method --script \
                --theme --color
                set skip yes
            case '-*'
                string match -qr '^-[0-9.]' -- $word; and set n (math $n + 1)
            case info map record replay files check list family create diff merge resize pages compact rebase \
                convert serve mount recover undo help
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
    printf '%s\n' 16 contrast dark default light mono (string match -r '^[A-Za-z0-9_.-]+$' -- $files) | sort -u
end

complete -c cowtui -n '__cowtui_at screen 0' -a info -d 'header, layout, usage; would UML open it?'
complete -c cowtui -n '__cowtui_at screen 0' -a map -d 'where the disk\'s bytes come from, run by run'
complete -c cowtui -n '__cowtui_at screen 0' -a record -d 'keep what becomes dirty, and when, in a log'
complete -c cowtui -n '__cowtui_at screen 0' -a replay -d 'what was dirty when, and what was written then'
complete -c cowtui -n '__cowtui_at screen 0' -a files -d 'which files of the guest have changed'
complete -c cowtui -n '__cowtui_at screen 0' -a check -d 'what is wrong with the image, and what helps'
complete -c cowtui -n '__cowtui_at screen 0' -a list -d 'the images of a directory, and what else it has'
complete -c cowtui -n '__cowtui_at screen 0' -a family -d 'every image on a backing file'
complete -c cowtui -n '__cowtui_at screen 0' -a create -d 'make a new image on a backing file'
complete -c cowtui -n '__cowtui_at screen 0' -a diff -d 'make an image that turns BACKING into RAW'
complete -c cowtui -n '__cowtui_at screen 0' -a merge -d 'write the composed disk to a raw file'
complete -c cowtui -n '__cowtui_at screen 0' -a resize -d 'make the disk larger, or smaller'
complete -c cowtui -n '__cowtui_at screen 0' -a pages -d 'complete the pages that mix both files'
complete -c cowtui -n '__cowtui_at screen 0' -a compact -d 'drop what the backing file has as well'
complete -c cowtui -n '__cowtui_at screen 0' -a rebase -d 'name another backing file, or take its date'
complete -c cowtui -n '__cowtui_at screen 0' -a convert -d 'write the same disk as a v3, or as a qcow2'
complete -c cowtui -n '__cowtui_at screen 0' -a serve -d 'the disk for programs that speak NBD'
complete -c cowtui -n '__cowtui_at screen 0' -a mount -d 'the disk, or a filesystem on it, in a directory'
complete -c cowtui -n '__cowtui_at screen 0' -a recover -d 'finish or take back an interrupted change'
complete -c cowtui -n '__cowtui_at screen 0' -a undo -d 'take back the last change'
complete -c cowtui -n '__cowtui_at screen 0' -a help -d 'what a command does, and its options'

complete -c cowtui -n '__cowtui_full info 1' -f
complete -c cowtui -n '__cowtui_full map 1' -f
complete -c cowtui -n '__cowtui_full record 1' -f
complete -c cowtui -n '__cowtui_full replay 1' -f
complete -c cowtui -n '__cowtui_full files 1' -f
complete -c cowtui -n '__cowtui_full check 1' -f
complete -c cowtui -n '__cowtui_full family 1' -f
complete -c cowtui -n '__cowtui_full create 2' -f
complete -c cowtui -n '__cowtui_full diff 2' -f
complete -c cowtui -n '__cowtui_full merge 1' -f
complete -c cowtui -n '__cowtui_at resize 1' -f
complete -c cowtui -n '__cowtui_full resize 2' -f
complete -c cowtui -n '__cowtui_full pages 1' -f
complete -c cowtui -n '__cowtui_full compact 1' -f
complete -c cowtui -n '__cowtui_full rebase 1' -f
complete -c cowtui -n '__cowtui_full convert 1' -f
complete -c cowtui -n '__cowtui_full serve 1' -f
complete -c cowtui -n '__cowtui_at mount 1' -f -a '(__fish_complete_directories (commandline -ct))'
complete -c cowtui -n '__cowtui_full mount 2' -f
complete -c cowtui -n '__cowtui_full recover 1' -f
complete -c cowtui -n '__cowtui_full undo 1' -f
complete -c cowtui -n '__cowtui_at help 0' -f -a 'info map record replay files check list family create diff merge resize pages compact rebase convert serve mount recover undo help'
complete -c cowtui -n '__cowtui_full help 1' -f
complete -c cowtui -n '__cowtui_full screen 1' -f

complete -c cowtui -n '__cowtui_is info map record files check merge resize pages compact rebase convert serve mount recover undo screen' -s b -l backing -r -d 'use this backing file instead of the stored one'
complete -c cowtui -n '__cowtui_is info map record files check list merge resize pages compact rebase convert screen' -l no-backing -d 'look at the image alone: open no backing file'
complete -c cowtui -n '__cowtui_is map' -l scan -d 'read the bytes: which are redundant, zero, changed'
complete -c cowtui -n '__cowtui_is map' -l follow -d 'tell what becomes dirty, as it does'
complete -c cowtui -n '__cowtui_is map record' -l interval -x -d 'look so often (1)'
complete -c cowtui -n '__cowtui_is record' -l for -x -d 'end by itself after so long'
complete -c cowtui -n '__cowtui_is replay' -l at -x -d 'what was dirty then, in seconds from its beginning'
complete -c cowtui -n '__cowtui_is map' -l svg -r -d 'draw the map to this new file; -: print it'
complete -c cowtui -n '__cowtui_is map' -l png -r -d 'the same as PNG'
complete -c cowtui -n '__cowtui_is map' -l hilbert -d 'in a picture: cells along a Hilbert curve'
complete -c cowtui -n '__cowtui_is family resize' -l in -r -d 'look in this directory, or at this image, too'
complete -c cowtui -n '__cowtui_is files' -l owner -x -d 'who has that byte (16M) or sector (s32768)?'
complete -c cowtui -n '__cowtui_is replay files' -l owners -d 'whose is all that is in the COW, or new, by pieces?'
complete -c cowtui -n '__cowtui_is replay' -l files -d 'to which files what is new belongs'
complete -c cowtui -n '__cowtui_is files' -l extract -x -d 'write that file of the guest to -o FILE'
complete -c cowtui -n '__cowtui_is files' -l diff -x -d 'what has changed in that file'
complete -c cowtui -n '__cowtui_is replay' -l from -x -d 'TIME'
complete -c cowtui -n '__cowtui_is files' -l from -x -a 'guest backing' -d 'guest, backing'
complete -c cowtui -n '__cowtui_is create' -l from -r -d 'a qcow2'
complete -c cowtui -n '__cowtui_is files mount' -l partition -x -d 'that partition only'
complete -c cowtui -n '__cowtui_is serve mount' -l write -d 'let it be written to, too; there is no undo'
complete -c cowtui -n '__cowtui_is serve' -l socket -r -d 'listen there, not in a private directory'
complete -c cowtui -n '__cowtui_is serve' -l once -d 'end when the first client has gone'
complete -c cowtui -n '__cowtui_is mount' -l fs -d 'the filesystem, not the disk as a file'
complete -c cowtui -n '__cowtui_is check' -l quick -d 'do not read the data'
complete -c cowtui -n '__cowtui_is check' -l repair -d 'make the fixes that are safe'
complete -c cowtui -n '__cowtui_is check' -l fix -x -d 'make the fix of this finding, and of others so named'
complete -c cowtui -n '__cowtui_is resize' -l policy -x -a 'extend copy keep' -d 'for the backing file: extend, copy[:PATH], keep'
complete -c cowtui -n '__cowtui_is record files diff merge resize pages compact rebase convert' -s o -l output -r -d 'write the result to this new file'
complete -c cowtui -n '__cowtui_is replay' -l to -x -d 'TIME'
complete -c cowtui -n '__cowtui_is rebase' -l to -r -d 'a file'
complete -c cowtui -n '__cowtui_is convert' -l to -x -a 'v3 qcow2' -d 'v3, qcow2'
complete -c cowtui -n '__cowtui_is convert' -l with-backing -d 'qcow2: on the same backing file, not the whole disk'
complete -c cowtui -n '__cowtui_is rebase' -l restamp -d 'take over the backing file\'s date'
complete -c cowtui -n '__cowtui_is rebase' -l safe -d 'hold in the image what the other file lacks'
complete -c cowtui -n '__cowtui_is rebase' -l mtime -x -d 'store that date of the backing file, since 1970'
complete -c cowtui -n '__cowtui_is diff compact rebase' -l sectors -d 'work by sectors, not by pages of 4 KiB'
complete -c cowtui -n '__cowtui_is compact' -l unused -d 'drop what the guest\'s filesystem has free, too'
complete -c cowtui -n '__cowtui_is merge' -l in-place -d 'into the backing file'
complete -c cowtui -n '__cowtui_is resize' -l in-place -d 'make no copy'
complete -c cowtui -n '__cowtui_is recover' -l forward -d 'to its end, where both ways are open'
complete -c cowtui -n '__cowtui_is recover' -l back -d 'to its beginning, where both ways are open'
complete -c cowtui -n '__cowtui_is create diff resize pages compact rebase convert' -l reserve -x -d 'be able to grow to SIZE later without moving data'
complete -c cowtui -n '__cowtui_is undo' -l discard -d 'remove the undo data instead'
complete -c cowtui -n '__cowtui_is resize' -l family -d 'all images on the backing file, or none'
complete -c cowtui -n '__cowtui_is resize' -l method -x -a 'copy header inserted moved' -d 'how: copy, header, inserted, moved'
complete -c cowtui -n '__cowtui_is map files check create diff merge resize pages compact rebase convert serve mount recover undo' -s n -l dry-run -d 'print the plan, write nothing'
complete -c cowtui -n '__cowtui_is resize' -l shrink -d 'allow a smaller size, if no data is lost'
complete -c cowtui -n '__cowtui_is resize' -l grow-fs -d 'let its filesystem grow with the disk'
complete -c cowtui -n '__cowtui_is resize' -l resize-fs -d 'the same; and with --shrink become smaller before it'
complete -c cowtui -n '__cowtui_is check create diff merge resize pages compact rebase convert serve mount recover undo' -s y -l yes -d 'do not ask; stands for the typed yes'
complete -c cowtui -n '__cowtui_is map record files create diff merge pages rebase convert recover undo' -s f -l force -d 'replace an existing output; see the manual'
complete -c cowtui -n '__cowtui_is resize' -s f -l force -d 'replace an existing output; see the manual'
complete -c cowtui -n '__cowtui_is resize' -l force -f -a 'cut-foreign'
complete -c cowtui -n '__cowtui_is compact' -s f -l force -d 'replace an existing output; see the manual'
complete -c cowtui -n '__cowtui_is compact' -l force -f -a 'larger'
complete -c cowtui -n '__cowtui_is info map record replay files check list family create diff merge resize pages compact rebase convert serve mount recover undo' -l json -d 'JSON on standard output'
complete -c cowtui -n '__cowtui_is replay screen' -l script -r -d 'play keys from a file, without a terminal'
complete -c cowtui -n '__cowtui_is screen' -l tour -d 'a lesson of ten screens, on a disk of its own'
complete -c cowtui -n '__cowtui_is replay screen' -l theme -x -a '(__cowtui_themes)' -d 'colours of the screen'
complete -c cowtui -n '__cowtui_is replay screen' -l ascii -d 'draw the screen with ASCII characters only'
complete -c cowtui -n '__cowtui_is replay screen' -l mouse -d 'clicks, wheel and dragging on the screen'
complete -c cowtui -n '__cowtui_is replay screen' -l no-config -d 'go without the config file of the screen'
complete -c cowtui -l color -x -a 'auto never always' -d 'auto, never or always'
complete -c cowtui -s q -l quiet -d 'no notes, no progress'
complete -c cowtui -s v -l verbose -d 'tell more'
complete -c cowtui -s h -l help -d 'print this and exit'
complete -c cowtui -s V -l version -d 'print the version and exit'
