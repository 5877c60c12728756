/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The stream that escapes. Escaping at the stream, and not where each name is printed, leaves nothing out.
 */
#include "cli/output/text_stream.h"

#include <langinfo.h>
#include <string.h>

bool cli_speaks_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static ssize_t put_ascii(void *cookie, const char *bytes, size_t n)
{
    FILE *file = cookie;

    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x80 ? putc(byte, file) == EOF : fprintf(file, "\\x%02x", byte) < 0) {
            return 0; /* an error, says fopencookie(3) */
        }
    }
    return (ssize_t)n;
}

FILE *cli_text_stream(FILE *file)
{
    static FILE *narrow[2]; /* for standard output and standard error, made when first asked for */
    FILE **stream = &narrow[file == stderr];

    if (cli_speaks_utf8()) {
        return file;
    }
    if (*stream == NULL) {
        *stream = fopencookie(file, "w", (cookie_io_functions_t){.write = put_ascii});
        if (*stream == NULL) {
            return file;
        }
        setvbuf(*stream, NULL, _IONBF, 0);
    }
    return *stream;
}
