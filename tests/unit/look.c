/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Themes: their files, whatever is in them; that each shipped one names every role; that what has to be told
 * apart is, by those who do not see red or green; and settings.
 *
 * Who lacks the receptors for long waves (protanopia) or for middle ones (deuteranopia) sees colours on one
 * axis, from blue to yellow, and in brightness. That is computed after Machado, Oliveira and Fernandes
 * (2009), and two colours are told apart if they are then DISTANCE or more apart in CIELAB (about 2 can just
 * be seen): by brightness, or on that axis.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "tui/look/roles.h"
#include "tui/look/settings.h"
#include "tui/look/shipped.h"
#include "tui/look/theme_text.h"
#include "tui/look/themes.h"

/* In CIELAB: with 256 colours, and with the terminal's own sixteen, which may be any, and are taken for
 * xterm's; and of what has a second sign besides (an order, letters, a glyph of its own), in both. */
enum { DISTANCE = 20, DISTANCE_16 = 15, DISTANCE_SIGNED = 10 };

/* ---- what colours look like, and to whom ---- */

enum { EYES = 3 };

static const double eyes[EYES][3][3] = {
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
    {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
};
static const char *const eye_names[EYES] = {"all receptors", "protanopia", "deuteranopia"};

static unsigned rgb_of(short color)
{
    static const unsigned xterm[16] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd,
                                       0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                                       0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};
    return color >= 0 && color < 16 ? xterm[color] : tui_palette_rgb(color);
}

static void linear(double out[3], unsigned rgb)
{
    for (int i = 0; i < 3; i++) {
        double v = (double)(rgb >> (16 - 8 * i) & 255) / 255;
        out[i] = v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
    }
}

static double brightness(unsigned rgb)
{
    double v[3];
    linear(v, rgb);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
}

/* As WCAG has it: 1 to 21. */
static double contrast(unsigned a, unsigned b)
{
    double x = brightness(a), y = brightness(b);
    return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

static double lab_part(double t)
{
    return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
}

static void lab(double out[3], unsigned rgb, int eye)
{
    double v[3], seen[3];
    linear(v, rgb);
    for (int i = 0; i < 3; i++) {
        seen[i] = 0;
        for (int k = 0; k < 3; k++) {
            seen[i] += eyes[eye][i][k] * v[k];
        }
        seen[i] = fmin(1, fmax(0, seen[i]));
    }
    double x = lab_part((0.4124 * seen[0] + 0.3576 * seen[1] + 0.1805 * seen[2]) / 0.9505);
    double y = lab_part(0.2126 * seen[0] + 0.7152 * seen[1] + 0.0722 * seen[2]);
    double z = lab_part((0.0193 * seen[0] + 0.1192 * seen[1] + 0.9505 * seen[2]) / 1.089);
    out[0] = 116 * y - 16;
    out[1] = 500 * (x - y);
    out[2] = 200 * (y - z);
}

static double distance(unsigned a, unsigned b, int eye)
{
    double x[3], y[3];
    lab(x, a, eye);
    lab(y, b, eye);
    return sqrt((x[0] - y[0]) * (x[0] - y[0]) + (x[1] - y[1]) * (x[1] - y[1]) +
                (x[2] - y[2]) * (x[2] - y[2]));
}

START_TEST(the_measure_is_right) /* of the known: what one looks like is a matter of eyes */
{
    ck_assert_double_eq_tol(distance(0x000000, 0xffffff, 0), 100, 0.1);
    ck_assert_double_eq_tol(distance(0x808080, 0x808080, 1), 0, 0.001);
    must(distance(0xb00000, 0x707000, 0) > 60, "red and olive are told apart");
    must(distance(0xb02020, 0x6f6a15, 2) < DISTANCE, "and not in deuteranopia: %.1f",
         distance(0xb02020, 0x6f6a15, 2));
    must(distance(0x0072b2, 0xd55e00, 1) > 60 && distance(0x0072b2, 0xd55e00, 2) > 60, "blue and orange are");
    ck_assert_double_eq_tol(contrast(0x000000, 0xffffff), 21, 0.01);
}
END_TEST

/* ---- what has to be told apart ---- */

struct group {
    const char *what;
    int signed_too; /* by a letter, a glyph or a shape */
    int style[10];  /* enum tui_style */
};

/* The end of a group is TUI_NORMAL. */
static const struct group groups[] = {
    {"the map, scanned",
     0,
     {TUI_MAP_BACKING, TUI_MAP_CHANGED, TUI_MAP_REDUNDANT, TUI_MAP_ZERO, TUI_MAP_ORPHAN, TUI_MAP_MIXED}},
    {"how much is in the COW", 0, {TUI_MAP_BACKING, TUI_MAP_LOW, TUI_MAP_FULL}},
    {"good and bad", 0, {TUI_GOOD, TUI_WARN, TUI_BAD}},
    {"parts of a file", 0, {TUI_PART_HEADER, TUI_PART_BITMAP, TUI_PART_DATA}},
    {"what became of a file",
     1,
     {TUI_FILE_NEW, TUI_FILE_CONTENT, TUI_FILE_METADATA, TUI_FILE_REMOVED, TUI_FILE_RENAMED,
      TUI_FILE_REPLACED}},
    {"owners",
     1,
     {TUI_OWN_FILE, TUI_OWN_DIRECTORY, TUI_OWN_EXTRA, TUI_OWN_INODES, TUI_OWN_SUPER, TUI_OWN_BITMAPS,
      TUI_OWN_JOURNAL, TUI_OWN_OTHER}},
};

/* What a look is seen by: its background, if it has one of its own. */
struct seen {
    unsigned rgb;
    bool behind;
    unsigned char attributes;
};

static struct seen see(const struct tui_theme *theme, int style, bool rich)
{
    const struct tui_look *look = &theme->look[style], *normal = &theme->look[TUI_NORMAL];
    short fg = rich ? look->fg256 : look->fg16, bg = rich ? look->bg256 : look->bg16;
    unsigned char attributes = rich ? look->attr256 : look->attr16;
    struct seen seen = {.behind = bg != (rich ? normal->bg256 : normal->bg16), .attributes = attributes};
    seen.rgb = seen.behind ? rgb_of(bg) : fg < 0 ? theme->ink_rgb : rgb_of(fg);
    return seen;
}

static void check_pair(const struct tui_theme *theme, const struct group *group, int a, int b, bool rich)
{
    const struct seen x = see(theme, a, rich), y = see(theme, b, rich);
    const unsigned char forms = TUI_UNDERLINE | TUI_REVERSE;
    int least = group->signed_too != 0 ? DISTANCE_SIGNED : rich ? DISTANCE : DISTANCE_16;

    if (group->signed_too != 0 && (x.behind != y.behind || ((x.attributes ^ y.attributes) & forms) != 0)) {
        return;
    }
    for (int eye = 0; eye < EYES; eye++) {
        must(distance(x.rgb, y.rgb, eye) >= least, "%s, %d colours, %s: %s and %s are %.1f apart with %s",
             theme->name, rich ? 256 : 16, group->what, tui_role_name(a), tui_role_name(b),
             distance(x.rgb, y.rgb, eye), eye_names[eye]);
    }
}

static const char *const colored[] = {"default", "dark", "light", "contrast", "16"};

START_TEST(colours_are_told_apart_by_all)
{
    struct cow_error err = {0};
    struct tui_theme theme;

    must_succeed(tui_theme_load(&theme, colored[_i], &err), err);
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        const int *style = groups[g].style;
        for (int a = 0; style[a] != TUI_NORMAL; a++) {
            for (int b = a + 1; style[b] != TUI_NORMAL; b++) {
                check_pair(&theme, &groups[g], style[a], style[b], true);
                check_pair(&theme, &groups[g], style[a], style[b], false);
            }
        }
    }
}
END_TEST

/* Of text on what is behind it, with 256 colours. What is not in the COW stands back, and so do frames and
 * what is disabled; the default has to do on any background. */
START_TEST(text_can_be_read)
{
    static const struct {
        const char *name;
        double least, least_faint;
        unsigned paper; /* where the theme has none of its own */
    } themes[] = {{"default", 4, 2.5, 0x10151c},
                  {"default", 1.8, 1.8, 0xffffff},
                  {"dark", 4.5, 2.5, 0x10151c},
                  {"light", 3, 1.8, 0xfafafa},
                  {"contrast", 7, 5.5, 0x000000}};
    static const int faint[] = {TUI_DISABLED,  TUI_MAP_BACKING, TUI_MAP_BEYOND, TUI_FRAME,    TUI_OFFSET,
                                TUI_MAP_LOW,   TUI_MAP_HALF,    TUI_MAP_HOLE,   TUI_OWN_FREE, TUI_FILE_SAME,
                                TUI_PART_FREE, TUI_PART_NEW,    TUI_FILE_BAR};
    struct cow_error err = {0};
    struct tui_theme theme;

    must_succeed(tui_theme_load(&theme, themes[_i].name, &err), err);
    for (int i = 0; i < TUI_STYLES; i++) {
        const struct tui_look *look = &theme.look[i];
        double least = themes[_i].least;
        for (size_t k = 0; k < sizeof faint / sizeof faint[0]; k++) {
            least = faint[k] == i ? themes[_i].least_faint : least;
        }
        if (look->fg256 < 0) {
            continue; /* the terminal's own on the terminal's own */
        }
        unsigned behind = look->bg256 < 0 ? themes[_i].paper : tui_palette_rgb(look->bg256);
        double got = contrast(tui_palette_rgb(look->fg256), behind);
        must(got >= least, "%s: %s has a contrast of %.1f", theme.name, tui_role_name(i), got);
    }
}
END_TEST

START_TEST(mono_has_no_colours)
{
    struct cow_error err = {0};
    struct tui_theme theme, normal;

    must_succeed(tui_theme_load(&theme, "mono", &err), err);
    must_succeed(tui_theme_load(&normal, NULL, &err), err);
    for (int i = 0; i < TUI_STYLES; i++) {
        const struct tui_look *look = &theme.look[i];
        must(look->fg256 == -1 && look->bg256 == -1 && look->fg16 == -1 && look->bg16 == -1, "%s",
             tui_role_name(i));
        must(look->attr256 == look->attr16 && look->attr256 == normal.look[i].attr_mono,
             "%s: as without colours", tui_role_name(i));
    }
}
END_TEST

/* ---- files ---- */

START_TEST(every_style_has_a_name_and_a_look_in_each_theme)
{
    const char *name;
    size_t n = 0;

    for (int i = 0; i < TUI_STYLES; i++) {
        must(tui_role_name(i) && tui_role_find(tui_role_name(i), strlen(tui_role_name(i))) == i, "style %d",
             i);
    }
    for (; (name = tui_shipped_name(n)) != NULL; n++) {
        for (int i = 0; i < TUI_STYLES; i++) {
            char line[64];
            snprintf(line, sizeof line, "\n%-15s = ", tui_role_name(i));
            must(strstr(tui_shipped_theme(name), line), "%s has no line of %s", name, tui_role_name(i));
        }
    }
    ck_assert_uint_eq(n, 6);
}
END_TEST

START_TEST(a_line_is_a_look)
{
    struct cow_error err = {0};
    struct tui_theme theme;

    must_succeed(
        tui_theme_read(&theme, "x",
                       "# a comment\n\n  about =  of mine \r\npaper=#010203\nink = #ffEEdd\n"
                       "map-changed = bold yellow on default\nmap-zero\t= 255 on 16 bold | red | dim\n"
                       "selected = underline reverse|bright-white on blue\nproblem=7",
                       &err),
        err);
    ck_assert_str_eq(theme.about, "of mine");
    ck_assert_uint_eq(theme.paper_rgb, 0x010203);
    ck_assert_uint_eq(theme.ink_rgb, 0xffeedd);
    const struct tui_look *look = &theme.look[TUI_MAP_CHANGED];
    ck_assert(look->fg256 == 3 && look->bg256 == -1 && look->attr256 == TUI_BOLD && look->fg16 == 3 &&
              look->attr16 == TUI_BOLD && look->attr_mono == TUI_BOLD /* the default's */);
    look = &theme.look[TUI_MAP_ZERO];
    ck_assert(look->fg256 == 255 && look->bg256 == 16 && look->attr256 == TUI_BOLD && look->fg16 == 1 &&
              look->bg16 == -1 && look->attr16 == 0 && look->attr_mono == TUI_FAINT);
    look = &theme.look[TUI_SELECTED];
    ck_assert(look->fg256 == -1 && look->attr256 == (TUI_UNDERLINE | TUI_REVERSE) && look->fg16 == 15 &&
              look->bg16 == 4);
    ck_assert(theme.look[TUI_BAD].fg256 == 7 && theme.look[TUI_KEY].fg256 == 38 /* the default's */);
}
END_TEST

START_TEST(without_256_colours_the_next_one_is_taken)
{
    struct cow_error err = {0};
    struct tui_theme theme;

    must_succeed(tui_theme_read(&theme, "x", "key = 231 on 16\nmap-full = 214\nmap-backing = 67", &err), err);
    ck_assert(theme.look[TUI_KEY].fg16 == 15 && theme.look[TUI_KEY].bg16 == 0);
    ck_assert(theme.look[TUI_MAP_FULL].fg16 == 3 && theme.look[TUI_MAP_BACKING].fg16 == 4);
}
END_TEST

START_TEST(default_is_what_normal_has)
{
    struct cow_error err = {0};
    struct tui_theme theme;

    must_succeed(tui_theme_read(&theme, "x", "strong = bold\nnormal = 250 on 17 | white on blue\n", &err),
                 err);
    ck_assert(theme.look[TUI_STRONG].fg256 == 250 && theme.look[TUI_STRONG].bg256 == 17);
    ck_assert(theme.look[TUI_FRAME].fg256 == 66 && theme.look[TUI_FRAME].bg16 == 4);
    ck_assert_uint_eq(theme.paper_rgb, tui_palette_rgb(17));
}
END_TEST

START_TEST(a_theme_may_begin_as_another_one)
{
    struct cow_error err = {0};
    struct tui_theme theme, light;

    must_succeed(tui_theme_load(&light, "light", &err), err);
    must_succeed(tui_theme_read(&theme, "x", "base = light\nkey = red", &err), err);
    ck_assert(theme.look[TUI_HEADING].fg256 == light.look[TUI_HEADING].fg256 &&
              theme.look[TUI_KEY].fg256 == 1);
    ck_assert_uint_eq(theme.paper_rgb, light.paper_rgb);
}
END_TEST

START_TEST(a_mistake_has_its_line)
{
    static const struct {
        const char *text, *message, *hint;
    } mistakes[] = {
        {"key = red\nmap-chnged = red", "x:2: there is no role \"map-chnged\"", "did you mean map-changed?"},
        {"zzz = red", "x:1: there is no role \"zzz\"", "the theme default has them all"},
        {"key = yelow", "x:1: there is no colour \"yelow\"", "did you mean yellow?"},
        {"key = 256", "x:1: there is no colour \"256\"", "a number up to 255"},
        {"key = red blue", "x:1: two colours", ""},
        {"key = red on", "x:1: a colour is missing", ""},
        {"key = on on red", "x:1: there is no colour \"on\"", ""},
        {"key =", "x:1: a look is missing", ""},
        {"key = red |", "x:1: a look is missing", ""},
        {"key = red | 16", "x:1: the second look is for 16 colours", ""},
        {"key = red | red | red", "x:1: the third look is for no colours", ""},
        {"key = red|red|bold|bold", "x:1: more than three looks", ""},
        {"key = red\nkey = red", "x:2: key stands there twice", ""},
        {"key", "x:1: this is no line of a theme", "ROLE = LOOK"},
        {"paper = red", "x:1: a colour as #rrggbb", ""},
        {"paper = #12345", "x:1: a colour as #rrggbb", ""},
        {"paper = #-12345", "x:1: a colour as #rrggbb", ""},
        {"base = mine", "x:1: there is no theme \"mine\" in the program", ""},
        {"key = red\nbase = light", "x:2: base has to stand before", ""},
        {"\033[31m = red", "x:1: this is not text", ""},
        {"# fine\nkey = \a", "x:2: this is not text", ""},
    };
    struct cow_error err = {0};
    struct tui_theme theme;

    must_fail(tui_theme_read(&theme, "x", mistakes[_i].text, &err), COW_USAGE, err);
    must(strncmp(err.message, mistakes[_i].message, strlen(mistakes[_i].message)) == 0, "%s", err.message);
    must(strstr(err.hint, mistakes[_i].hint), "%s", err.hint);
}
END_TEST

START_TEST(a_line_may_be_too_long)
{
    char text[TUI_THEME_LINE_BYTES + 8];
    struct cow_error err = {0};
    struct tui_theme theme;

    memset(text, ' ', sizeof text);
    text[sizeof text - 1] = '\0';
    must_fail(tui_theme_read(&theme, "x", text, &err), COW_USAGE, err);
    text[TUI_THEME_LINE_BYTES - 1] = '\0';
    must_succeed(tui_theme_read(&theme, "x", text, &err), err);
}
END_TEST

/* A directory of this user's, with cowtui/themes in it. Returns its path. */
static const char *users_place(void)
{
    static char place[64];
    char path[128];

    snprintf(place, sizeof place, "/tmp/cowtui-unit-XXXXXX");
    must(mkdtemp(place), "no scratch directory");
    snprintf(path, sizeof path, "%s/cowtui", place);
    must(mkdir(path, 0700) == 0, "%s", path);
    snprintf(path, sizeof path, "%s/cowtui/themes", place);
    must(mkdir(path, 0700) == 0 && setenv("XDG_CONFIG_HOME", place, 1) == 0, "%s", path);
    return place;
}

static void remove_place(const char *place)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", place);
    must(system(command) == 0, "%s", command);
}

static char *in_place(const char *place, const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/cowtui/themes/%s", place, name);
    return path;
}

static void put_file(const char *place, const char *name, const char *text, size_t bytes)
{
    FILE *file = fopen(in_place(place, name), "w");

    must(file && fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0, "%s", name);
}

START_TEST(the_users_theme_goes_first)
{
    static const char text[] = "key = red\n";
    const char *place = users_place();
    struct cow_error err = {0};
    struct tui_theme theme;

    put_file(place, "mine.theme", text, sizeof text - 1);
    put_file(place, "default.theme", text, sizeof text - 1);
    must_succeed(tui_theme_load(&theme, "mine", &err), err);
    ck_assert_str_eq(theme.name, "mine");
    ck_assert_int_eq(theme.look[TUI_KEY].fg256, 1);
    must_succeed(tui_theme_load(&theme, "default", &err), err);
    ck_assert_int_eq(theme.look[TUI_KEY].fg256, 1);
    must_succeed(tui_theme_load(&theme, NULL, &err), err); /* nobody asked for one */
    ck_assert_int_eq(theme.look[TUI_KEY].fg256, 38);
    must_fail(tui_theme_load(&theme, "mien", &err), COW_USAGE, err);
    ck_assert_str_eq(err.hint, "themes: 16, contrast, dark, default, light, mine, mono");
    remove_place(place);
}
END_TEST

START_TEST(what_stands_in_a_themes_place_holds_nobody)
{
    static char text[TUI_THEME_BYTES + 1];
    const char *place = users_place();
    struct cow_error err = {0};
    struct tui_theme theme;

    must(mkfifo(in_place(place, "fifo.theme"), 0600) == 0, "no FIFO");
    must(mkdir(in_place(place, "directory.theme"), 0700) == 0, "no directory");
    must(symlink("/dev/zero", in_place(place, "zero.theme")) == 0, "no link");
    must(symlink("loop.theme", in_place(place, "loop.theme")) == 0, "no link");
    memset(text, '\n', sizeof text);
    put_file(place, "long.theme", text, sizeof text);
    put_file(place, "fits.theme", text, sizeof text - 1);
    put_file(place, "nul.theme", "key = red\0\n", 11);
    must_fail(tui_theme_load(&theme, "fifo", &err), COW_USAGE, err);
    must_fail(tui_theme_load(&theme, "directory", &err), COW_USAGE, err);
    must_fail(tui_theme_load(&theme, "zero", &err), COW_USAGE, err);
    must_fail(tui_theme_load(&theme, "loop", &err), COW_IO, err);
    must_fail(tui_theme_load(&theme, "long", &err), COW_USAGE, err);
    must_fail(tui_theme_load(&theme, "nul", &err), COW_USAGE, err);
    must_succeed(tui_theme_load(&theme, "fits", &err), err);
    must_fail(tui_theme_load(&theme, "../themes/fits", &err), COW_USAGE, err);
    must_fail(tui_theme_load(&theme, "", &err), COW_USAGE, err);
    must_fail(tui_theme_load(&theme, "\033[31m", &err), COW_USAGE, err);
    remove_place(place);
}
END_TEST

START_TEST(names_of_files_are_names_of_themes)
{
    const char *place = users_place();
    char names[256], few[16];

    put_file(place, "b\033[31m.theme", "", 0);
    put_file(place, ".theme", "", 0);
    put_file(place, ".hidden.theme", "", 0);
    put_file(place, "notes.txt", "", 0);
    put_file(place, "a.theme", "", 0);
    put_file(place, "light.theme", "", 0);
    ck_assert_str_eq(tui_theme_names(names, sizeof names), "16, a, contrast, dark, default, light, mono");
    ck_assert_str_eq(tui_theme_names(few, sizeof few), "16, a, contrast");
    for (int i = 0; i < 2 * TUI_THEMES_MAX; i++) {
        snprintf(names, sizeof names, "t%d.theme", i);
        put_file(place, names, "", 0);
    }
    struct tui_theme_list list;
    tui_theme_list(&list);
    ck_assert_uint_eq(list.n, TUI_THEMES_MAX);
    remove_place(place);
}
END_TEST

/* ---- settings ---- */

START_TEST(settings_are_changed_by_words)
{
    struct tui_settings settings = {.ascii = false};
    struct cow_error err = {0};

    must_succeed(tui_setting_change(&settings, "mouse", &err), err);
    must_succeed(tui_setting_change(&settings, "ascii", &err), err);
    must_succeed(tui_setting_change(&settings, "color=never", &err), err);
    must_succeed(tui_setting_change(&settings, "theme light", &err), err);
    ck_assert(settings.mouse && settings.ascii && settings.color == TUI_COLOR_NEVER);
    ck_assert_str_eq(settings.theme.name, "light");
    must_succeed(tui_setting_change(&settings, "nomouse", &err), err);
    must_succeed(tui_setting_change(&settings, "noascii", &err), err);
    must_succeed(tui_setting_change(&settings, "theme = dark", &err), err);
    ck_assert(!settings.mouse && !settings.ascii);
    ck_assert_str_eq(settings.theme.name, "dark");
    settings.only_ascii = true;
    must_fail(tui_setting_change(&settings, "noascii", &err), COW_USAGE, err);
}
END_TEST

START_TEST(a_wrong_word_changes_nothing)
{
    static const struct {
        const char *words, *hint;
    } wrong[] = {{"moose", "did you mean :set mouse?"},
                 {"no", "set alone"},
                 {"notheme", ":set"},
                 {"mouse=on", ""},
                 {"theme", "themes: 16, contrast"},
                 {"theme=", "themes: 16, contrast"},
                 {"theme=nonsense", "themes: 16, contrast"},
                 {"theme light dark", "themes: 16"},
                 {"color=sometimes", ""},
                 {"color", "auto, never or always"}};
    struct tui_settings settings = {.ascii = true, .theme = {.name = "x"}}, before = settings;
    struct cow_error err = {0};

    must_fail(tui_setting_change(&settings, wrong[_i].words, &err), COW_USAGE, err);
    must(strstr(err.hint, wrong[_i].hint), "%s", err.hint);
    must(memcmp(&settings, &before, sizeof settings) == 0, "something was changed");
}
END_TEST

/* All that is offered where a line has come to, with blanks between. */
static const char *offered(const char *line)
{
    static char out[512];
    const char *word;

    out[0] = '\0';
    for (size_t i = 0; (word = tui_setting_word(line, i)) != NULL; i++) {
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i > 0 ? " " : "", word);
    }
    return out;
}

START_TEST(words_are_offered)
{
    ck_assert_str_eq(offered(""), "ascii noascii color= mouse nomouse theme=");
    ck_assert_str_eq(offered("color="), "auto never always");
    ck_assert_str_eq(offered("theme "), "16 contrast dark default light mono");
    ck_assert_str_eq(offered("mouse "), "");
    ck_assert_str_eq(offered("nonsense="), "");
}
END_TEST

Suite *look_suite(void)
{
    Suite *s = suite_create("look");
    TCase *tc = tcase_create("look");

    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    tcase_add_test(tc, the_measure_is_right);
    tcase_add_loop_test(tc, colours_are_told_apart_by_all, 0, 5);
    tcase_add_loop_test(tc, text_can_be_read, 0, 5);
    tcase_add_test(tc, mono_has_no_colours);
    tcase_add_test(tc, every_style_has_a_name_and_a_look_in_each_theme);
    tcase_add_test(tc, a_line_is_a_look);
    tcase_add_test(tc, without_256_colours_the_next_one_is_taken);
    tcase_add_test(tc, default_is_what_normal_has);
    tcase_add_test(tc, a_theme_may_begin_as_another_one);
    tcase_add_loop_test(tc, a_mistake_has_its_line, 0, 21);
    tcase_add_test(tc, a_line_may_be_too_long);
    tcase_add_test(tc, the_users_theme_goes_first);
    tcase_add_test(tc, what_stands_in_a_themes_place_holds_nobody);
    tcase_add_test(tc, names_of_files_are_names_of_themes);
    tcase_add_test(tc, settings_are_changed_by_words);
    tcase_add_loop_test(tc, a_wrong_word_changes_nothing, 0, 10);
    tcase_add_test(tc, words_are_offered);
    suite_add_tcase(s, tc);
    return s;
}
