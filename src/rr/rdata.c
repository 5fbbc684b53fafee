// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/rr/rdata.h"

#include <libknot/errcode.h>
#include <libknot/rrset-dump.h>
#include <stdlib.h>
#include <string.h>

#include "rr_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

enum { SMALL = 512 };

// What a record with the text would be as a master file line.
static void compose(uint16_t type, const char *text, struct steer_buf *line)
{
    steer_buf_printf(line, "@ 0 IN TYPE%u ", type);
    steer_buf_puts(line, text);
    steer_buf_puts(line, "\n");
}

static enum steer_err explain(const zs_scanner_t *scanner, const struct steer_buf *line,
                              size_t prefix, struct steer_diag *diag)
{
    // The scanner stands at the end of the line it refused, and has kept the rest from the error on.
    size_t rest = scanner->buffer_length ? scanner->buffer_length - 1 : 0;
    size_t at = line->len;
    if (!scanner->input.eof)
        at = (size_t)(scanner->input.current - line->data);
    at = rest <= at && at - rest > prefix ? at - rest : prefix;
    size_t near_len = strcspn(line->data + at, "\n");
    struct steer_buf reason = {0};
    steer_scanner_reason(scanner, line->data + at, near_len, &reason);
    bool one_line = strchr(line->data, '\n') == line->data + line->len - 1;
    uint32_t column = one_line && rest ? (uint32_t)(at - prefix + 1) : 0;
    enum steer_err err = steer_diag_at(diag, NULL, 0, column, "%s", reason.data);
    steer_buf_fini(&reason);
    return err;
}

// One record and no more must come out of the line.
static enum steer_err scan(zs_scanner_t *scanner, uint16_t type, const struct steer_buf *line,
                           size_t prefix, struct steer_buf *rdata, struct steer_diag *diag)
{
    scanner->r_type = type;
    if (zs_parse_record(scanner) != 0 || scanner->state != ZS_STATE_DATA)
        return explain(scanner, line, prefix, diag);
    char name[STEER_TYPE_TEXT_MAX];
    bool generic = strstr(line->data + prefix, "\\#") != NULL;
    const char *reason = steer_record_reason(scanner, generic);
    if (reason)
        return steer_diag_set(diag, STEER_EINVAL, "%s record: %s", steer_type_format(type, name),
                              reason);
    size_t start = rdata->len;
    steer_buf_add(rdata, scanner->r_data, scanner->r_data_length);
    if (zs_parse_record(scanner) == 0 && scanner->state == ZS_STATE_EOF)
        return STEER_OK;
    rdata->len = start;
    rdata->data[start] = '\0';
    return steer_diag_set(diag, STEER_EINVAL, "%s record: something follows the data of the record",
                          steer_type_format(type, name));
}

enum steer_err steer_rdata_parse(uint16_t type, const char *text, const struct steer_name *origin,
                                 struct steer_buf *rdata, struct steer_diag *diag)
{
    struct steer_buf line = {0};
    compose(type, text, &line);
    size_t prefix = line.len - strlen(text) - 1;
    zs_scanner_t *scanner = steer_scanner_create(origin, 0, line.data, line.len);
    enum steer_err err = STEER_EINVAL;
    if (scanner) {
        err = scan(scanner, type, &line, prefix, rdata, diag);
        steer_scanner_destroy(scanner);
    } else {
        err = steer_diag_set(diag, STEER_EINVAL, "the record cannot be read");
    }
    steer_buf_fini(&line);
    return err;
}

// Appends libknot's text for the data; false when the data is not of the type's form.
static bool dump(uint16_t type, const uint8_t *rdata, size_t len, struct steer_buf *out)
{
    union {
        knot_rdata_t rdata;
        uint8_t bytes[SMALL + 4];
    } small;
    knot_rdata_t *copy = len <= SMALL ? &small.rdata : steer_alloc(knot_rdata_size((uint16_t)len));
    static const uint8_t root = 0;
    knot_rdata_init(copy, (uint16_t)len, rdata ? rdata : &root);
    uint8_t owner[1] = {0};
    knot_rrset_t rrset = {
        .owner = owner,
        .type = type,
        .rclass = STEER_CLASS_IN,
        .rrs = {.count = 1, .size = (uint32_t)knot_rdata_size((uint16_t)len), .rdata = copy},
    };
    // Timestamps stay numbers, which holds for all of their range.
    knot_dump_style_t style = KNOT_DUMP_STYLE_DEFAULT;
    style.wrap = false;
    style.human_timestamp = false;
    char first[1024];
    char *text = first;
    size_t size = sizeof first;
    int n = knot_rrset_txt_dump_data(&rrset, 0, text, size, &style);
    // Malformed data gives KNOT_ESPACE as well, so there must be an end: no text takes more than \DDD
    // and a few quotes and spaces for each octet.
    while (n == KNOT_ESPACE && size < 16 * len) {
        size *= 8;
        text = steer_realloc(text == first ? NULL : text, size, 1);
        n = knot_rrset_txt_dump_data(&rrset, 0, text, size, &style);
    }
    if (n >= 0)
        steer_buf_add(out, text, (size_t)n);
    if (text != first)
        free(text);
    if (copy != &small.rdata)
        free(copy);
    return n >= 0;
}

static void format_generic(const uint8_t *rdata, size_t len, struct steer_buf *out)
{
    steer_buf_printf(out, "\\# %zu", len);
    for (size_t i = 0; i < len; i++)
        steer_buf_printf(out, "%s%02x", i ? "" : " ", rdata[i]);
}

// Types whose text from libknot is known to read back; the others are tried, because the two libraries do
// not agree on everything: empty hex fields, unusual SVCB values, sizes in LOC.
static bool reads_back_always(uint16_t type)
{
    switch (type) {
    case STEER_TYPE_A:
    case STEER_TYPE_AAAA:
    case STEER_TYPE_NS:
    case STEER_TYPE_CNAME:
    case STEER_TYPE_DNAME:
    case STEER_TYPE_PTR:
    case STEER_TYPE_SOA:
    case STEER_TYPE_MX:
    case STEER_TYPE_SRV:
        return true;
    default:
        return false;
    }
}

static bool reads_back(uint16_t type, const char *text, const uint8_t *rdata, size_t len)
{
    struct steer_buf again = {0};
    bool same = steer_rdata_parse(type, text, NULL, &again, NULL) == STEER_OK && again.len == len &&
                (len == 0 || memcmp(again.data, rdata, len) == 0);
    steer_buf_fini(&again);
    return same;
}

bool steer_rdata_is_valid(uint16_t type, const uint8_t *rdata, size_t len)
{
    struct steer_rdata_name names[STEER_RDATA_NAMES_MAX];
    unsigned count;
    if (!steer_rdata_names(type, rdata, len, names, &count))
        return false;
    struct steer_buf text = {0};
    bool valid = dump(type, rdata, len, &text);
    steer_buf_fini(&text);
    return valid;
}

void steer_rdata_format(uint16_t type, const uint8_t *rdata, size_t len, struct steer_buf *out)
{
    size_t start = out->len;
    if (len && dump(type, rdata, len, out) &&
        (reads_back_always(type) || reads_back(type, out->data + start, rdata, len)))
        return;
    out->len = start;
    format_generic(rdata, len, out);
}
