// SPDX-License-Identifier: GPL-3.0-or-later
// What the octoDNS converter's files share.
//
//   zone file --octodns_import.c--> names and their records
//             --octodns_static.c--> record data as text
//             --octodns_dynamic.c--> pools and rules, read and judged
//             --octodns_merge.c--> checks, endpoints, pools and a tree --yaml_write.c--> document
//   documents --octodns_export.c--> names, static records
//             --octodns_unsteer.c, octodns_order.c--> pools and rules again --yaml_write.c--> zone file
#ifndef STEERD_POLICY_OCTODNS_INTERNAL_H
#define STEERD_POLICY_OCTODNS_INTERNAL_H

#include "policy_internal.h"
#include "steerd/base/buf.h"
#include "steerd/policy/octodns.h"

// Labels by which an endpoint that is in no pool remembers the one octoDNS has it in, as never given.
#define OCTODNS_POOL_LABEL   "octodns-pool"
#define OCTODNS_WEIGHT_LABEL "octodns-weight"
#define OCTODNS_PATH         "/_dns"
enum { OCTODNS_TTL_S = 3600, OCTODNS_WEIGHT_MAX = 100, OCTODNS_PORT = 443 };

// ---- yaml_write.c ---------------------------------------------------------------------------------

// Writes a mapping as YAML 1.2 (and 1.1, which octoDNS reads): blocks, and what fits on a line in flow
// style. sorted: keys in natural order, as octoDNS wants them.
void steer_yaml_write(const json_t *root, bool sorted, struct steer_buf *out);
// Natural order: digits by their number, all else by octets.
int steer_natural_compare(const char *a, const char *b);

// ---- octodns_static.c -----------------------------------------------------------------------------

// The data of one value as a string for documents; NULL after an error.
json_t *octodns_value_read(struct steer_parse *p, const struct steer_item *value, const char *type);
// The value that octoDNS has for record data; NULL where it has none, and then *why says so.
json_t *octodns_value_make(uint16_t type, const uint8_t *rdata, size_t len, const char **why);

// ---- octodns_dynamic.c ----------------------------------------------------------------------------

enum octodns_status { OCTODNS_OBEY, OCTODNS_UP, OCTODNS_DOWN };

struct octodns_value {
    const char *text;
    unsigned weight;
    enum octodns_status status;
    struct steer_where at;
};

struct octodns_pool {
    const char *name;
    int fallback; // index, or -1
    struct octodns_value *values;
    size_t count, usable; // usable: not down
    struct steer_where at;
};

struct octodns_rule {
    unsigned pool;
    json_t *geos, *subnets; // lists of strings, as documents write them; may be empty
    struct steer_where at;
};

struct octodns_health {
    const char *protocol, *host, *path; // host NULL: the value
    unsigned port;
};

// One dynamic record, read and judged.
struct octodns_dynamic {
    const char *type;
    uint32_t ttl_s;
    struct octodns_pool *pools;
    size_t pool_count;
    struct octodns_rule *rules;
    size_t rule_count;
    json_t *backup; // the record's values, strings
    struct octodns_health health;
    bool obeys; // some value's status
    struct steer_where at;
};

void octodns_dynamic_read(struct steer_parse *p, const struct steer_item *record,
                          struct octodns_dynamic *dynamic);
void octodns_dynamic_fini(struct octodns_dynamic *dynamic);
// `healthcheck` of a record's `octodns`, with octoDNS's defaults; fqdn without its final dot.
void octodns_health_read(struct steer_parse *p, const struct steer_item *record, const char *fqdn,
                         struct octodns_health *health);
// `values` or `value` as a list of strings for documents.
json_t *octodns_values_read(struct steer_parse *p, const struct steer_item *record,
                            const char *type);

// ---- octodns_merge.c ------------------------------------------------------------------------------

// The sections of the document that is made, and the names taken in them.
struct octodns_sections {
    json_t *checks, *endpoints, *pools;
};
// The tree of one dynamic record, or of A and AAAA together (twin), whose objects go into the sections. base
// begins the names of these. NULL after an error.
json_t *octodns_merge(struct steer_parse *p, struct octodns_sections *sections, const char *base,
                      const struct octodns_dynamic *dynamic, const struct octodns_dynamic *twin);

// ---- octodns_order.c ------------------------------------------------------------------------------

enum { OCTODNS_CHAIN_MAX = 64 };
// What a rule leads to: pools (or single endpoints) in order.
struct octodns_chain {
    const struct steer_node *steps[OCTODNS_CHAIN_MAX];
    size_t count;
};
// A rule on its way out.
struct octodns_out {
    json_t *geos, *subnets; // lists of strings; may be empty
    struct octodns_chain chain;
};
struct octodns_ruleset {
    struct octodns_out *rules;
    size_t count, cap, networks; // those of networks come first
};
struct octodns_out *octodns_add_rule(struct octodns_ruleset *set);
void octodns_order_rules(struct octodns_ruleset *set);
void octodns_ruleset_fini(struct octodns_ruleset *set);
// Whether everything in the narrower place or network is in the broader one.
bool octodns_geo_covers(const char *broad, const char *geo);
bool octodns_subnet_covers(const char *broad, const char *subnet);

// ---- octodns_unsteer.c ----------------------------------------------------------------------------

struct octodns_loss {
    struct steer_octodns_notes *notes;
    size_t cap;
    const char *file;
};
// One more thing that octoDNS has no word for.
void octodns_lost(struct octodns_loss *loss, struct steer_where at, const char *fmt, ...)
    STEER_PRINTF(3, 4);
// The octoDNS records of a steered one: one, or A and AAAA. Appended to the list.
void octodns_unsteer(const struct steer_catalog *catalog, const struct steer_object *steered,
                     struct octodns_loss *loss, json_t *records);

#endif
