/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See settings.h. A name that is on or off has the word "no" before it for off, as in vi.
 */
#include "tui/look/settings.h"

#include <stdio.h>
#include <string.h>

#include "cow/text.h"
#include "tui/look/themes.h"

enum { WORD_BYTES = 80, TOLD_BYTES = 80 };

enum setting { ASCII, COLOR, MOUSE, THEME, SETTINGS };

static const struct tui_setting table[SETTINGS] = {
    [ASCII] = {"ascii", NULL, "ASCII characters only"},
    [COLOR] = {"color", "auto|never|always", "colours: as the terminal and NO_COLOR say, none, or always"},
    [MOUSE] = {"mouse", NULL,
               "a click selects, a second one is Enter, the wheel moves, dragging makes a range"},
    [THEME] = {"theme", "NAME", "the colours of the screen"},
};

static const char *const color_words[] = {
    [TUI_COLOR_AUTO] = "auto", [TUI_COLOR_NEVER] = "never", [TUI_COLOR_ALWAYS] = "always"};

enum { COLOR_WORDS = sizeof color_words / sizeof color_words[0] };

const struct tui_setting *tui_setting_row(size_t index)
{
    return index < SETTINGS ? &table[index] : NULL;
}

const char *tui_setting_value(const struct tui_settings *settings, size_t index)
{
    switch ((enum setting)index) {
    case ASCII:
        return settings->ascii ? "on" : "off";
    case COLOR:
        return color_words[settings->color];
    case MOUSE:
        return settings->mouse ? "on" : "off";
    case THEME:
        return settings->theme.name;
    case SETTINGS:
        break;
    }
    return "";
}

const char *tui_settings_text(const struct tui_settings *settings, char *out, size_t out_bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < SETTINGS && used < out_bytes; i++) {
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s %s", i > 0 ? ", " : "", table[i].name,
                                 tui_setting_value(settings, i));
    }
    return out;
}

void tui_settings_apply(const struct tui_settings *settings, struct tui_backend *backend,
                        struct tui_canvas *canvas)
{
    canvas->ascii = settings->ascii;
    backend->ops->look(backend, &settings->theme, (int)settings->color);
    backend->ops->use_mouse(backend, settings->mouse);
    backend->ops->forget(backend);
}

/* ---- changing ---- */

static int set_flag(struct tui_settings *settings, enum setting which, bool on, struct cow_error *err)
{
    if (which == ASCII && !on && settings->only_ascii) {
        return cow_error_set(err, COW_USAGE, "this terminal's locale has ASCII characters only");
    }
    *(which == ASCII ? &settings->ascii : &settings->mouse) = on;
    return 0;
}

static int set_color(struct tui_settings *settings, const char *value, struct cow_error *err)
{
    char told[TOLD_BYTES];

    for (int i = 0; i < COLOR_WORDS; i++) {
        if (strcmp(color_words[i], value) == 0) {
            settings->color = (enum tui_color_choice)i;
            return 0;
        }
    }
    return cow_error_set(err, COW_USAGE, "color is auto, never or always, not \"%s\"",
                         cow_escape(told, sizeof told, value));
}

static int set_theme(struct tui_settings *settings, const char *name, struct cow_error *err)
{
    struct tui_theme theme;
    int status = tui_theme_load(&theme, name, err);

    if (status == 0) {
        settings->theme = theme;
    }
    return status;
}

static int refuse_missing(enum setting which, struct cow_error *err)
{
    char names[COW_HINT_BYTES - 32];

    cow_error_set(err, COW_USAGE, "set %s: which one?", table[which].name);
    if (which == COLOR) {
        return cow_error_hint(err, "auto, never or always");
    }
    return cow_error_hint(err, "themes: %s", tui_theme_names(names, sizeof names));
}

static int refuse_name(const char *name, size_t name_bytes, struct cow_error *err)
{
    struct cow_nearest nearest = {.typed = name, .typed_bytes = name_bytes};
    char typed[WORD_BYTES], told[TOLD_BYTES];
    const char *word;

    snprintf(typed, sizeof typed, "%.*s", (int)name_bytes, name);
    for (size_t i = 0; (word = tui_setting_word("", i)) != NULL; i++) {
        cow_nearest_offer(&nearest, word);
    }
    cow_error_set(err, COW_USAGE, "there is no setting \"%s\"", cow_escape(told, sizeof told, typed));
    return nearest.word != NULL
               ? cow_error_hint(err, "did you mean :set %s? :set alone shows what there is", nearest.word)
               : cow_error_hint(err, ":set alone shows what there is");
}

/* The setting of a name of so many bytes; off: with "no" before it. SETTINGS if there is none. */
static enum setting find_setting(const char *name, size_t name_bytes, bool *off)
{
    *off = name_bytes > 2 && strncmp(name, "no", 2) == 0;
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t skip = *off && table[i].value == NULL ? 2 : 0;
        if (strncmp(table[i].name, name + skip, name_bytes - skip) == 0 &&
            table[i].name[name_bytes - skip] == '\0') {
            return (enum setting)i;
        }
    }
    return SETTINGS;
}

int tui_setting_change(struct tui_settings *settings, const char *words, struct cow_error *err)
{
    size_t bytes = strcspn(words, " =");
    const char *value = words + bytes + strspn(words + bytes, " =");
    bool off;
    enum setting which = find_setting(words, bytes, &off);

    if (which == SETTINGS) {
        return refuse_name(words, bytes, err);
    }
    if (table[which].value == NULL && words[bytes] != '\0') {
        return cow_error_set(err, COW_USAGE, "%s is on or off: set %s, set no%s", table[which].name,
                             table[which].name, table[which].name);
    }
    if (table[which].value == NULL) {
        return set_flag(settings, which, !off, err);
    }
    if (value[0] == '\0') {
        return refuse_missing(which, err);
    }
    return which == COLOR ? set_color(settings, value, err) : set_theme(settings, value, err);
}

/* ---- completing ---- */

static const char *value_word(enum setting which, size_t index)
{
    static struct tui_theme_list themes;

    if (which == COLOR) {
        return index < COLOR_WORDS ? color_words[index] : NULL;
    }
    if (index == 0) {
        tui_theme_list(&themes);
    }
    return index < themes.n ? themes.name[index] : NULL;
}

const char *tui_setting_word(const char *line, size_t index)
{
    static const char *const words[] = {"ascii", "noascii", "color=", "mouse", "nomouse", "theme="};
    size_t bytes = strcspn(line, " =");
    bool off;
    enum setting which = find_setting(line, bytes, &off);

    if (line[bytes] != '\0') {
        return which == COLOR || which == THEME ? value_word(which, index) : NULL;
    }
    return index < sizeof words / sizeof words[0] ? words[index] : NULL;
}
