/* OTLP trace requests -> packed rows, for spans whose kind is known. Holds no rule of Weir's: what an attribute, a
   scope or the first span of a kind means is asked of collector.intake.scanning.Scanner, and recognised by its bytes
   from then on. What is not written as every library writes it is handed to the same Scanner, span by span; a request
   that is not framed so is declined as a whole. tests/unit/test_scanning.py holds both ways to the same rows. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "rows.h"
#include "table.h"
#include "wire.h"

#ifndef WEIR_SOURCE
#define WEIR_SOURCE ""
#endif

/* -- what is known */

typedef struct Known {
    struct Known *next; /* everything that is held, so that it can be let go of */
    PyObject *object;
} Known;

typedef struct {
    Known known; /* a Trait of collector.intake.traits */
    uint32_t id;
    uint8_t is_sure;
} Trait;

typedef struct {
    Known known; /* its bytes, once for all of its scopes */
    uint32_t id;
} Resource;

typedef struct {
    Known known; /* a Scope of collector.intake.scanning */
    PyObject *plans;
    uint32_t id;
} Scope;

typedef struct {
    Known known; /* a Plan */
    PyObject *placed, *unplaced;
    long partition_at, offset_at;
    uint8_t has_place;
} Plan;

typedef struct {
    PyObject_HEAD
    Table raws, names, traits, resources, scopes, plans;
    Known *held_traits, *held_resources, *held_scopes, *held_plans;
    uint32_t n_traits, n_resources, n_scopes;
    Py_ssize_t n_bytes;
} Scanner;

enum { PLAN_BYTES = 200 };
enum { KEY_BYTES = 16 + 4 * MAX_ATTRIBUTES + MAX_NAME };

static const uint64_t LARGEST_PARTITION = 0x7fffffff;

static PyObject *text_trait, *text_scope, *text_one, *text_plans, *text_heads, *text_sketches, *text_links, *text_placed,
    *text_unplaced, *text_placing, *text_partition_at, *text_offset_at, *text_is_sure, *text_fails;

/* -- what is asked */

static Known *hold(Known **list, size_t size, PyObject *object) {
    Known *found = PyMem_Calloc(1, size);
    if (found == NULL) return (Known *)PyErr_NoMemory();
    found->object = Py_NewRef(object);
    found->next = *list;
    *list = found;
    return found;
}

static int keep(Scanner *self, Table *table, Bytes key, size_t size, uint64_t hash, void *value) {
    Py_ssize_t taken = table_put(table, key, size, hash, value);
    if (taken < 0) {
        PyErr_NoMemory();
        return -1;
    }
    self->n_bytes += taken;
    return 0;
}

static int is_true(PyObject *object, PyObject *name) {
    PyObject *found = PyObject_GetAttr(object, name);
    if (found == NULL) return -1;
    int truth = PyObject_IsTrue(found);
    Py_DECREF(found);
    return truth;
}

/* The trait that Python says these bytes have. *trait is NULL where it is not to be remembered and not shared. */
static int ask_trait(Scanner *self, PyObject *ask, Slice raw, uint64_t hash, Trait **trait) {
    int done = -1;
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)raw.at, (Py_ssize_t)raw.size), *object;
    PyObject *said = bytes == NULL ? NULL : PyObject_CallMethodOneArg(ask, text_trait, bytes);
    int is_kept, is_shared;
    Py_ssize_t n_name;
    *trait = NULL;
    if (said == NULL || !PyArg_ParseTuple(said, "Oppn", &object, &is_kept, &is_shared, &n_name)) goto end;
    if (is_kept || is_shared) {
        uint64_t by_object = hashed((Bytes)&object, sizeof object);
        Trait *found = table_get(&self->traits, (Bytes)&object, sizeof object, by_object);
        if (found == NULL) {
            found = (Trait *)hold(&self->held_traits, sizeof *found, object);
            if (found == NULL) goto end;
            found->id = self->n_traits++;
            int is_sure = is_true(object, text_is_sure);
            if (is_sure < 0) goto end;
            found->is_sure = (uint8_t)is_sure;
            self->n_bytes += (Py_ssize_t)sizeof *found;
            if (keep(self, &self->traits, (Bytes)&object, sizeof object, by_object, found) < 0) goto end;
        }
        if (is_kept && keep(self, &self->raws, raw.at, raw.size, hash, found) < 0) goto end;
        if (n_name > 0 && (size_t)n_name <= raw.size) {
            uint64_t by_name = hashed(raw.at, (size_t)n_name);
            if (table_get(&self->names, raw.at, (size_t)n_name, by_name) == NULL &&
                keep(self, &self->names, raw.at, (size_t)n_name, by_name, found) < 0)
                goto end;
        }
        *trait = found;
    }
    done = 0;
end:
    Py_XDECREF(bytes);
    Py_XDECREF(said);
    return done;
}

static int find_trait(Scanner *self, PyObject *ask, Slice raw, Trait **trait) {
    size_t size = raw.size > 1 ? (size_t)raw.at[1] + 2 : 0;
    uint64_t hash = hashed(raw.at, raw.size);
    *trait = table_get(&self->raws, raw.at, raw.size, hash);
    if (*trait != NULL) return 0;
    if (size && size <= raw.size) {
        Trait *found = table_get(&self->names, raw.at, size, hashed(raw.at, size));
        if (found != NULL && found->is_sure && is_plain(raw, size)) {
            *trait = found;
            return 0;
        }
    }
    return ask_trait(self, ask, raw, hash, trait);
}

/* -- one request */

typedef struct {
    Scanner *self;
    PyObject *ask, *source, *found, *heads, *sketches, *links, *linked;
    Py_ssize_t n_spans, most_spans;
} Reading;

static int by_the_rules(Reading *reading, Scope *scope, Slice span) {
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)span.at, (Py_ssize_t)span.size);
    if (bytes == NULL) return -1;
    PyObject *done =
        PyObject_CallMethodObjArgs(reading->ask, text_one, bytes, scope->known.object, reading->found, NULL);
    Py_DECREF(bytes);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int take_long(PyObject *object, PyObject *name, long *number) {
    PyObject *found = PyObject_GetAttr(object, name);
    if (found == NULL) return -1;
    *number = PyLong_AsLong(found);
    Py_DECREF(found);
    return *number == -1 && PyErr_Occurred() ? -1 : 0;
}

/* A sketch of the plan; NULL also where each of its spans is to be read by the rules. */
static int take_sketch(PyObject *plan, PyObject *name, PyObject **sketch) {
    PyObject *found = PyObject_GetAttr(plan, name);
    if (found == NULL) return -1;
    Py_CLEAR(*sketch);
    if (found != Py_None) {
        int fails = is_true(found, text_fails);
        if (fails < 0) {
            Py_DECREF(found);
            return -1;
        }
        if (!fails) *sketch = Py_NewRef(found);
    }
    Py_DECREF(found);
    return 0;
}

static int learn(Plan *plan) {
    PyObject *object = plan->known.object;
    int has_place = is_true(object, text_placing);
    if (has_place < 0 || take_sketch(object, text_placed, &plan->placed) < 0 ||
        take_sketch(object, text_unplaced, &plan->unplaced) < 0 ||
        take_long(object, text_partition_at, &plan->partition_at) < 0 ||
        take_long(object, text_offset_at, &plan->offset_at) < 0)
        return -1;
    plan->has_place = (uint8_t)has_place;
    return 0;
}

/* The plan that Python made of the span just read, under the same key; none is no error. */
static int ask_plan(Reading *reading, Scope *scope, const Span *span, Trait *const *traits, Slice key, uint64_t hash) {
    Scanner *self = reading->self;
    int done = -1;
    PyObject *all = PyTuple_New(span->n_attributes), *tuple = NULL;
    if (all == NULL) return -1;
    for (uint8_t i = 0; i < span->n_attributes; i++) PyTuple_SET_ITEM(all, i, Py_NewRef(traits[i]->known.object));
    tuple = Py_BuildValue("Os#iii", all, (const char *)span->name.at, (Py_ssize_t)span->name.size, (int)span->kind,
                          (int)span->status, (int)span->n_links);
    if (tuple == NULL) goto end;
    PyObject *object = PyDict_GetItemWithError(scope->plans, tuple);
    if (object == NULL) {
        done = PyErr_Occurred() ? -1 : 0;
        goto end;
    }
    Plan *plan = table_get(&self->plans, key.at, key.size, hash);
    if (plan == NULL) {
        plan = (Plan *)hold(&self->held_plans, sizeof *plan, object);
        if (plan == NULL || keep(self, &self->plans, key.at, key.size, hash, plan) < 0) goto end;
        self->n_bytes += PLAN_BYTES;
    }
    done = learn(plan);
end:
    Py_DECREF(all);
    Py_XDECREF(tuple);
    return done;
}

static int add_links(Reading *reading, const Span *span) {
    for (uint8_t i = 0; i < span->n_links; i++) {
        PyObject *row = packed_link(span, span->links[i]);
        PyObject *linked = row == NULL ? NULL
                                       : PyObject_CallFunction(reading->linked, "OnO", row,
                                                               PyList_GET_SIZE(reading->heads), Py_False);
        Py_XDECREF(row);
        int done = linked == NULL ? -1 : PyList_Append(reading->links, linked);
        Py_XDECREF(linked);
        if (done < 0) return -1;
    }
    return 0;
}

/* 1: added. 0: by the rules. */
static int add_span(Reading *reading, const Span *span, Slice parent, Plan *plan, Slice const *attributes) {
    uint64_t partition = 0, offset = 0;
    int has_place = 0;
    if (plan->has_place) {
        if (plan->partition_at < 0 || plan->partition_at >= span->n_attributes || plan->offset_at < 0 ||
            plan->offset_at >= span->n_attributes)
            return 0;
        if (!read_number(attributes[plan->partition_at], &partition) ||
            !read_number(attributes[plan->offset_at], &offset) || partition > LARGEST_PARTITION)
            return 0;
        has_place = 1;
    }
    PyObject *sketch = has_place ? plan->placed : plan->unplaced;
    if (sketch == NULL) return 0;
    if (add_links(reading, span) < 0) return -1;
    PyObject *head = packed_head(span, parent, has_place, partition, offset);
    if (head == NULL) return -1;
    int done = PyList_Append(reading->heads, head);
    Py_DECREF(head);
    if (done < 0 || PyList_Append(reading->sketches, sketch) < 0) return -1;
    return 1;
}

static int take_span(Reading *reading, Scope *scope, Slice slice) {
    Span span;
    Trait *traits[MAX_ATTRIBUTES];
    uint8_t key[KEY_BYTES], *to = key;
    if (!read_span(slice, &span)) return by_the_rules(reading, scope, slice);
    Slice parent = span.parent_id;
    if (parent.size && is_zero(parent.at, parent.size)) parent.size = 0;
    if (!keep_links(&span, parent)) return by_the_rules(reading, scope, slice);
    memcpy(to, &scope->id, 4);
    to[4] = span.kind;
    to[5] = span.status;
    to[6] = span.n_links;
    to[7] = span.n_attributes;
    to += 8;
    for (uint8_t i = 0; i < span.n_attributes; i++) {
        if (find_trait(reading->self, reading->ask, span.attributes[i], &traits[i]) < 0) return -1;
        if (traits[i] == NULL) return by_the_rules(reading, scope, slice);
        memcpy(to, &traits[i]->id, 4);
        to += 4;
    }
    memcpy(to, span.name.at, span.name.size);
    Slice sought = {key, (size_t)(to - key) + span.name.size};
    uint64_t hash = hashed(sought.at, sought.size);
    Plan *plan = table_get(&reading->self->plans, sought.at, sought.size, hash);
    int done = plan == NULL ? 0 : add_span(reading, &span, parent, plan, span.attributes);
    if (done) return done < 0 ? -1 : 0;
    if (by_the_rules(reading, scope, slice) < 0) return -1;
    return ask_plan(reading, scope, &span, traits, sought, hash);
}

static Resource *find_resource(Scanner *self, Slice said) {
    uint64_t hash = hashed(said.at, said.size);
    Resource *found = table_get(&self->resources, said.at, said.size, hash);
    if (found != NULL) return found;
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)said.at, (Py_ssize_t)said.size);
    if (bytes == NULL) return NULL;
    found = (Resource *)hold(&self->held_resources, sizeof *found, bytes);
    Py_DECREF(bytes);
    if (found == NULL) return NULL;
    found->id = self->n_resources++;
    self->n_bytes += (Py_ssize_t)(sizeof *found + said.size);
    return keep(self, &self->resources, said.at, said.size, hash, found) < 0 ? NULL : found;
}

/* Its key names the resource by number: a resource may be large, and its scopes many. */
static Scope *find_scope(Reading *reading, Resource *resource, Slice name) {
    Scanner *self = reading->self;
    Py_ssize_t n_source;
    const char *source = PyUnicode_AsUTF8AndSize(reading->source, &n_source);
    if (source == NULL) return NULL;
    size_t size = 8 + name.size + (size_t)n_source;
    uint8_t *key = PyMem_Malloc(size);
    if (key == NULL) return (Scope *)PyErr_NoMemory();
    uint32_t front[2] = {resource->id, (uint32_t)name.size};
    memcpy(key, front, 8);
    memcpy(key + 8, name.at, name.size);
    memcpy(key + 8 + name.size, source, (size_t)n_source);
    uint64_t hash = hashed(key, size);
    Scope *found = table_get(&self->scopes, key, size, hash);
    if (found == NULL) {
        PyObject *title = PyBytes_FromStringAndSize((const char *)name.at, (Py_ssize_t)name.size);
        PyObject *object = NULL;
        if (title != NULL)
            object = PyObject_CallMethodObjArgs(reading->ask, text_scope, resource->known.object, title, reading->source,
                                                NULL);
        Py_XDECREF(title);
        PyObject *plans = object == NULL ? NULL : PyObject_GetAttr(object, text_plans);
        if (plans != NULL && PyDict_Check(plans)) {
            found = (Scope *)hold(&self->held_scopes, sizeof *found, object);
            if (found != NULL) {
                found->plans = Py_NewRef(plans);
                found->id = self->n_scopes++;
                self->n_bytes += (Py_ssize_t)sizeof *found;
                if (keep(self, &self->scopes, key, size, hash, found) < 0) found = NULL;
            }
        }
        Py_XDECREF(object);
        Py_XDECREF(plans);
    }
    PyMem_Free(key);
    return found;
}

/* Field 1 of a message, its pieces joined, as protobuf joins a message that stands twice; the rest is looked over:
   field 2 are messages, field 3 is ASCII text. 1: found (free what *joined holds), 0: declined, -1: an error. */
static int take_first(Slice message, Slice *first, uint8_t **joined) {
    Bytes at = message.at, end = message.at + message.size;
    size_t n = 0, size = 0;
    *first = (Slice){message.at, 0};
    *joined = NULL;
    while (at < end) {
        Slice piece;
        uint8_t tag = *at++;
        if ((tag != 0x0a && tag != 0x12 && tag != 0x1a) || !take_slice(&at, end, &piece)) return 0;
        if (tag == 0x1a && !is_ascii(piece)) return 0;
        if (tag == 0x0a) {
            *first = piece;
            size += piece.size;
            n++;
        }
    }
    if (n < 2) return 1;
    uint8_t *to = *joined = PyMem_Malloc(size + 1);
    if (to == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (at = message.at; at < end;) {
        Slice piece;
        uint8_t tag = *at++;
        if (!take_slice(&at, end, &piece)) break;
        if (tag == 0x0a) {
            memcpy(to, piece.at, piece.size);
            to += piece.size;
        }
    }
    *first = (Slice){*joined, size};
    return 1;
}

/* Each of field 2 of a message that take_first looked over. */
static inline int next_inner(Bytes *at, Bytes end, Slice *inner) {
    while (*at < end) {
        uint8_t tag = *(*at)++;
        if (!take_slice(at, end, inner)) return 0;
        if (tag == 0x12) return 1;
    }
    return 0;
}

static int take_scope(Reading *reading, Resource *resource, Slice message) {
    Slice name, span;
    uint8_t *joined;
    int done = take_first(message, &name, &joined);
    if (done > 0) {
        Scope *scope = find_scope(reading, resource, name);
        if (scope == NULL) done = -1;
        for (Bytes at = message.at; done > 0 && next_inner(&at, message.at + message.size, &span);) {
            if (++reading->n_spans > reading->most_spans)
                done = 0;
            else if (take_span(reading, scope, span) < 0)
                done = -1;
        }
    }
    PyMem_Free(joined);
    return done;
}

/* A resource is looked at even where it has no scope: what is broken in it fails the request. */
static int take_resource(Reading *reading, Slice message) {
    Slice said, inner;
    uint8_t *joined;
    Resource *resource = NULL;
    int done = take_first(message, &said, &joined), n_scopes = 0;
    if (done > 0 && (resource = find_resource(reading->self, said)) == NULL) done = -1;
    for (Bytes at = message.at; done > 0 && next_inner(&at, message.at + message.size, &inner); n_scopes++)
        done = take_scope(reading, resource, inner);
    if (done > 0 && n_scopes == 0 && find_scope(reading, resource, (Slice){message.at, 0}) == NULL) done = -1;
    PyMem_Free(joined);
    return done;
}

static int take_request(Reading *reading, Slice body) {
    for (Bytes at = body.at, end = body.at + body.size; at < end;) {
        Slice message;
        if (*at++ != 0x0a || !take_slice(&at, end, &message)) return 0;
        int done = take_resource(reading, message);
        if (done <= 0) return done;
    }
    return 1;
}

/* -- the type */

static PyObject *list_of(PyObject *found, PyObject *name) {
    PyObject *list = PyObject_GetAttr(found, name);
    if (list != NULL && !PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "heads, sketches and links are lists");
        Py_CLEAR(list);
    }
    return list;
}

PyDoc_STRVAR(scan_doc,
             "scan(ask, body, source, found, linked, most_spans) -> bool\n\n"
             "Add the spans of an OTLP request to a Packed. False: declined, and `found` is not to be used.");

static PyObject *scanner_scan(PyObject *object, PyObject *arguments) {
    Reading reading = {.self = (Scanner *)object};
    const char *body;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(arguments, "Oy#O!OOn", &reading.ask, &body, &size, &PyUnicode_Type, &reading.source,
                          &reading.found, &reading.linked, &reading.most_spans))
        return NULL;
    int done = -1;
    if ((reading.heads = list_of(reading.found, text_heads)) != NULL &&
        (reading.sketches = list_of(reading.found, text_sketches)) != NULL &&
        (reading.links = list_of(reading.found, text_links)) != NULL)
        done = take_request(&reading, (Slice){(Bytes)body, (size_t)size});
    Py_XDECREF(reading.heads);
    Py_XDECREF(reading.sketches);
    Py_XDECREF(reading.links);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

static void release(Known **list, void (*more)(Known *)) {
    for (Known *each = *list, *next; each != NULL; each = next) {
        next = each->next;
        more(each);
        Py_DECREF(each->object);
        PyMem_Free(each);
    }
    *list = NULL;
}

static void release_nothing(Known *known) { (void)known; }
static void release_scope(Known *known) { Py_XDECREF(((Scope *)known)->plans); }
static void release_plan(Known *known) {
    Py_XDECREF(((Plan *)known)->placed);
    Py_XDECREF(((Plan *)known)->unplaced);
}

PyDoc_STRVAR(forget_doc, "forget() -> None\n\nBegin anew.");

static PyObject *scanner_forget(PyObject *object, PyObject *Py_UNUSED(none)) {
    Scanner *self = (Scanner *)object;
    table_clear(&self->raws);
    table_clear(&self->names);
    table_clear(&self->traits);
    table_clear(&self->resources);
    table_clear(&self->scopes);
    table_clear(&self->plans);
    release(&self->held_plans, release_plan);
    release(&self->held_scopes, release_scope);
    release(&self->held_resources, release_nothing);
    release(&self->held_traits, release_nothing);
    self->n_bytes = 0;
    self->n_traits = self->n_resources = self->n_scopes = 0;
    Py_RETURN_NONE;
}

static void scanner_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Py_DECREF(scanner_forget(object, NULL));
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *scanner_n_bytes(PyObject *object, void *Py_UNUSED(closure)) {
    return PyLong_FromSsize_t(((Scanner *)object)->n_bytes);
}

static PyMethodDef scanner_methods[] = {
    {"scan", scanner_scan, METH_VARARGS, scan_doc},
    {"forget", scanner_forget, METH_NOARGS, forget_doc},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef scanner_values[] = {
    {"n_bytes", scanner_n_bytes, NULL, "About how much is remembered.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot scanner_slots[] = {
    {Py_tp_dealloc, scanner_dealloc},  {Py_tp_methods, scanner_methods},
    {Py_tp_getset, scanner_values},    {Py_tp_new, PyType_GenericNew},
    {Py_tp_doc, (void *)"What spans have in common, recognised by its bytes. For one thread."},
    {0, NULL},
};
static PyType_Spec scanner_spec = {"weir_scanner.Scanner", sizeof(Scanner), 0, Py_TPFLAGS_DEFAULT, scanner_slots};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "weir_scanner",
                                        "The compiled way from OTLP bytes to packed rows.", -1, NULL, NULL, NULL, NULL,
                                        NULL};

static int make_texts(void) {
    struct {
        PyObject **to;
        const char *text;
    } all[] = {
        {&text_trait, "trait"},          {&text_scope, "scope"},          {&text_one, "one"},
        {&text_plans, "plans"},
        {&text_heads, "heads"},          {&text_sketches, "sketches"},    {&text_links, "links"},
        {&text_placed, "placed"},        {&text_unplaced, "unplaced"},    {&text_placing, "placing"},
        {&text_partition_at, "partition_at"}, {&text_offset_at, "offset_at"}, {&text_is_sure, "is_sure"},
        {&text_fails, "is_error"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if ((*all[i].to = PyUnicode_InternFromString(all[i].text)) == NULL) return -1;
    return 0;
}

static int make_seeds(void) {
    PyObject *os = PyImport_ImportModule("os");
    PyObject *random = os == NULL ? NULL : PyObject_CallMethod(os, "urandom", "n", (Py_ssize_t)sizeof seeds);
    Py_XDECREF(os);
    if (random == NULL) return -1;
    memcpy(seeds, PyBytes_AS_STRING(random), sizeof seeds);
    Py_DECREF(random);
    for (size_t i = 0; i < 3; i++) seeds[i] |= 1;
    return 0;
}

PyMODINIT_FUNC PyInit_weir_scanner(void) {
    if (make_texts() < 0 || make_seeds() < 0) return NULL;
    PyObject *module = PyModule_Create(&definition);
    PyObject *type = module == NULL ? NULL : PyType_FromSpec(&scanner_spec);
    if (type == NULL || PyModule_AddObjectRef(module, "Scanner", type) < 0 ||
        PyModule_AddStringConstant(module, "SOURCE", WEIR_SOURCE) < 0)
        Py_CLEAR(module);
    Py_XDECREF(type);
    return module;
}
