/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one readline file. Readline edits, recalls and completes; it never touches the terminal: keys come from
 * our queue, its output goes nowhere, and its line is drawn into the canvas.
 *
 * Readline's callbacks carry no context, so this file has the one variable of src/tui that is neither
 * constant nor a signal's flag: the prompt, a singleton because readline is one.
 */
#include "tui/screen/prompt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <readline/history.h>
#include <readline/readline.h>
#include <readline/tilde.h>

#include "cow/text.h"

#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"

enum {
    QUEUE_BYTES = 64,
    LINE_BYTES = TUI_PROMPT_BYTES,
    HISTORY_MAX = 500,
    PATH_BYTES = 4096,
    LEAST_COLS = 12
};

static struct {
    FILE *nowhere; /* readline's output */
    bool history_kept;
    tui_prompt_words *words;
    tui_prompt_file *file;
    tui_prompt_arguments *arguments;
    size_t next_word;            /* to try as a completion */
    char file_begin[LINE_BYTES]; /* of the file's name: what is to be completed; else what stands before it */
    size_t file_skip;            /* so much of it lies before the word that readline wants */
    bool active;
    bool ended; /* readline has called accept_line() */
    bool accepted;
    char line[LINE_BYTES];
    char candidates[LINE_BYTES];
    unsigned char queue[QUEUE_BYTES]; /* bytes of the key being fed */
    size_t queue_first, queue_end;
} prompt;

static int next_byte(FILE *stream)
{
    (void)stream;
    return prompt.queue_first < prompt.queue_end ? prompt.queue[prompt.queue_first++] : EOF;
}

static int byte_available(void)
{
    return prompt.queue_first < prompt.queue_end;
}

static void do_nothing(void)
{
}

static void prepare_nothing(int meta)
{
    (void)meta;
}

/* Readline has a line, or NULL for an end of file (C-d on an empty line). */
static void accept_line(char *line)
{
    rl_callback_handler_remove();
    prompt.active = false;
    prompt.ended = true;
    prompt.accepted = line != NULL;
    snprintf(prompt.line, sizeof prompt.line, "%s", line != NULL ? line : "");
    if (prompt.words != NULL && prompt.line[0] != '\0') {
        HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
        if (last == NULL || strcmp(last->line, prompt.line) != 0) {
            add_history(prompt.line);
        }
    }
    free(line);
}

static char *generate_candidate(const char *text, int again)
{
    const char *word;

    if (again == 0) { /* readline asks again until there are no more */
        prompt.next_word = 0;
    }
    while ((word = prompt.words(prompt.next_word)) != NULL) {
        prompt.next_word++;
        if (strncmp(word, text, strlen(text)) == 0) {
            return strdup(word);
        }
    }
    return NULL;
}

static char *generate_argument(const char *text, int again)
{
    const char *word;

    if (again == 0) {
        prompt.next_word = 0;
    }
    while ((word = prompt.arguments(prompt.file_begin, prompt.next_word)) != NULL) {
        prompt.next_word++;
        if (strncmp(word, text, strlen(text)) == 0) {
            return strdup(word);
        }
    }
    return NULL;
}

/* A word that ends with '=' goes on. */
static char **complete_argument(const char *text, int start)
{
    snprintf(prompt.file_begin, sizeof prompt.file_begin, "%.*s", start, rl_line_buffer);
    char **matches = rl_completion_matches(text, generate_argument);
    size_t bytes = matches != NULL ? strlen(matches[0]) : 0;
    rl_completion_suppress_append = bytes > 0 && matches[0][bytes - 1] == '=';
    return matches;
}

static bool is_directory(const char *path)
{
    struct stat facts;
    char *expanded = tilde_expand_word(path);
    bool is = expanded != NULL && stat(expanded, &facts) == 0 && S_ISDIR(facts.st_mode);

    free(expanded);
    return is;
}

/* A file's whole name, which may have blanks and quotes: to the user it is one word, to readline the last of
 * several. A directory's ends with a slash. "~user" is a name of its own as long as there is no slash. */
static char *generate_file(const char *text, int again)
{
    bool user = prompt.file_begin[0] == '~' && strchr(prompt.file_begin, '/') == NULL;
    char *name = user ? rl_username_completion_function(prompt.file_begin, again)
                      : rl_filename_completion_function(prompt.file_begin, again);
    char *rest = NULL;

    (void)text;
    if (name == NULL) {
        return NULL;
    }
    size_t bytes = strlen(name);
    if (bytes >= prompt.file_skip && (rest = malloc(bytes - prompt.file_skip + 2)) != NULL) {
        memcpy(rest, name + prompt.file_skip, bytes - prompt.file_skip + 1);
        if (user || is_directory(name)) {
            memcpy(rest + bytes - prompt.file_skip, "/", 2);
        }
    }
    free(name);
    return rest;
}

/* What is complete is followed by a blank, where another word may follow; a directory goes on. */
static char **complete_file(const char *text, size_t begin, size_t start, size_t end)
{
    snprintf(prompt.file_begin, sizeof prompt.file_begin, "%.*s", (int)(end - begin), rl_line_buffer + begin);
    prompt.file_skip = start - begin;
    char **matches = rl_completion_matches(text, generate_file);
    size_t bytes = matches != NULL ? strlen(matches[0]) : 0;
    rl_completion_suppress_append = prompt.words == NULL || (bytes > 0 && matches[0][bytes - 1] == '/');
    return matches;
}

static char **complete_line(const char *text, int start, int end)
{
    size_t begin;
    char **options;

    rl_attempted_completion_over = 1; /* no file names where none is asked for */
    if (prompt.words != NULL && start == 0) {
        return rl_completion_matches(text, generate_candidate);
    }
    if (prompt.arguments != NULL && start > 0 && text[0] == '-' &&
        (options = complete_argument(text, start)) != NULL) {
        return options;
    }
    if (prompt.file != NULL && prompt.file(rl_line_buffer, &begin) && begin <= (size_t)start) {
        return complete_file(text, begin, (size_t)start, (size_t)end);
    }
    if (prompt.arguments != NULL && start > 0) {
        return complete_argument(text, start);
    }
    return NULL;
}

/* Of a path its last part is enough. */
static void show_candidates(char **matches, int n, int longest)
{
    char name[LINE_BYTES];
    size_t used = 0;

    (void)longest;
    for (int i = 1; i <= n && used < sizeof prompt.candidates; i++) {
        const char *last = matches[i];
        for (const char *p = matches[i]; *p != '\0'; p++) {
            last = *p == '/' && p[1] != '\0' ? p + 1 : last;
        }
        used += (size_t)snprintf(prompt.candidates + used, sizeof prompt.candidates - used, "%s%s",
                                 i > 1 ? "  " : "", cow_escape(name, sizeof name, last));
    }
}

/* Makes every directory of a path; what exists is fine. */
static void make_directories(char *path)
{
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/') {
            continue;
        }
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
}

/* $XDG_STATE_HOME/cowtui/history, by default below ~/.local/state. Returns false if there is no home. */
static bool history_path(char *out, size_t out_bytes)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n;

    if (state != NULL && state[0] == '/') {
        n = snprintf(out, out_bytes, "%s/cowtui/history", state);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(out, out_bytes, "%s/.local/state/cowtui/history", home);
    } else {
        return false;
    }
    return n > 0 && (size_t)n < out_bytes;
}

/* The keys that a terminal's own description would bind; ours are always these. */
static void bind_keys(void)
{
    rl_bind_keyseq_if_unbound("\033[A", rl_get_previous_history);
    rl_bind_keyseq_if_unbound("\033[B", rl_get_next_history);
    rl_bind_keyseq_if_unbound("\033[C", rl_forward_char);
    rl_bind_keyseq_if_unbound("\033[D", rl_backward_char);
    rl_bind_keyseq_if_unbound("\033[H", rl_beg_of_line);
    rl_bind_keyseq_if_unbound("\033[F", rl_end_of_line);
    rl_bind_keyseq_if_unbound("\033[3~", rl_delete);
}

int tui_prompt_init(bool interactive, struct cow_error *err)
{
    char path[PATH_BYTES];

    memset(&prompt, 0, sizeof prompt);
    prompt.nowhere = fopen("/dev/null", "w");
    if (prompt.nowhere == NULL) {
        return cow_error_system(err, errno, "/dev/null");
    }
    if (!interactive) {
        setenv("INPUTRC", "/dev/null", 1);
    }
    rl_readline_name = "cowtui";
    rl_outstream = prompt.nowhere;
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_prep_term_function = prepare_nothing;
    rl_deprep_term_function = do_nothing;
    rl_redisplay_function = do_nothing;
    rl_getc_function = next_byte;
    rl_input_available_hook = byte_available;
    rl_attempted_completion_function = complete_line;
    rl_completion_display_matches_hook = show_candidates;
    rl_completion_query_items = -1;
    rl_initialize();
    rl_variable_bind("bell-style", "none");
    rl_variable_bind("show-all-if-ambiguous", "on");
    rl_variable_bind("enable-bracketed-paste", "off");
    bind_keys();
    using_history();
    prompt.history_kept = interactive && history_path(path, sizeof path);
    if (prompt.history_kept) {
        read_history(path);
    }
    return 0;
}

void tui_prompt_end(void)
{
    char path[PATH_BYTES];

    tui_prompt_stop();
    if (prompt.history_kept && history_length > 0 && history_path(path, sizeof path)) {
        make_directories(path);
        stifle_history(HISTORY_MAX);
        write_history(path);
    }
    rl_clear_history();
    add_history(
        ""); /* else the list still begins with pointers to what was freed, and a search follows them */
    free_history_entry(remove_history(0));
    rl_outstream = NULL;
    if (prompt.nowhere != NULL) {
        fclose(prompt.nowhere);
    }
    prompt.nowhere = NULL;
}

void tui_prompt_begin(const char *initial, tui_prompt_words *words, tui_prompt_file *file)
{
    tui_prompt_stop();
    prompt.words = words;
    prompt.file = file;
    prompt.arguments = NULL;
    prompt.active = true;
    prompt.ended = prompt.accepted = false;
    prompt.candidates[0] = prompt.line[0] = '\0';
    rl_outstream = prompt.nowhere;
    using_history();
    rl_callback_handler_install("", accept_line);
    tui_prompt_set(initial);
}

void tui_prompt_offer(tui_prompt_arguments *arguments)
{
    prompt.arguments = arguments;
}

void tui_prompt_set(const char *text)
{
    if (!prompt.active) {
        return;
    }
    rl_replace_line(text, 1);
    rl_point = rl_end;
}

static void feed_readline(const char *bytes, size_t n)
{
    memcpy(prompt.queue, bytes, n);
    prompt.queue_first = 0;
    prompt.queue_end = n;
    while (prompt.active && prompt.queue_first < prompt.queue_end) {
        rl_callback_read_char();
    }
}

/* Readline has to end its line itself, or it would keep what it knows of it (undo lists, a search): so it
 * gets an Enter whose line nobody takes. */
void tui_prompt_stop(void)
{
    char text[LINE_BYTES];

    if (!prompt.active) {
        return;
    }
    snprintf(text, sizeof text, "%s", rl_line_buffer);
    prompt.words = NULL; /* not for the history */
    rl_callback_sigcleanup();
    feed_readline("\n", 1);
    if (prompt.active) { /* Enter means something else to this user */
        rl_callback_handler_remove();
    }
    prompt.active = false;
    prompt.ended = prompt.accepted = false;
    snprintf(prompt.line, sizeof prompt.line, "%s", text);
}

/* What a terminal would send for a key. Returns the number of bytes, 0 for a key that means nothing here. */
static size_t key_bytes(char out[QUEUE_BYTES], int key)
{
    static const struct {
        int key;
        const char *bytes;
    } sequences[] = {
        {TUI_KEY_UP, "\x1b[A"},      {TUI_KEY_DOWN, "\x1b[B"}, {TUI_KEY_RIGHT, "\x1b[C"},
        {TUI_KEY_LEFT, "\x1b[D"},    {TUI_KEY_HOME, "\x1b[H"}, {TUI_KEY_END, "\x1b[F"},
        {TUI_KEY_DELETE, "\x1b[3~"},
    };

    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        if (sequences[i].key == key) {
            size_t n = strlen(sequences[i].bytes);
            memcpy(out, sequences[i].bytes, n);
            return n;
        }
    }
    return key > 0 && key <= 0x10ffff ? tui_utf8_put(out, (uint32_t)key) : 0;
}

/* In a search readline follows a null pointer where two keys that are a command together (C-x C-k) are none:
 * the first one ends the search here. Esc does so there, and its sequences are known. */
static void leave_search(char byte)
{
    if (RL_ISSTATE(RL_STATE_ISEARCH) && byte != '\033' &&
        rl_get_keymap()[(unsigned char)byte].type == ISKMAP) {
        rl_callback_sigcleanup();
    }
}

/* Yanked again and again, a line gets longer than any that is typed. */
static void cut_line(void)
{
    int end = LINE_BYTES - 8;

    if (!prompt.active || rl_end <= end) {
        return;
    }
    while (end > 0 && ((unsigned char)rl_line_buffer[end] & 0xc0) == 0x80) {
        end--;
    }
    rl_delete_text(end, rl_end);
    rl_point = rl_point < rl_end ? rl_point : rl_end;
    rl_mark = rl_mark < rl_end ? rl_mark : rl_end;
}

enum tui_prompt_state tui_prompt_key(int key)
{
    prompt.candidates[0] = '\0';
    if (!prompt.active) {
        return TUI_PROMPT_CANCELLED;
    }
    if (key == TUI_KEY_ESC || key == TUI_CTRL('c')) {
        tui_prompt_stop();
        prompt.line[0] = '\0';
        return TUI_PROMPT_CANCELLED;
    }
    if (rl_end > LINE_BYTES - 8 && key >= TUI_KEY_SPACE && key != TUI_KEY_BACKSPACE) {
        return TUI_PROMPT_EDITING;
    }
    char bytes[QUEUE_BYTES];
    const size_t n_bytes = key_bytes(bytes, key);
    if (n_bytes > 0) {
        leave_search(bytes[0]);
    }
    feed_readline(bytes, n_bytes);
    cut_line();
    if (!prompt.ended) {
        return TUI_PROMPT_EDITING;
    }
    return prompt.accepted ? TUI_PROMPT_ACCEPTED : TUI_PROMPT_CANCELLED;
}

/* Past readline's keys: in vi's command mode a letter is a command, in a search it is what is looked for. */
void tui_prompt_paste(const char *text)
{
    char room[LINE_BYTES];

    prompt.candidates[0] = '\0';
    if (!prompt.active || rl_end > LINE_BYTES - 8) {
        return;
    }
    rl_callback_sigcleanup(); /* ends a search, and whatever else waits for keys */
    size_t n = strlen(text), most = (size_t)(LINE_BYTES - 8 - rl_end);
    while (n > most || (n > 0 && n < strlen(text) && ((unsigned char)text[n] & 0xc0) == 0x80)) {
        n--;
    }
    memcpy(room, text, n);
    room[n] = '\0';
    rl_insert_text(room);
}

bool tui_prompt_whole(const char *line, size_t *begin)
{
    (void)line;
    *begin = 0;
    return true;
}

char *tui_prompt_expand(const char *path)
{
    return path[0] == '~' ? tilde_expand_word(path) : strdup(path);
}

const char *tui_prompt_text(void)
{
    return prompt.active ? rl_line_buffer : prompt.line;
}

const char *tui_prompt_candidates(void)
{
    return prompt.candidates;
}

void tui_prompt_draw(struct tui_canvas *canvas, int x, int y, int cols, enum tui_style style,
                     const char *label)
{
    const char *message = prompt.active && rl_display_prompt != NULL ? rl_display_prompt : "";
    int used = tui_text(canvas, x, y, cols, style, label);
    /* "(reverse-i-search)...", however long what is looked for is: the line keeps some room. */
    used += tui_text(canvas, x + used, y, cols - used - LEAST_COLS, TUI_DIM, message);
    const char *text = tui_prompt_text();
    const char *point = text + (prompt.active ? (size_t)rl_point : strlen(text));
    int room = cols - used - 1, before = 0;

    for (const char *p = text; p < point;) {
        before += tui_cells(canvas, tui_utf8_next(&p));
    }
    while (before > room && *text != '\0') { /* scroll: the cursor stays visible */
        before -= tui_cells(canvas, tui_utf8_next(&text));
    }
    tui_text(canvas, x + used, y, cols - used, style, text);
    canvas->cursor_x = x + used + before;
    canvas->cursor_y = y;
}
