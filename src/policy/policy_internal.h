// SPDX-License-Identifier: GPL-3.0-or-later
// Inside the room policy: from text to a tree of values with places, and from there to objects.
//
//   text --yaml.c, json.c--> builder (tree.c) --> struct steer_tree
//        --document.c, parse_*.c through the readers of reader.c--> objects and records
#ifndef STEERD_POLICY_INTERNAL_H
#define STEERD_POLICY_INTERNAL_H

#include <stdarg.h>

#include "steerd/base/hash.h"
#include "steerd/policy/document.h"
#include "steerd/policy/tree.h"

// ---- tree.c: values with places (steerd/policy/tree.h) -------------------------------------------

// What the two text readers call. After the first error every call does nothing; the error is in err.
struct steer_frame {
    json_t *container; // owned until it is closed
    struct steer_where at, key_at;
    char *key; // of the mapping entry that is under way
    struct steer_position *positions;
    size_t count, cap;
};

struct steer_builder {
    struct steer_tree *tree;
    const char *file;
    struct steer_diag *diag;
    enum steer_err err;
    uint64_t cost;  // of all values so far, aliased ones included
    uint64_t nodes; // without aliases
    unsigned depth;
    struct steer_frame frames[STEER_TREE_DEPTH_MAX];
};

void steer_builder_fail(struct steer_builder *b, struct steer_where at, const char *fmt, ...)
    STEER_PRINTF(3, 4);
void steer_builder_open(struct steer_builder *b, bool mapping, struct steer_where at);
// Returns the closed container (borrowed), NULL after an error.
json_t *steer_builder_close(struct steer_builder *b);
void steer_builder_key(struct steer_builder *b, const char *text, size_t len,
                       struct steer_where at);
// Takes the reference; NULL is an error already reported.
void steer_builder_value(struct steer_builder *b, json_t *value, uint64_t cost,
                         struct steer_where at);
// Whether the next scalar is a key.
bool steer_builder_wants_key(const struct steer_builder *b);
uint64_t steer_scalar_cost(size_t len);

void steer_yaml_read(struct steer_builder *b, const char *text, size_t len);
void steer_json_read(struct steer_builder *b, const char *text, size_t len);

// Octets of the valid UTF-8 sequence at text; 0 where there is none.
unsigned steer_utf8_octets(const char *text, size_t left);
// Makes a message safe to print and to put into JSON: control characters and broken UTF-8 become '?'.
void steer_message_clean(char *message);

// ---- reader.c: typed access with exact errors -----------------------------------------------------

enum { STEER_WARNINGS_MAX = 1000 };

struct steer_warnings {
    struct steer_diag *items;
    size_t count, cap;
};

// One pass over a document or a stored object. err is sticky: after the first error readers return
// their fallback and report nothing more, so that a parser looks at err once, at its end.
struct steer_parse {
    const struct steer_tree *tree; // NULL: from the store, no places
    const char *file;
    const char *document;
    struct steer_diag *diag;
    enum steer_err err;
    struct steer_arena *arena;       // takes what is parsed
    const struct steer_name *origin; // of names in record data; NULL: they must be absolute
    struct steer_warnings *warnings; // NULL: not wanted
    unsigned depth;                  // of nodes
    struct steer_map assertions;     // name -> line, of the document under way
    size_t object_cap;               // of its objects
};

struct steer_item {
    const char *key; // NULL in a list
    const json_t *json;
    struct steer_where key_at, at;
};

// Keys of a mapping. `later` are words of the model that this version does not know.
struct steer_shape {
    const char *what;    // "a check"
    const char *example; // "{type: http, port: 80}"
    const char *const *keys;
    size_t key_count;
    const char *const *later;
    size_t later_count;
};

void steer_doc_fail(struct steer_parse *p, struct steer_where at, const char *fmt, ...)
    STEER_PRINTF(3, 4);
void steer_doc_warn(struct steer_parse *p, struct steer_where at, const char *fmt, ...)
    STEER_PRINTF(3, 4);
// "a string", "a list", ...
const char *steer_json_kind(const json_t *json);
// Fails with "'key' must be WANTED, not a list".
void steer_doc_mismatch(struct steer_parse *p, const struct steer_item *item, const char *wanted);

// Entries in the order of the text.
struct steer_entries {
    const json_t *container;
    const struct steer_position *positions;
    void *iter;
    size_t index, count;
};
void steer_entries_of(const struct steer_parse *p, const struct steer_item *item,
                      struct steer_entries *entries);
bool steer_entries_next(struct steer_entries *entries, struct steer_item *entry);

// False after an error, and where the mapping has no such key.
bool steer_doc_find(const struct steer_parse *p, const struct steer_item *mapping, const char *key,
                    struct steer_item *item);
// Whether item is a mapping with none but the shape's keys; fails otherwise.
bool steer_doc_keys(struct steer_parse *p, const struct steer_item *item,
                    const struct steer_shape *shape);
// Whether item is a mapping, or a list, with at least one entry; fails otherwise.
bool steer_doc_mapping(struct steer_parse *p, const struct steer_item *item, const char *example);
bool steer_doc_list(struct steer_parse *p, const struct steer_item *item, const char *example);

// One value. Strings live in the arena; "" after an error.
const char *steer_value_string(struct steer_parse *p, const struct steer_item *item);
// The name of an object: 1-63 of A-Z a-z 0-9 _ . -
const char *steer_value_name(struct steer_parse *p, const struct steer_item *item);
bool steer_name_text_valid(const char *text);
uint64_t steer_value_uint(struct steer_parse *p, const struct steer_item *item, uint64_t min,
                          uint64_t max);
// Milliseconds.
uint64_t steer_value_duration(struct steer_parse *p, const struct steer_item *item, uint64_t min_ms,
                              uint64_t max_ms);
// "5%" in parts per million.
uint32_t steer_value_percent(struct steer_parse *p, const struct steer_item *item);
struct steer_minimum steer_value_minimum(struct steer_parse *p, const struct steer_item *item);

// The value at a key of a mapping, or the fallback.
const char *steer_doc_string(struct steer_parse *p, const struct steer_item *mapping,
                             const char *key, const char *fallback);
uint64_t steer_doc_uint(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                        uint64_t min, uint64_t max, uint64_t fallback);
uint64_t steer_doc_duration(struct steer_parse *p, const struct steer_item *mapping,
                            const char *key, uint64_t min_ms, uint64_t max_ms, uint64_t fallback);
// Whole seconds.
uint32_t steer_doc_seconds(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                           uint32_t min_s, uint32_t fallback_s);
bool steer_doc_bool(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                    bool fallback);
// Index of the word; words from `supported` on belong to the model, not to this version.
unsigned steer_doc_choice(struct steer_parse *p, const struct steer_item *mapping, const char *key,
                          const char *const *words, unsigned count, unsigned supported,
                          unsigned fallback);

// ---- parse_*.c ------------------------------------------------------------------------------------

// item->key is the name. The object is new, with one reference; NULL after an error.
struct steer_object *steer_parse_object(struct steer_parse *p, enum steer_kind kind,
                                        const struct steer_item *item);
// A steered record of p->origin's zone; item is its tree, at its key.
struct steer_steered_head {
    struct steer_name owner;
    enum steer_steered_kind kind;
    uint32_t ttl_s;
    bool allow_negative;
    struct steer_drawing draw;
    struct steer_where at;
};
// `https`, `svcb`, `mx` and `srv` of an endpoint.
void steer_parse_services(struct steer_parse *p, const struct steer_item *endpoint,
                          struct steer_endpoint *out);
void steer_parse_pool(struct steer_parse *p, const struct steer_item *item,
                      struct steer_pool *pool);
// `draw` of a steered record, and back into the canonical form; NULL for the default.
struct steer_drawing steer_parse_draw(struct steer_parse *p, const struct steer_item *record);
json_t *steer_draw_json(const struct steer_drawing *draw);
struct steer_object *steer_parse_steered(struct steer_parse *p,
                                         const struct steer_steered_head *head,
                                         const struct steer_item *tree);
extern const char *const steer_steered_words[STEER_STEERED_KINDS]; // "address", "cname", ...

void steer_parse_node(struct steer_parse *p, const struct steer_item *item,
                      struct steer_node *node);
// The node of a child, in the arena.
const struct steer_node *steer_parse_child(struct steer_parse *p, const struct steer_item *item);
// The node of an entry that says more of its child: at `to`, or the entry itself with the keys of the shape beside
// the node's own, like {weight: 90, pool: eu}.
const struct steer_node *steer_parse_entry(struct steer_parse *p, const struct steer_item *entry,
                                           const struct steer_shape *shape);
// The list of a node's children: the value itself, or `among` in it.
bool steer_parse_among(struct steer_parse *p, const struct steer_item *item, const char *example,
                       struct steer_item *list);
bool steer_node_key(const char *key); // of a kind, or of an option
// Options of any node. They stand beside its kind, or in the kind's value where that is a mapping.
#define STEER_OPTION_KEYS "min_available", "when_unavailable", "trickle", "failback"
enum { STEER_OPTION_COUNT = 4 };
// Kinds of nodes; item stands at the kind's key.
void steer_parse_geo(struct steer_parse *p, const struct steer_item *item, struct steer_node *node);
void steer_parse_network(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node);
void steer_parse_nearest(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node);
void steer_parse_latency(struct steer_parse *p, const struct steer_item *item,
                         struct steer_node *node);
void steer_parse_latency_table(struct steer_parse *p, const struct steer_item *item,
                               struct steer_object *table);
// `measured` of a latency table, in the arena.
const struct steer_measuring *steer_parse_measuring(struct steer_parse *p,
                                                    const struct steer_item *item);
void steer_parse_switch_node(struct steer_parse *p, const struct steer_item *item,
                             struct steer_node *node);
void steer_parse_switch(struct steer_parse *p, const struct steer_item *item,
                        struct steer_switch *object);
// "192.0.2.0/24", "AS64500": exactly one is set. Fails with what would be right.
struct steer_network_text {
    bool is_asn;
    uint32_t asn;
    struct steer_prefix prefix;
};
bool steer_parse_network_text(struct steer_parse *p, const struct steer_item *item,
                              const char *text, struct steer_network_text *network);
// Whether all of a network is IPv4 inside IPv6, which is looked up as IPv4 (classmap.h), and what to write instead.
bool steer_prefix_in_embedding(const struct steer_prefix *prefix, char instead[64]);

// The RRset of `type` in one value or a list of values.
void steer_parse_rrset(struct steer_parse *p, const struct steer_item *item, uint16_t type,
                       struct steer_fixed *fixed);
// A key that names a record type which may stand in a zone; false where it does not name a type at all.
// Fails for meta types.
bool steer_parse_type(struct steer_parse *p, const struct steer_item *item, uint16_t *type);
// A domain name relative to p->origin.
void steer_parse_name(struct steer_parse *p, const struct steer_item *item,
                      struct steer_name *name);

// zone, soa, ns and records are keys of `mapping`.
void steer_parse_zone(struct steer_parse *p, const struct steer_item *mapping,
                      struct steer_document_zone *zone);
void steer_zone_release(struct steer_document_zone *zone); // its steered records

// One assertion; name is "DOCUMENT/NAME". zone: of whose entry it stands in, else NULL. p->origin: of relative names in
// `records`, or NULL. NULL after an error.
struct steer_object *steer_parse_assertion(struct steer_parse *p, const char *name,
                                           const struct steer_item *item,
                                           const struct steer_name *zone);
// `assert` of a mapping, into the document's objects.
void steer_parse_assertions(struct steer_parse *p, const struct steer_item *mapping,
                            const struct steer_name *zone, struct steer_document *document);

// ---- object.c -------------------------------------------------------------------------------------

struct steer_object *steer_object_create(enum steer_kind kind);
// Sets the head. definition is what json is made of.
void steer_object_seal(struct steer_object *object, const char *name, const json_t *definition,
                       const struct steer_parse *p, struct steer_where at);

#endif
