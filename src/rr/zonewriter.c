// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/rr/zonewriter.h"

#include <stdio.h>

#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/wire/name.h"

// The type's name as libzscanner reads it: it knows fewer names than libknot, which has NULL and SIG too.
static const char *format_type(uint16_t type, char *out)
{
    if (type != 10 && type != 24)
        return steer_type_format(type, out);
    snprintf(out, STEER_TYPE_TEXT_MAX, "TYPE%u", type);
    return out;
}

void steer_rr_format(const uint8_t *owner, uint32_t ttl, uint16_t class, uint16_t type,
                     const uint8_t *rdata, size_t len, struct steer_buf *out)
{
    char name[STEER_NAME_TEXT_MAX];
    char class_text[STEER_CLASS_TEXT_MAX];
    char type_text[STEER_TYPE_TEXT_MAX];
    steer_buf_printf(out, "%s %u %s %s ", steer_name_format(owner, name), ttl,
                     steer_class_format(class, class_text), format_type(type, type_text));
    steer_rdata_format(type, rdata, len, out);
    steer_buf_puts(out, "\n");
}
