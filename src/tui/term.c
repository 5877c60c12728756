/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one curses file: start and end, cells to the screen, keys from it. Signals only set a flag; next()
 * turns the flag into an event or, for a suspend, acts on it.
 *
 * Input is asked for without waiting and waited for with poll(), so that a terminal that went away (end of
 * file) is seen instead of spinning, and a signal ends the wait at once.
 */
#include "tui/term.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#include "tui/keys.h"

/* curses.h and term.h define short names as macros; none of ours may collide with them. */

enum { POLL_MS = 100, ESC_MS = 25 };

static volatile sig_atomic_t stop_signal;
static volatile sig_atomic_t suspend_signal;

static const int our_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGTSTP};
enum { SIGNALS = sizeof our_signals / sizeof our_signals[0] };

struct tui_term {
    struct tui_backend backend;
    SCREEN *screen;
    attr_t attribute[TUI_STYLES];
    short pair[TUI_STYLES];
    bool redraw;                      /* after a suspend */
    struct sigaction before[SIGNALS]; /* what they did before curses came */
};

static const struct {
    int curses, ours;
} key_codes[] = {
    {KEY_UP, TUI_KEY_UP},        {KEY_DOWN, TUI_KEY_DOWN},   {KEY_LEFT, TUI_KEY_LEFT},
    {KEY_RIGHT, TUI_KEY_RIGHT},  {KEY_HOME, TUI_KEY_HOME},   {KEY_END, TUI_KEY_END},
    {KEY_FIND, TUI_KEY_HOME},    {KEY_SELECT, TUI_KEY_END},  {KEY_PPAGE, TUI_KEY_PGUP},
    {KEY_NPAGE, TUI_KEY_PGDN},   {KEY_IC, TUI_KEY_INSERT},   {KEY_DC, TUI_KEY_DELETE},
    {KEY_BTAB, TUI_KEY_BACKTAB}, {KEY_ENTER, TUI_KEY_ENTER}, {KEY_BACKSPACE, TUI_KEY_BACKSPACE},
    {KEY_F(1), TUI_KEY_F1},      {KEY_F(5), TUI_KEY_F5},
};

static void on_signal(int number)
{
    if (number == SIGTSTP)
        suspend_signal = 1;
    else
        stop_signal = number;
}

/* newterm() installs handlers of its own, which would end the process; so what was before is asked for before
 * it, and ours come after it. */
static void save_signals(struct tui_term *term)
{
    for (int i = 0; i < SIGNALS; i++)
        sigaction(our_signals[i], NULL, &term->before[i]);
}

/* A signal that our parent had ignored (nohup, a shell without job control) stays ignored. */
static void catch_signals(const struct tui_term *term)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(our_signals[i], term->before[i].sa_handler == SIG_IGN ? &term->before[i] : &action, NULL);
}

static void release_signals(const struct tui_term *term)
{
    for (int i = 0; i < SIGNALS; i++)
        sigaction(our_signals[i], &term->before[i], NULL);
}

static void suspend(struct tui_term *term)
{
    struct sigaction ours, stop;

    suspend_signal = 0;
    endwin();
    memset(&stop, 0, sizeof stop);
    stop.sa_handler = SIG_DFL;
    sigaction(SIGTSTP, &stop, &ours);
    raise(SIGTSTP); /* here we sleep until SIGCONT */
    sigaction(SIGTSTP, &ours, NULL);
    clearok(curscr, TRUE);
    doupdate();
    term->redraw = true;
}

static int translate(int status, wint_t ch)
{
    if (status == KEY_CODE_YES) {
        for (size_t i = 0; i < sizeof key_codes / sizeof key_codes[0]; i++) {
            if (key_codes[i].curses == (int)ch)
                return key_codes[i].ours;
        }
        return TUI_KEY_NONE;
    }
    if (ch == '\n')
        return TUI_KEY_ENTER;
    return ch == '\b' ? TUI_KEY_BACKSPACE : (int)ch;
}

/* What is there without waiting. Returns false if there is nothing. */
static bool take_input(struct tui_event *event)
{
    wint_t ch = 0;
    int status = wget_wch(stdscr, &ch);

    if (status == ERR)
        return false;
    if (status == KEY_CODE_YES && ch == KEY_RESIZE) {
        event->kind = TUI_EVENT_RESIZE;
        return true;
    }
    event->key = translate(status, ch);
    event->kind = event->key == TUI_KEY_NONE ? TUI_EVENT_TICK : TUI_EVENT_KEY;
    return true;
}

/* Flags that a signal has set, or a return from a suspend. */
static bool take_flag(struct tui_term *term, struct tui_event *event)
{
    if (stop_signal) {
        *event = (struct tui_event){TUI_EVENT_STOP, 0, stop_signal};
        return true;
    }
    if (suspend_signal)
        suspend(term);
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
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};

    (void)err;
    *event = (struct tui_event){TUI_EVENT_TICK, 0, 0};
    if (take_flag(term, event) || take_input(event))
        return 0;
    int ready = poll(&input, 1, wait == TUI_WAIT_EVENT ? POLL_MS : 0);
    if (take_flag(term, event) || take_input(event))
        return 0;
    /* Readable, yet nothing to read: the terminal is gone, though no SIGHUP came. */
    if (ready > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)))
        *event = (struct tui_event){TUI_EVENT_STOP, 0, SIGHUP};
    return 0;
}

static void term_size(struct tui_backend *self, int *cols, int *rows)
{
    (void)self;
    getmaxyx(stdscr, *rows, *cols);
}

static void term_present(struct tui_backend *self, const struct tui_canvas *canvas)
{
    struct tui_term *term = (struct tui_term *)self;

    for (int y = 0; y < canvas->rows; y++) {
        for (int x = 0; x < canvas->cols; x++) {
            const struct tui_cell *cell = &canvas->cell[(size_t)y * (size_t)canvas->cols + (size_t)x];
            wchar_t text[2] = {(wchar_t)cell->ch, L'\0'};
            cchar_t glyph;
            if (cell->ch == 0) /* the wide character to its left fills it */
                continue;
            setcchar(&glyph, text, term->attribute[cell->style], term->pair[cell->style], NULL);
            mvwadd_wch(stdscr, y, x, &glyph);
        }
    }
    bool cursor = canvas->cursor_x >= 0 && canvas->cursor_y >= 0;
    curs_set(cursor ? 1 : 0);
    if (cursor)
        wmove(stdscr, canvas->cursor_y, canvas->cursor_x);
    wrefresh(stdscr);
}

static void term_forget(struct tui_backend *self)
{
    (void)self;
    clearok(stdscr, TRUE);
}

static void term_end(struct tui_backend *self)
{
    struct tui_term *term = (struct tui_term *)self;

    endwin();
    release_signals(term);
    delscreen(term->screen);
    free(term);
}

static const struct tui_backend_ops term_ops = {term_next, term_size, term_present, term_forget, term_end};

static attr_t to_curses(unsigned attribute)
{
    attr_t result = A_NORMAL;

    result |= attribute & TUI_BOLD ? A_BOLD : 0;
    result |= attribute & TUI_FAINT ? A_DIM : 0;
    result |= attribute & TUI_REVERSE ? A_REVERSE : 0;
    result |= attribute & TUI_UNDERLINE ? A_UNDERLINE : 0;
    return result;
}

static bool color_wanted(int color)
{
    const char *no_color = getenv("NO_COLOR");

    if (color == 1)
        return false;
    return color == 2 || !no_color || no_color[0] == '\0';
}

/* One colour pair a style. 8 colours: a bright one is its plain sister in bold. */
static void prepare_styles(struct tui_term *term, const struct tui_theme *theme, int color)
{
    bool colors = color_wanted(color) && has_colors() && start_color() == OK && COLOR_PAIRS > TUI_STYLES;

    if (colors)
        use_default_colors();
    for (short i = 0; i < TUI_STYLES; i++) {
        const struct tui_look *look = &theme->look[i];
        bool rich = COLORS >= 256;
        short fg = rich ? look->fg256 : look->fg16, bg = rich ? look->bg256 : look->bg16;
        if (!colors) {
            term->attribute[i] = to_curses(look->attr_mono);
            continue;
        }
        term->attribute[i] = to_curses(rich ? look->attr256 : look->attr16);
        if (COLORS < 16 && fg >= 8) {
            fg = (short)(fg - 8);
            term->attribute[i] |= A_BOLD;
        }
        if (init_pair((short)(i + 1), fg, bg) == OK)
            term->pair[i] = (short)(i + 1);
    }
}

/* Asks terminfo before curses does, because a terminal that curses cannot use would end the process. */
static int check_terminal(struct cow_error *err)
{
    const char *type = getenv("TERM");
    int found = 0;
    bool usable;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        cow_error_set(err, COW_USAGE, "the screen needs a terminal on standard input and output");
        return cow_error_hint(err, "without one, use: cowtui info IMAGE");
    }
    if (!type || type[0] == '\0' || setupterm(type, STDOUT_FILENO, &found) == ERR) {
        cow_error_set(err, COW_USAGE, "unknown terminal type \"%s\"", type ? type : "");
        return cow_error_hint(err, "set TERM to a known type (xterm, vt100), or use: cowtui info IMAGE");
    }
    usable = cursor_address && clear_screen;
    del_curterm(cur_term); /* newterm() makes its own */
    if (!usable) {
        cow_error_set(err, COW_USAGE, "a terminal of type \"%s\" cannot show a screen", type);
        return cow_error_hint(err, "use: cowtui info IMAGE, cowtui map IMAGE");
    }
    return 0;
}

int tui_term_open(struct tui_backend **out, const struct tui_theme *theme, int color, struct cow_error *err)
{
    int status = check_terminal(err);

    if (status)
        return status;
    struct tui_term *term = calloc(1, sizeof *term);
    if (!term)
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    save_signals(term);
    set_escdelay(ESC_MS);
    term->screen = newterm(NULL, stdout, stdin);
    if (!term->screen) {
        free(term);
        cow_error_set(err, COW_USAGE, "cannot use this terminal");
        return cow_error_hint(err, "use: cowtui info IMAGE");
    }
    cbreak();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    keypad(stdscr, TRUE);
    wtimeout(stdscr, 0);
    set_escdelay(ESC_MS);
    stop_signal = suspend_signal = 0;
    catch_signals(term);
    prepare_styles(term, theme, color);
    term->backend = (struct tui_backend){&term_ops, true, strcmp(nl_langinfo(CODESET), "UTF-8") != 0};
    *out = &term->backend;
    return 0;
}
