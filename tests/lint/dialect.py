#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One dialect of C: what an if, else, for, while or do holds is a block, and what decides is said: a pointer is
compared with NULL and a number with 0, only what is true or false stands alone.

Usage: dialect.py [--fix] [FILE...]      default: all of src, include and tests, but what is not compiled here
       --fix writes the files anew as they should be (then clang-format)
       --self-test: whether it finds what it is to find
Reads with libclang (python3-clang); exit 77 without it. What is made when building is in $BUILD, or build."""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import clang.cindex as cindex
except ImportError:
    sys.path.append("/usr/lib/python3/dist-packages")  # of the system's python, where this one is another
    try:
        import clang.cindex as cindex
    except ImportError:
        print("dialect.py: python3-clang is not installed")
        sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
K, T = cindex.CursorKind, cindex.TypeKind
BODIES = {K.IF_STMT, K.FOR_STMT, K.WHILE_STMT, K.DO_STMT}
PREDICATE = re.compile(r"\(?(S_IS[A-Z]+|WIF[A-Z]+|is(alnum|alpha|cntrl|digit|graph|lower|print|punct|space|upper|xdigit))\b")
TRUTHS = {"==", "!=", "<", ">", "<=", ">=", "&&", "||", "!"}


def flags():
    """How the tree is compiled, as far as it matters here."""
    found = ["-std=c11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-DHAVE_LIBNBD", "-DHAVE_LIBPNG",
             *(f"-I{ROOT / name}" for name in ("include", "src", "tests", "tests/unit")), f"-I{ROOT / os.environ.get('BUILD', 'build')}"]
    for package in "ncursesw", "readline", "jansson", "ext2fs", "com_err", "blkid", "check", "libnbd", "libpng", "fuse3", "nbdkit":
        told = subprocess.run(["pkg-config", "--cflags", package], capture_output=True, text=True, check=False)
        found += told.stdout.split()
    headers = subprocess.run(["clang", "-print-resource-dir"], capture_output=True, text=True, check=False)
    return found + [f"-I{headers.stdout.strip()}/include"] if headers.stdout else found


class File:
    """A file, and what is to be changed in it."""

    def __init__(self, path, args):
        self.path, self.args = path, args
        self.text = path.read_bytes()
        self.breaches, self.edits = [], []

    def source(self, cursor):
        return self.text[cursor.extent.start.offset : cursor.extent.end.offset].decode()

    def is_here(self, cursor):
        start = cursor.extent.start
        return start.file is not None and start.file.name == str(self.path)

    def is_macro(self, cursor):
        """Whether it is written by a macro: its text is not that of its place."""
        begin, end = cursor.extent.start.offset, cursor.extent.end.offset
        return end <= begin or any(a < end and begin < b for a, b in self.macros)

    def walk(self):
        unit = cindex.Index.create().parse(
            str(self.path), args=self.args, options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
        fatal = [d for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
        if fatal:
            sys.exit(f"dialect.py: {self.path}: {fatal[0].spelling}")
        self.macros = []
        for cursor in unit.cursor.get_children():
            if cursor.kind == K.MACRO_INSTANTIATION and self.is_here(cursor) and self.source(cursor) not in (
                    "NULL", "true", "false", "UINT64_MAX"):
                end = cursor.extent.end.offset
                if self.text[cursor.extent.start.offset : end].rstrip().endswith(b")") or b"(" in self.text[cursor.extent.start.offset : end]:
                    self.macros.append((cursor.extent.start.offset, end))
        for cursor in unit.cursor.get_children():
            if self.is_here(cursor) and cursor.kind == K.FUNCTION_DECL and cursor.is_definition():
                self.visit(cursor)
        return self

    def visit(self, cursor):
        kids = list(cursor.get_children())
        if cursor.kind in BODIES and not any(a <= cursor.extent.start.offset < b for a, b in self.macros):
            self.statement(cursor, kids)
        elif cursor.kind == K.CONDITIONAL_OPERATOR and kids:
            self.condition(kids[0])
        elif cursor.kind == K.UNARY_OPERATOR and self.text[cursor.extent.start.offset : cursor.extent.start.offset + 1] == b"!":
            self.negation(cursor, kids[0])
        elif cursor.kind == K.BINARY_OPERATOR and self.operator(cursor, kids) in ("&&", "||"):
            for kid in kids:
                self.condition(kid)
        for kid in kids:
            self.visit(kid)

    def operator(self, cursor, kids):
        between = self.text[kids[0].extent.end.offset : kids[1].extent.start.offset].decode()
        found = re.search(r"&&|\|\||==|!=|<=|>=|<<|>>|[-+*/%<>&|^,=]", re.sub(r"/\*.*?\*/", "", between, flags=re.S))
        return found.group(0) if found else ""

    def statement(self, cursor, kids):
        body = kids[:1] if cursor.kind == K.DO_STMT else kids[-1:]
        if cursor.kind == K.IF_STMT:
            self.condition(kids[0])
            body = kids[1:]
        elif cursor.kind == K.WHILE_STMT:
            self.condition(kids[0])
        elif cursor.kind == K.DO_STMT:
            self.condition(kids[-1])
        elif len(kids) > 1:
            middle = self.text[cursor.extent.start.offset : kids[-1].extent.start.offset].decode()
            for kid in kids[:-1]:  # the one between the two semicolons
                before = self.text[cursor.extent.start.offset : kid.extent.start.offset].decode()
                after = self.text[kid.extent.end.offset : kids[-1].extent.start.offset].decode()
                if before.count(";") == 1 + (kids[0].kind == K.DECL_STMT and 0) and ";" in after:
                    self.condition(kid)
        for kid in body:
            if kid.kind != K.COMPOUND_STMT and not (cursor.kind == K.IF_STMT and kid.kind == K.IF_STMT and kid is not kids[1]):
                self.block(kid)

    def block(self, body):
        if self.is_macro(body) and body.extent.end.offset <= body.extent.start.offset:
            return
        self.report(body, "what it holds is no block")
        before = self.text[: body.extent.start.offset]
        begin = len(re.sub(rb"(\s*/\*(?:(?!\*/).)*\*/)*\s*\Z", b"", before[-400:], flags=re.S)) + max(0, len(before) - 400)
        end = self.end_of(body)
        comment = re.match(rb"[ \t]*/\*[^\n]*?\*/", self.text[end:])
        end += comment.end() if comment else 0
        self.edits.append((begin, begin, b" {", 0))
        self.edits.append((end, end, b"\n}", 1))

    def end_of(self, statement):
        """Where a statement ends, with its semicolon."""
        kids = list(statement.get_children())
        if statement.kind in (K.IF_STMT, K.FOR_STMT, K.WHILE_STMT, K.SWITCH_STMT):
            return self.end_of(kids[-1])
        end = statement.extent.end.offset
        semicolon = re.match(rb"\s*;", self.text[end:])
        return end + (semicolon.end() if semicolon and statement.kind != K.COMPOUND_STMT else 0)

    def kind(self, cursor):
        """"pointer", "number" or None, for what is true or false."""
        while cursor.kind in (K.PAREN_EXPR, K.UNEXPOSED_EXPR):
            kids = list(cursor.get_children())
            if len(kids) != 1:
                break
            cursor = kids[0]
        kids = list(cursor.get_children())
        if cursor.kind == K.BINARY_OPERATOR and len(kids) == 2 and self.operator(cursor, kids) in TRUTHS:
            return None
        if cursor.kind == K.UNARY_OPERATOR and self.text[cursor.extent.start.offset : cursor.extent.start.offset + 1] == b"!":
            return None
        if cursor.kind == K.CONDITIONAL_OPERATOR and len(kids) == 3 and self.kind(kids[1]) is None and self.kind(kids[2]) is None:
            return None
        if cursor.kind in (K.INTEGER_LITERAL, K.STRING_LITERAL) or PREDICATE.match(self.source(cursor)):
            return None
        found = cursor.type.get_canonical()
        if found.kind in (T.POINTER, T.CONSTANTARRAY, T.INCOMPLETEARRAY):
            return "pointer"
        return None if found.kind in (T.BOOL, T.INVALID, T.DEPENDENT) else "number"

    @staticmethod
    def zero(cursor, kind):
        while cursor.kind in (K.PAREN_EXPR, K.UNEXPOSED_EXPR) and len(list(cursor.get_children())) == 1:
            cursor = next(cursor.get_children())
        is_character = cursor.type.get_canonical().kind in (T.CHAR_S, T.CHAR_U, T.SCHAR)
        return b"NULL" if kind == "pointer" else b"'\\0'" if is_character else b"0"

    @staticmethod
    def zero(cursor, kind):
        while cursor.kind in (K.PAREN_EXPR, K.UNEXPOSED_EXPR) and len(list(cursor.get_children())) == 1:
            cursor = next(cursor.get_children())
        is_character = cursor.type.get_canonical().kind in (T.CHAR_S, T.CHAR_U, T.SCHAR)
        return b"NULL" if kind == "pointer" else b"'\\0'" if is_character else b"0"

    def bare(self, cursor):
        """Whether a comparison may stand behind it without brackets."""
        while cursor.kind == K.UNEXPOSED_EXPR:
            kids = list(cursor.get_children())
            if len(kids) != 1:
                break
            cursor = kids[0]
        return cursor.kind not in (K.BINARY_OPERATOR, K.CONDITIONAL_OPERATOR, K.COMPOUND_ASSIGNMENT_OPERATOR)

    def condition(self, cursor):
        kind = self.kind(cursor)
        if kind is None or (self.is_macro(cursor) and not self.is_written(cursor)):
            return
        self.report(cursor, f"a {kind} stands for true or false")
        begin, end = cursor.extent.start.offset, cursor.extent.end.offset
        zero = self.zero(cursor, kind)
        if self.bare(cursor):
            self.edits.append((end, end, b" != " + zero, 2))
        else:
            self.edits.append((begin, begin, b"(", 2))
            self.edits.append((end, end, b") != " + zero, 2))

    def negation(self, cursor, operand):
        kind = self.kind(operand)
        if self.text[: cursor.extent.start.offset].endswith(b"(void)"):
            return  # it quiets a compiler
        if kind is None or (self.is_macro(cursor) and not self.is_written(operand)):
            return
        self.report(cursor, f"a {kind} stands for false")
        end = operand.extent.end.offset
        self.edits.append((cursor.extent.start.offset, operand.extent.start.offset, b"", 2))
        self.edits.append((end, end, b" == " + self.zero(operand, kind), 2))

    def is_written(self, cursor):
        """Whether it has calls of macros in it, but is none itself: what one expands to is not looked at."""
        span = (cursor.extent.start.offset, cursor.extent.end.offset)
        return span[0] < span[1] and all(not (a < span[1] and span[0] < b) or (span[0] <= a and b <= span[1] and span != (a, b)) for a, b in self.macros)

    def report(self, cursor, words):
        self.breaches.append(f"{os.path.relpath(self.path, ROOT)}:{cursor.extent.start.line}: {words}")

    def fix(self):
        text = self.text
        for begin, end, new, _ in sorted([e for e in self.edits if e[3] < 2] + list({e for e in self.edits if e[3] == 2}), key=lambda e: (e[0], e[3] if e[0] == e[1] else 9), reverse=True):
            text = text[:begin] + new + text[end:]
        self.path.write_bytes(text)


def look(job):
    path, args, fixes = job
    file = File(path, args).walk()
    if fixes and file.edits:
        file.fix()
    return file.breaches


CLEAN = """#include <stdbool.h>
#include <stddef.h>
#define CHECK(x) ((x) ? 1 : 0)
bool is(int n);
int f(const char *p, int n, bool b) {
    if (p != NULL && b && !b && n == 0 && is(n)) { return CHECK(p); } else if (n > 0) { n--; } else { n++; }
    do { n++; } while ((n & 4) != 0);
    for (int i = 0; i < 3 && *p != '\\0'; i++) { (void)!n; }
    while (true) { n = b ? 1 : 2; break; }
    return (b ? n == 1 : !b) ? 0 : 1;
}
"""
BREACHES = ["if (b) n++;", "if (b) { n++; } else n--;", "for (;;) n++;", "while (b) n++;", "do n++; while (b);",
            "if (b) for (;;) n++;", "if (p) { n++; }", "if (!p) { n++; }", "if (n) { n++; }", "while (n & 4) { n++; }",
            "n = p ? 1 : 2;", "b = b && p;", "b = !n || b;", "if (*p) { n++; }", "for (; p; p++) { n++; }"]


def self_test():
    """What is clean is found to be so, each breach is found, and what --fix makes of it is clean."""
    bad = []
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory).resolve() / "a.c"
        args = flags()
        path.write_text(CLEAN)
        bad += look((path, args, False))
        for breach in BREACHES:
            path.write_text("#include <stdbool.h>\n#include <stddef.h>\nvoid f(const char *p, int n, bool b)\n{\n" + breach + " /* x */\n}\n")
            if not look((path, args, True)):
                bad.append(f"not found: {breach}")
            bad += [f"{breach} is mended as {path.read_text()}" for _ in look((path, args, False))]
    print("\n".join(f"dialect.py --self-test: {words}" for words in bad), end="")
    return 1 if bad else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    fixes = "--fix" in sys.argv
    named = [pathlib.Path(name).resolve() for name in sys.argv[1:] if name != "--fix"]
    args = flags()
    paths = named or sorted(p for d in ("src", "tests") for p in (ROOT / d).rglob("*.c"))
    breaches = []
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for found in pool.map(look, [(path, args, fixes) for path in paths]):
            breaches += found
    print("\n".join(breaches))
    sys.exit(1 if breaches and not fixes else 0)


if __name__ == "__main__":
    main()
