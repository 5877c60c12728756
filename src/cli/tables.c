/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two tables: what can be asked for. An entry without help (an option) or without a function (a command)
 * is known but comes later: it is refused as "not supported yet" instead of "unknown", and offered nowhere.
 */
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"

#define MEMBER(name) offsetof(struct cli_options, name)

/* A row ends where all that follows is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* What the screen takes behind its `:` commands, too. */
#define FOR(COMMAND) CLI_##COMMAND
#define CHANGE_OPTION(name, letter, kind, argument, member, takes, help, values, excludes)                   \
    {name, letter, argument, CLI_##kind, MEMBER(words.member), takes, 0, help, values, excludes},

const struct cli_option cli_option_table[] = {
    {"backing", 'b', "FILE", CLI_TEXT, MEMBER(backing),
     CLI_ALL & ~(unsigned)(CLI_CREATE | CLI_DIFF | CLI_FAMILY | CLI_LIST | CLI_HELP | CLI_REPLAY), 0,
     "use this backing file instead of the stored one"},
    {"no-backing", 0, NULL, CLI_FLAG, MEMBER(no_backing),
     CLI_ALL & ~(unsigned)(CLI_CREATE | CLI_DIFF | CLI_RECOVER | CLI_UNDO | CLI_FAMILY | CLI_SERVERS |
                           CLI_HELP | CLI_REPLAY),
     0, "look at the image alone: open no backing file", .excludes = "backing"},
    {"scan", 0, NULL, CLI_FLAG, MEMBER(scan), CLI_MAP, 0,
     "read the bytes: which are redundant, zero, changed"},
    {"follow", 0, NULL, CLI_FLAG, MEMBER(follow), CLI_MAP, 0, "tell what becomes dirty, as it does",
     .excludes = "scan"},
    {"interval", 0, "SECONDS", CLI_TEXT, MEMBER(interval), CLI_MAP | CLI_RECORD, 0, "look so often (1)"},
    {"for", 0, "SECONDS", CLI_TEXT, MEMBER(for_seconds), CLI_RECORD, 0, "end by itself after so long"},
    {"at", 0, "TIME", CLI_TEXT, MEMBER(at), CLI_REPLAY, 0,
     "what was dirty then, in seconds from its beginning"},
    {"svg", 0, "FILE", CLI_TEXT, MEMBER(svg), CLI_MAP, 0, "draw the map to this new file; -: print it"},
    {"png", 0, "FILE", CLI_TEXT, MEMBER(png), CLI_MAP, 0, "the same as PNG"},
    {"hilbert", 0, NULL, CLI_FLAG, MEMBER(hilbert), CLI_MAP, 0, "in a picture: cells along a Hilbert curve"},
    {"in", 0, "PLACE", CLI_MANY, MEMBER(in), CLI_FAMILY | CLI_RESIZE, 0,
     "look in this directory, or at this image, too"},
    {"owner", 0, "OFFSET", CLI_TEXT, MEMBER(owner), CLI_FILES, 0,
     "who has that byte (16M) or sector (s32768)?"},
    {"owners", 0, NULL, CLI_FLAG, MEMBER(owners), CLI_FILES | CLI_REPLAY, 0,
     "whose is all that is in the COW, or new, by pieces?"},
    {"files", 0, NULL, CLI_FLAG, MEMBER(files), CLI_REPLAY, 0, "to which files what is new belongs"},
    {"extract", 0, "PATH", CLI_TEXT, MEMBER(extract), CLI_FILES, 0,
     "write that file of the guest to -o FILE"},
    {"diff", 0, "PATH", CLI_TEXT, MEMBER(diff), CLI_FILES, 0, "what has changed in that file"},
    {"from", 0, "WHAT", CLI_TEXT, MEMBER(from), CLI_FILES | CLI_CREATE | CLI_REPLAY, 0,
     "files: guest, backing; create: a qcow2; replay: TIME", .values = "files: guest backing; create: FILE"},
    {"partition", 0, "N", CLI_TEXT, MEMBER(partition), CLI_FILES | CLI_MOUNT, 0, "that partition only"},
    {"write", 0, NULL, CLI_FLAG, MEMBER(write), CLI_SERVERS, 0,
     "let it be written to, too; there is no undo"},
    {"socket", 0, "PATH", CLI_TEXT, MEMBER(socket), CLI_SERVE, 0, "listen there, not in a private directory",
     .values = "FILE"},
    {"once", 0, NULL, CLI_FLAG, MEMBER(once), CLI_SERVE, 0, "end when the first client has gone"},
    {"fs", 0, NULL, CLI_FLAG, MEMBER(fs), CLI_MOUNT, 0, "the filesystem, not the disk as a file",
     .excludes = "partition"},
    {"quick", 0, NULL, CLI_FLAG, MEMBER(quick), CLI_CHECK, 0, "do not read the data"},
    {"repair", 0, NULL, CLI_FLAG, MEMBER(repair), CLI_CHECK, 0, "make the fixes that are safe"},
    {"fix", 0, "FINDING", CLI_MANY, MEMBER(fix), CLI_CHECK, 0,
     "make the fix of this finding, and of others so named", .excludes = "repair"},
    {"policy", 0, "POLICY", CLI_TEXT, MEMBER(policy), CLI_RESIZE, 0,
     "for the backing file: extend, copy[:PATH], keep", .values = "extend copy keep"},
    FRONT_EACH_OPTION(CHANGE_OPTION, FOR){"family", 0, NULL, CLI_FLAG, MEMBER(family), CLI_RESIZE, 0,
                                          "all images on the backing file, or none"},
    {"method", 0, "METHOD", CLI_TEXT, MEMBER(method), CLI_RESIZE, 0, "how: copy, header, inserted, moved",
     .values = "copy header inserted moved"},
    {"dry-run", 'n', NULL, CLI_FLAG, MEMBER(dry_run),
     CLI_CHANGES | CLI_CHECK | CLI_FILES | CLI_SERVERS | CLI_MAP, CLI_READERS,
     "print the plan, write nothing"},
    {"shrink", 0, NULL, CLI_FLAG, MEMBER(shrink), CLI_RESIZE, 0, "allow a smaller size, if no data is lost"},
    {"grow-fs", 0, NULL, CLI_FLAG, MEMBER(grow_fs), CLI_RESIZE, 0, "let its filesystem grow with the disk"},
    {"resize-fs", 0, NULL, CLI_FLAG, MEMBER(resize_fs), CLI_RESIZE, 0,
     "the same; and with --shrink become smaller before it", .excludes = "grow-fs"},
    {"yes", 'y', NULL, CLI_FLAG, MEMBER(yes), CLI_CHANGES | CLI_CHECK | CLI_SERVERS, CLI_READERS | CLI_FILES,
     "do not ask; stands for the typed yes"},
    {"force", 'f', "WORD", CLI_FORCE, MEMBER(words.force), CLI_CHANGES | CLI_FILES | CLI_MAP | CLI_RECORD,
     CLI_READERS | CLI_CHECK, "replace an existing output; see the manual"},
    {"json", 0, NULL, CLI_FLAG, MEMBER(json),
     CLI_READERS | CLI_FILES | CLI_CHECK | CLI_CHANGES | CLI_SERVERS | CLI_RECORD | CLI_REPLAY, 0,
     "JSON on standard output"},
    {"script", 0, "FILE", CLI_TEXT, MEMBER(script), CLI_SCREEN | CLI_REPLAY, 0,
     "play keys from a file, without a terminal"},
    {"tour", 0, NULL, CLI_FLAG, MEMBER(tour), CLI_SCREEN, 0, "a lesson of ten screens, on a disk of its own"},
    {"theme", 0, "NAME", CLI_TEXT, MEMBER(theme), CLI_SCREEN | CLI_REPLAY,
     CLI_READERS | CLI_FILES | CLI_CHECK | CLI_CHANGES | CLI_SERVERS, "colours of the screen",
     .values = "THEME"},
    {"ascii", 0, NULL, CLI_FLAG, MEMBER(ascii), CLI_SCREEN | CLI_REPLAY,
     CLI_READERS | CLI_FILES | CLI_CHECK | CLI_CHANGES | CLI_SERVERS,
     "draw the screen with ASCII characters only"},
    {"mouse", 0, NULL, CLI_FLAG, MEMBER(mouse), CLI_SCREEN | CLI_REPLAY, 0,
     "clicks, wheel and dragging on the screen"},
    {"no-config", 0, NULL, CLI_FLAG, MEMBER(no_config), CLI_SCREEN | CLI_REPLAY, 0,
     "go without the config file of the screen"},
    {"color", 0, "WHEN", CLI_TEXT, MEMBER(color), CLI_ALL, 0, "auto, never or always",
     .values = "auto never always"},
    {"quiet", 'q', NULL, CLI_FLAG, MEMBER(quiet), CLI_ALL, 0, "no notes, no progress"},
    {"verbose", 'v', NULL, CLI_FLAG, MEMBER(verbose), CLI_ALL, 0, "tell more"},
    {"help", 'h', NULL, CLI_FLAG, MEMBER(help), CLI_ALL, 0, "print this and exit", .excludes = "*"},
    {"version", 'V', NULL, CLI_FLAG, MEMBER(version), CLI_ALL, 0, "print the version and exit",
     .excludes = "*"},
    {NULL, 0, NULL, CLI_FLAG, 0, 0, 0, NULL},
};

const struct cli_force_word cli_force_table[] = {
    {"cut-foreign", MEMBER(cut_foreign), CLI_RESIZE},
    {"larger", MEMBER(words.larger), CLI_COMPACT},
    {NULL, 0, 0},
};

_Static_assert(sizeof cli_option_table / sizeof *cli_option_table <= CLI_OPTIONS_MAX + 1,
               "options.c has room for fewer options");

const struct cli_command cli_command_table[] = {
    {"info", CLI_INFO, "IMAGE", 1, cli_info, "header, layout, usage; would UML open it?",
     "Tells what the image is, where its parts lie, how much of the disk it holds,\n"
     "whether its backing file fits, and whether a stock UML kernel would open it,\n"
     "with the kernel's own words where it would not. Nothing is written or locked.\n"},
    {"map", CLI_MAP, "IMAGE", 1, cli_map, "where the disk's bytes come from, run by run",
     "Prints a line for each run of the disk: start and length in bytes, the origin\n"
     "of its data, and the offset in the file that holds it. With --scan the bytes\n"
     "are compared with the backing file: what is redundant, zeros, or changed.\n"
     "With --follow there is a line for each change of the bitmap, as a guest writes,\n"
     "until Ctrl-C ends it with a sum; no lock is taken. What is written into sectors\n"
     "that are dirty already does not show.\n"
     "With --svg FILE or --png FILE the map is drawn instead: how much of each cell of\n"
     "the disk is in the COW, with a legend, a scale and what ends where; with --scan,\n"
     "too, what most of a cell is worth.\n"},
    {"record", CLI_RECORD, "-o LOG IMAGE", 1, cli_record, "keep what becomes dirty, and when, in a log",
     "Follows the image's bitmap as map --follow does, and writes what changes, with\n"
     "the time, to the new file named with -o, until Ctrl-C or --for ends it. No lock\n"
     "is taken, and image and backing file are not written. What is written into\n"
     "sectors that are dirty already does not show. \"cowtui replay LOG\" tells what\n"
     "was when.\n"},
    {"replay", CLI_REPLAY, "LOG", 1, cli_replay, "what was dirty when, and what was written then",
     "Goes through a log on the screen. Without a terminal, or with --json, the moments\n"
     "at which something had changed are listed. --at TIME prints the runs that were\n"
     "dirty then; --from TIME and --to TIME the runs that became dirty in between. TIME\n"
     "is in seconds from the beginning of the log (12.5). --files tells to which files\n"
     "these belong, --owners whose each piece is: by the image as it is now, if it is\n"
     "still there and the same.\n"},
    {"files", CLI_FILES, "IMAGE", 1, cli_files, "which files of the guest have changed",
     "Lists the files that differ from the backing file's, and how much of each is in\n"
     "the COW; then what else is: inode tables, the journal, free space... It reads\n"
     "ext2, ext3 and ext4, in partitions too, through the image: nothing is merged or\n"
     "mounted. --owner tells whose a place of the disk is, --owners whose each piece\n"
     "in the COW. --extract PATH -o FILE writes a file as the guest has it, or with\n"
     "--from backing as it was (-o - prints it). --diff PATH prints what has changed\n"
     "in it, as diff -u does: exit code 0 equal, 1 different.\n"},
    {"check", CLI_CHECK, "IMAGE", 1, cli_check, "what is wrong with the image, and what helps",
     "Looks for all that can be wrong: with the image itself, its backing file, and\n"
     "the way in which the two fit. Says what each finding means and what mends it.\n"
     "--repair makes the fixes that are safe, and checks again; --fix FINDING makes one,\n"
     "and may stand there several times: they are one plan. Exit codes: 0 clean,\n"
     "1 findings, 5 not a valid image.\n"},
    {"list", CLI_LIST, "[DIR | FILE]...", 0, cli_list, "the images of a directory, and what else it has",
     "A line for each COW image in a directory, the present one if none is named, as it\n"
     "is found: its format, size, how much of it is dirty, whether a stock UML kernel\n"
     "would open it, who has it in use, its backing file, and what is wrong. Disks in\n"
     "other formats are named, too. A FILE is told whatever it is. Directories below\n"
     "are not looked at. Exit codes: 0 all is told, 1 an image is broken, or a FILE is\n"
     "no COW image, 2 something could not be read.\n"},
    {"family", CLI_FAMILY, "BACKING", 1, cli_family, "every image on a backing file",
     "Lists the COW files on BACKING: size, how much of it is in the image, who has it\n"
     "in use, whether a stock UML kernel would open it, and what an interrupted change\n"
     "left. They are looked for in the directory of BACKING and in each --in PLACE,\n"
     "which may stand there several times: a directory, or an image file.\n"},
    {"create", CLI_CREATE, "IMAGE [BACKING]", 2, cli_create, "make a new image on a backing file",
     "Makes a COW image (UML v3) of the size of BACKING that holds no changes yet.\n"
     "With --from FILE.qcow2 it shows the disk in that qcow2 image, which has the size\n"
     "of BACKING, and holds what differs, in pages of 4 KiB. Then BACKING may be left\n"
     "out if the qcow2 lies on one raw file of its size.\n"},
    {"diff", CLI_DIFF, "-o COW BACKING RAW", 2, cli_diff, "make an image that turns BACKING into RAW",
     "The other way of merge: compares the raw disk RAW with BACKING, which has the\n"
     "same size, and makes a COW image that holds what differs, in pages of 4 KiB.\n"},
    {"merge", CLI_MERGE, "-o RAW IMAGE", 1, cli_merge, "write the composed disk to a raw file",
     "Writes the disk as the guest sees it to the new file named with -o. Holes stay\n"
     "holes. Neither the image nor its backing file is changed.\n"
     "With --in-place instead of -o it is written into the backing file, and the image\n"
     "is empty then. Other images on that file no longer fit it, and there is no way\n"
     "back.\n"},
    {"resize", CLI_RESIZE, "IMAGE [SIZE]", 2, cli_resize, "make the disk larger, or smaller",
     "SIZE is absolute (400M, 419430400) or relative (+1G); K M G T are powers of\n"
     "1024; the result is a multiple of 512. The policy says what becomes of the\n"
     "backing file, which a UML kernel wants to be as large as the disk:\n"
     "  extend       it grows by a hole; its date stays\n"
     "  copy[:PATH]  the image gets a private, larger copy of it\n"
     "  keep         it stays as it is; a stock kernel refuses the image then\n"
     "Without one: extend, if no other image is found on that file; --family grows\n"
     "all images on it at once, or none (more directories: --in). A smaller SIZE\n"
     "wants --shrink, and goes with copy; what it would cut, it refuses to, but with\n"
     "--force=cut-foreign (what is no ext filesystem, and data that nobody claims).\n"
     "The image is changed by its header where its data may stay, else copied. With\n"
     "--in-place it never is: the filesystem inserts room before the data, or the data\n"
     "is moved piece by piece, from its end to its beginning. SIZE may be left out\n"
     "then, with --reserve: room to grow, for the same disk.\n"
     "--grow-fs lets the ext filesystem on it, or in its last partition, grow as well:\n"
     "e2fsck and resize2fs write the new disk before it is in place. With --resize-fs\n"
     "and --shrink they make it smaller first.\n"},
    {"pages", CLI_PAGES, "IMAGE", 1, cli_plain_change, "complete the pages that mix both files",
     "A page of 4 KiB that is partly in the image and partly in the backing file makes\n"
     "a guest's kernel read wrong data. Each such page is put into the image as a\n"
     "whole. The disk stays the same.\n"},
    {"compact", CLI_COMPACT, "IMAGE", 1, cli_plain_change, "drop what the backing file has as well",
     "Drops the pages of 4 KiB that are equal to the backing file's, makes holes of\n"
     "zeros, and leaves no page that mixes both files. --sectors drops by sectors:\n"
     "smaller, but it makes such pages, which a guest's kernel misreads. The disk stays\n"
     "the same; with --unused, where a file is: what the guest has deleted goes.\n"},
    {"rebase", CLI_REBASE, "IMAGE", 1, cli_plain_change, "name another backing file, or take its date",
     "--to PATH stores the absolute path of another file, whose content must be that\n"
     "of the present one; with --safe it may differ, and the image takes in what the\n"
     "other file lacks. --restamp takes over the backing file's date, for one that was\n"
     "touched and has still the same content. The disk stays the same.\n"},
    {"convert", CLI_CONVERT, "--to v3 -o FILE IMAGE", 1, cli_plain_change,
     "write the same disk as a v3, or as a qcow2",
     "Makes a new image from one of any variant, --to v3 or --to qcow2. The old one\n"
     "stays as it is. A qcow2 holds the whole disk, or --with-backing only what is\n"
     "dirty, and lies on the same backing file, which has to stay where it is.\n"},
    {"serve", CLI_SERVE, "IMAGE", 1, cli_serve, "the disk for programs that speak NBD",
     "Serves the disk as the guest sees it on a socket, and prints its address (a URI),\n"
     "for qemu-img, nbdcopy, a virtual machine... It is only read, without a lock, also\n"
     "while a guest uses it; --write locks the image and lets clients write to it, for\n"
     "which there is no undo. Ctrl-C ends it, --once the end of the first client.\n"},
    {"mount", CLI_MOUNT, "IMAGE DIRECTORY", 2, cli_mount, "the disk, or a filesystem on it, in a directory",
     "Mounts the disk as the file DIRECTORY/nbd; with --partition N or --fs the\n"
     "filesystem in that partition, or the only one on the disk, at DIRECTORY, which\n"
     "has to be empty. It is only read, without a lock; --write locks the image and\n"
     "writes to it, for which there is no undo. Unmounting it ends it, and so does\n"
     "Ctrl-C. Wants nbdkit, nbdfuse (libnbd-bin) and, for a filesystem, fuse2fs.\n"},
    {"recover", CLI_RECOVER, "IMAGE", 1, cli_plain_change, "finish or take back an interrupted change",
     "After a crash in the middle of a change: puts the new image in place if it is\n"
     "complete, else cleans up and leaves the old one as it is. Where the data of an\n"
     "image was being moved, both ways are open: --forward finishes that, --back takes\n"
     "it back; without either the shorter one is taken, and -n tells what each moves.\n"},
    {"undo", CLI_UNDO, "IMAGE", 1, cli_plain_change, "take back the last change",
     "Puts the image back, byte for byte, as it was before the last change, as long\n"
     "as nobody has written to it since. --discard gives that up and frees the space.\n"},
    {"help", CLI_HELP, "[COMMAND]", 1, cli_help, "what a command does, and its options",
     "The same as COMMAND --help; without a command what cowtui --help says.\n"},
    {NULL, 0, NULL, 0, NULL, NULL, NULL},
};

const struct cli_command cli_screen_command = {
    "", CLI_SCREEN, "[IMAGE | DIR]", 1, NULL, "look at IMAGE on the screen, or choose one", NULL};

const struct cli_command *cli_find_command(const char *name)
{
    for (const struct cli_command *command = cli_command_table; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}
