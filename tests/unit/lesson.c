/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lesson: what its texts say is what the model finds in the files, step by step, and going back brings
 * the same files again. Texts and pictures fit into the smallest screen, and name no key or command that
 * there is not. The private directory goes, and nothing of others' goes with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support.h"
#include "tui/lesson/course.h"
#include "tui/lesson/lesson.h"

/* The steps in which something happens, as the table has them, and the step before. */
enum { FILES, CLEAR, WRITE, SET, FILL, TOUCH, MEND, GROW, FIT };

enum { COLS = LESSON_PICTURE_COLS, PAGE_SECTORS = 8 };

static char base[64];

/* The practice disk is made in a directory of the test's own, whose path is short enough. */
static void setup(void)
{
    const char *where = getenv("TMPDIR");
    snprintf(base, sizeof base, "%s/lXXXXXX", where != NULL && strlen(where) < 40 ? where : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(base));
    setenv("TMPDIR", base, 1);
    signal(SIGXFSZ, SIG_IGN);
}

static void teardown(void)
{
    char *left = directory_list(base);
    must(left[0] == '\0', "left behind: %s", left);
    free(left);
    ck_assert_int_eq(rmdir(base), 0);
}

/* ---- what is in the files, by the model ---- */

struct seen {
    struct model_view view;
    uint64_t dirty, n_bytes, backing_bytes;
    int64_t backing_mtime;
    uint8_t *disk;
};

static struct seen look(const struct practice *practice)
{
    struct seen seen = {.backing_bytes = file_size(practice->backing),
                        .backing_mtime = file_mtime(practice->backing)};
    must(model_read_header(&seen.view, practice->cow, COW_FORMAT_V3), "no header of a v3");
    for (uint64_t i = 0; i < seen.view.geometry.sectors; i++) {
        seen.dirty += model_file_bit(practice->cow, &seen.view.geometry, i);
    }
    seen.disk = model_compose(practice->cow, COW_FORMAT_V3, NULL, &seen.n_bytes);
    ck_assert_ptr_nonnull(seen.disk);
    ck_assert_str_eq(seen.view.path, practice->backing);
    return seen;
}

static bool reads(const struct seen *seen, const struct practice *practice, const char *text)
{
    const uint64_t at = practice->sector * seen->view.sector_bytes;
    return memcmp(seen->disk + at, text, strlen(text)) == 0;
}

static const char old_text[] = "What was always here.", new_text[] = "The guest wrote this!";

/* A kernel's checks: size, then date. */
static bool fits(const struct seen *seen)
{
    return seen->view.size_bytes == seen->backing_bytes && seen->view.mtime == seen->backing_mtime;
}

static struct course begin(void)
{
    struct course course;
    struct cow_error err = {0};
    must_succeed(course_begin(&course, &err), err);
    return course;
}

static void advance(struct course *course)
{
    struct cow_error err = {0};
    must_succeed(course_advance(course, &err), err);
}

/* At the end of the step with that number, from 0. */
static void go(struct course *course, int step)
{
    struct cow_error err = {0};
    must_succeed(course_go(course, step, &err), err);
    must_succeed(course_finish(course, &err), err);
    ck_assert_int_eq(course->step, step);
    ck_assert(course_rests(course));
}

START_TEST(a_write_is_bytes_then_bits)
{
    struct course course = begin();
    struct practice *practice = &course.practice;
    struct cow_error err = {0};
    go(&course, CLEAR);
    struct seen seen = look(practice);
    must(seen.dirty == 0 && reads(&seen, practice, old_text) && fits(&seen), "not new");
    free(seen.disk);
    must_succeed(course_go(&course, WRITE, &err), err);
    for (int frame = 0; frame <= lesson_steps[course.step].last; frame++) {
        char bytes[sizeof new_text] = "";
        seen = look(practice);
        file_read(practice->cow, seen.view.geometry.data_offset + practice->sector * seen.view.sector_bytes,
                  bytes, sizeof bytes - 1);
        must((strcmp(bytes, new_text) == 0) == (frame > 0), "bytes in frame %d", frame);
        must(seen.dirty == (frame == 2 ? PAGE_SECTORS : 0), "bits in frame %d", frame);
        must(reads(&seen, practice, frame == 2 ? new_text : old_text), "a read in frame %d", frame);
        free(seen.disk);
        advance(&course);
    }
    for (unsigned i = 0; i < PAGE_SECTORS; i++) {
        must(model_file_bit(practice->cow, &seen.view.geometry, practice->sector + i), "bit %u", i);
    }
    course_end(&course);
}
END_TEST

/* A command line in a text is the one that the plan of that step tells. */
static void check_command_line(const struct course *course)
{
    const char *text = strstr(lesson_steps[course->step].text, "cowtui ");
    char line[64];
    if (text != NULL && sscanf(text, "cowtui %63[a-z -]", line) == 1 && strchr(line, '-') != NULL) {
        must(strncmp(course->practice.command + strlen("cowtui "), line, strlen(line)) == 0,
             "\"%s\" is not \"cowtui %s\"", course->practice.command, line);
    }
}

START_TEST(each_step_is_what_it_says)
{
    struct course course = begin();
    const struct practice *practice = &course.practice;
    uint64_t dirty = 0;
    for (int step = 0; step < LESSON_STEPS; step++) {
        go(&course, step);
        struct seen seen = look(practice);
        must(seen.n_bytes == (step >= GROW ? 12U << 20 : 8U << 20), "step %d: %lu bytes", step,
             (unsigned long)seen.n_bytes);
        must(fits(&seen) == (step != TOUCH && step != GROW), "step %d: does it fit?", step);
        must(practice->verdict.opens == fits(&seen), "step %d: %s", step, practice->verdict.reason);
        must(reads(&seen, practice, step >= WRITE ? new_text : old_text), "step %d: another text", step);
        must(practice->usage.dirty_sectors == seen.dirty, "step %d: counts", step);
        check_command_line(&course);
        if (step == FILL) {
            dirty = seen.dirty;
        }
        must(step < FILL ? seen.dirty == (step >= WRITE ? PAGE_SECTORS : 0) : seen.dirty >= dirty,
             "step %d: dirt", step);
        must(step == GROW ? seen.dirty == dirty + (4U << 20) / 512 : step <= FILL || seen.dirty == dirty,
             "step %d: new sectors", step);
        free(seen.disk);
    }
    must(dirty > 1000, "the bitmap does not fill: %lu", (unsigned long)dirty);
    course_end(&course);
}
END_TEST

/* Only as the last frame begins something is written; then the data is where the plan had it. */
START_TEST(growing_is_shown_before_it_is_done)
{
    struct course course = begin();
    const struct practice *practice = &course.practice;
    struct cow_error err = {0};
    go(&course, MEND);
    const struct witness cow = witness_of(practice->cow), backing = witness_of(practice->backing);
    must_succeed(course_go(&course, GROW, &err), err);
    while (course.frame < lesson_steps[course.step].last) {
        must(practice->growth.known && witness_same_content(&cow), "written in frame %d", course.frame);
        advance(&course);
    }
    struct seen seen = look(practice);
    ck_assert_uint_eq(practice->growth.after.data_offset, seen.view.geometry.data_offset);
    must(practice->growth.after.data_offset > practice->growth.before.data_offset, "the data did not move");
    for (uint64_t i = practice->growth.before.sectors; i < seen.view.geometry.sectors; i++) {
        must(model_file_bit(practice->cow, &seen.view.geometry, i), "new sector %lu is clean",
             (unsigned long)i);
    }
    free(seen.disk);
    witness_check(&backing, "the backing file");
    go(&course, FIT);
    seen = look(practice);
    for (uint64_t i = practice->growth.before.sectors; i < seen.view.geometry.sectors; i++) {
        must(!model_file_bit(practice->cow, &seen.view.geometry, i), "new sector %lu is dirty",
             (unsigned long)i);
    }
    free(seen.disk);
    course_end(&course);
}
END_TEST

/* From each step to each other one: the files are the same as when it was reached first. */
START_TEST(going_back_brings_the_same_files)
{
    struct course course = begin();
    struct witness cow[LESSON_STEPS], backing[LESSON_STEPS];
    for (int step = 0; step < LESSON_STEPS; step++) {
        go(&course, step);
        cow[step] = witness_of(course.practice.cow);
        backing[step] = witness_of(course.practice.backing);
    }
    for (int step = LESSON_STEPS - 1; step >= 0; step--) {
        go(&course, step);
        must(witness_same_content(&cow[step]) && witness_same_content(&backing[step]),
             "step %d is another one", step);
        ck_assert_int_eq(file_mtime(course.practice.backing), backing[step].facts.st_mtime);
        struct seen seen = look(&course.practice);
        must(course.practice.usage.dirty_sectors == seen.dirty, "step %d shows an older disk", step);
        must(course.practice.verdict.opens == fits(&seen), "step %d: %s", step,
             course.practice.verdict.reason);
        free(seen.disk);
    }
    course_end(&course);
}
END_TEST

/* ---- texts ---- */

static int lines_of(const char *text, int cols)
{
    struct tui_page page = {0};
    tui_page_begin(&page, cols);
    tui_page_line(&page);
    tui_page_wrap(&page, 0, 0, TUI_NORMAL, text);
    int lines = page.lines;
    tui_page_free(&page);
    return lines;
}

static void check_ascii(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        must(*c >= ' ' && *c < 0x7f, "no ASCII in \"%s\"", text);
    }
}

/* Each ":word" is a command that there is. */
static void check_commands(const char *text)
{
    const char *argument;
    struct cow_error err = {0};
    const struct tui_action *action;
    char word[64];
    for (const char *c = strchr(text, ':'); c != NULL; c = strchr(c + 1, ':')) {
        if (sscanf(c, ":%63[a-z-]", word) == 1) {
            must(tui_action_of_command(&action, &argument, word, &err) == 0, "there is no :%s", word);
        }
    }
}

START_TEST(texts_fit_and_name_what_there_is)
{
    for (int i = 0; i < LESSON_STEPS; i++) {
        const struct lesson_step *step = &lesson_steps[i];
        must(step->title && step->text && step->draw && step->last >= 0, "step %d lacks something", i);
        must(step->last == 0 || (step->act && step->tenths > 0), "step %d does not move", i);
        check_ascii(step->title);
        check_ascii(step->text);
        check_commands(step->text);
        must(lines_of(step->text, COLS) <= LESSON_TEXT_LINES, "the text of step %d has %d lines", i,
             lines_of(step->text, COLS));
        must(strlen(step->title) <= 26, "the title of step %d has no room beside the steps", i);
        for (int k = 0; k < LESSON_SAID && step->said[k] != NULL; k++) {
            check_ascii(step->said[k]);
            must(strlen(step->said[k]) < COLS - 4, "\"%s\" is too long", step->said[k]);
        }
    }
}
END_TEST

START_TEST(the_ways_from_here_are_there)
{
    int n = 0;
    for (const struct lesson_way *way = lesson_ways; way->words != NULL; way++, n++) {
        check_ascii(way->words);
        if (way->typed != NULL) {
            check_commands(way->typed);
        } else {
            must(lesson_key_of(way->id, way->contexts) != 0, "no key for \"%s\"", way->words);
        }
    }
    must(n > 4 && n <= LESSON_PICTURE_ROWS, "%d ways", n);
}
END_TEST

/* ---- pictures ---- */

static void draw(struct tui_canvas *canvas, const struct course *course, struct tui_rect area)
{
    ck_assert_int_eq(tui_canvas_resize(canvas, COLS + 4, 2 * LESSON_PICTURE_ROWS), 0);
    tui_fill(canvas, (struct tui_rect){0, 0, canvas->cols, canvas->rows}, '@', TUI_NORMAL);
    tui_fill(canvas, area, ' ', TUI_NORMAL);
    lesson_steps[course->step].draw(&(struct lesson_picture){&course->practice, canvas, area, course->frame,
                                                             lesson_steps[course->step].last});
}

/* Nothing beside its place, nothing that is cut, and not nothing. */
static void check_picture(const struct tui_canvas *canvas, struct tui_rect area, const struct course *course)
{
    int shown = 0;
    for (int y = 0; y < canvas->rows; y++) {
        for (int x = 0; x < canvas->cols; x++) {
            uint32_t ch = canvas->cell[y * canvas->cols + x].ch;
            bool inside = x >= area.x && x < area.x + area.cols && y >= area.y && y < area.y + area.rows;
            must(inside || ch == '@', "step %d frame %d: drawn at %d,%d", course->step, course->frame, x, y);
            must(!inside || x < area.x + area.cols - 1 || ch != '~', "step %d frame %d: cut in row %d",
                 course->step, course->frame, y);
            must(ch < 0x7f || !canvas->ascii, "step %d: U+%04X in ASCII", course->step, ch);
            shown += inside && ch != ' ';
        }
    }
    must(shown > 3 * COLS / 2, "step %d frame %d: %d cells", course->step, course->frame, shown);
}

START_TEST(pictures_fit)
{
    struct course course = begin();
    struct tui_canvas canvas = {.ascii = _i == 1};
    const struct tui_rect area = {2, 3, COLS, LESSON_PICTURE_ROWS};
    struct cow_error err = {0};
    for (int step = 0; step < LESSON_STEPS; step++) {
        must_succeed(course_go(&course, step, &err), err);
        for (;;) {
            draw(&canvas, &course, area);
            check_picture(&canvas, area, &course);
            if (course_rests(&course)) {
                break;
            }
            advance(&course);
        }
    }
    tui_canvas_free(&canvas);
    course_end(&course);
}
END_TEST

/* ---- the directory ---- */

START_TEST(the_directory_is_private_and_goes)
{
    struct course course = begin();
    char path[PRACTICE_PATH_BYTES], foreign[PRACTICE_PATH_BYTES + 32];
    struct stat facts;
    snprintf(path, sizeof path, "%s", course.practice.directory.path);
    must(strncmp(path, base, strlen(base)) == 0, "%s is not in TMPDIR", path);
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert_uint_eq(facts.st_mode & 07777, 0700);
    go(&course, LESSON_STEPS - 1);
    course_end(&course);
    must(!file_exists(path), "%s is still there", path);

    course = begin();
    snprintf(path, sizeof path, "%s", course.practice.directory.path);
    snprintf(foreign, sizeof foreign, "%s/notes.txt", path);
    file_write(foreign, "mine", 4);
    go(&course, WRITE);
    course_end(&course);
    must(file_exists(foreign), "somebody else's file is gone");
    char *left = directory_list(path);
    ck_assert_str_eq(left, "notes.txt");
    free(left);
    ck_assert_int_eq(unlink(foreign) | rmdir(path), 0);
}
END_TEST

START_TEST(what_a_kill_left_is_swept)
{
    static const char *const names[] = {"held", "disk.cow", "disk.img", ".disk.cow.cowtui-undo"};
    char left[96], used[96], name[160];
    snprintf(left, sizeof left, "%s/cowtui-tour-AAAAAA", base);
    snprintf(used, sizeof used, "%s/cowtui-tour-BBBBBB", base);
    ck_assert_int_eq(mkdir(left, 0700) | mkdir(used, 0700), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", left, names[i]);
        file_write(name, "x", 1);
    }
    snprintf(name, sizeof name, "%s/held", used);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    struct course course = begin();
    must(!file_exists(left), "what was left is still there");
    must(file_exists(used), "another's practice disk is gone");
    course_end(&course);
    close(fd);
    ck_assert_int_eq(unlink(name) | rmdir(used), 0);
}
END_TEST

/* ---- trouble ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(no_disk_is_told_and_nothing_is_left)
{
    struct course course;
    struct cow_error err = {0};
    limit_files(1 << 20);
    must_fail(course_begin(&course, &err), COW_IO, err);
    ck_assert_int_eq(err.sys_errno, EFBIG);
    must(strstr(err.message, "disk.img") != NULL, "which file? %s", err.message);
    limit_files(RLIM_INFINITY);
}
END_TEST

START_TEST(a_write_that_fails_loses_the_disk_and_no_more)
{
    struct course course = begin();
    struct cow_error err = {0};
    go(&course, SET);
    must_succeed(course_go(&course, FILL, &err), err);
    limit_files(1 << 20);
    must_fail(course_finish(&course, &err), COW_IO, err);
    must(course.is_lost, "nobody says that the disk is lost");
    must_succeed(course_advance(&course, &err), err); /* does nothing */
    must_fail(course_go(&course, TOUCH, &err), COW_IO, err);
    must(course.is_lost && course.step == FILL, "it went on");
    limit_files(RLIM_INFINITY);
    go(&course, TOUCH);
    struct seen seen = look(&course.practice);
    must(!fits(&seen) && seen.dirty > 1000, "the disk is not that of the step");
    free(seen.disk);
    course_end(&course);
}
END_TEST

Suite *lesson_suite(void)
{
    Suite *suite = suite_create("lesson");
    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, texts_fit_and_name_what_there_is);
    tcase_add_test(texts, the_ways_from_here_are_there);
    suite_add_tcase(suite, texts);
    TCase *tc = tcase_create("disk");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60); /* a change is flushed a dozen times */
    tcase_add_test(tc, a_write_is_bytes_then_bits);
    tcase_add_test(tc, each_step_is_what_it_says);
    tcase_add_test(tc, growing_is_shown_before_it_is_done);
    tcase_add_test(tc, going_back_brings_the_same_files);
    tcase_add_loop_test(tc, pictures_fit, 0, 2);
    tcase_add_test(tc, the_directory_is_private_and_goes);
    tcase_add_test(tc, what_a_kill_left_is_swept);
    tcase_add_test(tc, no_disk_is_told_and_nothing_is_left);
    tcase_add_test(tc, a_write_that_fails_loses_the_disk_and_no_more);
    suite_add_tcase(suite, tc);
    return suite;
}
