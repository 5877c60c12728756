/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON, whole or not at all: a value is built, then rendered, and only then written to standard output.
 */
#ifndef CLI_OUTPUT_JSON_H
#define CLI_OUTPUT_JSON_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cow/error.h"
#include "cow/image.h"
#include "cow/layout.h"

/* Prints a value with a newline and drops the reference. NULL stands for "out of memory while building it".
 */
int cli_json_print(json_t *value, struct cow_error *err);

/* Writes text and a value in one line to a spool and drops the reference; NULL stands for "out of memory".
 * For what is too long to be built as one value. */
int cli_json_spool(FILE *spool, const char *before, json_t *value, struct cow_error *err);

/* Text as a JSON string, written at once. It is valid UTF-8: what cow_escape made. */
void cli_json_write_string(FILE *file, const char *text);

/* Adds a value to an object (the key is ASCII) or an array and takes its reference over. NULL (out of memory)
 * makes the whole *object NULL, and stays so. */
void cli_json_put(json_t **object, const char *key, json_t *value);
void cli_json_append(json_t **array, json_t *value);

/* A size or an offset. What no JSON reader could hold (2^63 and more; not found in a valid image) is null. */
json_t *cli_json_u64(uint64_t value);

/* A path or a sentence, escaped as on a terminal, so it is valid UTF-8 whatever its bytes are. */
json_t *cli_json_text(const char *text);

/* A path or a sentence, escaped; "" is null. */
json_t *cli_json_text_or_null(const char *text);

/* A sentence of the core. It is escaped already, so it goes in as it is; should it not be UTF-8, it is
 * escaped after all. */
json_t *cli_json_sentence(const char *text);
json_t *cli_json_sentence_or_null(const char *text);

/* {header_bytes, bitmap_offset, bitmap_bytes, data_offset, end_offset} */
json_t *cli_json_layout(const struct cow_layout *layout);

/* {opens, reason, advice, warnings} */
json_t *cli_json_verdict(const struct cow_verdict *verdict);

/* {pid} of who has an image in use, null for nobody; pid is null where the system does not tell. */
json_t *cli_json_holder(const struct cow_holder *holder);

#endif
