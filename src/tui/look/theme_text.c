/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See theme_text.h. The text is somebody's file and may be anything: it is walked line by line, each in a
 * room of its own, and what is told of it is escaped.
 */
#include "tui/look/theme_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"
#include "tui/look/roles.h"
#include "tui/look/shipped.h"

enum { LOOKS = 3, TOLD_BYTES = 80 };

/* What one line is read with. */
struct reading {
    struct tui_theme *theme;
    bool said[TUI_STYLES]; /* in an earlier line */
    bool begun;            /* some role was */
    struct cow_error *err;
};

/* A look as it was written. */
struct written {
    short fg, bg;
    unsigned char attributes;
};

static const struct {
    const char *name;
    unsigned char attribute;
} attributes[] = {
    {"bold", TUI_BOLD}, {"dim", TUI_FAINT}, {"reverse", TUI_REVERSE}, {"underline", TUI_UNDERLINE}};

static int read_text(struct tui_theme *theme, const char *where, const char *text, struct cow_error *err);

static const char *told(char out[TOLD_BYTES], const char *word, size_t word_bytes)
{
    char copy[TUI_THEME_LINE_BYTES];

    snprintf(copy, sizeof copy, "%.*s", (int)word_bytes, word);
    return cow_escape(out, TOLD_BYTES, copy);
}

/* ---- one look ---- */

static unsigned char find_attribute(const char *word, size_t word_bytes)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (strncmp(attributes[i].name, word, word_bytes) == 0 && attributes[i].name[word_bytes] == '\0') {
            return attributes[i].attribute;
        }
    }
    return 0;
}

static int refuse_word(const char *word, size_t word_bytes, struct cow_error *err)
{
    struct cow_nearest nearest = {.typed = word, .typed_bytes = word_bytes};
    char text[TOLD_BYTES];

    for (int i = 0; i < TUI_COLOR_NAMES; i++) {
        cow_nearest_offer(&nearest, tui_color_name(i));
    }
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        cow_nearest_offer(&nearest, attributes[i].name);
    }
    cow_error_set(err, COW_USAGE, "there is no colour \"%s\"", told(text, word, word_bytes));
    return cow_error_hint(err,
                          "%s%s%sbold, dim, reverse, underline; black, red, green, yellow, blue, magenta, "
                          "cyan, white, the same behind bright-, default, or a number up to 255; \"on\" "
                          "before the one behind the text",
                          nearest.word != NULL ? "did you mean " : "",
                          nearest.word != NULL ? nearest.word : "",
                          nearest.word != NULL ? "? There are " : "there are ");
}

/* A colour of the text, or behind "on" that of what is behind it. */
static int take_color(struct written *look, bool *given, const char *word, size_t word_bytes, bool behind,
                      struct cow_error *err)
{
    short color;

    if (!tui_color_find(&color, word, word_bytes)) {
        return refuse_word(word, word_bytes, err);
    }
    if (given[behind]) {
        return cow_error_set(err, COW_USAGE, "two colours where one is wanted");
    }
    given[behind] = true;
    *(behind ? &look->bg : &look->fg) = color;
    return 0;
}

static int read_look(struct written *look, const char *text, size_t text_bytes, struct cow_error *err)
{
    const char *end = text + text_bytes;
    bool given[2] = {false, false}, behind = false, any = false;
    int status = 0;

    *look = (struct written){-1, -1, 0};
    for (const char *word = text; status == 0; word += strcspn(word, " \t|")) {
        word += strspn(word, " \t");
        if (word >= end) {
            break;
        }
        size_t word_bytes = strcspn(word, " \t|");
        unsigned char attribute = find_attribute(word, word_bytes);
        any = true;
        if (attribute != 0 && behind == given[1]) {
            look->attributes |= attribute;
        } else if (word_bytes == 2 && strncmp(word, "on", 2) == 0 && !behind) {
            behind = true;
        } else {
            status = take_color(look, given, word, word_bytes, behind, err);
        }
    }
    if (status == 0 && (!any || (behind && !given[1]))) {
        return cow_error_set(err, COW_USAGE, any ? "a colour is missing behind \"on\"" : "a look is missing");
    }
    return status;
}

/* ---- one line ---- */

/* Up to three looks; the first one has to be there. */
static int read_looks(struct tui_look *out, const char *text, struct cow_error *err)
{
    struct written look[LOOKS];
    int n = 0, status = 0;

    for (const char *part = text; status == 0 && part != NULL; n++) {
        size_t bytes = strcspn(part, "|");
        if (n == LOOKS) {
            return cow_error_set(err, COW_USAGE, "more than three looks: 256 colours | 16 | none");
        }
        status = read_look(&look[n], part, bytes, err);
        part = part[bytes] != '\0' ? part + bytes + 1 : NULL;
    }
    if (status != 0) {
        return status;
    }
    if (n > 2 && (look[2].fg >= 0 || look[2].bg >= 0)) {
        return cow_error_set(err, COW_USAGE, "the third look is for no colours, and has one");
    }
    if (n > 1 && (look[1].fg >= TUI_COLOR_NAMES || look[1].bg >= TUI_COLOR_NAMES)) {
        return cow_error_set(err, COW_USAGE, "the second look is for 16 colours: their names, or 0 to 15");
    }
    out->fg256 = look[0].fg;
    out->bg256 = look[0].bg;
    out->attr256 = look[0].attributes;
    out->fg16 = n > 1 ? look[1].fg : tui_color_near(look[0].fg);
    out->bg16 = n > 1 ? look[1].bg : tui_color_near(look[0].bg);
    out->attr16 = look[n > 1 ? 1 : 0].attributes;
    if (n > 2) {
        out->attr_mono = look[2].attributes;
    }
    return 0;
}

static int refuse_role(const char *name, struct cow_error *err)
{
    struct cow_nearest nearest = {.typed = name, .typed_bytes = strlen(name)};
    char text[TOLD_BYTES];

    for (int i = 0; i < TUI_STYLES; i++) {
        cow_nearest_offer(&nearest, tui_role_name(i));
    }
    cow_error_set(err, COW_USAGE, "there is no role \"%s\"", told(text, name, strlen(name)));
    if (nearest.word != NULL) {
        return cow_error_hint(err, "did you mean %s? The theme default has them all", nearest.word);
    }
    return cow_error_hint(err, "the theme default has them all: %s, %s, %s...", tui_role_name(TUI_NORMAL),
                          tui_role_name(TUI_MAP_CHANGED), tui_role_name(TUI_SELECTED));
}

static int take_role(struct reading *reading, const char *name, const char *value)
{
    int style = tui_role_find(name, strlen(name));

    if (style < 0) {
        return refuse_role(name, reading->err);
    }
    if (reading->said[style]) {
        return cow_error_set(reading->err, COW_USAGE, "%s stands there twice", name);
    }
    reading->said[style] = reading->begun = true;
    return read_looks(&reading->theme->look[style], value, reading->err);
}

static int take_base(struct reading *reading, const char *value)
{
    const char *text = tui_shipped_theme(value);
    char name[TOLD_BYTES];

    if (reading->begun) {
        return cow_error_set(reading->err, COW_USAGE, "base has to stand before all roles");
    }
    if (text != NULL) {
        return read_text(reading->theme, value, text, reading->err);
    }
    return cow_error_set(reading->err, COW_USAGE, "there is no theme \"%s\" in the program",
                         told(name, value, strlen(value)));
}

static int take_rgb(unsigned *out, const char *value, struct cow_error *err)
{
    int end = 0;

    if (value[0] == '#' && strlen(value) == 7 && isxdigit((unsigned char)value[1]) &&
        sscanf(value + 1, "%6x%n", out, &end) == 1 && end == 6) {
        return 0;
    }
    return cow_error_set(err, COW_USAGE, "a colour as #rrggbb is wanted here");
}

static int take_value(struct reading *reading, const char *name, const char *value)
{
    struct tui_theme *theme = reading->theme;

    if (strcmp(name, "about") == 0) {
        snprintf(theme->about, sizeof theme->about, "%s", value);
        return 0;
    }
    if (strcmp(name, "base") == 0) {
        return take_base(reading, value);
    }
    if (strcmp(name, "paper") == 0) {
        return take_rgb(&theme->paper_rgb, value, reading->err);
    }
    if (strcmp(name, "ink") == 0) {
        return take_rgb(&theme->ink_rgb, value, reading->err);
    }
    return take_role(reading, name, value);
}

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, " \t\r");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text;
}

static int take_line(struct reading *reading, char *line)
{
    char *name = trim(line), *value = strchr(name, '=');

    if (name[0] == '\0' || name[0] == '#') {
        return 0;
    }
    if (value == NULL) {
        cow_error_set(reading->err, COW_USAGE, "this is no line of a theme");
        return cow_error_hint(reading->err,
                              "a line is: ROLE = LOOK, as in: map-changed = bold yellow on default");
    }
    *value++ = '\0';
    return take_value(reading, trim(name), trim(value));
}

/* ---- all of it ---- */

static bool is_text(const char *line, size_t line_bytes)
{
    for (size_t i = 0; i < line_bytes; i++) {
        unsigned char byte = (unsigned char)line[i];
        if ((byte < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

/* What the theme says, over what is there already. */
static int read_text(struct tui_theme *theme, const char *where, const char *text, struct cow_error *err)
{
    struct reading reading = {.theme = theme, .err = err};
    char line[TUI_THEME_LINE_BYTES];

    for (int number = 1; text != NULL; number++) {
        size_t bytes = strcspn(text, "\n");
        int status = 0;
        if (bytes >= sizeof line) {
            status = cow_error_set(err, COW_USAGE, "the line is too long");
        } else if (!is_text(text, bytes)) {
            status = cow_error_set(err, COW_USAGE, "this is not text");
        }
        snprintf(line, sizeof line, "%.*s", (int)(bytes < sizeof line ? bytes : 0), text);
        if (status == 0) {
            status = take_line(&reading, line);
        }
        if (status != 0) {
            return cow_error_prefix(err, "%s:%d", where, number);
        }
        text = text[bytes] != '\0' ? text + bytes + 1 : NULL;
    }
    return 0;
}

/* "default" becomes the colours of normal, and a picture has its paper. */
static void resolve(struct tui_theme *theme)
{
    const struct tui_look normal = theme->look[TUI_NORMAL];

    for (int i = 0; i < TUI_STYLES; i++) {
        struct tui_look *look = &theme->look[i];
        look->fg256 = look->fg256 < 0 ? normal.fg256 : look->fg256;
        look->bg256 = look->bg256 < 0 ? normal.bg256 : look->bg256;
        look->fg16 = look->fg16 < 0 ? normal.fg16 : look->fg16;
        look->bg16 = look->bg16 < 0 ? normal.bg16 : look->bg16;
    }
    if (normal.bg256 >= 0) {
        theme->paper_rgb = tui_palette_rgb(normal.bg256);
    }
    if (normal.fg256 >= 0) {
        theme->ink_rgb = tui_palette_rgb(normal.fg256);
    }
}

int tui_theme_read(struct tui_theme *theme, const char *where, const char *text, struct cow_error *err)
{
    int status;

    memset(theme, 0, sizeof *theme);
    status = read_text(theme, "default", tui_shipped_theme("default"), err);
    theme->about[0] = '\0';
    if (status == 0) {
        status = read_text(theme, where, text, err);
    }
    if (status == 0) {
        resolve(theme);
    }
    return status;
}

bool tui_theme_name_fits(const char *name)
{
    size_t bytes = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    return bytes > 0 && bytes < TUI_THEME_NAME_BYTES && name[bytes] == '\0' && name[0] != '.';
}
