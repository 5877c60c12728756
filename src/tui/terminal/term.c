/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Curses, but for its colours (colors.c): start and end, cells to the screen. A terminal whose description is
 * that of ECMA-48 is painted by paint.c, in fewer bytes; any other by curses. Signals only set a flag; next()
 * turns the flag into an event or, for a suspend, acts on it; fatal ones are rescue.c's.
 *
 * Input does not go through curses, which takes the tail of a sequence that it does not know for keys: bytes
 * are waited for with poll(), read, and become keys in input.c. So a signal ends the wait at once, and a
 * terminal that went away (end of file) is seen instead of spinning. The terminal makes no signals of ours:
 * in a pasted text C-c would end the program, and the rest of the text would be the shell's.
 */
#include "tui/terminal/term.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "tui/screen/input.h"
#include "tui/screen/keys.h"
#include "tui/terminal/colors.h"
#include "tui/terminal/paint.h"
#include "tui/terminal/rescue.h"

/* curses.h and term.h define short names as macros; none of ours may collide with them. */

enum {
    POLL_MS = 100,
    MOMENT_MS = 20,
    SILENCE_MS = 100,
    READ_BYTES = 4096,
    ENV_BYTES = 16,
    COPY_BYTES = 2048
};

static volatile sig_atomic_t stop_signal;
static volatile sig_atomic_t suspend_signal;
static volatile sig_atomic_t resize_signal;

static const int our_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGWINCH};
enum { SIGNALS = sizeof our_signals / sizeof our_signals[0] };

struct tui_term {
    struct tui_backend backend;
    SCREEN *screen;
    struct tui_colors colors;
    bool paints; /* past curses */
    struct tui_paint paint;
    bool redraw;                      /* after a suspend */
    struct sigaction before[SIGNALS]; /* what they did before curses came */

    struct termios shell; /* the terminal as it was */
    bool ansi;  /* it has the sequences of ECMA-48, so modes may be asked for that curses does not know */
    bool mouse; /* it is asked for */

    struct tui_input input;
    unsigned char bytes[READ_BYTES]; /* read, not looked at: from first to end */
    size_t first, end;
    int64_t
        discard_ms; /* what comes before the line is silent is dropped; when it last was not; 0: none is */
    bool gone;
};

/* Pastes are marked; of the mouse presses, dragging and releases are told, in the form that mouse.h reads. */
static const char paste_on[] = "\033[?2004h", mouse_on[] = "\033[?1000h\033[?1002h\033[?1006h",
                  modes_off[] = "\033[?1006l\033[?1002l\033[?1000l\033[?2004l";

static void on_signal(int number)
{
    if (number == SIGTSTP) {
        suspend_signal = 1;
    } else if (number == SIGWINCH) {
        resize_signal = 1;
    } else {
        stop_signal = number;
    }
}

/* newterm() installs handlers of its own, which would end the process; so what was before is asked for before
 * it, and ours come after it. */
static void save_signals(struct tui_term *term)
{
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(our_signals[i], NULL, &term->before[i]);
    }
}

/* A signal that our parent had ignored (nohup, a shell without job control) stays ignored. */
static void catch_signals(const struct tui_term *term)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(our_signals[i], term->before[i].sa_handler == SIG_IGN ? &term->before[i] : &action, NULL);
    }
}

static void release_signals(const struct tui_term *term)
{
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(our_signals[i], &term->before[i], NULL);
    }
}

static int64_t clock_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Past curses: modes of the terminal that it does not know. */
static void put_past_curses(const char *text)
{
    ssize_t written = write(STDOUT_FILENO, text, strlen(text));

    (void)written; /* a terminal that is gone is noticed when it is read from */
}

/* While the terminal is ours it marks what is pasted, and tells of the mouse where that is asked for. */
static void set_past_curses(const struct tui_term *term, bool ours)
{
    if (!term->ansi) {
        return;
    }
    put_past_curses(ours ? paste_on : modes_off);
    if (ours && term->mouse) {
        put_past_curses(mouse_on);
    }
}

/* The variable's value where it is a size, else what the terminal says; 0 if nobody knows. */
static int terminal_side(const char *variable, int terminal)
{
    const char *text = getenv(variable);
    long value = text != NULL ? strtol(text, NULL, 10) : 0;

    if (value <= 0) {
        value = terminal;
    }
    return value > TUI_SIDE_MAX ? TUI_SIDE_MAX : (int)value;
}

static void ask_size(int *cols, int *rows)
{
    struct winsize size = {0};

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *cols = terminal_side("COLUMNS", size.ws_col);
    *rows = terminal_side("LINES", size.ws_row);
}

static void follow_size(void)
{
    int cols, rows;

    ask_size(&cols, &rows);
    if (cols > 0 && rows > 0 && is_term_resized(rows, cols)) {
        resizeterm(rows, cols);
    }
}

/* Curses gets the terminal as it believes it to be. */
static void leave_paint(struct tui_term *term)
{
    if (!term->paints) {
        return;
    }
    put_past_curses("\033[m");
    if (term->paint.cursor_shown != 1 && term->paint.cursor != NULL) {
        put_past_curses(term->paint.cursor);
    }
    tui_paint_forget(&term->paint);
}

static void suspend_screen(struct tui_term *term)
{
    struct sigaction ours, stop;

    suspend_signal = 0;
    set_past_curses(term, false);
    tui_rescue_on_screen(false);
    leave_paint(term);
    endwin();
    memset(&stop, 0, sizeof stop);
    stop.sa_handler = SIG_DFL;
    sigaction(SIGTSTP, &stop, &ours);
    raise(SIGTSTP); /* here we sleep until SIGCONT */
    sigaction(SIGTSTP, &ours, NULL);
    tui_rescue_on_screen(true);
    follow_size();
    clearok(curscr, TRUE);
    doupdate();
    set_past_curses(term, true);
    term->redraw = true;
}

/* Reads what is there, in milliseconds from now at most. */
static void read_bytes(struct tui_term *term, int wait_ms)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};

    if (poll(&input, 1, wait_ms) <= 0) {
        return;
    }
    ssize_t n = (input.revents & POLLIN) != 0 ? read(STDIN_FILENO, term->bytes, sizeof term->bytes) : 0;
    if (n > 0) {
        term->first = 0;
        term->end = (size_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        term->gone = true; /* readable, yet nothing to read, though no SIGHUP came */
    }
}

/* Whether the bytes that were read are dropped, because they belong to what was dropped before. */
static bool still_discarding(struct tui_term *term, int64_t now)
{
    if (term->discard_ms == 0) {
        return false;
    }
    if (term->first < term->end) {
        term->first = term->end;
        term->discard_ms = now;
        return true;
    }
    if (now - term->discard_ms >= SILENCE_MS) {
        term->discard_ms = 0;
    }
    return false;
}

/* Only if something is there now: else whoever answers at once is heard. */
static void term_discard(struct tui_backend *self)
{
    struct tui_term *term = (struct tui_term *)self;
    bool waiting = term->first < term->end;
    int queued = 0;

    waiting |= ioctl(STDIN_FILENO, FIONREAD, &queued) == 0 && queued > 0;
    waiting |= tui_input_drop(&term->input);
    term->first = term->end;
    if (waiting) {
        term->discard_ms = clock_ms();
    }
}

/* The characters that stand for signals, as the user has set them. Returns whether it is one of them. */
static bool take_signal_key(const struct tui_term *term, int key)
{
    static const struct {
        int character, number;
    } keys[] = {{VINTR, SIGINT}, {VQUIT, SIGQUIT}, {VSUSP, SIGTSTP}};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        cc_t character = term->shell.c_cc[keys[i].character];
        if (character != _POSIX_VDISABLE && (int)character == key && (term->shell.c_lflag & ISIG) != 0) {
            on_signal(keys[i].number);
            return true;
        }
    }
    return false;
}

/* Looks at the bytes that were read, up to an event. Returns false if there is none. */
static bool take_input(struct tui_term *term, struct tui_event *event, int64_t now)
{
    enum tui_input_kind kind = TUI_INPUT_NOTHING;

    if (still_discarding(term, now)) {
        return false;
    }
    while (kind == TUI_INPUT_NOTHING && term->first < term->end) {
        kind = tui_input_byte(&term->input, term->bytes[term->first++], now);
    }
    if (kind == TUI_INPUT_NOTHING) {
        kind = tui_input_wait(&term->input, now);
    }
    if (kind == TUI_INPUT_NOTHING || (kind == TUI_INPUT_KEY && take_signal_key(term, term->input.key))) {
        return false;
    }
    event->kind = kind == TUI_INPUT_KEY     ? TUI_EVENT_KEY
                  : kind == TUI_INPUT_MOUSE ? TUI_EVENT_MOUSE
                                            : TUI_EVENT_PASTE;
    event->key = kind == TUI_INPUT_KEY ? term->input.key : TUI_KEY_NONE;
    event->mouse = term->input.mouse;
    event->text = term->input.paste;
    if (kind == TUI_INPUT_PASTE) { /* nobody types that fast: the text held the mark of its own end */
        term_discard(&term->backend);
    }
    return true;
}

/* Flags that a signal has set, or a return from a suspend. */
static bool take_flag(struct tui_term *term, struct tui_event *event)
{
    if (term->gone) {
        stop_signal = SIGHUP;
    }
    if (stop_signal != 0) {
        *event = (struct tui_event){.kind = TUI_EVENT_STOP, .signal_number = stop_signal};
        return true;
    }
    if (suspend_signal != 0) {
        suspend_screen(term);
    }
    if (resize_signal != 0) {
        resize_signal = 0;
        follow_size();
        event->kind = TUI_EVENT_RESIZE;
        return true;
    }
    if (term->redraw) {
        term->redraw = false;
        event->kind = TUI_EVENT_REDRAW;
        return true;
    }
    return false;
}

static int term_next(struct tui_backend *self, struct tui_event *event, enum tui_wait wait,
                     struct cow_error *err)
{
    struct tui_term *term = (struct tui_term *)self;
    int64_t now = clock_ms();
    int patience = tui_input_patience_ms(&term->input, now);

    (void)err;
    *event = (struct tui_event){.kind = TUI_EVENT_TICK};
    if (take_flag(term, event) || (term->first < term->end && take_input(term, event, now))) {
        return 0;
    }
    int most = wait == TUI_WAIT_NOT ? 0 : wait == TUI_WAIT_MOMENT ? MOMENT_MS : POLL_MS;
    if (term->first == term->end) {
        read_bytes(term, patience < 0 || patience > most ? most : patience);
    }
    if (!take_flag(term, event) && !take_input(term, event, clock_ms())) {
        take_flag(term, event); /* a key may have been one of a signal's */
    }
    return 0;
}

static void term_size(struct tui_backend *self, int *cols, int *rows)
{
    (void)self;
    getmaxyx(stdscr, *rows, *cols);
}

/* All of it, unless a signal ends the program meanwhile: the line may be held. */
static bool send_bytes(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(STDOUT_FILENO, bytes, n);
        struct pollfd output = {STDOUT_FILENO, POLLOUT, 0};
        if (sent < 0 && ((errno != EINTR && errno != EAGAIN) || stop_signal != 0)) {
            return false;
        }
        if (sent < 0 && errno == EAGAIN) {
            poll(&output, 1, POLL_MS);
        }
        bytes += sent > 0 ? sent : 0;
        n -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

static void paint_canvas(struct tui_term *term, const struct tui_canvas *canvas)
{
    if (tui_paint_frame(&term->paint, canvas) != 0 || !send_bytes(term->paint.out, term->paint.used)) {
        tui_paint_forget(&term->paint);
    }
}

static void term_present(struct tui_backend *self, const struct tui_canvas *canvas)
{
    struct tui_term *term = (struct tui_term *)self;

    if (term->paints) {
        paint_canvas(term, canvas);
        return;
    }
    for (int y = 0; y < canvas->rows; y++) {
        for (int x = 0; x < canvas->cols; x++) {
            const struct tui_cell *cell = &canvas->cell[(size_t)y * (size_t)canvas->cols + (size_t)x];
            wchar_t text[2] = {(wchar_t)cell->ch, L'\0'};
            cchar_t glyph;
            if (cell->ch == 0) { /* the wide character to its left fills it */
                continue;
            }
            setcchar(&glyph, text, term->colors.attribute[cell->style], term->colors.pair[cell->style], NULL);
            mvwadd_wch(stdscr, y, x, &glyph);
        }
    }
    bool cursor = canvas->cursor_x >= 0 && canvas->cursor_y >= 0;
    curs_set(cursor ? 1 : 0);
    if (cursor) {
        wmove(stdscr, canvas->cursor_y, canvas->cursor_x);
    }
    wrefresh(stdscr);
}

static void term_forget(struct tui_backend *self)
{
    struct tui_term *term = (struct tui_term *)self;

    tui_paint_forget(&term->paint);
    clearok(stdscr, TRUE);
}

/* OSC 52 with the text in base64, which holds nothing that a terminal obeys. Those that do not know it drop
 * the sequence as a whole. */
static void term_copy(struct tui_backend *self, const char *text)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const struct tui_term *term = (struct tui_term *)self;
    char out[COPY_BYTES] = "\033]52;c;";
    size_t used = strlen(out), n = strlen(text);

    for (size_t i = 0; i < n && used + 8 < sizeof out; i += 3) {
        const unsigned char *byte = (const unsigned char *)text + i;
        unsigned bits = (unsigned)byte[0] << 16 | (i + 1 < n ? (unsigned)byte[1] << 8 : 0) |
                        (i + 2 < n ? (unsigned)byte[2] : 0);
        for (size_t k = 0; k < 4; k++) {
            out[used++] = k <= n - i ? digit[bits >> (18 - 6 * k) & 63] : '=';
        }
    }
    out[used++] = '\a';
    out[used] = '\0';
    if (term->ansi) {
        put_past_curses(out);
    }
}

static void term_end(struct tui_backend *self)
{
    struct tui_term *term = (struct tui_term *)self;

    set_past_curses(term, false);
    tui_rescue_disarm();
    leave_paint(term);
    endwin();
    release_signals(term);
    delscreen(term->screen);
    tui_paint_end(&term->paint);
    free(term);
}

static void term_look(struct tui_backend *self, const struct tui_theme *theme, int color)
{
    struct tui_term *term = (struct tui_term *)self;

    tui_colors_choose(&term->colors, theme, color);
    if (term->paints && !tui_colors_spell(&term->colors, term->paint.look)) {
        leave_paint(term);
        term->paints = false;
    }
    tui_paint_begin(&term->paint);
    clearok(stdscr, TRUE);
}

static void term_use_mouse(struct tui_backend *self, bool on)
{
    struct tui_term *term = (struct tui_term *)self;

    if (term->mouse == on) {
        return;
    }
    set_past_curses(term, false);
    term->mouse = term->input.takes_mouse = on;
    set_past_curses(term, true);
}

static const struct tui_backend_ops term_ops = {term_next,    term_size,   term_present,
                                                term_discard, term_forget, term_copy,
                                                term_end,     term_look,   term_use_mouse};

/* Whether a sequence is that one; what follows are delays. */
static bool says(const char *sequence, const char *expected)
{
    size_t n = strlen(expected);

    return sequence != NULL && strncmp(sequence, expected, n) == 0 &&
           (sequence[n] == '\0' || sequence[n] == '$');
}

/* Whether a character of any kind can be sent once, and how often. Inside of tmux and screen it cannot, even
 * where TERM is that of another terminal: tmux 3.3 repeats ASCII only, and screen nothing. */
static bool can_repeat(void)
{
    static const char repeats[] = "%p1%c\033[";

    return getenv("TMUX") == NULL && getenv("STY") == NULL && repeat_char != NULL &&
           strncmp(repeat_char, repeats, sizeof repeats - 1) == 0 &&
           repeat_char[strlen(repeat_char) - 1] == 'b';
}

/* A terminal is painted past curses if what its description says is what paint.c writes. */
static void prepare_paint(struct tui_term *term)
{
    bool fits = term->ansi && says(clr_eol, "\033[K") && says(parm_right_cursor, "\033[%p1%dC") &&
                says(parm_left_cursor, "\033[%p1%dD") && says(parm_up_cursor, "\033[%p1%dA") &&
                says(parm_down_cursor, "\033[%p1%dB") &&
                (eat_newline_glitch != '\0' || auto_right_margin == '\0');

    memset(&term->paint, 0, sizeof term->paint);
    fits = fits && tui_colors_spell(&term->colors, term->paint.look);
    term->paint.repeats = can_repeat();
    term->paint.scrolls = says(change_scroll_region, "\033[%i%p1%d;%p2%dr") && says(scroll_forward, "\n") &&
                          says(scroll_reverse, "\033M");
    term->paint.has_column = says(column_address, "\033[%i%p1%dG");
    term->paint.has_own_colors = tigetflag("AX") == 1;
    term->paint.cursor = cursor_normal;
    term->paint.no_cursor = cursor_invisible;
    term->paints = fits;
    tui_paint_begin(&term->paint);
    if (fits) {
        wrefresh(stdscr); /* curses' own first screen, for what it says to the terminal at the beginning */
    }
}

/* Asks terminfo before curses does, because a terminal that curses cannot use would end the process. */
static int check_terminal(struct cow_error *err)
{
    const char *type = getenv("TERM");
    int found = 0;
    bool usable;

    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
        cow_error_set(err, COW_USAGE, "the screen needs a terminal on standard input and output");
        return cow_error_hint(err, "without one, use: cowtui info IMAGE");
    }
    if (type == NULL || type[0] == '\0' || setupterm(type, STDOUT_FILENO, &found) == ERR) {
        cow_error_set(err, COW_USAGE, "unknown terminal type \"%s\"", type != NULL ? type : "");
        return cow_error_hint(err, "set TERM to a known type (xterm, vt100), or use: cowtui info IMAGE");
    }
    usable = cursor_address != NULL && clear_screen != NULL;
    del_curterm(cur_term); /* newterm() makes its own */
    if (!usable) {
        cow_error_set(err, COW_USAGE, "a terminal of type \"%s\" cannot show a screen", type);
        return cow_error_hint(err, "use: cowtui info IMAGE, cowtui map IMAGE");
    }
    return 0;
}

/* What the terminal's description says of our keys; the keypad is in the mode that it speaks of. */
static void learn_keys(struct tui_input *input)
{
    const struct {
        const char *sequence;
        int key;
    } keys[] = {
        {key_up, TUI_KEY_UP},        {key_down, TUI_KEY_DOWN},   {key_left, TUI_KEY_LEFT},
        {key_right, TUI_KEY_RIGHT},  {key_home, TUI_KEY_HOME},   {key_end, TUI_KEY_END},
        {key_find, TUI_KEY_HOME},    {key_select, TUI_KEY_END},  {key_ppage, TUI_KEY_PGUP},
        {key_npage, TUI_KEY_PGDN},   {key_ic, TUI_KEY_INSERT},   {key_dc, TUI_KEY_DELETE},
        {key_btab, TUI_KEY_BACKTAB}, {key_enter, TUI_KEY_ENTER}, {key_backspace, TUI_KEY_BACKSPACE},
        {key_f1, TUI_KEY_F1},        {key_f5, TUI_KEY_F5},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        tui_input_learn(input, keys[i].sequence, keys[i].key);
    }
}

/* In a locale without UTF-8. Where a character is a byte, 0x80 to 0x9f are control characters. */
static int decode_locale(unsigned char byte)
{
    static mbstate_t state;
    char one = (char)byte;
    wchar_t character = 0;

    if (MB_CUR_MAX == 1 && byte >= 0x80 && byte < 0xa0) {
        return byte;
    }
    size_t n = mbrtowc(&character, &one, 1, &state);
    if (n == (size_t)-2) {
        return TUI_INPUT_MORE;
    }
    if (n == (size_t)-1) {
        memset(&state, 0, sizeof state);
        return TUI_INPUT_BAD;
    }
    return character >= 0 && character <= 0x10ffff ? (int)character : TUI_INPUT_BAD;
}

/* What a dying program says to the terminal: attributes, cursor, keypad, pastes, mouse and the other screen
 * off. */
static void arm_rescue(const struct tui_term *term)
{
    const char *const texts[] = {exit_attribute_mode, cursor_normal, keypad_local,
                                 term->ansi ? modes_off : NULL, exit_ca_mode};
    char farewell[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t n = texts[i] != NULL ? strcspn(texts[i], "$")
                                    : 0; /* without delays, which only tputs() can wait for */
        if (used + n < sizeof farewell) {
            memcpy(farewell + used, texts[i] != NULL ? texts[i] : "", n);
        }
        used += used + n < sizeof farewell ? n : 0;
    }
    tui_rescue_arm(&term->shell, farewell, used);
    tui_rescue_on_screen(true);
}

/* newterm() believes $LINES and $COLUMNS, whatever they say: so it gets them as we see them. */
static SCREEN *open_screen(void)
{
    static const char *const names[] = {"COLUMNS", "LINES"};
    char *before[2], text[ENV_BYTES];
    int sides[2];

    ask_size(&sides[0], &sides[1]);
    for (int i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        before[i] = value != NULL ? strdup(value) : NULL;
        snprintf(text, sizeof text, "%d", sides[i]);
        if (sides[i] > 0) {
            setenv(names[i], text, 1);
        }
    }
    SCREEN *screen = newterm(NULL, stdout, stdin);
    for (int i = 0; i < 2; i++) {
        if (before[i] != NULL) {
            setenv(names[i], before[i], 1);
        } else {
            unsetenv(names[i]);
        }
        free(before[i]);
    }
    return screen;
}

/* Keys byte by byte, and no signals from them. */
static void set_modes(void)
{
    struct termios mode;

    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    typeahead(-1); /* a picture is drawn to its end: what is asked has to be seen */
    if (tcgetattr(STDIN_FILENO, &mode) == 0) {
        mode.c_lflag &= ~(tcflag_t)ISIG;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
        def_prog_mode();
    }
}

int tui_term_open(struct tui_backend **out, const struct tui_theme *theme, int color, struct cow_error *err)
{
    int status = check_terminal(err);

    if (status != 0) {
        return status;
    }
    struct tui_term *term = calloc(1, sizeof *term);
    if (term == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    save_signals(term);
    tcgetattr(STDIN_FILENO, &term->shell);
    term->screen = open_screen();
    if (term->screen == NULL) {
        free(term);
        cow_error_set(err, COW_USAGE, "cannot use this terminal");
        return cow_error_hint(err, "use: cowtui info IMAGE");
    }
    term->ansi = cursor_address != NULL && strncmp(cursor_address, "\033[", 2) == 0;
    tui_input_init(&term->input, utf8 ? NULL : decode_locale);
    learn_keys(&term->input);
    arm_rescue(term);
    set_modes();
    stop_signal = suspend_signal = resize_signal = 0;
    catch_signals(term);
    set_past_curses(term, true);
    tui_colors_choose(&term->colors, theme, color);
    prepare_paint(term);
    term->backend = (struct tui_backend){&term_ops, true, !utf8};
    *out = &term->backend;
    return 0;
}
