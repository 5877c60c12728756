/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All unit suites as one program: unit [--parts | SUITE...]. --parts names the suites, one a line, as
 * tests/run.py asks; without a name all are run. A line a test as it ends, in the form of TAP.
 * ONLY_CASE=PATTERN: only the tests whose names match. CK_FORK=no helps a debugger.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static const struct {
    const char *name;
    Suite *(*create)(void);
    unsigned seconds; /* about; where it takes longer than most: long ones are begun first */
} suites[] = {
    {"arith", arith_suite, 0},
    {"text", text_suite, 0},
    {"error", error_suite, 0},
    {"header", header_suite, 0},
    {"kernel", kernel_suite, 0},
    {"layout", layout_suite, 0},
    {"bitmap", bitmap_suite, 0},
    {"image", image_suite, 0},
    {"overlay", overlay_suite, 0},
    {"verdict", verdict_suite, 0},
    {"plan-refusals", plan_refusals_suite, 0},
    {"plan-resize", plan_resize_suite, 0},
    {"plan-create", plan_create_suite, 0},
    {"commit", commit_suite, 0},
    {"fault", fault_suite, 0},
    {"record", record_suite, 0},
    {"journal", journal_suite, 0},
    {"in-place", in_place_suite, 0},
    {"undo", undo_suite, 0},
    {"shrink", shrink_suite, 0},
    {"recover", recover_suite, 0},
    {"recover-others", recover_others_suite, 0},
    {"lock", lock_suite, 0},
    {"worlds", worlds_suite, 0},
    {"check-header", check_header_suite, 0},
    {"check-beside", check_beside_suite, 0},
    {"check-backing", check_backing_suite, 0},
    {"check-candidates", check_candidates_suite, 0},
    {"check-bits", check_bits_suite, 0},
    {"check-repair", check_repair_suite, 0},
    {"scan", scan_suite, 0},
    {"rewrite", rewrite_suite, 0},
    {"rewrite-refusals", rewrite_refusals_suite, 0},
    {"rewrite-selection", rewrite_selection_suite, 0},
    {"siblings", siblings_suite, 0},
    {"merge-in-place", merge_in_place_suite, 0},
    {"merge-in-place-faults", merge_in_place_faults_suite, 0},
    {"diff", diff_suite, 0},
    {"foreign", foreign_suite, 0},
    {"guestfs-parts", guestfs_parts_suite, 0},
    {"guestfs-content", guestfs_content_suite, 0},
    {"guestfs-changes", guestfs_changes_suite, 0},
    {"guestfs-owners", guestfs_owners_suite, 0},
    {"guestfs-faults", guestfs_faults_suite, 0},
    {"kinds", kinds_suite, 0},
    {"rescue", rescue_suite, 0},
    {"jobs", jobs_suite, 0},
    {"find", find_suite, 0},
    {"front", front_suite, 0},
#ifndef __SANITIZE_ADDRESS__ /* its plugin wants the sanitizer in nbdkit: the suites e2e and serve put it    \
                                there */
    {"front_served", front_served_suite, 0},
#endif
    {"input", input_suite, 0},
    {"look", look_suite, 0},
    {"words", words_suite, 0},
    {"canvas", canvas_suite, 0},
    {"paint", paint_suite, 0},
    {"looking", looking_suite, 0},
    {"cells", cells_suite, 0},
    {"lesson", lesson_suite, 0},
    {"promise", promise_suite, 0},
    {"chain", chain_suite, 0},
    {"family-record", family_record_suite, 0},
    {"resize-fs", resize_fs_suite, 0},
    {"writer", writer_suite, 0},
    {"list", list_suite, 0},
    {"follow", follow_suite, 0},
    {"history", history_suite, 0},
    {"history-logs", history_logs_suite, 0},
    {"follow-job", follow_job_suite, 0},
};
enum { N_SUITES = sizeof suites / sizeof suites[0] };

bool test_is_wanted(const char *name)
{
    const char *pattern = getenv("ONLY_CASE");
    return pattern == NULL || strcmp(pattern, name) == 0 || fnmatch(pattern, name, 0) == 0;
}

static int list_parts(void)
{
    const char *level = getenv("LEVEL");
    for (size_t i = 0; i < N_SUITES; i++) {
        /* The quickest set does without the slowest suite: the crash suite has faults, too. */
        if (level != NULL && strcmp(level, "check") == 0 && strcmp(suites[i].name, "fault") == 0) {
            continue;
        }
        printf(suites[i].seconds != 0 ? "%s %u\n" : "%s\n", suites[i].name, suites[i].seconds);
    }
    return EXIT_SUCCESS;
}

static bool is_named(const char *suite, int n_names, char **names)
{
    for (int i = 0; i < n_names; i++) {
        if (strcmp(names[i], suite) == 0) {
            return true;
        }
    }
    return n_names == 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--parts") == 0) {
        return list_parts();
    }
    SRunner *runner = srunner_create(NULL);
    size_t n_chosen = 0;
    for (size_t i = 0; i < N_SUITES; i++) {
        if (is_named(suites[i].name, argc - 1, argv + 1)) {
            srunner_add_suite(runner, suites[i].create());
            n_chosen++;
        }
    }
    if (n_chosen < (size_t)(argc - 1)) {
        fputs("unit: no such suite; unit --parts names them\n", stderr);
        srunner_free(runner);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    srunner_set_tap(runner, "-");
    scratch_create();
    srunner_run_all(runner, CK_SILENT);
    scratch_remove();
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
