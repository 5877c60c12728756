/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All unit suites as one program. The last line is Check's count, which tests/run.sh adds up.
 * CK_RUN_SUITE and CK_RUN_CASE choose; CK_FORK=no helps a debugger.
 */
#include <stdlib.h>

#include "support.h"

int main(void)
{
    Suite *(*const suites[])(void) = {
        arith_suite,    text_suite,          error_suite,   header_suite,   kernel_suite,
        layout_suite,   bitmap_suite,        image_suite,   overlay_suite,  verdict_suite,
        plan_suite,     commit_suite,        fault_suite,   record_suite,   journal_suite,
        in_place_suite, undo_suite,          shrink_suite,  recover_suite,  lock_suite,
        check_suite,    scan_suite,          rewrite_suite, siblings_suite, merge_in_place_suite,
        diff_suite,     guestfs_parts_suite, guestfs_suite};
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        srunner_add_suite(runner, suites[i]());
    }
    scratch_create();
    srunner_run_all(runner, CK_NORMAL);
    scratch_remove();
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
