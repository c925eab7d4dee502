/* Protobuf as OpenTelemetry's libraries write it: spans and their attributes as slices of the request. */

#ifndef WEIR_WIRE_H
#define WEIR_WIRE_H

#include <stdint.h>
#include <string.h>

typedef const uint8_t *Bytes;

typedef struct {
    Bytes at;
    size_t size;
} Slice;

static inline uint64_t word(Bytes at, size_t size) {
    uint64_t found = 0;
    memcpy(&found, at, size);
    return found;
}

enum { MAX_ATTRIBUTES = 128, MAX_LINKS = 128, MAX_NAME = 1024 };

/* The wire. Each gives 0 where the bytes are not as every library writes them. */

static inline int take_size(Bytes *at, Bytes end, size_t *size) {
    uint64_t found = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (*at >= end) return 0;
        uint8_t byte = *(*at)++;
        found |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *size = (size_t)found;
            return found <= (uint64_t)(end - *at);
        }
    }
    return 0;
}

static inline int take_slice(Bytes *at, Bytes end, Slice *slice) {
    if (!take_size(at, end, &slice->size)) return 0;
    slice->at = *at;
    *at += slice->size;
    return 1;
}

static inline int skip_number(Bytes *at, Bytes end) {
    for (int n = 0; n < 5 && *at < end; n++)
        if (*(*at)++ < 0x80) return 1;
    return 0;
}

static inline int is_ascii(Slice slice) {
    uint64_t all = 0;
    size_t i = 0;
    for (; i + 8 <= slice.size; i += 8) all |= word(slice.at + i, 8);
    for (; i < slice.size; i++) all |= slice.at[i];
    return (all & 0x8080808080808080ull) == 0;
}

static inline uint64_t fixed64(Bytes at) {
    uint64_t found = 0;
    for (int i = 7; i >= 0; i--) found = found << 8 | at[i];
    return found;
}

static inline int is_zero(Bytes at, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (at[i]) return 0;
    return 1;
}

typedef struct {
    Slice whole, trace_id, span_id, parent_id, name;
    uint64_t started_ns, ended_ns;
    uint8_t kind, status, n_attributes, n_links;
    Slice attributes[MAX_ATTRIBUTES], links[MAX_LINKS];
} Span;

static int read_status(Slice slice, uint8_t *code) {
    Bytes at = slice.at, end = slice.at + slice.size;
    unsigned seen = 0;
    while (at < end) {
        uint8_t tag = *at++;
        unsigned bit = 1u << (tag >> 3 & 31);
        if (tag >= 0x80 || seen & bit) return 0;
        seen |= bit;
        if (tag == 0x12) {
            Slice message;
            if (!take_slice(&at, end, &message) || !is_ascii(message)) return 0;
        } else if (tag == 0x18) {
            if (at >= end || *at >= 0x80) return 0;
            *code = *at++;
        } else {
            return 0;
        }
    }
    return 1;
}

/* Whether "ot=" stands somewhere in the text. */
static int holds_ot(Slice text) {
    for (Bytes at = text.at, end = text.at + text.size; end - at >= 3; at++)
        if (at[0] == 'o' && at[1] == 't' && at[2] == '=') return 1;
    return 0;
}

/* 1: read. 0: by the rules. */
static int read_span(Slice slice, Span *span) {
    Bytes at = slice.at, end = slice.at + slice.size;
    Slice other;
    uint32_t seen = 0;
    span->whole = slice;
    span->trace_id = span->span_id = span->parent_id = span->name = (Slice){slice.at, 0};
    span->started_ns = span->ended_ns = 0;
    span->kind = span->status = span->n_attributes = span->n_links = 0;
    while (at < end) {
        uint8_t tag = *at++;
        if (tag == 0x4a) { /* attributes */
            if (span->n_attributes == MAX_ATTRIBUTES || !take_slice(&at, end, &span->attributes[span->n_attributes++]))
                return 0;
            continue;
        }
        if (tag == 0x6a) { /* links */
            if (span->n_links == MAX_LINKS || !take_slice(&at, end, &span->links[span->n_links++])) return 0;
            continue;
        }
        if (tag == 0x85) { /* flags */
            if (end - at < 5 || *at != 0x01) return 0;
            at += 5;
            continue;
        }
        uint32_t bit = 1u << (tag >> 3 & 31);
        if (tag >= 0x80 || seen & bit) return 0;
        seen |= bit;
        switch (tag) {
            case 0x0a: if (!take_slice(&at, end, &span->trace_id)) return 0; break;
            case 0x12: if (!take_slice(&at, end, &span->span_id)) return 0; break;
            case 0x22: if (!take_slice(&at, end, &span->parent_id)) return 0; break;
            case 0x2a: if (!take_slice(&at, end, &span->name)) return 0; break;
            case 0x1a: /* trace state: one of OpenTelemetry's own says of how many spans this one was kept */
                if (!take_slice(&at, end, &other) || !is_ascii(other) || holds_ot(other)) return 0;
                break;
            case 0x30:
                if (at >= end || *at >= 0x80) return 0;
                span->kind = *at++;
                break;
            case 0x39: case 0x41:
                if (end - at < 8) return 0;
                *(tag == 0x39 ? &span->started_ns : &span->ended_ns) = fixed64(at);
                at += 8;
                break;
            case 0x50: case 0x60: case 0x70: /* how many were dropped */
                if (!skip_number(&at, end)) return 0;
                break;
            case 0x7a:
                if (!take_slice(&at, end, &other) || !read_status(other, &span->status)) return 0;
                break;
            default: return 0; /* an event, or what is not known */
        }
    }
    return span->trace_id.size == 16 && !is_zero(span->trace_id.at, 16) && span->span_id.size == 8 &&
           !is_zero(span->span_id.at, 8) && (span->parent_id.size == 0 || span->parent_id.size == 8) &&
           span->started_ns != 0 && span->name.size <= MAX_NAME;
}

/* Keep the links that lead somewhere else than to the parent. 0 where one says more than its ids. */
static int keep_links(Span *span, Slice parent) {
    uint8_t kept = 0;
    for (uint8_t i = 0; i < span->n_links; i++) {
        Slice link = span->links[i];
        if (!(link.size == 28 || (link.size == 33 && link.at[28] == 0x35)) || link.at[0] != 0x0a || link.at[1] != 16 ||
            link.at[18] != 0x12 || link.at[19] != 8)
            return 0;
        Bytes trace_id = link.at + 2, span_id = link.at + 20;
        if (is_zero(trace_id, 16) || is_zero(span_id, 8)) continue;
        if (parent.size && !memcmp(trace_id, span->trace_id.at, 16) && !memcmp(span_id, parent.at, 8)) continue;
        span->links[kept++] = link;
    }
    span->n_links = kept;
    return 1;
}

/* Attributes. As collector.intake.traits has it: a name, then a number or ASCII text and nothing else. */

static int is_plain(Slice raw, size_t size) {
    if (raw.size < size + 4) return 0;
    size_t rest = raw.size - size - 2;
    Bytes value = raw.at + size;
    if (rest > 0x7f || value[0] != 0x12 || value[1] != rest) return 0;
    if (value[2] == 0x0a) return value[3] == rest - 2 && is_ascii(raw);
    if (value[2] != 0x18 || rest < 2 || rest > 6) return 0;
    for (size_t i = 3; i < rest + 1; i++)
        if (value[i] < 0x80) return 0;
    return value[rest + 1] < 0x80;
}

/* The number in a plain attribute, as traits.number reads it; 0 where there is none. */
static int read_number(Slice raw, uint64_t *number) {
    Bytes at = raw.at + raw.at[1] + 4, end = raw.at + raw.size;
    *number = 0;
    if (*at == 0x18) {
        int shift = 0;
        for (at++; at < end; at++, shift += 7) *number |= (uint64_t)(*at & 0x7f) << shift;
        return 1;
    }
    at += 2;
    if (at >= end || end - at > 18) return 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') return 0;
        *number = *number * 10 + (*at - '0');
    }
    return 1;
}

#endif
