# fish completion for cowtui(1)
# SPDX-License-Identifier: GPL-3.0-or-later

set -l commands info map create merge resize recover undo
set -l none "not __fish_seen_subcommand_from $commands"
set -l changes "__fish_seen_subcommand_from create merge resize recover undo"

complete -c cowtui -n "$none" -a info -d "header, layout, backing, usage; would UML open it?"
complete -c cowtui -n "$none" -a map -d "where the bytes of the disk come from, run by run"
complete -c cowtui -n "$none" -a create -d "make a new, empty image on a backing file"
complete -c cowtui -n "$none" -a merge -d "write the composed disk to a raw file"
complete -c cowtui -n "$none" -a resize -d "make the disk larger, or smaller"
complete -c cowtui -n "$none" -a recover -d "finish or take back an interrupted change"
complete -c cowtui -n "$none" -a undo -d "take back the last change"

complete -c cowtui -n "not __fish_seen_subcommand_from create" -s b -l backing -r -d "use this backing file"
complete -c cowtui -n "__fish_seen_subcommand_from resize" -l policy -x -a "extend copy keep" -d "for the backing file"
complete -c cowtui -n "__fish_seen_subcommand_from merge resize" -s o -l output -r -d "write the result to this new file"
complete -c cowtui -n "__fish_seen_subcommand_from create resize" -l reserve -x -d "be able to grow to this size later"
complete -c cowtui -n "__fish_seen_subcommand_from resize" -l shrink -d "allow a smaller size, if no data is lost"
complete -c cowtui -n "__fish_seen_subcommand_from undo" -l discard -d "remove the undo data instead"
complete -c cowtui -n "$changes" -s n -l dry-run -d "print the plan, write nothing"
complete -c cowtui -n "$changes" -s y -l yes -d "do not ask"
complete -c cowtui -n "$changes" -s f -l force -d "replace an existing output"
complete -c cowtui -n "__fish_seen_subcommand_from $commands" -l json -d "JSON on standard output"
complete -c cowtui -n "$none" -l script -r -d "play keys from a file, without a terminal"
complete -c cowtui -n "$none" -l theme -x -d "colours of the screen"
complete -c cowtui -n "$none" -l ascii -d "draw the screen with ASCII characters only"
complete -c cowtui -l color -x -a "auto never always" -d "colours in the output"
complete -c cowtui -s q -l quiet -d "no notes, no progress"
complete -c cowtui -s v -l verbose -d "tell more"
complete -c cowtui -s h -l help -d "print help and exit"
complete -c cowtui -s V -l version -d "print the version and exit"
