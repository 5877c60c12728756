/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The other images on a backing file: found in both directories, by their headers, whatever they are called
 * and however they name it; and nothing else is. What resize decides by that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "changes.h"
#include "core/image/siblings.h"

enum { SIZE = 300 * 512 };

/* The image "m" in the test's directory, its backing file in "base/" or beside it. */
struct scene {
    char *image, *backing;
};

/* A COW file of any variant that names `stored`. */
static char *put_cow(const char *name, enum cow_format format, const char *stored)
{
    char *path = test_path(name);
    model_put_empty(path, format, stored, SIZE, 512, shapes[format].kind == 'a' ? 4096 : 0);
    return path;
}

static struct scene scene_of(bool apart)
{
    char *base = test_path("base");
    must(mkdir(base, 0700) == 0, "mkdir");
    free(base);
    struct scene scene = {.backing = test_path(apart ? "base/b.img" : "b.img")};
    file_truncate(scene.backing, SIZE);
    file_set_mtime(scene.backing, MODEL_MTIME);
    scene.image = put_cow("m", COW_FORMAT_V3, scene.backing);
    return scene;
}

static void scene_end(struct scene *scene)
{
    free(scene->image);
    free(scene->backing);
    test_directory_clear();
}

static struct cow_image *open_quick(const char *path, const char *backing)
{
    return image_opened(path, &(struct cow_open_options){.io = quick_io(), .backing_path = backing});
}

/* The siblings that are found are these names, and those alone: "base/x y", sorted. */
static void check_found(const char *image, const char *backing, const char *wanted)
{
    struct cow_error err = {.status = 0};
    struct siblings found;
    char names[8192] = "";
    const size_t skip = strlen(test_directory()) + 1;
    const unsigned files = open_files();
    struct cow_image *img = open_quick(image, backing);
    must_succeed(siblings_find(&found, img, &err), err);
    for (size_t i = 0; i < found.n; i++) {
        const size_t n = strlen(names);
        must(strncmp(found.sibling[i].path, test_directory(), skip - 1) == 0, "%s", found.sibling[i].path);
        snprintf(names + n, sizeof names - n, "%s%s", i == 0 ? "" : " ", found.sibling[i].path + skip);
    }
    must(strcmp(names, wanted) == 0, "found \"%s\", not \"%s\"", names, wanted);
    must(siblings_held(&found) == NULL, "held");
    siblings_clear(&found);
    must(found.n == 0 && found.sibling == NULL, "not cleared");
    cow_image_close(img);
    must(open_files() == files, "a file was left open");
}

START_TEST(however_they_name_it)
{
    struct scene scene = scene_of(true);
    char *link_of_file = test_path("link.img"), *link_of_directory = test_path("door"),
         *hard = test_path("hard.img"), *twisted;
    must(symlink(scene.backing, link_of_file) == 0 && symlink("base", link_of_directory) == 0 &&
             link(scene.backing, hard) == 0,
         "links");
    check_found(scene.image, NULL, "");
    free(put_cow("absolute", COW_FORMAT_V3, scene.backing));
    free(put_cow("relative", COW_FORMAT_V3, "base/b.img"));
    free(put_cow("dots", COW_FORMAT_V3, "./base/../base/b.img"));
    free(put_cow("by-link", COW_FORMAT_V3, link_of_file));
    free(put_cow("by-door", COW_FORMAT_V3, "door/b.img"));
    free(put_cow("by-hard", COW_FORMAT_V3, "hard.img"));
    must(asprintf(&twisted, "%s/door/../base//b.img", test_directory()) > 0, "out of memory");
    free(put_cow("by-twist", COW_FORMAT_V3, twisted));
    free(put_cow("base/beside", COW_FORMAT_V3, "b.img"));
    free(put_cow("base/absolute", COW_FORMAT_V3, scene.backing));
    const char *wanted = "absolute base/absolute base/beside by-door by-hard by-link by-twist dots relative";
    check_found(scene.image, NULL, wanted);
    check_found(scene.image, link_of_file, wanted); /* whatever name the user gave */
    check_found(scene.image, hard, "absolute by-door by-hard by-link by-twist dots relative");
    free(link_of_file);
    free(link_of_directory);
    free(hard);
    free(twisted);
    scene_end(&scene);
}
END_TEST

/* A relative path is meant from the file's own directory, or, as a kernel does it, from where we stand; not
 * from the image's. */
START_TEST(relative_paths)
{
    struct scene scene = scene_of(true);
    char here[4096];
    free(put_cow("wrong", COW_FORMAT_V3, "b.img"));           /* right from base/ */
    free(put_cow("base/wrong", COW_FORMAT_V3, "base/b.img")); /* right from above it */
    free(put_cow("right", COW_FORMAT_V3, "base/b.img"));
    check_found(scene.image, NULL, "right");
    must(getcwd(here, sizeof here) != NULL && chdir(test_directory()) == 0, "chdir");
    check_found(scene.image, NULL, "base/wrong right");
    check_found("m", NULL, "base/wrong right");
    check_found("./base/../m", NULL, "base/wrong right");
    must(chdir("base") == 0, "chdir");
    check_found("../m", NULL, "right wrong");
    must(chdir("/") == 0, "chdir");
    check_found(scene.image, NULL, "right");
    must(chdir(here) == 0, "chdir");
    scene_end(&scene);
}
END_TEST

START_TEST(every_variant)
{
    struct scene scene = scene_of(false);
    char wanted[1024] = "";
    for (int i = 0; i < COW_FORMATS; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%02d", i);
        free(put_cow(name, (enum cow_format)i, i % 2 == 0 ? scene.backing : "b.img"));
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s%s", i == 0 ? "" : " ", name);
    }
    check_found(scene.image, NULL, wanted);
    scene_end(&scene);
}
END_TEST

START_TEST(not_itself_under_any_name)
{
    struct scene scene = scene_of(true);
    char *hard = test_path("hard"), *far = test_path("base/hard"), *soft = test_path("soft");
    must(link(scene.image, hard) == 0 && link(scene.image, far) == 0 && symlink("m", soft) == 0, "links");
    check_found(scene.image, NULL, "");
    check_found(hard, NULL, "");
    check_found(far, NULL, "");
    check_found(soft, NULL, ""); /* and the directory is that of the file */
    free(put_cow("other", COW_FORMAT_V3, scene.backing));
    check_found(soft, NULL, "other");
    check_found(far, NULL, ""); /* seen from there, "other" is in neither directory */
    free(hard);
    free(far);
    free(soft);
    scene_end(&scene);
}
END_TEST

START_TEST(what_is_none)
{
    struct scene scene = scene_of(false);
    char *path, *other = test_path("other.img");
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_truncate(other, SIZE);
    file_set_mtime(other, MODEL_MTIME);
    free(put_cow("of-another", COW_FORMAT_V3, other));
    free(put_cow("of-nothing", COW_FORMAT_V3, "/nonexistent/b.img"));
    free(put_cow("of-itself", COW_FORMAT_V3, "of-itself"));
    free(put_cow("without", COW_FORMAT_QEMU, ""));
    path = put_cow(".m.cowtui-undo", COW_FORMAT_V3, scene.backing); /* marked */
    file_write_at(path, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    free(path);
    path = put_cow("cut", COW_FORMAT_V3, scene.backing);
    file_truncate(path, 279);
    free(path);
    path = put_cow("strange", COW_FORMAT_V3, scene.backing); /* a sector size that is none */
    file_write_at(path, shapes[COW_FORMAT_V3].sector, "\0\0\0\3", 4);
    free(path);
    path = test_path("text");
    file_write(path, "OOOM\0\0\0\3 and so on", 17);
    free(path);
    path = test_path("empty");
    file_write(path, "", 0);
    free(path);
    path = test_path("fifo");
    must(mkfifo(path, 0600) == 0, "mkfifo");
    free(path);
    path = test_path("directory");
    must(mkdir(path, 0700) == 0, "mkdir");
    free(path);
    path = test_path("dangling");
    must(symlink("nowhere", path) == 0, "symlink");
    free(path);
    path = test_path("loop");
    must(symlink("loop", path) == 0, "symlink");
    free(path);
    path = test_path("socket");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && strlen(path) < sizeof address.sun_path) {
        memcpy(address.sun_path, path, strlen(path) + 1);
        must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    }
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    path = put_cow("real", COW_FORMAT_V3, scene.backing);
    char *soft = test_path("a-link"); /* found once, by its own name */
    must(symlink("real", soft) == 0, "symlink");
    free(soft);
    free(path);
    path = put_cow("unreadable", COW_FORMAT_V3, scene.backing);
    must(chmod(path, 0) == 0, "chmod");
    check_found(scene.image, NULL, access(path, R_OK) == 0 ? "real unreadable" : "real"); /* root */
    free(path);
    free(other);
    scene_end(&scene);
}
END_TEST

static int refusing_open(void *context, const char *path, int flags, mode_t mode)
{
    return strstr(path, context) != NULL ? -EACCES : io_system.open(NULL, path, flags, mode);
}

static int refusing_list(void *context, const char *directory,
                         int (*each)(void *each_context, const char *name), void *each_context)
{
    (void)context;
    (void)directory;
    (void)each;
    (void)each_context;
    return -EACCES;
}

/* The same where the system says no, for root reads everything. */
START_TEST(what_cannot_be_read_is_passed_over)
{
    struct scene scene = scene_of(false);
    struct cow_error err = {.status = 0};
    struct siblings found;
    struct cow_image *img;
    char closed[] = "/closed";
    struct cow_io io = io_system;
    free(put_cow("closed", COW_FORMAT_V3, scene.backing));
    free(put_cow("open", COW_FORMAT_V3, scene.backing));
    io.context = closed;
    io.open = refusing_open;
    const struct cow_open_options options = {.io = &io};
    must_succeed(cow_image_open(&img, scene.image, &options, &err), err);
    must_succeed(siblings_find(&found, img, &err), err);
    must(found.n == 1 && !found.incomplete && strstr(found.sibling[0].path, "/open") != NULL, "%zu found",
         found.n);
    siblings_clear(&found);
    io.list = refusing_list;
    must_succeed(siblings_find(&found, img, &err), err);
    must(found.n == 0 && found.incomplete, "%zu found", found.n);
    siblings_clear(&found);
    cow_image_close(img);
    scene_end(&scene);
}
END_TEST

START_TEST(without_a_backing_file_there_are_none)
{
    struct scene scene = scene_of(false);
    char *alone = put_cow("alone", COW_FORMAT_QEMU, "");
    free(put_cow("alone2", COW_FORMAT_QEMU, ""));
    check_found(alone, NULL, "");
    check_found(alone, scene.backing, "m"); /* the user names one */
    unlink(scene.backing);
    free(put_cow("other", COW_FORMAT_V3, scene.backing));
    check_found(scene.image, NULL, "");
    free(alone);
    scene_end(&scene);
}
END_TEST

START_TEST(looking_changes_nothing)
{
    struct scene scene = scene_of(true);
    char *path = put_cow("other", COW_FORMAT_V2, scene.backing);
    const struct witness image = witness_of(scene.image), other = witness_of(path),
                         backing = witness_of(scene.backing);
    check_found(scene.image, NULL, "other");
    witness_check(&image, "looking");
    witness_check(&other, "looking");
    witness_check(&backing, "looking");
    free(path);
    scene_end(&scene);
}
END_TEST

static void let_go(pid_t pid, int go)
{
    close(go);
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
}

/* What this program keeps beside an image is none, marked or not. */
START_TEST(side_files)
{
    static const char *const names[] = {".m.cowtui-new", ".m.cowtui-old", ".m.cowtui-undo"};
    struct scene scene = scene_of(false);
    for (size_t i = 0; i < 3; i++) {
        free(put_cow(names[i], COW_FORMAT_V3, scene.backing));
    }
    check_found(scene.image, NULL, "");
    scene_end(&scene);
}
END_TEST

/* A guest that takes no lock has it open for writing; and a change of it may have been interrupted. */
START_TEST(in_use_without_a_lock_and_pending)
{
    struct scene scene = scene_of(false);
    struct cow_error err = {.status = 0};
    struct siblings found;
    int go;
    char *a = put_cow("a", COW_FORMAT_V3, scene.backing), *journal = test_path(".a.cowtui-journal");
    struct cow_image *img = open_quick(scene.image, NULL);
    pid_t pid = hold_lock(a, F_UNLCK, &go);
    must_succeed(siblings_find(&found, img, &err), err);
    must(found.n == 1 && found.sibling[0].holder.held && !found.sibling[0].pending &&
             found.sibling[0].mtime == MODEL_MTIME,
         "a silent writer");
    siblings_clear(&found);
    let_go(pid, go);
    file_write(journal, "x", 1);
    must_succeed(siblings_find(&found, img, &err), err);
    must(found.n == 1 && !found.sibling[0].holder.held && found.sibling[0].pending, "pending");
    siblings_clear(&found);
    must(unlink(journal) == 0, "unlink");
    file_write_at(a, 12, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    must_succeed(siblings_find(&found, img, &err), err);
    must(found.n == 1 && found.sibling[0].pending, "one with the mark");
    siblings_clear(&found);
    const struct cow_resize_options extend = {.size_bytes = 400 * 512, .policy = COW_POLICY_EXTEND};
    struct cow_plan *plan;
    must_fail(cow_plan_resize(&plan, img, &extend, &err), COW_REFUSED, err);
    must(strstr(err.hint, "recover") != NULL, "%s", err.hint);
    const struct cow_merge_options merge = {.in_place = true};
    must_fail(cow_plan_merge(&plan, img, &merge, &err), COW_REFUSED, err);
    cow_image_close(img);
    free(a);
    free(journal);
    scene_end(&scene);
}
END_TEST

START_TEST(who_holds_them)
{
    struct scene scene = scene_of(true);
    struct cow_error err = {.status = 0};
    struct siblings found;
    int go;
    free(put_cow("a", COW_FORMAT_V3, scene.backing));
    char *b = put_cow("b", COW_FORMAT_V3, scene.backing);
    free(put_cow("c", COW_FORMAT_V3, scene.backing));
    pid_t pid = hold_lock(b, F_WRLCK, &go);
    struct cow_image *img = open_quick(scene.image, NULL);
    must_succeed(siblings_find(&found, img, &err), err);
    must(found.n == 3 && !found.sibling[0].holder.held && found.sibling[1].holder.held &&
             !found.sibling[2].holder.held && found.sibling[1].holder.pid == pid,
         "who holds what");
    const struct sibling *held = siblings_held(&found);
    must(held == &found.sibling[1] && strcmp(held->path, b) == 0, "held");
    siblings_clear(&found);
    let_go(pid, go);
    must_succeed(siblings_find(&found, img, &err), err);
    must(siblings_held(&found) == NULL, "still held");
    siblings_clear(&found);
    cow_image_close(img);
    free(b);
    scene_end(&scene);
}
END_TEST

/* ---- what resize makes of them ---- */

static int plan_resize(const char *image, const struct cow_resize_options *opt, char policy[16],
                       size_t *siblings, size_t *notes, struct cow_error *err)
{
    struct cow_image *img = open_quick(image, NULL);
    struct cow_plan *plan = NULL;
    int status = cow_plan_resize(&plan, img, opt, err);
    policy[0] = '\0';
    if (status == 0) {
        const struct cow_preview *p = cow_plan_preview(plan);
        snprintf(policy, 16, "%s", p->policy);
        *siblings = p->siblings;
        *notes = p->notes;
        for (size_t i = 1; i < p->siblings; i++) {
            must(strcmp(p->sibling[i - 1], p->sibling[i]) < 0, "not sorted");
        }
    }
    must(status == 0 || plan == NULL, "*out was touched");
    cow_plan_free(plan);
    cow_image_close(img);
    return status;
}

/* More than a preview lists, and one that it does not list holds it up all the same. */
static void check_many_siblings(const struct scene *scene, const struct cow_resize_options *extend,
                                size_t notes_before)
{
    struct cow_error err = {.status = 0};
    char policy[16];
    size_t n = 0, notes = 0;
    int go;
    for (unsigned i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "many%02u", i);
        free(put_cow(name, COW_FORMAT_V3, scene->backing));
    }
    must_succeed(plan_resize(scene->image, extend, policy, &n, &notes, &err), err);
    must(n == 32 && notes > notes_before, "%zu siblings and %zu notes", n, notes);
    char *last = test_path("many39");
    pid_t pid = hold_lock(last, F_WRLCK, &go);
    must_fail(plan_resize(scene->image, extend, policy, &n, &notes, &err), COW_LOCKED, err);
    let_go(pid, go);
    free(last);
}

START_TEST(growing_without_a_policy)
{
    struct scene scene = scene_of(_i == 1);
    struct cow_error err = {.status = 0};
    char policy[16];
    size_t n = 0, notes = 0, notes_before = 0;
    int go;
    char *out = test_path("out");
    const struct cow_resize_options grow = {.size_bytes = 400 * 512};
    const struct cow_resize_options extend = {.size_bytes = 400 * 512, .policy = COW_POLICY_EXTEND};
    const struct cow_resize_options copy = {.size_bytes = 400 * 512, .policy = COW_POLICY_COPY};
    const struct cow_resize_options shrink = {.size_bytes = 200 * 512, .shrink = true};
    const struct cow_resize_options elsewhere = {.size_bytes = 400 * 512, .output_path = out};
    must_succeed(plan_resize(scene.image, &grow, policy, &n, &notes, &err), err);
    ck_assert_str_eq(policy, "extend");
    ck_assert_uint_eq(n, 0);
    must_fail(plan_resize(scene.image, &elsewhere, policy, &n, &notes, &err), COW_REFUSED, err);

    free(put_cow("unrelated", COW_FORMAT_V3, "/nonexistent"));
    must_succeed(plan_resize(scene.image, &grow, policy, &n, &notes_before, &err), err);

    char *sibling = put_cow(_i == 1 ? "base/sibling" : "sibling", COW_FORMAT_V2, scene.backing);
    must_fail(plan_resize(scene.image, &grow, policy, &n, &notes, &err), COW_REFUSED, err);
    must(strstr(err.message, sibling) != NULL && strstr(err.message, "others") == NULL, "%s", err.message);
    must(strstr(err.hint, "--policy extend") != NULL && strstr(err.hint, "--policy copy") != NULL, "%s",
         err.hint);
    must_succeed(plan_resize(scene.image, &extend, policy, &n, &notes, &err), err);
    ck_assert_uint_eq(n, 1);
    must_succeed(plan_resize(scene.image, &copy, policy, &n, &notes, &err), err);
    ck_assert_uint_eq(n, 0); /* nobody's business */
    must_succeed(plan_resize(scene.image, &shrink, policy, &n, &notes, &err), err);
    ck_assert_str_eq(policy, "copy");

    pid_t pid = hold_lock(sibling, F_WRLCK, &go);
    char number[32];
    snprintf(number, sizeof number, "pid %d", (int)pid);
    must_fail(plan_resize(scene.image, &extend, policy, &n, &notes, &err), COW_LOCKED, err);
    must(strstr(err.message, number) != NULL && strstr(err.message, sibling) != NULL, "%s", err.message);
    must_fail(plan_resize(scene.image, &grow, policy, &n, &notes, &err), COW_REFUSED, err);
    must_succeed(plan_resize(scene.image, &copy, policy, &n, &notes, &err), err);
    let_go(pid, go);

    free(put_cow("another", COW_FORMAT_V1, scene.backing));
    must_fail(plan_resize(scene.image, &grow, policy, &n, &notes, &err), COW_REFUSED, err);
    must(strstr(err.message, "others") != NULL, "%s", err.message);
    must_succeed(plan_resize(scene.image, &extend, policy, &n, &notes, &err), err);
    ck_assert_uint_eq(n, 2);

    check_many_siblings(&scene, &extend, notes_before);
    free(sibling);
    free(out);
    scene_end(&scene);
}
END_TEST

static int read_only_open(void *context, const char *path, int flags, mode_t mode)
{
    return (flags & O_ACCMODE) != O_RDONLY && strcmp(path, context) == 0
               ? -EACCES
               : io_system.open(NULL, path, flags, mode);
}

START_TEST(a_backing_file_that_cannot_be_written)
{
    struct scene scene = scene_of(false);
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    struct cow_io io = io_system;
    io.context = scene.backing;
    io.open = read_only_open;
    const struct cow_open_options options = {.io = &io};
    const struct cow_resize_options grow = {.size_bytes = 400 * 512};
    must_succeed(cow_image_open(&img, scene.image, &options, &err), err);
    must_fail(cow_plan_resize(&plan, img, &grow, &err), COW_REFUSED, err);
    must(plan == NULL && strstr(err.hint, "--policy copy") != NULL, "%s", err.hint);
    cow_image_close(img);
    scene_end(&scene);
}
END_TEST

/* Once it was resized, too, it is no obstacle; and one with the old size stays one. */
START_TEST(growing_one_after_the_other)
{
    struct scene scene = scene_of(false);
    struct cow_error err = {.status = 0};
    char *other = put_cow("other", COW_FORMAT_V3, scene.backing);
    const char *const images[] = {scene.image, other};
    for (unsigned i = 0; i < 2; i++) {
        const struct cow_resize_options extend = {
            .size_bytes = 400 * 512, .policy = COW_POLICY_EXTEND, .force = i == 1};
        struct cow_image *img = open_quick(images[i], NULL);
        struct cow_plan *plan;
        must_succeed(cow_plan_resize(&plan, img, &extend, &err), err);
        ck_assert_uint_eq(cow_plan_preview(plan)->siblings, i == 0 ? 1 : 0); /* it is long already */
        must_succeed(cow_plan_commit(plan, NULL, &err), err);
        cow_plan_free(plan);
        cow_image_close(img);
        struct cow_verdict verdict;
        img = open_quick(images[i], NULL);
        cow_image_verdict(img, &verdict);
        must(verdict.opens, "%s", verdict.reason);
        cow_image_close(img);
    }
    ck_assert_uint_eq(file_size(scene.backing), 400 * 512);
    free(other);
    scene_end(&scene);
}
END_TEST

Suite *siblings_suite(void)
{
    Suite *suite = suite_create("siblings");
    TCase *tc = tcase_create("siblings");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, however_they_name_it);
    tcase_add_test(tc, relative_paths);
    tcase_add_test(tc, every_variant);
    tcase_add_test(tc, not_itself_under_any_name);
    tcase_add_test(tc, what_is_none);
    tcase_add_test(tc, what_cannot_be_read_is_passed_over);
    tcase_add_test(tc, without_a_backing_file_there_are_none);
    tcase_add_test(tc, looking_changes_nothing);
    tcase_add_test(tc, side_files);
    tcase_add_test(tc, in_use_without_a_lock_and_pending);
    tcase_add_test(tc, who_holds_them);
    tcase_add_loop_test(tc, growing_without_a_policy, 0, 2);
    tcase_add_test(tc, a_backing_file_that_cannot_be_written);
    tcase_add_test(tc, growing_one_after_the_other);
    suite_add_tcase(suite, tc);
    return suite;
}
