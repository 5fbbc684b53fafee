// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "steerd/base/log.h"

static void out_of_memory(size_t size)
{
    steer_log(STEER_LOG_ERROR, "base", "out of memory: %zu bytes could not be allocated", size);
    abort();
}

void *steer_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *steer_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory(count);
    return p;
}

void *steer_realloc(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(SIZE_MAX);
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p)
        out_of_memory(bytes);
    return p;
}

char *steer_strdup(const char *text)
{
    return steer_strndup(text, strlen(text));
}

char *steer_strndup(const char *text, size_t len)
{
    char *p = steer_alloc(len + 1);
    memcpy(p, text, len);
    p[len] = '\0';
    return p;
}

void *steer_memdup(const void *data, size_t len)
{
    void *p = steer_alloc(len);
    if (len)
        memcpy(p, data, len);
    return p;
}

void *steer_grow(void *items, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return items;
    size_t next = *cap ? *cap * 2 : 8;
    if (next < need)
        next = need;
    items = steer_realloc(items, next, size);
    *cap = next;
    return items;
}

struct steer_arena_block {
    struct steer_arena_block *older;
    alignas(16) uint8_t bytes[];
};

enum { ARENA_BLOCK_MIN = 1024, ARENA_BLOCK_MAX = 64 * 1024, ARENA_ALIGN = 16 };

void steer_arena_init(struct steer_arena *arena)
{
    memset(arena, 0, sizeof *arena);
}

void steer_arena_fini(struct steer_arena *arena)
{
    struct steer_arena_block *block = arena->blocks;
    while (block) {
        struct steer_arena_block *older = block->older;
        free(block);
        block = older;
    }
    steer_arena_init(arena);
}

void steer_arena_reset(struct steer_arena *arena)
{
    struct steer_arena_block *kept = arena->blocks;
    if (!kept)
        return;
    const size_t room = (size_t)(arena->next - kept->bytes) + arena->left;
    arena->blocks = kept->older;
    steer_arena_fini(arena);
    kept->older = NULL;
    *arena = (struct steer_arena){.blocks = kept, .next = kept->bytes, .left = room};
}

void *steer_arena_alloc(struct steer_arena *arena, size_t size)
{
    if (size > SIZE_MAX - ARENA_BLOCK_MAX)
        out_of_memory(size);
    size = ((size ? size : 1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    arena->total_bytes += size;
    if (size > arena->left) {
        // Small arenas stay small: blocks grow with what was handed out.
        size_t usual = arena->total_bytes < ARENA_BLOCK_MIN   ? ARENA_BLOCK_MIN
                       : arena->total_bytes > ARENA_BLOCK_MAX ? ARENA_BLOCK_MAX
                                                              : arena->total_bytes;
        bool alone = size > usual / 2;
        size_t room = alone ? size : usual;
        struct steer_arena_block *block = steer_alloc(sizeof *block + room);
        if (alone && arena->blocks) {
            // A large piece gets a block of its own behind the current one, which stays in use.
            block->older = arena->blocks->older;
            arena->blocks->older = block;
            return block->bytes;
        }
        block->older = arena->blocks;
        arena->blocks = block;
        arena->next = block->bytes;
        arena->left = room;
    }
    void *p = arena->next;
    arena->next += size;
    arena->left -= size;
    return p;
}

void *steer_arena_calloc(struct steer_arena *arena, size_t size)
{
    return memset(steer_arena_alloc(arena, size), 0, size);
}

char *steer_arena_strdup(struct steer_arena *arena, const char *text)
{
    return steer_arena_memdup(arena, text, strlen(text) + 1);
}

void *steer_arena_memdup(struct steer_arena *arena, const void *data, size_t len)
{
    void *p = steer_arena_alloc(arena, len);
    if (len)
        memcpy(p, data, len);
    return p;
}
