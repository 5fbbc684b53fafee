// SPDX-License-Identifier: GPL-3.0-or-later
// What named-checkzone and its like remark, and advice. Nothing here keeps a zone from being loaded.
#include "steerd/zone/review.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "steerd/wire/name.h"

enum { NEGATIVE_TTL_MAX_S = 3600, WHAT_MAX = STEER_NAME_TEXT_MAX + 160 };
enum {
    SPF_LOOKUPS_MAX = 10, // RFC 7208 4.6.4
    SPF_COUNT_MAX = 100,  // counting ends here, also of records that lead in circles
    SPF_DEPTH_MAX = 10,
    SPF_TEXT_MAX = 4096,
    SPF_READS_MAX =
        100000, // TXT records read for a whole zone, some many times; then there is no more advice
};

struct review {
    const struct steer_zone *zone, *before;
    void (*find)(void *ctx, const struct steer_finding *finding);
    void *ctx;
    const struct steer_zone_node *node; // the one looked at
    uint16_t type;                      // and the RRset
    const struct steer_zone_node *v4_only;
    size_t v4_only_count;
    uint32_t *spf_reads;
};

static void say(const struct review *r, const struct steer_rr_view *rr, const char *what)
{
    const struct steer_finding finding = {steer_zone_node_owner(r->node), r->type,
                                          rr ? rr->rdata : NULL, rr ? rr->rdata_len : (uint16_t)0,
                                          what};
    r->find(r->ctx, &finding);
}

static void say_name(const struct review *r, const struct steer_rr_view *rr, const char *format_of,
                     const uint8_t *name)
{
    char text[STEER_NAME_TEXT_MAX];
    char what[WHAT_MAX];
    const char *at = strchr(format_of, '*');
    snprintf(what, sizeof what, "%.*s%s%s", (int)(at - format_of), format_of,
             steer_name_format(name, text), at + 1);
    say(r, rr, what);
}

// ---- names -----------------------------------------------------------------------------------------

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(uint8_t c)
{
    return is_digit(c) || (steer_lower(c) >= 'a' && steer_lower(c) <= 'z');
}

// RFC 952, RFC 1123 2.1: letters, digits, and hyphens inside.
static bool is_host_name(const uint8_t *name)
{
    for (; *name; name += *name + 1u) {
        if (!is_letter_or_digit(name[1]) || !is_letter_or_digit(name[*name]))
            return false;
        for (unsigned i = 2; i < *name; i++)
            if (!is_letter_or_digit(name[i]) && name[i] != '-')
                return false;
    }
    return true;
}

// Four numbers, then nothing or the zone's origin: an address where a name belongs.
static bool is_like_address(const struct steer_zone *zone, const uint8_t *name)
{
    for (unsigned label = 0; label < 4; label++, name += *name + 1u) {
        if (*name < 1 || *name > 3)
            return false;
        for (unsigned i = 1; i <= *name; i++)
            if (!is_digit(name[i]))
                return false;
    }
    return *name == 0 || steer_name_equal(name, zone->origin.octets);
}

// ---- looking targets up ----------------------------------------------------------------------------

struct place {
    const struct steer_zone_node *node; // NULL: there is nothing
    const struct steer_zone_node *cut;  // it lies at or below this delegation
    bool elsewhere;                     // out of the zone, or below a DNAME
};

// The node that answers for a name, as RFC 1034 4.3.2 finds it but for delegations, below which it looks on.
static struct place look_up(const struct steer_zone *zone, const uint8_t *wire)
{
    struct place place = {.elsewhere = true};
    struct steer_name name;
    struct steer_name_hashes hashes;
    if (!steer_name_is_below(wire, zone->origin.octets) ||
        !steer_name_from_wire(wire, STEER_NAME_MAX, &name))
        return place;
    steer_name_lower(&name);
    steer_name_hash_suffixes(&name, &hashes);
    const struct steer_zone_node *node = NULL;
    for (unsigned d = zone->origin.labels; d <= name.labels; d++) {
        const struct steer_zone_node *parent = node;
        node = steer_zone_find(zone, hashes.hash[d], name.octets + hashes.at[d]);
        if (!node) {
            struct steer_name star;
            place.elsewhere = false;
            if (parent->flags & STEER_NODE_WILDCARD && !place.cut &&
                steer_name_join((const uint8_t *)"\1*", 2, steer_zone_node_owner(parent), &star))
                place.node = steer_zone_find(zone, steer_name_hash(&star), star.octets);
            return place;
        }
        if (node->flags & STEER_NODE_CUT && !place.cut)
            place.cut = node;
        if (node->flags & STEER_NODE_DNAME && d < name.labels)
            return place;
    }
    place.elsewhere = false;
    place.node = node;
    return place;
}

static bool has(const struct steer_zone_node *node, uint16_t type)
{
    return node && steer_zone_node_rrset(node, type);
}

static bool has_address(const struct review *r, const struct steer_zone_node *node,
                        const uint8_t *name)
{
    if (has(node, STEER_TYPE_A) || has(node, STEER_TYPE_AAAA) || has(node, STEER_TYPE_ADDRESS))
        return true;
    return r->before && has(look_up(r->before, name).node, STEER_TYPE_ADDRESS);
}

// ---- NS, MX, SRV -----------------------------------------------------------------------------------

static void review_target(const struct review *r, const struct steer_rr_view *rr,
                          const uint8_t *target)
{
    if (is_like_address(r->zone, target)) {
        say_name(r, rr, "* looks like an address, and a host's name is wanted here", target);
        return;
    }
    if (!is_host_name(target))
        say_name(r, rr, "* is not a host's name: letters, digits and hyphens (RFC 1123 2.1)",
                 target);
    const struct place place = look_up(r->zone, target);
    if (place.elsewhere)
        return;
    if (place.cut) { // another zone's, but for the glue of the delegation itself
        if (r->type == STEER_TYPE_NS && place.cut == r->node && !has_address(r, place.node, target))
            say_name(r, rr,
                     "glue is missing: * lies below the delegation, and has no A or AAAA here",
                     target);
        return;
    }
    if (place.node && place.node->flags & STEER_NODE_CNAME)
        say_name(r, rr, "* is an alias (CNAME); the host itself is wanted here (RFC 2181 10.3)",
                 target);
    else if (!has_address(r, place.node, target))
        say_name(r, rr,
                 place.node ? "* has no address: there is no A or AAAA" : "* does not exist here",
                 target);
}

static void review_targets(const struct review *r, const struct steer_rrset *set, unsigned at)
{
    struct steer_rr_view rr;
    for (size_t next = 0; steer_rrset_next(r->node, set, &next, &rr);)
        if (rr.rdata_len > at && rr.rdata[at]) // "." stands for none (RFC 2782, RFC 7505)
            review_target(r, &rr, rr.rdata + at);
}

static bool is_null_mx(const struct review *r, const struct steer_rrset *set)
{
    struct steer_rr_view rr;
    size_t next = 0;
    return steer_rrset_next(r->node, set, &next, &rr) && rr.rdata_len == 3;
}

// ---- SOA -------------------------------------------------------------------------------------------

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void review_soa(const struct review *r, const struct steer_rrset *set)
{
    struct steer_rr_view rr;
    size_t next = 0;
    char what[160];
    if (!steer_rrset_next(r->node, set, &next, &rr) || rr.rdata_len < 22)
        return;
    const uint8_t *numbers = rr.rdata + rr.rdata_len - 20;
    const uint32_t refresh_s = read_u32(numbers + 4);
    const uint32_t retry_s = read_u32(numbers + 8);
    const uint32_t expire_s = read_u32(numbers + 12);
    if (!has(r->node, STEER_TYPE_NS))
        say(r, NULL, "has no NS record: a zone that is delegated needs at least one");
    if (read_u32(numbers) == 0)
        say(r, &rr, "the serial is 0, which some secondaries take for \"none\" (RFC 2136 7.11)");
    if (retry_s >= refresh_s)
        say(r, &rr, "the SOA's retry is not below its refresh (RFC 1912 2.2)");
    if (expire_s <= (uint64_t)refresh_s + retry_s)
        say(r, &rr,
            "the SOA's expire is not above refresh + retry: secondaries would give the zone up at "
            "the first trouble (RFC 1912 2.2)");
    if (r->zone->negative_ttl_s <= NEGATIVE_TTL_MAX_S)
        return;
    snprintf(
        what, sizeof what,
        "\"no such name\" is remembered for %u seconds (the SOA's last number, RFC 2308); over "
        "an hour, new names come late",
        r->zone->negative_ttl_s);
    say(r, &rr, what);
}

// ---- SPF -------------------------------------------------------------------------------------------

// One TXT record's strings in a row; false when it is no SPF record (RFC 7208 4.5).
static bool read_spf(const struct review *r, const struct steer_rr_view *rr, char *text,
                     size_t size)
{
    size_t n = 0;
    if (*r->spf_reads == SPF_READS_MAX)
        return false;
    ++*r->spf_reads;
    for (size_t at = 0; at < rr->rdata_len; at += rr->rdata[at] + 1u)
        for (size_t i = 1; i <= rr->rdata[at] && at + i < rr->rdata_len && n + 1 < size; i++)
            text[n++] = (char)rr->rdata[at + i];
    text[n] = '\0';
    return strncasecmp(text, "v=spf1", 6) == 0 && (text[6] == ' ' || text[6] == '\0');
}

static void count_lookups(const struct review *r, char *text, unsigned depth, unsigned *count);

// The look-ups of the SPF record of a domain in this zone; what other zones' records cost is not known here.
static void follow(const struct review *r, const char *domain, unsigned depth, unsigned *count)
{
    struct steer_name name;
    struct steer_rr_view rr;
    char text[SPF_TEXT_MAX];
    if (depth == SPF_DEPTH_MAX || steer_name_parse(domain, NULL, &name, NULL) != STEER_OK)
        return;
    const struct steer_zone_node *node = look_up(r->zone, name.octets).node;
    const struct steer_rrset *set = node ? steer_zone_node_rrset(node, STEER_TYPE_TXT) : NULL;
    for (size_t next = 0; set && steer_rrset_next(node, set, &next, &rr);) {
        if (!read_spf(r, &rr, text, sizeof text))
            continue;
        count_lookups(r, text, depth + 1, count);
        return; // receivers give up at a second one
    }
}

// Adds the terms of an SPF record that cost a look-up (RFC 7208 4.6.4); cuts the text up.
static void count_lookups(const struct review *r, char *text, unsigned depth, unsigned *count)
{
    static const char *const words[] = {"include:", "redirect=", "exists:", "a", "mx", "ptr"};
    enum { FOLLOWED = 2, OPEN = 3 }; // so many of them lead on, and so many end with their value
    char *rest = NULL;
    for (char *term = strtok_r(text, " ", &rest); term; term = strtok_r(NULL, " ", &rest)) {
        term += strchr("+-~?", *term) != NULL;
        for (unsigned i = 0; i < sizeof words / sizeof *words && *count < SPF_COUNT_MAX; i++) {
            const char *value = term + strlen(words[i]);
            if (strncasecmp(term, words[i], strlen(words[i])) != 0 ||
                (i >= OPEN && *value && !strchr(":/", *value)))
                continue;
            ++*count;
            if (i < FOLLOWED)
                follow(r, value, depth, count);
        }
    }
}

static void review_txt(const struct review *r, const struct steer_rrset *set)
{
    struct steer_rr_view rr;
    char text[SPF_TEXT_MAX];
    char what[160];
    unsigned records = 0;
    for (size_t next = 0; steer_rrset_next(r->node, set, &next, &rr);) {
        if (!read_spf(r, &rr, text, sizeof text))
            continue;
        if (++records == 2) {
            say(r, &rr, "has several SPF records, which is an error to receivers (RFC 7208 4.5)");
            return;
        }
        unsigned lookups = 0;
        count_lookups(r, text, 0, &lookups);
        if (lookups <= SPF_LOOKUPS_MAX)
            continue;
        snprintf(what, sizeof what,
                 "this SPF record costs %u look-ups or more, and receivers give up after %d (RFC "
                 "7208 4.6.4)",
                 lookups, SPF_LOOKUPS_MAX);
        say(r, &rr, what);
    }
}

// ---- nodes -----------------------------------------------------------------------------------------

static void review_owner(const struct review *r)
{
    const uint8_t *owner = steer_zone_node_owner(r->node);
    const bool wildcard = owner[0] == 1 && owner[1] == '*';
    if (!is_host_name(wildcard ? owner + 2 : owner))
        say(r, NULL, "this owner is not a host's name: letters, digits and hyphens (RFC 1123 2.1)");
}

static void review_set(struct review *r, const struct steer_rrset *set)
{
    const uint8_t *owner = steer_zone_node_owner(r->node);
    r->type = set->type;
    switch (set->type) {
    case STEER_TYPE_A:
    case STEER_TYPE_AAAA:
        review_owner(r);
        break;
    case STEER_TYPE_NS:
        if (owner[0] == 1 && owner[1] == '*')
            say(r, NULL, "NS at a wildcard delegates nothing (RFC 4592 4.2)");
        review_targets(r, set, 0);
        break;
    case STEER_TYPE_MX:
        review_owner(r);
        review_targets(r, set, 2);
        if (set->count == 1 && !is_null_mx(r, set))
            say(r, NULL, "there is one MX only: when that host is away, mail waits");
        break;
    case STEER_TYPE_SRV:
        review_targets(r, set, 6);
        break;
    case STEER_TYPE_SOA:
        review_soa(r, set);
        break;
    case STEER_TYPE_TXT:
        review_txt(r, set);
        break;
    case STEER_TYPE_DNAME:
        if (r->node->children)
            say(r, NULL, "there are names below this DNAME, which hides them (RFC 6672 2.4)");
        break;
    default:
        break;
    }
}

void steer_zone_review_rrset(const struct steer_zone *zone, const uint8_t *owner, uint16_t type,
                             void (*find)(void *ctx, const struct steer_finding *finding),
                             void *ctx)
{
    uint32_t spf_reads = 0;
    struct review r = {.zone = zone, .find = find, .ctx = ctx, .spf_reads = &spf_reads};
    struct steer_name name;
    if (!steer_name_from_wire(owner, STEER_NAME_MAX, &name))
        return;
    steer_name_lower(&name);
    r.node = steer_zone_find(zone, steer_name_hash(&name), name.octets);
    const struct steer_rrset *set = r.node ? steer_zone_node_rrset(r.node, type) : NULL;
    if (set && !steer_rrset_is_steered(set))
        review_set(&r, set);
}

static bool review_node(void *ctx, const struct steer_zone_node *node)
{
    struct review *r = ctx;
    r->node = node;
    for (unsigned i = 0; i < node->rrset_count; i++)
        if (!steer_rrset_is_steered(&node->rrsets[i]))
            review_set(r, &node->rrsets[i]);
    if (!has(node, STEER_TYPE_A) || has(node, STEER_TYPE_AAAA))
        return true;
    r->v4_only_count++;
    if (!r->v4_only ||
        steer_name_compare(steer_zone_node_owner(node), steer_zone_node_owner(r->v4_only)) < 0)
        r->v4_only = node;
    return true;
}

void steer_zone_review(const struct steer_zone *zone, const struct steer_zone *before,
                       void (*find)(void *ctx, const struct steer_finding *finding), void *ctx)
{
    uint32_t spf_reads = 0;
    struct review r = {
        .zone = zone, .before = before, .find = find, .ctx = ctx, .spf_reads = &spf_reads};
    char what[160];
    steer_zone_each(zone, review_node, &r);
    if (!r.v4_only)
        return;
    r.node = r.v4_only;
    r.type = STEER_TYPE_A;
    snprintf(what, sizeof what, "has A and no AAAA");
    if (r.v4_only_count > 1)
        snprintf(what, sizeof what, "has A and no AAAA, and so have %zu other names of the zone",
                 r.v4_only_count - 1);
    say(&r, NULL, what);
}
