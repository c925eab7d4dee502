/* What is known, by its bytes. */

#ifndef WEIR_TABLE_H
#define WEIR_TABLE_H

#include <Python.h>

#include "wire.h"

/* Bytes -> pointer, open addressing. The hash is keyed at random: what is looked up comes from strangers. */

enum { ARENA_BYTES = 64 * 1024, MOST_PROBES = 64 };

typedef struct Arena {
    struct Arena *next;
    size_t used, size;
    uint8_t bytes[];
} Arena;

typedef struct {
    uint64_t hash;
    Bytes key;
    size_t size;
    void *value;
} Entry;

typedef struct {
    Entry *entries;
    size_t n, mask;
    Arena *keys;
} Table;

static uint64_t seeds[3];

static inline uint64_t mixed(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hashed(Bytes at, size_t size) {
    uint64_t found = seeds[0] ^ mixed(size ^ seeds[1], seeds[2]);
    while (size > 16) {
        found = mixed(word(at, 8) ^ seeds[1], word(at + 8, 8) ^ found);
        at += 16;
        size -= 16;
    }
    uint64_t first = word(at, size < 8 ? size : 8), second = size > 8 ? word(at + 8, size - 8) : 0;
    return mixed(mixed(first ^ seeds[1], second ^ found) ^ seeds[2], found ^ seeds[0]);
}

static void *table_get(const Table *table, Bytes key, size_t size, uint64_t hash) {
    if (table->entries == NULL) return NULL;
    for (size_t i = hash & table->mask, probes = 0; probes < MOST_PROBES; i = (i + 1) & table->mask, probes++) {
        const Entry *each = &table->entries[i];
        if (each->value == NULL) return NULL;
        if (each->hash == hash && each->size == size && memcmp(each->key, key, size) == 0) return each->value;
    }
    return NULL;
}

static int table_place(Entry *entries, size_t mask, Entry entry) {
    for (size_t i = entry.hash & mask, probes = 0; probes < MOST_PROBES; i = (i + 1) & mask, probes++)
        if (entries[i].value == NULL) {
            entries[i] = entry;
            return 1;
        }
    return 0;
}

static int table_grow(Table *table) {
    for (size_t n = table->entries == NULL ? 256 : (table->mask + 1) * 2;; n *= 2) {
        Entry *entries = PyMem_Calloc(n, sizeof *entries);
        if (entries == NULL) return -1;
        int fits = 1;
        for (size_t i = 0; table->entries != NULL && i <= table->mask && fits; i++)
            if (table->entries[i].value != NULL) fits = table_place(entries, n - 1, table->entries[i]);
        if (fits) {
            PyMem_Free(table->entries);
            table->entries = entries;
            table->mask = n - 1;
            return 0;
        }
        PyMem_Free(entries);
    }
}

/* Bytes that the table has taken, or -1 without memory. What finds no place is not kept: it will be asked for again. */
static Py_ssize_t table_put(Table *table, Bytes key, size_t size, uint64_t hash, void *value) {
    if ((table->entries == NULL || table->n * 2 > table->mask) && table_grow(table) < 0) return -1;
    if (table->keys == NULL || table->keys->size - table->keys->used < size) {
        size_t room = size > ARENA_BYTES ? size : ARENA_BYTES;
        Arena *arena = PyMem_Malloc(sizeof *arena + room);
        if (arena == NULL) return -1;
        *arena = (Arena){.next = table->keys, .used = 0, .size = room};
        table->keys = arena;
    }
    uint8_t *kept = table->keys->bytes + table->keys->used;
    memcpy(kept, key, size);
    if (!table_place(table->entries, table->mask, (Entry){hash, kept, size, value})) return 0;
    table->keys->used += size;
    table->n++;
    return (Py_ssize_t)(size + 2 * sizeof(Entry));
}

static void table_clear(Table *table) {
    PyMem_Free(table->entries);
    for (Arena *each = table->keys, *next; each != NULL; each = next) {
        next = each->next;
        PyMem_Free(each);
    }
    *table = (Table){0};
}

#endif
