/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A disk that a change holds, given to other programs (src/front): what is served on its descriptor, mounted
 * as a file, and written to by a tool, is in the image afterwards. Without nbdkit, its plugin or FUSE there
 * is nothing to test.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/mount.h"
#include "front/mounted.h"
#include "front/server.h"
#include "front/tools.h"
#include "support.h"

static bool can_serve(void)
{
    struct cow_error err;
    char path[4096];

    if (front_need_server(&err) == 0 && front_need_fuse(&err) == 0 &&
        front_need_tool(path, sizeof path, "nbdfuse", &err) == 0) {
        return true;
    }
    fprintf(stderr, "front_served: skipped: %s\n", err.message);
    return false;
}

static struct model *some_model(void)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3,
                                    .size_bytes = 1024 * 1024,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .backing_bytes = 1024 * 1024,
                                    .pattern = PATTERN_RUNS,
                                    .seed = 4};
    return model_create(&spec);
}

/* As a commit holds an image: open, locked by the kind of lock that a child has, too, and marked. */
static int take(const char *path)
{
    static const uint8_t mark[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);

    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &all), 0);
    ck_assert_int_eq(pwrite(fd, mark, sizeof mark, 12), sizeof mark);
    return fd;
}

static void write_by_tool(const char *file)
{
    char to[4300];
    int code;

    snprintf(to, sizeof to, "of=%s", file);
    const char *const argv[] = {"dd",       "if=/dev/zero",       to,  "bs=1000", "seek=3",
                                "count=20", "conv=notrunc,fsync", NULL};
    const struct front_command command = {.argv = argv};
    struct cow_error err = {0};
    must_succeed(front_run(&code, NULL, &command, NULL, &err), err);
    ck_assert_int_eq(code, 0);
}

START_TEST(a_held_image_is_served_mounted_and_written)
{
    if (!can_serve()) {
        return;
    }
    struct model *m = some_model();
    struct cow_error err = {0};
    uint8_t size[8], *composed;
    uint64_t size_bytes;
    int fd;
    struct front_server *server;
    struct front_mount *mount;
    struct stat facts;
    char file[4200];

    file_read(m->cow_path, 12, size, sizeof size);
    fd = take(m->cow_path);
    const struct front_server_options options = {.image_path = m->cow_path,
                                                 .is_writing = true,
                                                 .is_held = true,
                                                 .held_fd = fd,
                                                 .held_size_bytes = m->spec.size_bytes};
    const struct front_mount_options mount_options = {.is_writing = true};
    must_succeed(front_server_start(&server, &options, &err), err);
    ck_assert_uint_eq(front_server_size_bytes(server), m->spec.size_bytes);
    must_succeed(front_mount_disk(&mount, server, &mount_options, &err), err);
    snprintf(file, sizeof file, "%s", front_mount_path(mount));
    ck_assert_int_eq(stat(file, &facts), 0);
    ck_assert_int_eq(facts.st_size, (off_t)m->spec.size_bytes);
    write_by_tool(file);
    must_succeed(front_mount_stop(mount, &err), err);
    must_succeed(front_server_stop(server, &err), err);
    ck_assert_int_eq(access(file, F_OK), -1);
    ck_assert_int_eq(pwrite(fd, size, sizeof size, 12), sizeof size);
    close(fd);
    memset(m->disk + 3000, 0, 20000);
    composed = model_compose(m->cow_path, COW_FORMAT_V3, NULL, &size_bytes);
    ck_assert_ptr_nonnull(composed);
    ck_assert_int_eq(memcmp(composed, m->disk, m->spec.size_bytes), 0);
    free(composed);
    model_free(m);
}
END_TEST

/* What stops the core is told by the core's own words and status, though it was another process that met it.
 */
START_TEST(an_error_of_the_core_comes_through)
{
    struct front_server *server = NULL;
    struct cow_error err = {0};
    int go;

    if (!can_serve()) {
        return;
    }
    struct model *m = some_model();
    struct front_server_options options = {.image_path = m->cow_path, .is_writing = true, .held_fd = -1};
    hold_lock(m->cow_path, F_WRLCK, &go);
    ck_assert_int_eq(front_server_start(&server, &options, &err), COW_LOCKED);
    ck_assert_int_eq(err.status, COW_LOCKED);
    ck_assert_ptr_nonnull(strstr(err.message, m->cow_path));
    close(go);
    options.image_path = m->backing_path;
    options.is_writing = false;
    ck_assert_int_eq(front_server_start(&server, &options, &err), COW_NOT_COW);
    options.image_path = "/nowhere/x.cow";
    ck_assert_int_eq(front_server_start(&server, &options, &err), COW_IO);
    ck_assert_ptr_null(server);
    model_free(m);
}
END_TEST

Suite *front_served_suite(void)
{
    Suite *suite = suite_create("front_served");
    TCase *tests = tcase_create("served");

    tcase_add_checked_fixture(tests, test_directory_setup, NULL);
    tcase_add_test(tests, a_held_image_is_served_mounted_and_written);
    tcase_add_test(tests, an_error_of_the_core_comes_through);
    suite_add_tcase(suite, tests);
    return suite;
}
