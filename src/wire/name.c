// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/wire/name.h"

#include <string.h>

#include "wire_internal.h"

const uint64_t steer_name_root_hash = STEER_NAME_ROOT_HASH;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Reads one octet of a label at *text, unescaping. The reason it cannot be, or NULL.
static const char *read_octet(const char **text, uint8_t *octet)
{
    const char *p = *text;
    if (*p != '\\') {
        if ((uint8_t)*p < 0x21 || (uint8_t)*p > 0x7e)
            return "a space, control character or non-ASCII letter must be written as \\DDD (names "
                   "in other scripts as xn--...)";
        if (strchr("\"();", *p))
            return "the characters \" ( ) ; must be escaped with a backslash";
        *octet = (uint8_t)*p;
        *text = p + 1;
        return NULL;
    }
    if (!is_digit(p[1])) {
        if ((uint8_t)p[1] < 0x20 || (uint8_t)p[1] > 0x7e)
            return "a backslash must be followed by a printable character or three digits";
        *octet = (uint8_t)p[1];
        *text = p + 2;
        return NULL;
    }
    if (!is_digit(p[2]) || !is_digit(p[3]))
        return "a backslash and a digit must be three digits, as in \\032";
    unsigned value =
        (unsigned)(p[1] - '0') * 100 + (unsigned)(p[2] - '0') * 10 + (unsigned)(p[3] - '0');
    if (value > 255)
        return "\\DDD goes from \\000 to \\255";
    *octet = (uint8_t)value;
    *text = p + 4;
    return NULL;
}

// Reads one label at *text into name, up to the dot or the end. The reason it cannot be, or NULL.
static const char *read_label(const char **text, struct steer_name *name)
{
    if (**text == '.')
        return "a label is empty (two dots, or a dot at the start)";
    // One octet is kept for the root.
    size_t start = name->len;
    size_t end = start + 1;
    while (**text && **text != '.') {
        uint8_t octet;
        const char *reason = read_octet(text, &octet);
        if (reason)
            return reason;
        if (end - start - 1 == STEER_LABEL_MAX)
            return "a label has more than 63 octets";
        if (end >= STEER_NAME_MAX - 1)
            return "the name has more than 255 octets";
        name->octets[end++] = octet;
    }
    name->octets[start] = (uint8_t)(end - start - 1);
    name->len = (uint8_t)end;
    name->labels++;
    return NULL;
}

enum steer_err steer_name_parse(const char *text, const struct steer_name *origin,
                                struct steer_name *name, struct steer_diag *diag)
{
    static const struct steer_name root = {1, 0, {0}};
    if (!origin)
        origin = &root;
    if (strcmp(text, "@") == 0 || strcmp(text, ".") == 0) {
        *name = *text == '@' ? *origin : root;
        return STEER_OK;
    }
    struct steer_name out = {0, 0, {0}};
    const char *p = text;
    const char *reason = *p ? NULL : "the name is empty (the root is written as a dot)";
    bool absolute = false;
    while (!reason && *p) {
        reason = read_label(&p, &out);
        absolute = !reason && *p == '.';
        p += absolute;
    }
    if (!reason && !absolute && out.len + origin->len > STEER_NAME_MAX)
        reason = "the name has more than 255 octets with its origin";
    if (reason)
        return steer_diag_set(diag, STEER_EINVAL, "'%.100s' is not a domain name: %s", text,
                              reason);
    const struct steer_name *rest = absolute ? &root : origin;
    memcpy(out.octets + out.len, rest->octets, rest->len);
    out.len = (uint8_t)(out.len + rest->len);
    out.labels = (uint8_t)(out.labels + rest->labels);
    *name = out;
    return STEER_OK;
}

static char *format_octet(uint8_t c, char *out)
{
    bool alnum = (uint8_t)(steer_lower(c) - 'a') < 26 || (uint8_t)(c - '0') < 10;
    if (c < 0x21 || c > 0x7e) {
        *out++ = '\\';
        *out++ = (char)('0' + c / 100);
        *out++ = (char)('0' + c / 10 % 10);
        *out++ = (char)('0' + c % 10);
        return out;
    }
    if (!alnum && !strchr("-_*/", c))
        *out++ = '\\';
    *out++ = (char)c;
    return out;
}

const char *steer_name_format(const uint8_t *wire, char *out)
{
    char *p = out;
    if (*wire == 0)
        *p++ = '.';
    while (*wire) {
        const uint8_t *end = wire + 1 + *wire;
        for (wire++; wire < end; wire++)
            p = format_octet(*wire, p);
        *p++ = '.';
    }
    *p = '\0';
    return out;
}

bool steer_name_from_wire(const uint8_t *wire, size_t size, struct steer_name *name)
{
    uint8_t at[STEER_LABELS_MAX];
    size_t len;
    int labels = scan_labels(wire, size, at, &len);
    if (labels < 0)
        return false;
    name->len = (uint8_t)len;
    name->labels = (uint8_t)labels;
    memcpy(name->octets, wire, len);
    return true;
}

size_t steer_name_length(const uint8_t *wire)
{
    const uint8_t *p = wire;
    while (*p)
        p += 1 + *p;
    return (size_t)(p - wire) + 1;
}

unsigned steer_name_labels(const uint8_t *wire)
{
    unsigned labels = 0;
    for (; *wire; wire += 1 + *wire)
        labels++;
    return labels;
}

void steer_name_lower(struct steer_name *name)
{
    lower_octets(name->octets, name->octets, name->len);
}

bool steer_name_equal(const uint8_t *a, const uint8_t *b)
{
    // Octets that are equal without case have equal lengths where those stand, so this meets both
    // roots at the same place.
    for (;;) {
        unsigned n = *a;
        if (n != *b)
            return false;
        if (n == 0)
            return true;
        for (unsigned i = 1; i <= n; i++)
            if (steer_lower(a[i]) != steer_lower(b[i]))
                return false;
        a += n + 1;
        b += n + 1;
    }
}

static int compare_labels(const uint8_t *a, const uint8_t *b)
{
    unsigned shorter = *a < *b ? *a : *b;
    for (unsigned i = 1; i <= shorter; i++) {
        int diff = (int)steer_lower(a[i]) - (int)steer_lower(b[i]);
        if (diff)
            return diff;
    }
    return (int)*a - (int)*b;
}

int steer_name_compare(const uint8_t *a, const uint8_t *b)
{
    uint8_t at_a[STEER_LABELS_MAX];
    uint8_t at_b[STEER_LABELS_MAX];
    size_t len;
    int labels_a = scan_labels(a, STEER_NAME_MAX, at_a, &len);
    int labels_b = scan_labels(b, STEER_NAME_MAX, at_b, &len);
    while (labels_a > 0 && labels_b > 0) {
        int diff = compare_labels(a + at_a[--labels_a], b + at_b[--labels_b]);
        if (diff)
            return diff;
    }
    return labels_a - labels_b;
}

bool steer_name_is_below(const uint8_t *name, const uint8_t *parent)
{
    unsigned labels = steer_name_labels(name);
    unsigned parent_labels = steer_name_labels(parent);
    for (; labels > parent_labels; labels--)
        name += 1 + *name;
    return labels == parent_labels && steer_name_equal(name, parent);
}

bool steer_name_join(const uint8_t *prefix, size_t prefix_len, const uint8_t *suffix,
                     struct steer_name *out)
{
    size_t suffix_len = steer_name_length(suffix);
    if (prefix_len + suffix_len > STEER_NAME_MAX)
        return false;
    memcpy(out->octets, prefix, prefix_len);
    memcpy(out->octets + prefix_len, suffix, suffix_len);
    out->len = (uint8_t)(prefix_len + suffix_len);
    out->labels = (uint8_t)steer_name_labels(out->octets);
    return true;
}

void steer_name_hash_suffixes(const struct steer_name *name, struct steer_name_hashes *hashes)
{
    uint8_t at[STEER_LABELS_MAX];
    size_t len = 1;
    int labels = scan_labels(name->octets, name->len, at, &len);
    hash_scanned(name->octets, name->len, len, at, labels > 0 ? (unsigned)labels : 0, hashes);
}

uint64_t steer_name_hash(const struct steer_name *name)
{
    struct steer_name_hashes hashes;
    steer_name_hash_suffixes(name, &hashes);
    return hashes.hash[name->labels];
}

uint64_t steer_name_hash_label(uint64_t parent, const uint8_t *label)
{
    return hash_label(parent, label, label[0] + 1U, false);
}
