/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Helps a User-Mode Linux of version 6.1 to boot where the processor has more registers (AMX) than that one
 * has room for: it sets a process's registers with the part that it knows, and the host's kernel refuses what
 * is not all of them. Preloaded into linux.uml, this adds the rest as it is. Nothing else is touched.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char all_registers[65536];

static long set_registers(int pid, void *kind, struct iovec *part)
{
    struct iovec all = {all_registers, sizeof all_registers};

    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &all) != 0 || all.iov_len <= part->iov_len) {
        return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, part);
    }
    memcpy(all_registers, part->iov_base, part->iov_len);
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    long word = 0;

    va_start(arguments, request);
    int pid = va_arg(arguments, int);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);
    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE) {
        return set_registers(pid, address, data);
    }
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        return syscall(SYS_ptrace, request, pid, address, &word) < 0 ? -1 : word;
    }
    return syscall(SYS_ptrace, request, pid, address, data);
}
