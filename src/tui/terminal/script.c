/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scripts: a table of commands; each either acts at once (expect, dump) or yields an event (key, size, wait),
 * so that the application draws between two lines just as it would between two keys.
 */
#include "tui/terminal/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"
#include "tui/terminal/svg.h"

enum { KEYS_MAX = 512, DURING_MAX = 16, DEFAULT_COLS = 80, DEFAULT_ROWS = 24 };

struct script {
    struct tui_backend backend;
    FILE *file;
    char *path;
    char *line; /* getline()'s */
    size_t line_bytes;
    unsigned number; /* of the line, for messages */
    const struct tui_theme *theme;
    bool mouse;                     /* is asked for */
    const struct tui_canvas *shown; /* the application's */
    int cols, rows;
    int key[KEYS_MAX];
    size_t key_first, key_end;
    char *during[DURING_MAX];
    size_t n_during;
    char *done; /* the last of them: what was pasted is text of it */
    int failed; /* a status that next() keeps returning */
    struct cow_error failure;
};

struct command {
    const char *name;
    bool wants_argument;
    int (*run)(struct script *script, char *argument, struct tui_event *event);
};

static int fail_script(struct script *script, const char *what, const char *text)
{
    script->failed =
        cow_error_set(&script->failure, COW_USAGE, "%s:%u: %s%s%s%s", script->path, script->number, what,
                      text != NULL ? " \"" : "", text != NULL ? text : "", text != NULL ? "\"" : "");
    return script->failed;
}

static int run_size(struct script *script, char *argument, struct tui_event *event)
{
    int cols, rows;
    char rest;

    if (sscanf(argument, "%dx%d%c", &cols, &rows, &rest) != 2 || cols < 1 || rows < 1 ||
        cols > TUI_SIDE_MAX || rows > TUI_SIDE_MAX) {
        return fail_script(script, "a size is COLSxROWS, not", argument);
    }
    script->cols = cols;
    script->rows = rows;
    event->kind = TUI_EVENT_RESIZE;
    return 0;
}

static int run_key(struct script *script, char *argument, struct tui_event *event)
{
    char *rest = NULL;

    (void)event;
    for (char *name = strtok_r(argument, " \t", &rest); name != NULL; name = strtok_r(NULL, " \t", &rest)) {
        int key = tui_key_parse(name);
        if (key == TUI_KEY_NONE || script->key_end == KEYS_MAX) {
            return fail_script(script, "there is no key", name);
        }
        script->key[script->key_end++] = key;
    }
    return 0;
}

static int run_type(struct script *script, char *argument, struct tui_event *event)
{
    const char *text = argument;

    (void)event;
    for (uint32_t ch; (ch = tui_utf8_next(&text)) != 0;) {
        if (script->key_end == KEYS_MAX) {
            return fail_script(script, "too much text to type", NULL);
        }
        script->key[script->key_end++] = (int)ch;
    }
    return 0;
}

static int run_paste(struct script *script, char *argument, struct tui_event *event)
{
    (void)script;
    event->kind = TUI_EVENT_PASTE;
    event->text = argument; /* of the line that is read into */
    return 0;
}

static int run_mouse(struct script *script, char *argument, struct tui_event *event)
{
    char kind[16], rest;
    struct tui_mouse *mouse = &event->mouse;

    if (sscanf(argument, "%15s %d %d%c", kind, &mouse->x, &mouse->y, &rest) != 3 ||
        (mouse->kind = tui_mouse_kind_of(kind)) == TUI_MOUSE_KINDS || mouse->x < 1 || mouse->y < 1) {
        return fail_script(script, "the mouse does KIND COL ROW, not", argument);
    }
    if (!script->mouse) {
        return fail_script(script, "the mouse is off", NULL);
    }
    mouse->x--;
    mouse->y--;
    event->kind = TUI_EVENT_MOUSE;
    return 0;
}

static int run_wait(struct script *script, char *argument, struct tui_event *event)
{
    (void)script;
    (void)argument;
    event->kind = TUI_EVENT_TICK;
    return 0;
}

static int run_during(struct script *script, char *argument, struct tui_event *event)
{
    (void)event;
    if (script->n_during == DURING_MAX) {
        return fail_script(script, "too many lines of \"during\"", NULL);
    }
    char *copy = strdup(argument);
    if (copy == NULL) {
        return fail_script(script, "out of memory", NULL);
    }
    script->during[script->n_during++] = copy;
    return 0;
}

static bool screen_holds(const struct script *script, const char *text)
{
    size_t bytes = script->shown != NULL ? (size_t)script->shown->cols * TUI_UTF8_BYTES + 1 : 0;
    char *row = malloc(bytes + 1);
    bool found = false;

    for (int y = 0; row != NULL && script->shown != NULL && y < script->shown->rows && !found; y++) {
        tui_canvas_row_text(script->shown, y, row, bytes);
        found = strstr(row, text) != NULL;
    }
    free(row);
    return found;
}

static int run_expect(struct script *script, char *argument, struct tui_event *event)
{
    (void)event;
    if (screen_holds(script, argument)) {
        return 0;
    }
    if (script->shown != NULL) {
        tui_canvas_dump(script->shown, stderr);
    }
    return fail_script(script, "the screen lacks", argument);
}

static int run_reject(struct script *script, char *argument, struct tui_event *event)
{
    (void)event;
    return screen_holds(script, argument) ? fail_script(script, "the screen shows", argument) : 0;
}

/* Writes with one of the writers, to a file or, for "", to standard output. */
static int dump_canvas(struct script *script, const char *path, bool svg)
{
    FILE *out = path[0] != '\0' ? fopen(path, "w") : stdout;

    if (out == NULL) {
        return fail_script(script, "cannot write", path);
    }
    int status = 0;
    if (script->shown != NULL) {
        status = svg ? tui_svg_write(script->shown, script->theme, out) : tui_canvas_dump(script->shown, out);
    }
    if ((out == stdout ? fflush(out) : fclose(out)) != 0) {
        status = COW_IO;
    }
    return status != 0 ? fail_script(script, "cannot write", path) : 0;
}

static int run_dump_screen(struct script *script, char *argument, struct tui_event *event)
{
    (void)event;
    return dump_canvas(script, argument, false);
}

static int run_dump_svg(struct script *script, char *argument, struct tui_event *event)
{
    (void)event;
    return dump_canvas(script, argument, true);
}

static const struct command commands[] = {
    {"size", true, run_size},         {"key", true, run_key},       {"type", true, run_type},
    {"wait", false, run_wait},        {"paste", true, run_paste},   {"during", true, run_during},
    {"expect", true, run_expect},     {"reject", true, run_reject}, {"dump-screen", false, run_dump_screen},
    {"dump-svg", true, run_dump_svg}, {"mouse", true, run_mouse},
};

/* Does one line. Leaves event alone unless the line yields one; keys are queued. */
static int run_line(struct script *script, char *line, struct tui_event *event)
{
    line[strcspn(line, "\r\n")] = '\0';
    line += strspn(line, " \t");
    if (line[0] == '\0' || line[0] == '#') {
        return 0;
    }
    size_t bytes = strcspn(line, " \t");
    char *argument = line[bytes] != '\0' ? line + bytes + 1 : line + bytes;
    line[bytes] = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, line) != 0) {
            continue;
        }
        if (commands[i].wants_argument && argument[0] == '\0') {
            return fail_script(script, "something is missing behind", line);
        }
        return commands[i].run(script, argument, event);
    }
    return fail_script(script, "there is no command", line);
}

static bool take_key(struct script *script, struct tui_event *event)
{
    if (script->key_first == script->key_end) {
        script->key_first = script->key_end = 0;
        return false;
    }
    event->kind = TUI_EVENT_KEY;
    event->key = script->key[script->key_first++];
    return true;
}

/* While work is going on only the lines kept for it are done. */
static int next_during(struct script *script, struct tui_event *event)
{
    event->kind = TUI_EVENT_TICK;
    if (script->n_during == 0) {
        return 0;
    }
    char *line = script->during[0];
    script->n_during--;
    memmove(script->during, script->during + 1, script->n_during * sizeof script->during[0]);
    free(script->done);
    script->done = line;
    int status = run_line(script, line, event);
    if (status == 0) {
        take_key(script, event);
    }
    return status;
}

static int script_next(struct tui_backend *self, struct tui_event *event, enum tui_wait wait,
                       struct cow_error *err)
{
    struct script *script = (struct script *)self;
    const enum tui_event_kind none = TUI_EVENT_STOP;
    int status = script->failed;

    *event = (struct tui_event){.kind = TUI_EVENT_TICK};
    if (status == 0 && wait == TUI_WAIT_NOT) {
        status = next_during(script, event);
    } else if (status == 0) {
        event->kind = none;
        while (status == 0 && event->kind == none && !take_key(script, event)) {
            if (getline(&script->line, &script->line_bytes, script->file) < 0) {
                break; /* the end: STOP */
            }
            script->number++;
            status = run_line(script, script->line, event);
        }
    }
    if (status != 0 && err != NULL) {
        *err = script->failure;
    }
    return status;
}

static void script_size(struct tui_backend *self, int *cols, int *rows)
{
    struct script *script = (struct script *)self;

    *cols = script->cols;
    *rows = script->rows;
}

static void script_present(struct tui_backend *self, const struct tui_canvas *canvas)
{
    ((struct script *)self)->shown = canvas;
}

static void script_discard(struct tui_backend *self)
{
    (void)self;
}

static void script_forget(struct tui_backend *self)
{
    (void)self;
}

static void script_end(struct tui_backend *self)
{
    struct script *script = (struct script *)self;

    for (size_t i = 0; i < script->n_during; i++) {
        free(script->during[i]);
    }
    free(script->done);
    fclose(script->file);
    free(script->line);
    free(script->path);
    free(script);
}

static void script_copy(struct tui_backend *self, const char *text)
{
    (void)self;
    (void)text;
}

static void script_look(struct tui_backend *self, const struct tui_theme *theme, int color)
{
    (void)color;
    ((struct script *)self)->theme = theme;
}

static void script_use_mouse(struct tui_backend *self, bool on)
{
    ((struct script *)self)->mouse = on;
}

static const struct tui_backend_ops script_ops = {script_next,    script_size,   script_present,
                                                  script_discard, script_forget, script_copy,
                                                  script_end,     script_look,   script_use_mouse};

int tui_script_open(struct tui_backend **out, const char *path, const struct tui_theme *theme,
                    struct cow_error *err)
{
    struct script *script = calloc(1, sizeof *script);

    if (script == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    script->file = fopen(path, "re");
    script->path = strdup(path);
    if (script->file == NULL || script->path == NULL) {
        int status = cow_error_system(err, errno, "%s", path);
        if (script->file != NULL) {
            fclose(script->file);
        }
        free(script->path);
        free(script);
        return status;
    }
    script->theme = theme;
    script->cols = DEFAULT_COLS;
    script->rows = DEFAULT_ROWS;
    script->backend = (struct tui_backend){&script_ops, false, false};
    *out = &script->backend;
    return 0;
}
