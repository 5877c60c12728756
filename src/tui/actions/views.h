/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The views, a line each: what it is called in names (TUI_IN_ID, tui_view_name), its title, and its key. From
 * these lines are made its key, its `:` command, its line in Help, its section there, and its tab.
 */
#ifndef COW_TUI_ACTIONS_VIEWS_H
#define COW_TUI_ACTIONS_VIEWS_H

/* The tabs, in their order, with what Help says of them. */
#define TUI_EACH_TAB(VIEW)                                                                                   \
    VIEW(HEADER, header, "Header", '1', "fields, layout, verdict")                                           \
    VIEW(MAP, map, "Map", '2', "which sectors are in the COW")                                               \
    VIEW(BLOCKS, blocks, "Blocks", '3', "runs and where their bytes come from")                              \
    VIEW(FILES, files, "Files", '4', "what the guest has changed")                                           \
    VIEW(CHECK, check, "Check", '5', "what is wrong, and its fixes")

/* What is looked at over them, opened by an action or by another view, which may hand it something (its
 * argument). Keys and commands of looking hold there, too. */
#define TUI_EACH_OVER(VIEW)                                                                                  \
    VIEW(BYTES, bytes, "Bytes")                                                                              \
    VIEW(FAMILY, family, "Family")                                                                           \
    VIEW(OWNER, owner, "Owner")       /* whose the selected byte is */                                       \
    VIEW(FILE, file, "File")          /* argument: struct cow_fs_file */                                     \
    VIEW(DIFF, diff, "Diff")          /* argument: struct cow_fs_file */                                     \
    VIEW(FINDING, finding, "Finding") /* argument: enum cow_finding_code */

/* What tells or asks something before one goes on. */
#define TUI_EACH_PAGE(VIEW)                                                                                  \
    VIEW(HELP, help, "Help")                                                                                 \
    VIEW(SETTINGS, settings, "Settings")                                                                     \
    VIEW(MESSAGE, message, "Message")       /* argument: struct cow_error */                                 \
    VIEW(EXPLAINED, explained, "Explained") /* the same: both its texts are sentences */                     \
    VIEW(PENDING, pending, "Pending change")                                                                 \
    VIEW(CHANGE, change, "Change") /* argument: struct tui_change_request */                                 \
    VIEW(SERVING, serving, "Disk") /* argument: struct tui_serving_request */                                \
    VIEW(WIZARD, wizard, "Resize") /* argument: the size as text, "" if none */

#define TUI_EACH_VIEW(VIEW) TUI_EACH_TAB(VIEW) TUI_EACH_OVER(VIEW) TUI_EACH_PAGE(VIEW)

#endif
