/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Text for a terminal that does not speak UTF-8: there the bytes 0x80 to 0x9f may be control characters (C1),
 * and those of a name are full of them.
 */
#ifndef CLI_OUTPUT_TEXT_STREAM_H
#define CLI_OUTPUT_TEXT_STREAM_H

#include <stdbool.h>
#include <stdio.h>

/* Whether the locale's characters are UTF-8. */
bool cli_speaks_utf8(void);

/* Where text for people goes: file (stdout or stderr) itself, or in a locale without UTF-8 a stream that
 * hands to file \xNN for each byte from 0x80 on. Nothing is kept in between, so both may be written to in
 * turn, errors show in file, and only file is closed. JSON and the content of files go to file itself. */
FILE *cli_text_stream(FILE *file);

#endif
