/* Memory of one unit: pieces that are freed together. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/unit/loader.h"

enum { PIECE_SIZE = 8192 };

struct piece {
    struct piece *next;
    _Alignas(16) char bytes[];
};

struct unit_arena {
    struct piece *pieces;
    char *free;
    size_t left;
};

struct unit_arena *unit_arena_new(void) {
    return calloc(1, sizeof(struct unit_arena));
}

struct unit_arena *unit_arena_free(struct unit_arena *arena) {
    for (struct piece *piece = arena != NULL ? arena->pieces : NULL, *next; piece != NULL;
         piece = next) {
        next = piece->next;
        free(piece);
    }
    free(arena);
    return NULL;
}

static void *get_piece(struct unit_arena *arena, size_t size) {
    struct piece *piece = calloc(1, sizeof *piece + size);
    if (piece == NULL) {
        return NULL;
    }
    piece->next = arena->pieces;
    arena->pieces = piece;
    return piece->bytes;
}

void *unit_arena_get(struct unit_arena *arena, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (size > PIECE_SIZE / 4) { /* what is large gets a piece of its own */
        return get_piece(arena, size);
    }
    if (size > arena->left) {
        arena->free = get_piece(arena, PIECE_SIZE);
        arena->left = arena->free != NULL ? PIECE_SIZE : 0;
        if (arena->free == NULL) {
            return NULL;
        }
    }
    void *got = arena->free;
    arena->free += size;
    arena->left -= size;
    return got;
}

void *unit_get(struct loader *l, size_t size) {
    void *got = unit_arena_get(l->arena, size);
    if (got == NULL) {
        longjmp(l->out_of_memory, 1);
    }
    return got;
}

char *unit_copy(struct loader *l, const char *text, size_t length) {
    char *copy = unit_get(l, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *unit_text(struct loader *l, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = unit_get(l, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

void *unit_grow(struct loader *l, void *list, size_t count, size_t *room, size_t size) {
    if (count < *room) {
        return list;
    }
    size_t more = *room > 0 ? 2 * *room : 8;
    void *grown = unit_get(l, more * size);
    if (count > 0) {
        memcpy(grown, list, count * size);
    }
    *room = more;
    return grown;
}

void texts_add(struct loader *l, struct texts *texts, const char *text) {
    if (texts->count + 1 >= texts->room) { /* one more for the NULL at the end */
        size_t room = texts->room > 0 ? 2 * texts->room : 8;
        const char **list = unit_get(l, room * sizeof *list);
        if (texts->count > 0) {
            memcpy(list, texts->list, texts->count * sizeof *list);
        }
        texts->list = list;
        texts->room = room;
    }
    texts->list[texts->count++] = text;
    texts->list[texts->count] = NULL;
}
