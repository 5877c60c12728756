/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names and texts of what a scan tells: classes of owners, kinds of change, types of files.
 */
#include "cow/fs.h"

static const struct {
    const char *name;
    const char *text;
    bool of_file;
} classes[COW_FS_CLASSES] = {
#define CLASS_ROW(id, name, of_file, text) [COW_FS_##id] = {name, text, of_file},
    COW_FS_CLASS_LIST(CLASS_ROW)
#undef CLASS_ROW
};

const char *cow_fs_class_name(enum cow_fs_class fs_class)
{
    return classes[fs_class].name;
}

const char *cow_fs_class_text(enum cow_fs_class fs_class)
{
    return classes[fs_class].text;
}

bool cow_fs_class_of_file(enum cow_fs_class fs_class)
{
    return classes[fs_class].of_file;
}

static const struct {
    const char *name;
    const char *text;
} kinds[COW_FS_KINDS] = {
#define KIND_ROW(id, name, text) [COW_FS_KIND_##id] = {name, text},
    COW_FS_KIND_LIST(KIND_ROW)
#undef KIND_ROW
};

const char *cow_fs_kind_name(enum cow_fs_kind kind)
{
    return kinds[kind].name;
}

const char *cow_fs_kind_text(enum cow_fs_kind kind)
{
    return kinds[kind].text;
}

const char *cow_fs_type_name(enum cow_fs_type type)
{
    static const char *const names[] = {[COW_FS_REGULAR] = "file",
                                        [COW_FS_DIRECTORY_FILE] = "directory",
                                        [COW_FS_SYMBOLIC_LINK] = "symlink",
                                        [COW_FS_SPECIAL] = "special"};
    return names[type];
}
