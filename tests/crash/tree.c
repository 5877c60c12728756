/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See tree.h. A content is a sorted table of pages; both are counted, and copied when a shared one is
 * written.
 */
#include "tree.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"

struct slot {
    uint64_t index;
    uint64_t block;
    struct page *page;
};

struct content {
    unsigned refs;
    unsigned n;
    unsigned room;
    struct slot *slot;
};

/* ---- pages ---- */

struct page *page_ref(struct page *page)
{
    page->refs++;
    return page;
}

void page_unref(struct page *page)
{
    if (--page->refs == 0) {
        memory_free(page);
    }
}

static struct page *page_new(const struct page *like)
{
    struct page *page = memory_get(sizeof *page);
    page->refs = 1;
    if (like != NULL) {
        memcpy(page->bytes, like->bytes, sizeof page->bytes);
    } else {
        memset(page->bytes, 0, sizeof page->bytes);
    }
    return page;
}

/* ---- contents ---- */

static void content_unref(struct content *content)
{
    if (content == NULL || --content->refs > 0) {
        return;
    }
    for (unsigned i = 0; i < content->n; i++) {
        page_unref(content->slot[i].page);
    }
    memory_free(content->slot);
    memory_free(content);
}

static struct content *content_new(const struct content *like)
{
    struct content *content = memory_get(sizeof *content);
    content->refs = 1;
    content->n = like != NULL ? like->n : 0;
    content->room = content->n + 8;
    content->slot = memory_get(content->room * sizeof *content->slot);
    for (unsigned i = 0; i < content->n; i++) {
        content->slot[i] = like->slot[i];
        page_ref(content->slot[i].page);
    }
    return content;
}

/* The first slot at or behind a page's index. */
static unsigned content_search(const struct content *content, uint64_t index)
{
    unsigned low = 0, high = content != NULL ? content->n : 0;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (content->slot[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct content *own_content(struct inode *inode)
{
    if (inode->content == NULL) {
        inode->content = content_new(NULL);
    } else if (inode->content->refs > 1) {
        struct content *mine = content_new(inode->content);
        content_unref(inode->content);
        inode->content = mine;
    }
    return inode->content;
}

/* Of the disk: every allocation takes a new one. */
static uint64_t last_block;

/* A page that may be written to; where there is none, in this block (0: a new one). */
static struct page *own_page(struct inode *inode, uint64_t index, uint64_t block)
{
    struct content *c = own_content(inode);
    unsigned at = content_search(c, index);
    if (at == c->n || c->slot[at].index != index) {
        if (c->n == c->room) {
            c->room *= 2;
            c->slot = memory_resize(c->slot, c->room * sizeof *c->slot);
        }
        memmove(c->slot + at + 1, c->slot + at, (c->n - at) * sizeof *c->slot);
        c->slot[at] = (struct slot){index, block != 0 ? block : ++last_block, page_new(NULL)};
        c->n++;
    } else if (c->slot[at].page->refs > 1) {
        struct page *mine = page_new(c->slot[at].page);
        page_unref(c->slot[at].page);
        c->slot[at].page = mine;
    }
    return c->slot[at].page;
}

struct page *inode_page(const struct inode *inode, uint64_t offset)
{
    const struct content *c = inode->content;
    unsigned at = content_search(c, offset / PAGE_BYTES);
    return c != NULL && at < c->n && c->slot[at].index == offset / PAGE_BYTES ? c->slot[at].page : NULL;
}

static size_t in_page(uint64_t offset, size_t n_bytes)
{
    size_t left = PAGE_BYTES - offset % PAGE_BYTES;
    return n_bytes < left ? n_bytes : left;
}

void inode_read(const struct inode *inode, uint64_t offset, void *buffer, size_t n_bytes)
{
    uint8_t *to = buffer;
    const uint64_t size = inode->facts.size_bytes;
    while (n_bytes > 0) {
        size_t piece = in_page(offset, n_bytes);
        const struct page *page = offset < size ? inode_page(inode, offset) : NULL;
        size_t valid = page == NULL ? 0 : size - offset < piece ? (size_t)(size - offset) : piece;
        if (valid > 0) {
            memcpy(to, page->bytes + offset % PAGE_BYTES, valid);
        }
        memset(to + valid, 0, piece - valid);
        to += piece;
        offset += piece;
        n_bytes -= piece;
    }
}

void inode_write(struct inode *inode, uint64_t offset, const void *buffer, size_t n_bytes)
{
    const uint8_t *from = buffer;
    while (n_bytes > 0) {
        size_t piece = in_page(offset, n_bytes);
        memcpy(own_page(inode, offset / PAGE_BYTES, 0)->bytes + offset % PAGE_BYTES, from, piece);
        from += piece;
        offset += piece;
        n_bytes -= piece;
    }
}

void inode_put_sector(struct inode *inode, uint64_t sector, const struct page *page, uint64_t block)
{
    size_t at = (size_t)(sector * SECTOR_BYTES % PAGE_BYTES);
    struct page *mine = own_page(inode, sector * SECTOR_BYTES / PAGE_BYTES, block);
    if (mine != page) {
        memcpy(mine->bytes + at, page->bytes + at, SECTOR_BYTES);
    }
}

void inode_cut(struct inode *inode, uint64_t size_bytes)
{
    uint64_t first_gone = (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    unsigned keep = content_search(inode->content, first_gone);
    if (inode->content != NULL && keep < inode->content->n) {
        struct content *c = own_content(inode);
        for (unsigned i = keep; i < c->n; i++) {
            page_unref(c->slot[i].page);
        }
        c->n = keep;
    }
    size_t tail = (size_t)(size_bytes % PAGE_BYTES);
    struct page *last = tail > 0 ? inode_page(inode, size_bytes) : NULL;
    static const uint8_t zeros[PAGE_BYTES];
    if (last != NULL && memcmp(last->bytes + tail, zeros, PAGE_BYTES - tail) != 0) {
        memset(own_page(inode, size_bytes / PAGE_BYTES, 0)->bytes + tail, 0, PAGE_BYTES - tail);
    }
}

void inode_share(struct inode *to, const struct inode *from)
{
    if (from->content != NULL) {
        from->content->refs++;
    }
    content_unref(to->content);
    to->content = from->content;
}

uint64_t inode_next(const struct inode *inode, uint64_t offset, bool data)
{
    const struct content *c = inode->content;
    uint64_t index = offset / PAGE_BYTES;
    unsigned at = content_search(c, index);
    if (data) {
        if (c == NULL || at == c->n) {
            return UINT64_MAX;
        }
        return c->slot[at].index == index ? offset : c->slot[at].index * PAGE_BYTES;
    }
    if (c == NULL || at == c->n || c->slot[at].index != index) {
        return offset;
    }
    while (at < c->n && c->slot[at].index == index) {
        at++;
        index++;
    }
    return index * PAGE_BYTES;
}

uint64_t inode_allocated_bytes(const struct inode *inode)
{
    return inode->content == NULL ? 0 : (uint64_t)inode->content->n * PAGE_BYTES;
}

/* ---- blocks ---- */

uint64_t inode_block(const struct inode *inode, uint64_t offset)
{
    const struct content *c = inode->content;
    unsigned at = content_search(c, offset / PAGE_BYTES);
    return c != NULL && at < c->n && c->slot[at].index == offset / PAGE_BYTES ? c->slot[at].block : 0;
}

uint64_t inode_find_block(const struct inode *inode, uint64_t block)
{
    const struct content *c = inode->content;
    for (unsigned i = 0; c != NULL && i < c->n; i++) {
        if (c->slot[i].block == block) {
            return c->slot[i].index * PAGE_BYTES;
        }
    }
    return UINT64_MAX;
}

unsigned inode_other_blocks(const struct inode *a, const struct inode *b)
{
    const struct content *c = a->content;
    unsigned others = 0;
    for (unsigned i = 0; c != NULL && i < c->n && (b == NULL || b->content != c); i++) {
        const uint64_t block = c->slot[i].block;
        others += b == NULL || (inode_block(b, c->slot[i].index * PAGE_BYTES) != block &&
                                inode_find_block(b, block) == UINT64_MAX);
    }
    return others;
}

unsigned inode_pages_from(const struct inode *inode, uint64_t offset)
{
    const struct content *c = inode->content;
    return c == NULL ? 0 : c->n - content_search(c, (offset + PAGE_BYTES - 1) / PAGE_BYTES);
}

uint64_t inode_nth_page(const struct inode *inode, uint64_t offset, unsigned n)
{
    const struct content *c = inode->content;
    return c->slot[content_search(c, (offset + PAGE_BYTES - 1) / PAGE_BYTES) + n].index * PAGE_BYTES;
}

void inode_drop(struct inode *inode, uint64_t begin, uint64_t end)
{
    const unsigned from = content_search(inode->content, begin / PAGE_BYTES);
    const unsigned to = content_search(inode->content, end / PAGE_BYTES);
    if (from >= to) {
        return;
    }
    struct content *c = own_content(inode);
    for (unsigned i = from; i < to; i++) {
        page_unref(c->slot[i].page);
    }
    memmove(c->slot + from, c->slot + to, (c->n - to) * sizeof *c->slot);
    c->n -= to - from;
}

void inode_move(struct inode *inode, uint64_t begin, uint64_t end, uint64_t n_bytes, bool back)
{
    const unsigned from = content_search(inode->content, begin / PAGE_BYTES);
    const unsigned to = content_search(inode->content, end / PAGE_BYTES);
    const uint64_t step = n_bytes / PAGE_BYTES;
    if (from >= to || step == 0) {
        return;
    }
    struct content *c = own_content(inode);
    for (unsigned i = from; i < to; i++) {
        c->slot[i].index = back ? c->slot[i].index - step : c->slot[i].index + step;
    }
    memory_require((from == 0 || c->slot[from - 1].index < c->slot[from].index) &&
                       (to == c->n || c->slot[to - 1].index < c->slot[to].index),
                   "pages are moved onto others");
}

/* ---- comparing ---- */

/* What lies at offset, to the end of its page at most (*n_bytes is cut to that); NULL: zeros. */
static const uint8_t *piece_at(const struct inode *inode, uint64_t offset, size_t *n_bytes)
{
    const uint64_t size = inode->facts.size_bytes;
    const struct page *page = offset < size ? inode_page(inode, offset) : NULL;
    *n_bytes = in_page(offset, *n_bytes);
    if (page == NULL) {
        return NULL;
    }
    *n_bytes = size - offset < *n_bytes ? (size_t)(size - offset) : *n_bytes;
    return page->bytes + offset % PAGE_BYTES;
}

/* How many of the bytes from offset on are zeros because nothing is allocated there. */
static uint64_t hole_at(const struct inode *inode, uint64_t offset, uint64_t n_bytes)
{
    if (offset >= inode->facts.size_bytes) {
        return n_bytes;
    }
    uint64_t next = inode_next(inode, offset, true);
    return next == UINT64_MAX || next - offset > n_bytes ? n_bytes : next - offset;
}

bool inode_same_range(const struct inode *a, uint64_t a_at, const struct inode *b, uint64_t b_at,
                      uint64_t n_bytes)
{
    static const uint8_t zeros[PAGE_BYTES];
    while (n_bytes > 0) {
        size_t piece = n_bytes < PAGE_BYTES ? (size_t)n_bytes : PAGE_BYTES;
        const uint8_t *p = piece_at(a, a_at, &piece), *q = piece_at(b, b_at, &piece);
        uint64_t step = piece;
        if (p == NULL && q == NULL) {
            uint64_t other = hole_at(b, b_at, n_bytes);
            step = hole_at(a, a_at, n_bytes);
            step = other < step ? other : step;
        } else if (p != q && memcmp(p != NULL ? p : zeros, q != NULL ? q : zeros, piece) != 0) {
            return false;
        }
        a_at += step;
        b_at += step;
        n_bytes -= step;
    }
    return true;
}

bool inode_same_bytes(const struct inode *a, const struct inode *b, uint64_t from, uint64_t to)
{
    return (a->content == b->content && a->facts.size_bytes >= to && b->facts.size_bytes >= to) ||
           from >= to || inode_same_range(a, from, b, from, to - from);
}

bool inode_zero(const struct inode *inode, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[PAGE_BYTES];
    uint8_t bytes[PAGE_BYTES];
    for (from = inode_next(inode, from, true); from < to; from = inode_next(inode, from, true)) {
        size_t piece = in_page(from, (size_t)(to - from));
        inode_read(inode, from, bytes, piece);
        if (memcmp(bytes, zeros, piece) != 0) {
            return false;
        }
        from += piece;
    }
    return true;
}

void inode_forget(struct inode *inode)
{
    content_unref(inode->content);
    inode->content = NULL;
}

/* ---- trees ---- */

void tree_init(struct tree *tree)
{
    memset(tree, 0, sizeof *tree);
    tree_make(tree, INODE_DIRECTORY, 0755);
}

void tree_copy(struct tree *to, const struct tree *from)
{
    memcpy(to, from, sizeof *to);
    for (unsigned i = 0; i < TREE_INODES; i++) {
        if (to->inode[i].content != NULL) {
            to->inode[i].content->refs++;
        }
    }
}

void tree_clear(struct tree *tree)
{
    for (unsigned i = 0; i < TREE_INODES; i++) {
        content_unref(tree->inode[i].content);
    }
    memset(tree, 0, sizeof *tree);
}

void tree_settle(struct tree *tree)
{
    for (unsigned i = 0; i < TREE_INODES; i++) {
        struct inode *inode = &tree->inode[i];
        const bool is_file = inode->kind == INODE_FILE || inode->kind == INODE_LINK;
        if (is_file && tree_links(tree, (uint8_t)i) == 0) {
            content_unref(inode->content);
            *inode = (struct inode){.kind = INODE_FREE};
        } else if (inode->kind == INODE_FILE && !inode->has_past) {
            inode_cut(inode, inode->facts.size_bytes);
        }
    }
}

bool facts_same(const struct facts *a, const struct facts *b)
{
    return a->size_bytes == b->size_bytes && a->mtime.tv_sec == b->mtime.tv_sec &&
           a->mtime.tv_nsec == b->mtime.tv_nsec && a->mode == b->mode && a->uid == b->uid &&
           a->gid == b->gid && a->xattr_bytes == b->xattr_bytes;
}

static bool inode_same(const struct inode *a, const struct inode *b)
{
    return a->kind == b->kind && a->number == b->number && facts_same(&a->facts, &b->facts) &&
           inode_same_bytes(a, b, 0, a->facts.size_bytes);
}

bool tree_same(const struct tree *a, const struct tree *b)
{
    bool same = a->n_entries == b->n_entries;
    for (unsigned i = 0; same && i < a->n_entries; i++) {
        const struct entry *entry = &a->entry[i];
        uint8_t other = tree_lookup(b, entry->directory, entry->name);
        same = other == entry->target && inode_same(&a->inode[entry->target], &b->inode[other]);
    }
    return same;
}

static bool number_taken(const struct tree *tree, uint64_t number)
{
    for (unsigned i = 0; i < TREE_INODES; i++) {
        if (tree->inode[i].kind != INODE_FREE && !tree->inode[i].gone && tree->inode[i].number == number) {
            return true;
        }
    }
    return false;
}

uint8_t tree_make(struct tree *tree, enum inode_kind kind, mode_t mode)
{
    uint8_t at = 0;
    while (tree->inode[at].kind != INODE_FREE) {
        memory_require(++at < TREE_INODES, "too many inodes");
    }
    uint64_t number = 11;
    while (number_taken(tree, number)) {
        number++;
    }
    tree->inode[at] = (struct inode){.kind = kind, .number = number, .facts = {.mode = mode}};
    return at;
}

static unsigned find_entry(const struct tree *tree, uint8_t directory, const char *name)
{
    unsigned i = 0;
    while (i < tree->n_entries &&
           (tree->entry[i].directory != directory || strcmp(tree->entry[i].name, name) != 0)) {
        i++;
    }
    return i;
}

void tree_set_entry(struct tree *tree, uint8_t directory, const char *name, uint8_t target)
{
    unsigned at = find_entry(tree, directory, name);
    if (target == NO_INODE) {
        if (at < tree->n_entries) {
            tree->entry[at] = tree->entry[--tree->n_entries];
        }
        return;
    }
    memory_require(at < TREE_ENTRIES && strlen(name) < TREE_NAME_BYTES, "too many names");
    if (at == tree->n_entries) {
        tree->n_entries++;
        tree->entry[at] = (struct entry){.directory = directory};
        memcpy(tree->entry[at].name, name, strlen(name) + 1);
    }
    tree->entry[at].target = target;
}

uint8_t tree_lookup(const struct tree *tree, uint8_t directory, const char *name)
{
    unsigned at = find_entry(tree, directory, name);
    return at < tree->n_entries ? tree->entry[at].target : NO_INODE;
}

uint8_t tree_find_directory(const struct tree *tree, const char *path, const char **name)
{
    uint8_t directory = TREE_ROOT;
    char part[TREE_NAME_BYTES];
    const char *slash;
    while (*path == '/') {
        path++;
    }
    while ((slash = strchr(path, '/')) != NULL) {
        size_t length = (size_t)(slash - path);
        if (length >= sizeof part) {
            return NO_INODE;
        }
        memcpy(part, path, length);
        part[length] = '\0';
        directory = tree_lookup(tree, directory, part);
        if (directory == NO_INODE || tree->inode[directory].kind != INODE_DIRECTORY) {
            return NO_INODE;
        }
        path = slash + 1;
    }
    *name = path;
    return directory;
}

uint8_t tree_find(const struct tree *tree, const char *path)
{
    const char *name;
    uint8_t directory = tree_find_directory(tree, path, &name);
    return directory == NO_INODE || *name == '\0' ? directory : tree_lookup(tree, directory, name);
}

void tree_path_of(const struct tree *tree, const struct entry *entry, char out[2 * TREE_NAME_BYTES])
{
    const char *directory = "";
    for (unsigned i = 0; i < tree->n_entries; i++) {
        if (tree->entry[i].target == entry->directory) {
            directory = tree->entry[i].name;
        }
    }
    snprintf(out, 2 * TREE_NAME_BYTES, "%s%s/%s", *directory != '\0' ? "/" : "", directory, entry->name);
}

unsigned tree_links(const struct tree *tree, uint8_t inode)
{
    unsigned links = 0;
    for (unsigned i = 0; i < tree->n_entries; i++) {
        links += tree->entry[i].target == inode;
    }
    return links;
}
