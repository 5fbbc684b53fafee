// SPDX-License-Identifier: GPL-3.0-or-later
#include "steerd/rr/zonewriter.h"

#include "steerd/rr/rdata.h"
#include "steerd/rr/type.h"
#include "steerd/wire/name.h"

void steer_rr_format(const uint8_t *owner, uint32_t ttl, uint16_t class, uint16_t type,
                     const uint8_t *rdata, size_t len, struct steer_buf *out)
{
    char name[STEER_NAME_TEXT_MAX];
    char class_text[STEER_CLASS_TEXT_MAX];
    char type_text[STEER_TYPE_TEXT_MAX];
    steer_buf_printf(out, "%s %u %s %s ", steer_name_format(owner, name), ttl,
                     steer_class_format(class, class_text), steer_type_format(type, type_text));
    steer_rdata_format(type, rdata, len, out);
    steer_buf_puts(out, "\n");
}
