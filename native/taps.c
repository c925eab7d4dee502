/* Records of observed topics -> rows of record and record_key, for those of which only place, size, key and what stands
   in their headers is kept, or of which more than that is read elsewhere: dead letters. Holds no rule of Weir's: what the rules say of a topic, and where the values stand in
   headers of the same names, is asked of collector.intake.taps.TapReading. A record that may have to be read otherwise
   is left to it. tests/unit/test_taps_native.py holds both ways to the same rows. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <datetime.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifndef WEIR_SOURCE
#define WEIR_SOURCE ""
#endif

enum { MAX_HEADERS = 64, MAX_NAMES = 2000, MAX_COLUMNS = 8, MAX_KEYS = 32 };
enum { MAX_TEXT = 200, MAX_TEXT_BYTES = 800 }; /* of what is searched by */
enum { N_RECORD = 13, N_KEY = 6, KEY_NAME = 1, FLOW_NAME = -1 };

static const char ENVELOPE[] = "application/cloudevents+json";

typedef struct {
    const char *at;
    Py_ssize_t size;
} Slice;

typedef struct {
    uint8_t n, at[MAX_COLUMNS];
} Columns;

/* How headers of the same names are read: where the only trace context and the content type stand (-1: nowhere), each
   id in the order in which they are asked, and what is indexed under which number. */
typedef struct {
    int context, content_type;
    Columns own, cause, flow;
    uint8_t n_keys, key_at[MAX_KEYS];
    int32_t key_number[MAX_KEYS];
    Py_ssize_t n_characters;
} Plan;

typedef struct {
    PyObject *ask, *plans, *rows, *keys, *left;
    PyObject *topic; /* of the record before, with its partition and what the rules say of it */
    long partition, course; /* the topic's number; below 0 where its records are read elsewhere, too; 0: only there */
} Packing;

static PyObject *text_topic, *text_partition, *text_offset, *text_produced_at, *text_timestamp_type, *text_key, *text_value,
    *text_headers, *text_course, *text_places;

/* Rows, as collector.store.record_rows packs them. */

static inline char *put16(char *to, uint16_t number) {
    *to++ = (char)(number >> 8);
    *to++ = (char)number;
    return to;
}

static inline char *put32(char *to, uint32_t number) { return put16(put16(to, (uint16_t)(number >> 16)), (uint16_t)number); }

static inline char *put64(char *to, uint64_t number) { return put32(put32(to, (uint32_t)(number >> 32)), (uint32_t)number); }

static inline char *put_slice(char *to, Slice from) {
    if (from.at == NULL) return put32(to, UINT32_MAX);
    to = put32(to, (uint32_t)from.size);
    memcpy(to, from.at, (size_t)from.size);
    return to + from.size;
}

static inline Py_ssize_t room(Slice slice) { return slice.at == NULL ? 4 : 4 + slice.size; }

static int append(PyObject *list, PyObject *row) {
    if (row == NULL) return -1;
    int done = PyList_Append(list, row);
    Py_DECREF(row);
    return done;
}

typedef struct {
    int64_t offset, produced_us;
    long partition, timestamp_type, topic_id;
    Py_ssize_t size_bytes, n_headers;
    int has_time, has_context;
    Slice key, own, cause;
    char trace_id[16], span_id[8];
} Row;

static int add_record(Packing *packing, const Row *row) {
    Py_ssize_t size = 2 + 12 + 3 * 8 + 2 * 6 + (row->has_time ? 12 : 4) + (row->has_context ? 32 : 8) + room(row->key) +
                      room(row->own) + room(row->cause);
    PyObject *packed = PyBytes_FromStringAndSize(NULL, size);
    if (packed == NULL) return -1;
    char *to = PyBytes_AS_STRING(packed);
    to = put64(put32(put16(to, N_RECORD), 8), (uint64_t)row->offset);
    to = put32(put32(to, 4), (uint32_t)row->topic_id);
    to = put32(put32(to, 4), (uint32_t)row->partition);
    to = put32(put32(to, 4), row->size_bytes < INT32_MAX ? (uint32_t)row->size_bytes : INT32_MAX);
    to = put16(put32(to, 2), (uint16_t)row->n_headers);
    to = put16(put32(to, 2), (uint16_t)row->timestamp_type);
    to = row->has_time ? put64(put32(to, 8), (uint64_t)row->produced_us) : put32(to, UINT32_MAX);
    if (row->has_context)
        to = put_slice(put_slice(to, (Slice){row->trace_id, 16}), (Slice){row->span_id, 8});
    else
        to = put32(put32(to, UINT32_MAX), UINT32_MAX);
    put_slice(put_slice(put_slice(to, row->key), row->own), row->cause);
    return append(packing->rows, packed);
}

static int add_key(Packing *packing, const Row *row, int32_t number, Slice text) {
    PyObject *packed = PyBytes_FromStringAndSize(NULL, 2 + 3 * 8 + 12 + room(text));
    if (packed == NULL) return -1;
    char *to = PyBytes_AS_STRING(packed);
    to = put32(put32(put16(to, N_KEY), 4), (uint32_t)number);
    to = put32(put32(to, 4), (uint32_t)row->topic_id);
    to = put32(put32(to, 4), (uint32_t)row->partition);
    to = put64(put32(to, 8), (uint64_t)row->offset);
    put_slice(to, text);
    return append(packing->keys, packed);
}

/* Values. */

static inline int hex_digit(char each) {
    return each >= '0' && each <= '9' ? each - '0' : each >= 'a' && each <= 'f' ? each - 'a' + 10 : -1;
}

static int take_hex(const char *from, int n, char *to) {
    for (int i = 0; i < n; i++) {
        int high = hex_digit(from[2 * i]), low = hex_digit(from[2 * i + 1]);
        if (high < 0 || low < 0) return 0;
        to[i] = (char)(high << 4 | low);
    }
    return 1;
}

static int is_zero(const char *at, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (at[i]) return 0;
    return 1;
}

/* W3C Trace Context, as collector.domain.contexts has it. */
static void take_context(Slice value, Row *row) {
    char version, flags;
    const char *at = value.at;
    row->has_context = value.size >= 55 && at[2] == '-' && at[35] == '-' && at[52] == '-' && !(at[0] == 'f' && at[1] == 'f') &&
                       take_hex(at, 1, &version) && take_hex(at + 3, 16, row->trace_id) &&
                       take_hex(at + 36, 8, row->span_id) && take_hex(at + 53, 1, &flags) &&
                       (value.size == 55 || (at[55] == '-' && !memchr(at + 55, '\n', (size_t)value.size - 55))) &&
                       !is_zero(row->trace_id, 16) && !is_zero(row->span_id, 8);
}

/* 1: the first of these values is an id as it stands. 0: it must be looked at. */
static int take_id(const Slice *values, const Columns *columns, Slice *found) {
    *found = (Slice){NULL, 0};
    if (!columns->n) return 1;
    Slice value = values[columns->at[0]];
    if (value.size > MAX_TEXT) return 0;
    for (Py_ssize_t i = 0; i < value.size; i++)
        if (value.at[i] < 0x20 || value.at[i] > 0x7e) return 0;
    char first = value.at[0], last = value.at[value.size - 1];
    if (first == ' ' || first == '"' || last == ' ' || last == '"') return 0;
    *found = value;
    return 1;
}

/* As collector.intake.taps.searchable has it; -1 without memory. */
static int is_searchable(Slice value) {
    if (value.at == NULL || value.size == 0 || value.size > MAX_TEXT_BYTES || memchr(value.at, 0, (size_t)value.size)) return 0;
    int is_ascii = 1;
    for (Py_ssize_t i = 0; i < value.size; i++) is_ascii &= (value.at[i] & 0x80) == 0;
    if (is_ascii) return value.size <= MAX_TEXT;
    PyObject *text = PyUnicode_DecodeUTF8(value.at, value.size, NULL);
    if (text == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return -1;
        PyErr_Clear();
        return 0;
    }
    int fits = PyUnicode_GET_LENGTH(text) <= MAX_TEXT;
    Py_DECREF(text);
    return fits;
}

static int add_searchable(Packing *packing, const Row *row, int32_t number, Slice text) {
    int is_one = is_searchable(text);
    return is_one > 0 ? add_key(packing, row, number, text) : is_one;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar (https://howardhinnant.github.io/date_algorithms.html). */
static int64_t days(int year, int month, int day) {
    year -= month <= 2;
    int era = year / 400, of_era = year - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int take_time(PyObject *found, Row *row) {
    row->has_time = found != Py_None;
    if (!row->has_time) return 1;
    if (!PyDateTime_CheckExact(found) || PyDateTime_DATE_GET_TZINFO(found) != PyDateTime_TimeZone_UTC) return 0;
    int64_t day = days(PyDateTime_GET_YEAR(found), PyDateTime_GET_MONTH(found), PyDateTime_GET_DAY(found)) - 10957;
    int64_t seconds = ((day * 24 + PyDateTime_DATE_GET_HOUR(found)) * 60 + PyDateTime_DATE_GET_MINUTE(found)) * 60 +
                      PyDateTime_DATE_GET_SECOND(found);
    row->produced_us = seconds * 1000000 + PyDateTime_DATE_GET_MICROSECOND(found);
    return 1;
}

/* One record. Each gives 1: taken, 0: it is left to the rules, -1: an error. */

static int take_long(PyObject *record, PyObject *name, int64_t *number) {
    PyObject *found = PyObject_GetAttr(record, name);
    if (found == NULL) return -1;
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(found, &overflow);
    Py_DECREF(found);
    if (*number == -1 && PyErr_Occurred()) return -1;
    return !overflow;
}

/* *held keeps the bytes alive. */
static int take_bytes(PyObject *record, PyObject *name, Slice *slice, PyObject **held) {
    *held = PyObject_GetAttr(record, name);
    if (*held == NULL) return -1;
    *slice = (Slice){NULL, 0};
    if (*held == Py_None) return 1;
    if (!PyBytes_CheckExact(*held)) return 0;
    *slice = (Slice){PyBytes_AS_STRING(*held), PyBytes_GET_SIZE(*held)};
    return 1;
}

static int take_columns(PyObject *tuple, Py_ssize_t n_headers, Columns *columns) {
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    if (n > MAX_COLUMNS) return 0;
    columns->n = (uint8_t)n;
    for (Py_ssize_t i = 0; i < n; i++) {
        long at = PyLong_AsLong(PyTuple_GET_ITEM(tuple, i));
        if (at == -1 && PyErr_Occurred()) return -1;
        if (at < 0 || at >= n_headers) return 0;
        columns->at[i] = (uint8_t)at;
    }
    return 1;
}

/* What TapReading.places_of says of headers with these names. */
static int ask_plan(Packing *packing, PyObject *headers, Py_ssize_t n_characters, Plan *plan) {
    Py_ssize_t n = PyTuple_GET_SIZE(headers);
    int done = -1;
    PyObject *said = NULL, *own, *cause, *flow, *keys, *names = PyTuple_New(n);
    if (names == NULL) return -1;
    for (Py_ssize_t i = 0; i < n; i++)
        PyTuple_SET_ITEM(names, i, Py_NewRef(PyTuple_GET_ITEM(PyTuple_GET_ITEM(headers, i), 0)));
    said = PyObject_CallMethodOneArg(packing->ask, text_places, names);
    if (said == NULL) goto end;
    if (said == Py_None) {
        done = 0;
        goto end;
    }
    memset(plan, 0, sizeof *plan);
    plan->n_characters = n_characters;
    if (!PyArg_ParseTuple(said, "iiO!O!O!O!", &plan->context, &plan->content_type, &PyTuple_Type, &own, &PyTuple_Type, &cause,
                          &PyTuple_Type, &flow, &PyTuple_Type, &keys))
        goto end;
    if ((done = take_columns(own, n, &plan->own)) <= 0 || (done = take_columns(cause, n, &plan->cause)) <= 0 ||
        (done = take_columns(flow, n, &plan->flow)) <= 0)
        goto end;
    done = plan->context < n && plan->content_type < n && PyTuple_GET_SIZE(keys) <= MAX_KEYS;
    for (Py_ssize_t i = 0; done > 0 && i < PyTuple_GET_SIZE(keys); i++) {
        int at, number;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(keys, i), "ii", &at, &number)) {
            done = -1;
        } else if (at < 0 || at >= n) {
            done = 0;
        } else {
            plan->key_at[plan->n_keys] = (uint8_t)at;
            plan->key_number[plan->n_keys++] = number;
        }
    }
end:
    Py_DECREF(names);
    Py_XDECREF(said);
    return done;
}

/* Plans are remembered in a dictionary of the asking side, which bounds it: names -> the plan's bytes, or None. */
static int find_plan(Packing *packing, PyObject *headers, Slice *values, Plan *plan, Py_ssize_t *n_value_bytes) {
    char names[MAX_NAMES + 2 * MAX_HEADERS], *to = names;
    Py_ssize_t n = PyTuple_GET_SIZE(headers), n_characters = 0;
    *n_value_bytes = 0;
    if (n > MAX_HEADERS) return 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *header = PyTuple_GET_ITEM(headers, i);
        if (!PyTuple_CheckExact(header) || PyTuple_GET_SIZE(header) != 2) return 0;
        PyObject *name = PyTuple_GET_ITEM(header, 0), *value = PyTuple_GET_ITEM(header, 1);
        if (!PyUnicode_CheckExact(name) || !PyUnicode_IS_COMPACT_ASCII(name) || !PyBytes_CheckExact(value)) return 0;
        Py_ssize_t size = PyUnicode_GET_LENGTH(name);
        n_characters += size;
        if (n_characters > MAX_NAMES || PyBytes_GET_SIZE(value) == 0) return 0;
        to = put16(to, (uint16_t)size);
        memcpy(to, PyUnicode_DATA(name), (size_t)size);
        to += size;
        values[i] = (Slice){PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)};
        *n_value_bytes += values[i].size;
    }
    PyObject *key = PyBytes_FromStringAndSize(names, to - names);
    if (key == NULL) return -1;
    int done = -1;
    PyObject *made = NULL, *found = PyDict_GetItemWithError(packing->plans, key);
    if (found == NULL) {
        if (PyErr_Occurred()) goto end;
        done = ask_plan(packing, headers, n_characters, plan);
        if (done < 0) goto end;
        made = done ? PyBytes_FromStringAndSize((const char *)plan, sizeof *plan) : Py_NewRef(Py_None);
        if (made == NULL || PyDict_SetItem(packing->plans, key, made) < 0) done = -1;
    } else if (PyBytes_CheckExact(found) && PyBytes_GET_SIZE(found) == sizeof *plan) {
        memcpy(plan, PyBytes_AS_STRING(found), sizeof *plan);
        done = 1;
    } else {
        done = 0;
    }
end:
    Py_DECREF(key);
    Py_XDECREF(made);
    return done;
}

/* What the rules say of the record's topic, in packing->course. */
static int take_course(Packing *packing, PyObject *record, long partition) {
    PyObject *topic = PyObject_GetAttr(record, text_topic);
    if (topic == NULL) return -1;
    if (packing->topic != NULL && packing->partition == partition) {
        int order = PyUnicode_Compare(topic, packing->topic);
        if (order == -1 && PyErr_Occurred()) {
            Py_DECREF(topic);
            return -1;
        }
        if (order == 0) {
            Py_DECREF(topic);
            return packing->course != 0;
        }
    }
    PyObject *number = PyLong_FromLong(partition);
    PyObject *said =
        number == NULL ? NULL : PyObject_CallMethodObjArgs(packing->ask, text_course, topic, number, NULL);
    Py_XDECREF(number);
    long course = said == NULL ? -1 : PyLong_AsLong(said);
    Py_XDECREF(said);
    if (course == -1 && PyErr_Occurred()) {
        Py_DECREF(topic);
        return -1;
    }
    Py_XSETREF(packing->topic, topic);
    packing->partition = partition;
    packing->course = course;
    return course != 0;
}

static int take_ids(const Plan *plan, const Slice *values, Row *row, Slice *flow) {
    if (!take_id(values, &plan->own, &row->own) || !take_id(values, &plan->cause, &row->cause) ||
        !take_id(values, &plan->flow, flow))
        return 0;
    if (row->own.at != NULL || row->cause.at != NULL || flow->at != NULL || plan->content_type < 0) return 1;
    Slice kind = values[plan->content_type]; /* else the value may be an envelope that holds the ids */
    size_t size = sizeof ENVELOPE - 1;
    return (size_t)kind.size < size || strncasecmp(kind.at, ENVELOPE, size) != 0;
}

static int add(Packing *packing, const Plan *plan, const Slice *values, const Row *row, Slice flow) {
    if (add_record(packing, row) < 0 || add_searchable(packing, row, KEY_NAME, row->key) < 0) return -1;
    if (flow.at != NULL && add_key(packing, row, FLOW_NAME, flow) < 0) return -1;
    for (uint8_t i = 0; i < plan->n_keys; i++)
        if (add_searchable(packing, row, plan->key_number[i], values[plan->key_at[i]]) < 0) return -1;
    return 1;
}

/* The record, its size and who wrote it, for who reads the rest. */
static int leave(Packing *packing, PyObject *record, const Row *row) {
    PyObject *told = row->has_context ? Py_BuildValue("(On(y#y#))", record, row->size_bytes, row->trace_id, (Py_ssize_t)16,
                                                      row->span_id, (Py_ssize_t)8)
                                      : Py_BuildValue("(OnO)", record, row->size_bytes, Py_None);
    return append(packing->left, told) < 0 ? -1 : 1;
}

static int take_record(Packing *packing, PyObject *record) {
    Row row = {0};
    Plan plan;
    Slice values[MAX_HEADERS], value, flow;
    int64_t partition, timestamp_type;
    Py_ssize_t n_value_bytes;
    int done;
    PyObject *key = NULL, *body = NULL, *produced_at = NULL, *headers = NULL;
    if ((done = take_long(record, text_offset, &row.offset)) <= 0 ||
        (done = take_long(record, text_partition, &partition)) <= 0 ||
        (done = take_long(record, text_timestamp_type, &timestamp_type)) <= 0)
        return done;
    if (partition < 0 || partition > INT32_MAX || timestamp_type < 0 || timestamp_type > 2) return 0;
    if ((done = take_course(packing, record, (long)partition)) <= 0) return done;
    if ((done = take_bytes(record, text_key, &row.key, &key)) <= 0 ||
        (done = take_bytes(record, text_value, &value, &body)) <= 0)
        goto end;
    done = -1;
    if ((produced_at = PyObject_GetAttr(record, text_produced_at)) == NULL ||
        (headers = PyObject_GetAttr(record, text_headers)) == NULL)
        goto end;
    done = 0;
    if (!PyTuple_CheckExact(headers) || !take_time(produced_at, &row)) goto end;
    if ((done = find_plan(packing, headers, values, &plan, &n_value_bytes)) <= 0) goto end;
    if ((done = take_ids(&plan, values, &row, &flow)) <= 0) goto end;
    if (plan.context >= 0) take_context(values[plan.context], &row);
    row.partition = (long)partition;
    row.timestamp_type = (long)timestamp_type;
    row.topic_id = labs(packing->course);
    row.n_headers = PyTuple_GET_SIZE(headers);
    row.size_bytes = plan.n_characters + n_value_bytes + row.key.size + value.size;
    done = add(packing, &plan, values, &row, flow);
    if (done > 0 && packing->course < 0) done = leave(packing, record, &row);
end:
    Py_XDECREF(key);
    Py_XDECREF(body);
    Py_XDECREF(produced_at);
    Py_XDECREF(headers);
    return done;
}

PyDoc_STRVAR(pack_doc,
             "pack(ask, records, plans, rows, keys) -> list\n\n"
             "Append what the records become to `rows` and `keys`; those that must be read elsewhere are returned, and those of\n"
             "which more must be with their size and who wrote them.");

static PyObject *taps_pack(PyObject *Py_UNUSED(module), PyObject *arguments) {
    Packing packing = {0};
    PyObject *records;
    if (!PyArg_ParseTuple(arguments, "OO!O!O!O!", &packing.ask, &PyList_Type, &records, &PyDict_Type, &packing.plans,
                          &PyList_Type, &packing.rows, &PyList_Type, &packing.keys) ||
        (packing.left = PyList_New(0)) == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(records); i++) {
        PyObject *record = Py_NewRef(PyList_GET_ITEM(records, i));
        int done = take_record(&packing, record);
        if (done == 0) done = PyList_Append(packing.left, record);
        Py_DECREF(record);
        if (done < 0) {
            Py_CLEAR(packing.left);
            break;
        }
    }
    Py_XDECREF(packing.topic);
    return packing.left;
}

static PyMethodDef taps_methods[] = {{"pack", taps_pack, METH_VARARGS, pack_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "weir_taps", "The compiled way from records to packed rows.", -1, taps_methods, NULL, NULL, NULL,
    NULL};

static int make_texts(void) {
    struct {
        PyObject **to;
        const char *text;
    } all[] = {
        {&text_topic, "topic"},   {&text_partition, "partition"},     {&text_offset, "offset"},
        {&text_key, "key"},       {&text_produced_at, "produced_at"}, {&text_timestamp_type, "timestamp_type"},
        {&text_value, "value"},   {&text_headers, "headers"},         {&text_course, "course_of"},
        {&text_places, "places_of"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if ((*all[i].to = PyUnicode_InternFromString(all[i].text)) == NULL) return -1;
    return 0;
}

PyMODINIT_FUNC PyInit_weir_taps(void) {
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == NULL || make_texts() < 0) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddStringConstant(module, "SOURCE", WEIR_SOURCE) < 0) Py_CLEAR(module);
    return module;
}
