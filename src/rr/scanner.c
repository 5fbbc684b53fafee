// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rr_internal.h"
#include "steerd/base/mem.h"
#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/wire/message.h"

zs_scanner_t *steer_scanner_create(const struct steer_name *origin, uint32_t default_ttl,
                                   const char *data, size_t len)
{
    zs_scanner_t *scanner = steer_alloc(sizeof *scanner);
    if (zs_init(scanner, ".", STEER_CLASS_IN, default_ttl) != 0 ||
        zs_set_input_string(scanner, data, len) != 0) {
        steer_scanner_destroy(scanner);
        return NULL;
    }
    if (origin) {
        memcpy(scanner->zone_origin, origin->octets, origin->len);
        scanner->zone_origin_length = origin->len;
    }
    return scanner;
}

void steer_scanner_destroy(zs_scanner_t *scanner)
{
    zs_deinit(scanner);
    free(scanner);
}

// A well-formed example of the data of the types that people write by hand.
static const struct {
    uint16_t type;
    const char *text;
} examples[] = {
    {1, "192.0.2.1"},
    {2, "ns1.example.com."},
    {5, "www.example.net."},
    {6, "ns1.example.com. hostmaster.example.com. 2026010101 7200 900 1209600 300"},
    {12, "www.example.com."},
    {15, "10 mail.example.com."},
    {16, "\"v=spf1 -all\""},
    {28, "2001:db8::1"},
    {29, "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"},
    {33, "10 60 5060 sip.example.com."},
    {35, "100 10 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.com."},
    {39, "example.net."},
    {43, "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"},
    {44, "2 1 123456789abcdef67890123456789abcdef67890"},
    {52, "3 1 1 0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6"},
    {64, "1 svc.example.com. port=8443"},
    {65, "1 . alpn=h2,h3"},
    {256, "10 1 \"https://example.com/\""},
    {257, "0 issue \"letsencrypt.org\""},
};

static const char *find_example(uint16_t type)
{
    for (size_t i = 0; i < STEER_ARRAY_LEN(examples); i++)
        if (examples[i].type == type)
            return examples[i].text;
    return NULL;
}

// What would be right, for errors that do not depend on the type.
static const char *find_hint(int code)
{
    switch (code) {
    case ZS_UNSUPPORTED_TYPE:
        return "a type such as A or TYPE65280 is expected after the owner, the TTL and the class; "
               "the "
               "class can only be IN";
    case ZS_BAD_PREVIOUS_OWNER:
        return "a line that begins with a blank takes the owner of the record before it, and there "
               "is "
               "none";
    case ZS_BAD_OWNER:
        return "a name or @ is expected at the start of the line; other characters as \\DDD";
    case ZS_BAD_DNAME_CHAR:
        return "names hold letters, digits and - _ * /; other characters with a backslash or as "
               "\\DDD";
    case ZS_BAD_DIRECTIVE:
        return "the directives are $TTL, $ORIGIN and $INCLUDE";
    case ZS_BAD_TTL:
        return "as in $TTL 3600, or $TTL 1h";
    case ZS_BAD_ORIGIN:
        return "$ORIGIN takes a name with a final dot";
    case ZS_BAD_INCLUDE_ORIGIN:
        return "$INCLUDE takes a file and, if any, a name with a final dot";
    case ZS_CANNOT_TEXT_DATA:
        return "the data of a type that is not known is written as \\# length hex (RFC 3597 5)";
    default:
        return NULL;
    }
}

static void add_near(const char *near, size_t near_len, struct steer_buf *out)
{
    while (near_len && (near[near_len - 1] == ' ' || near[near_len - 1] == '\r'))
        near_len--;
    if (near_len == 0)
        return;
    steer_buf_puts(out, ", near '");
    for (size_t i = 0; i < near_len && i < 40; i++)
        steer_buf_u8(out, (uint8_t)near[i] < 0x20 || near[i] == 0x7f ? '?' : (uint8_t)near[i]);
    steer_buf_puts(out, near_len > 40 ? "...'" : "'");
}

void steer_scanner_reason(const zs_scanner_t *scanner, const char *near, size_t near_len,
                          struct steer_buf *out)
{
    char type[STEER_TYPE_TEXT_MAX];
    int code = scanner->error.code;
    // A word after the owner that begins like no type is tried as a TTL, and then the number is bad.
    if (scanner->r_type == 0 && scanner->r_owner_length > 0 &&
        (code == ZS_BAD_NUMBER || code == ZS_BAD_TIME_UNIT))
        code = ZS_UNSUPPORTED_TYPE;
    if (scanner->r_type)
        steer_buf_printf(out, "%s record: ", steer_type_format(scanner->r_type, type));
    steer_buf_puts(out, zs_strerror(code));
    add_near(near, near_len, out);
    const char *hint = find_hint(code);
    const char *example = find_example(scanner->r_type);
    if (example)
        steer_buf_printf(out, " (right would be: %s %s)", type, example);
    else if (hint)
        steer_buf_printf(out, " (%s)", hint);
}

// Types whose text the scanner turns into well-formed data for sure. In others it lets some things pass:
// an IPSECKEY without its key, an SVCB list item of more than 255 octets.
static bool is_exact(uint16_t type)
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
    case STEER_TYPE_TXT:
        return true;
    default:
        return false;
    }
}

const char *steer_record_reason(const zs_scanner_t *scanner, bool generic)
{
    if (steer_type_is_meta(scanner->r_type))
        return "this type exists in messages only and cannot stand in a zone";
    if (scanner->r_ttl > STEER_TTL_MAX)
        return "the TTL is over 2147483647 seconds (RFC 2181 8)";
    if ((generic || !is_exact(scanner->r_type)) &&
        !steer_rdata_is_valid(scanner->r_type, scanner->r_data, scanner->r_data_length))
        return "the data does not have the form of this type";
    return NULL;
}
