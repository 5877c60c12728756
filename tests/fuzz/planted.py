#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the libFuzzer targets find anything? In a copy of the tree one line is made wrong for each target, which then has
to fail within a time.

Usage: planted.py SEEDS [TARGET...]     SEEDS: a folder that seeds.py has made (for guestfs)
A line a target: "ok TARGET: what was found", or "FAIL TARGET: not found"."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SECONDS = int(os.environ.get("FUZZ_SECONDS") or 120)
FAULTS = {
    "header": ("src/core/bits/bitmap.c", "return any & ~all & (", "return any & ("),
    "check": ("src/core/plan/selection.c", "bool equal = memcmp(m->s->disk + at, m->s->base + at, length) == 0;",
              "bool equal = memcmp(m->s->disk + at, m->s->base + at, length / 2) == 0;"),
    "change": ("src/core/commit/settle.c", "if (status == 0 && exact) {", "if (status == 0 && exact && record->extends != 0) {"),
    "records": ("src/core/commit/step_recover.c", "direction == FORWARD ? method_of(c)->forward(c)", "direction == BACK ? method_of(c)->forward(c)"),
    "history": ("src/core/history/history.c", "cow_sectors_in(bits, first, end - first) != (sets ? 0 : end - first)",
                "cow_sectors_in(bits, first, end - first) > (sets ? end - first - 1 : end - first)"),
    "tables": ("src/core/volumes/gpt.c", "out->present = true;", "out->present = out->backup;"),
    "guestfs": ("src/core/guestfs/names.c", "n < COMPONENTS_MAX ?", "n < COMPONENTS_MAX + 9 ?"),
    "text": ("src/core/base/glyphs.c", "code_point >= 0x7f && code_point < 0xa0", "code_point >= 0x7f && code_point < 0x9f"),
    "arguments": ("src/cli/options.c", "if (options->operands == options->command->n_operands)",
                  "if (options->operands >= 1 && options->command->n_operands >= 1)"),
    "prompt": ("src/tui/screen/prompt.c", "if (RL_ISSTATE(RL_STATE_ISEARCH) && byte", "if (RL_ISSTATE(RL_STATE_NSEARCH) && byte"),
    "theme": ("src/tui/look/roles.c", "word_bytes > 0 && number < 256", "word_bytes > 0 && number < 999"),
    "script": ("src/tui/terminal/script.c", "int status = run_line(script, line, event);", "free(line); int status = run_line(script, line, event);"),
}  # fmt: skip


def build(tree):
    made = subprocess.run(["make", "-C", tree, "-s", "fuzzers-build"], capture_output=True, text=True, check=False,
                          env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
    if made.returncode:
        sys.exit(made.stdout + made.stderr)


def fuzz(tree, target, seeds, work):
    """What the target says of the fault; None: it finds none. Its corpus has no file that fails, but for those of old."""
    here = os.path.join(work, target)
    subprocess.run([sys.executable, "-ES", os.path.join(ROOT, "tests/fuzz/starts.py"), here], check=True)
    corpora = [os.path.join(here, target)]
    kept = os.path.join(ROOT, "tests/fuzz/corpus", target)
    if os.path.isdir(kept):
        for name in os.listdir(kept):
            if not name.startswith("found-"):
                shutil.copy(os.path.join(kept, name), corpora[0])
    env = dict(os.environ, FUZZ_SCRATCH=work, FUZZ_SEEDS=os.path.realpath(seeds), FUZZ_KEEP=work, LC_ALL="C.UTF-8",
               ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:handle_abort=1", UBSAN_OPTIONS="halt_on_error=1")
    run = subprocess.run([f"{tree}/build/fuzzer/fuzzers/{target}", *corpora, f"-max_total_time={SECONDS}", "-max_len=66000",
                          "-print_final_stats=1", f"-artifact_prefix={here}/"], env=env, capture_output=True, text=True, errors="replace", check=False)
    if not run.returncode:
        return None
    said = re.search(r"^fuzz: .*|^SUMMARY: .*|.*runtime error.*|.*ERROR: .*", run.stderr, re.M)
    count = re.search(r"number_of_executed_units: *(\d+)", run.stderr)
    return f"{said[0] if said else run.stderr[-300:]} ({count[1] if count else '?'} executions)"


def main(seeds, names):
    failed = 0
    with tempfile.TemporaryDirectory(prefix="cowtui-planted.") as work:
        tree = os.path.join(work, "tree")
        os.makedirs(tree)
        shutil.copy(os.path.join(ROOT, "Makefile"), tree)
        for part in "include", "src", "tests", ".ci":
            shutil.copytree(os.path.join(ROOT, part), os.path.join(tree, part))
        build(tree)
        for target in names or FAULTS:
            path, was, becomes = FAULTS[target]
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                text = file.read()
            if text.count(was) != 1:
                sys.exit(f"planted.py: {path} has \"{was}\" {text.count(was)} times")
            with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                file.write(text.replace(was, becomes))
            build(tree)
            found = fuzz(tree, target, seeds, work)
            failed += found is None
            print(f"ok {target}: {found}" if found else f"FAIL {target}: not found in {SECONDS} s", flush=True)
            with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                file.write(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
