/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Merging into the backing file, and judging what is there.
 */
#include "merging.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct merge_scene merge_scene_of(const struct model_spec *spec, bool sibling)
{
    struct merge_scene s = {.model = model_create(spec)};
    must(chmod(s.model->cow_path, 0640) == 0, "chmod");
    s.image = witness_of(s.model->cow_path);
    s.backing = witness_of(s.model->backing_path);
    if (sibling) {
        s.sibling = test_path("s");
        model_put_empty(s.sibling, COW_FORMAT_V3, s.model->backing_path, spec->size_bytes, 512, 4096);
        s.fellow = witness_of(s.sibling);
    }
    return s;
}

void merge_scene_end(struct merge_scene *s)
{
    model_free(s->model);
    free(s->sibling);
    test_directory_clear();
}

struct model_spec merge_spec(enum cow_format format)
{
    struct model_spec spec = model_spec_of(format, 300 * 512, PATTERN_FAR, 3);
    spec.garbage = true;
    return spec;
}

const struct cow_merge_options into_backing = {.in_place = true};

int merge_plan(struct cow_plan **out, struct cow_image *img, struct cow_error *err)
{
    return cow_plan_merge(out, img, &into_backing, err);
}

int merge(const struct merge_scene *s, const struct cow_io *io, struct cow_error *err)
{
    return plan_and_commit(s->model->cow_path, merge_plan, io, err);
}

/* ---- judging ---- */

bool merge_is_pending(void)
{
    char *journal = test_path(".m.cowtui-journal");
    const bool pending = file_exists(journal);
    free(journal);
    return pending;
}

void check_merge_names(const struct merge_scene *s, const char *where)
{
    char *names = directory_list(test_directory());
    const char *wanted = s->sibling != NULL ? "m m.img s" : "m m.img";
    must(strcmp(names, wanted) == 0, "%s: there is \"%s\"", where, names);
    free(names);
    if (s->sibling != NULL) {
        witness_check(&s->fellow, where);
    }
}

void check_nothing_merged(const struct merge_scene *s, const char *where)
{
    witness_check(&s->image, where);
    witness_check(&s->backing, where);
    check_merge_names(s, where);
}

void check_disk(const struct merge_scene *s, const char *where)
{
    const struct model *m = s->model;
    uint64_t size = 0;
    const bool same_file = file_inode(m->cow_path) == s->image.facts.st_ino;
    uint8_t *disk =
        model_compose(m->cow_path, same_file ? m->spec.format : COW_FORMAT_V3, m->backing_path, &size);
    must(disk != NULL && size == m->spec.size_bytes && memcmp(disk, m->disk, size) == 0,
         "%s: %s: the disk is another one", where, model_describe(m));
    free(disk);
}

void check_merged(const struct merge_scene *s, const char *where)
{
    const struct model *m = s->model;
    const uint64_t size = m->spec.size_bytes;
    struct model_view view;
    struct stat image, backing;
    uint8_t *bytes = malloc(size);
    must(bytes != NULL, "out of memory");
    must(stat(m->cow_path, &image) == 0 && stat(m->backing_path, &backing) == 0, "%s: stat", where);
    file_read(m->backing_path, 0, bytes, size);
    must((uint64_t)backing.st_size == size && memcmp(bytes, m->disk, size) == 0,
         "%s: %s: the backing file is not the disk", where, model_describe(m));
    free(bytes);
    must(backing.st_ino == s->backing.facts.st_ino && backing.st_mode == s->backing.facts.st_mode,
         "%s: another backing file", where);
    must(model_read_header(&view, m->cow_path, COW_FORMAT_V3), "%s: %s: no v3", where, model_describe(m));
    must(view.size_bytes == size && view.sector_bytes == 512 && strcmp(view.path, m->backing_path) == 0,
         "%s: %s: size %" PRIu64 " path %s", where, model_describe(m), view.size_bytes, view.path);
    must(backing.st_mtim.tv_sec == (int64_t)view.mtime && backing.st_mtim.tv_nsec == 0, "%s: the date %u",
         where, view.mtime);
    must(view.mtime != MODEL_MTIME && backing.st_mtim.tv_sec != s->backing.facts.st_mtim.tv_sec,
         "%s: the old date", where);
    uint8_t *bitmap = malloc(view.geometry.bitmap_bytes);
    must(bitmap != NULL, "out of memory");
    file_read(m->cow_path, view.geometry.bitmap_offset, bitmap, view.geometry.bitmap_bytes);
    for (uint64_t i = 0; i < view.geometry.bitmap_bytes; i++) {
        must(bitmap[i] == 0, "%s: %s: bits in byte %" PRIu64, where, model_describe(m), i);
    }
    free(bitmap);
    must((uint64_t)image.st_size == view.geometry.end_offset && (image.st_mode & 07777) == 0640,
         "%s: length %jd mode %o", where, (intmax_t)image.st_size, image.st_mode);
    must(image.st_blocks * 512 < 64 * 1024, "%s: the empty image takes %jd blocks", where,
         (intmax_t)image.st_blocks);
    check_disk(s, where);
    check_merge_names(s, where);
}
