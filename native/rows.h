/* Heads of spans and rows of links in COPY's binary form. */

#ifndef WEIR_ROWS_H
#define WEIR_ROWS_H

#include <Python.h>

#include "wire.h"

static const uint64_t FIRST_NS = 946684800ull * 1000000000ull; /* Postgres counts from 2000-01-01 */

/* Rows, as collector.store.rows packs them. */

static inline uint8_t *put32(uint8_t *to, uint32_t number) {
    for (int i = 3; i >= 0; i--) *to++ = (uint8_t)(number >> (8 * i));
    return to;
}

static inline uint8_t *put64(uint8_t *to, uint64_t number) {
    for (int i = 7; i >= 0; i--) *to++ = (uint8_t)(number >> (8 * i));
    return to;
}

static inline uint8_t *put_bytes(uint8_t *to, Bytes from, uint32_t size) {
    to = put32(to, size);
    memcpy(to, from, size);
    return to + size;
}

static PyObject *packed_head(const Span *span, Slice parent, int has_place, uint64_t partition, uint64_t offset) {
    uint8_t row[96], *to = row;
    int64_t started = span->started_ns >= FIRST_NS ? (int64_t)((span->started_ns - FIRST_NS) / 1000)
                                                   : -(int64_t)((FIRST_NS - span->started_ns + 999) / 1000);
    float took = span->ended_ns > span->started_ns ? (float)((double)(span->ended_ns - span->started_ns) / 1e6) : 0.0f;
    uint32_t bits;
    memcpy(&bits, &took, sizeof bits);
    *to++ = 0;
    *to++ = 17;
    to = put_bytes(to, span->trace_id.at, 16);
    to = put_bytes(to, span->span_id.at, 8);
    to = parent.size ? put_bytes(to, parent.at, 8) : put32(to, UINT32_MAX);
    to = put64(put32(to, 8), (uint64_t)started);
    to = put32(put32(to, 4), bits);
    if (has_place)
        to = put32(put32(put64(put32(to, 8), offset), 4), (uint32_t)partition);
    else
        to = put32(put32(to, UINT32_MAX), UINT32_MAX);
    return PyBytes_FromStringAndSize((const char *)row, to - row);
}

static PyObject *packed_link(const Span *span, Slice link) {
    uint8_t row[96], *to = row;
    *to++ = 0;
    *to++ = 8;
    to = put_bytes(to, span->trace_id.at, 16);
    to = put_bytes(to, span->span_id.at, 8);
    to = put_bytes(to, link.at + 2, 16);
    to = put_bytes(to, link.at + 20, 8);
    to = put32(put32(to, UINT32_MAX), UINT32_MAX);
    return PyBytes_FromStringAndSize((const char *)row, to - row);
}

#endif
