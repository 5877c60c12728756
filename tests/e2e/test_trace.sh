#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# COWTUI_TRACE: what is told of a change is what happens, as strace sees it and as the plan says; and the file that it
# goes to is nobody else's.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

traced() # WORDS CODE ARGUMENTS...: run, with the trace in ./trace
{
    rm -f trace
    COWTUI_TRACE=$1 COWTUI_TRACE_FILE=trace run "${@:2}"
}

# Each step that the plan lists is told, in order, and no other.
steps_are_the_plans()
{
    small
    run 0 resize -n --json x.cow 32M
    jq -r '.steps[].text' out >planned
    traced steps 0 resize -q -y x.cow 32M
    sed -n 's/^[^ ]* [0-9]* steps: step [0-9]* of [0-9]*: //p' trace >told
    [ -s planned ] || die "no steps"
    diff planned told >difference || die "other steps: $(head -n 2 difference)"
    eq "# cowtui trace" "$(head -n 1 trace)" "first line"
    eq "$(wc -l <planned)" "$(($(wc -l <trace) - 1))" lines
    eq 600 "$(stat -c %a trace)" mode
}

# Each call that changes a file is told, as many of each kind as the kernel got.
calls_are_the_kernels() # ARGUMENTS of a change of x.cow
{
    local call
    can_trace
    small
    chmod 600 x.cow
    ! sanitized || export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # that does not work under strace
    COWTUI_TRACE=calls COWTUI_TRACE_FILE=trace COWTUI_PROMISES=off strace -f -qq -o kernel -y \
        -e trace=fcntl,pwrite64,ftruncate,fsync,fdatasync,fallocate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,copy_file_range,fchmod,utimensat \
        "$program" -q -y "$@" >out 2>err || die "exit code $?: $(cat err)"
    sed -i -e "1,/F_OFD_SETLK/d" -e /cowtui-trial/d kernel # planning, and what is tried before the yes, are no part of the change
    for call in pwrite ftruncate fsync copy_file_range rename unlink link fchmod; do
        eq "$(grep -cE "^[0-9]+ +$call(at2?|64)?\(" kernel)" "$(grep -cE " calls: $call(\(noreplace\))? " trace)" "$call"
    done
    [ "$(grep -c ' calls: ' trace)" -ge 8 ] || die "few calls"
}

decisions()
{
    small
    traced decide 0 resize -q -y x.cow 1M
    has "decide: the bitmap has room to grow before the data: method header" trace
    traced decide 0 resize -q -y x.cow 32M
    has "no room to grow before the data: method copy" trace
    small
    killed at ftruncate b.img resize -q -y x.cow 1M
    COWTUI_PROMISES=off traced decide 0 recover -q -y x.cow
    has "decide: recovery goes back: the header is still the old one" trace
}

# Where a step fails, it says which, and why.
failure()
{
    small
    can_trace
    ! sanitized || export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
    COWTUI_TRACE=steps COWTUI_TRACE_FILE=trace strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=3+ \
        "$program" -q -y resize x.cow 32M >out 2>err && die "it succeeds"
    grep -qE 'steps: step [0-9]+ failed: .*No space left' trace || die "the trace does not say which step: $(tail -n 1 trace)"
}

# An image, a text, a link, a FIFO, a directory: nothing is written to it, and nothing hangs.
not_ours()
{
    local each
    small
    echo "a text" >text
    ln -s text link
    mkfifo fifo
    mkdir directory
    freeze x.cow b.img text
    for each in x.cow b.img text link fifo directory; do
        COWTUI_TRACE=steps COWTUI_TRACE_FILE=$each COWTUI_PROMISES=off run_any -q -y resize x.cow 1M
        [ "$code" -eq 3 ] || [ "$code" -eq 2 ] || die "$each: exit code $code"
        has "$each" err
        unchanged "a trace to $each"
    done
    COWTUI_TRACE=steps,bogus run 2 info x.cow
    has '"bogus" is not known' err
    has "steps, calls and decide" err
}

run_any() # ARGUMENTS: as run, whatever the exit code, which is in $code
{
    timeout 20 "$program" "$@" >out 2>err
    code=$?
}

# At the end of a trace that is there; on standard error where no file is named; and without the variable not a word.
where_it_goes()
{
    small
    traced decide 0 resize -q -y x.cow 1M
    cp trace first
    COWTUI_TRACE=decide COWTUI_TRACE_FILE=trace run 0 resize -q -y x.cow 2M
    head -n 2 trace | cmp - first || die "the first lines changed"
    eq 3 "$(wc -l <trace)" lines
    COWTUI_TRACE=decide run 0 resize -q -y x.cow 4M
    has "decide: " err
    run 0 resize -q -y x.cow 8M
    eq "" "$(cat err)" "standard error without the variable"
    COWTUI_TRACE='' run 0 resize -q -y x.cow 16M
    eq "" "$(cat err)" "standard error with an empty one"
}

# A name with a terminal's orders in it.
escaped()
{
    small
    mv x.cow "$(printf 'x\033[31m\n.cow')"
    traced steps,calls 0 resize -q -y "$(printf 'x\033[31m\n.cow')" 32M
    ! LC_ALL=C grep -q "$(printf '[\033\001]')" trace || die "a control byte is in the trace"
    ! grep -qvE '^(#|[0-9T:.-]+Z [0-9]+ (steps|calls): )' trace || die "a line is broken: $(grep -vE '^(#|[0-9T:.-]+Z)' trace | head -n 1)"
}

t "steps" steps_are_the_plans
t "calls of a copy" calls_are_the_kernels resize x.cow 32M
t "calls by header" calls_are_the_kernels resize x.cow 1M
t "calls of compact" calls_are_the_kernels compact x.cow
t "decisions" decisions
t "a failing step" failure
t "not ours" not_ours
t "where it goes" where_it_goes
t "escaped" escaped
