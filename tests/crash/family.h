/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is judged of the other images of a family: they are changed with the image as one, so all are old or
 * all are new. Until recovery some may be old and some new, but only where the family's journal tells of it.
 * In a scene without a family nothing is asked here.
 */
#ifndef CRASH_FAMILY_H
#define CRASH_FAMILY_H

#include "judge.h"

/* Whether the path is that of another image of the scene's family. */
bool family_has(const struct trial *trial, const char *path);
/* The one that a name stands for or is named after ("sib.cow", ".sib.cow.cowtui-undo"), at that end; NULL:
 * none. */
const struct kin *family_find(const struct trial *trial, const struct stage *stage, const char *name);
/* Whether undo data of the family, or of another image of it, has this path. */
bool family_undoes(const struct trial *trial, const char *path);

/* A bit for each image of the family that has no record of its own at a crash: what was in the making for it
 * is told of nowhere, as in a single change that has no journal yet. */
unsigned family_drafts(const struct trial *trial, const struct tree *crashed);
bool family_excuses(const struct trial *trial, const char *name, unsigned drafts);

/* Before any recovery: each shows its old or its new disk, or is half way with what recovery needs. */
struct verdict family_crashed(const struct trial *trial, const struct tree *tree);
/* At the end: each is the one that it is at the end which the image is at. */
struct verdict family_settled(const struct trial *trial, const struct tree *tree, enum outcome outcome);

#endif
