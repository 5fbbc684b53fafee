// SPDX-License-Identifier: GPL-3.0-or-later
// The Prometheus text format, version 0.0.4.
#include <inttypes.h>

#include "admin_internal.h"

void prom_family(struct steer_buf *out, const char *name, const char *type, const char *help)
{
    steer_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void quoted(struct steer_buf *out, const char *value)
{
    steer_buf_puts(out, "\"");
    for (; *value; value++) {
        if (*value == '\n') {
            steer_buf_puts(out, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            steer_buf_puts(out, "\\");
        steer_buf_add(out, value, 1);
    }
    steer_buf_puts(out, "\"");
}

void prom_u64(struct steer_buf *out, const char *name, const char *label, const char *label_value,
              uint64_t value)
{
    steer_buf_puts(out, name);
    if (label) {
        steer_buf_printf(out, "{%s=", label);
        quoted(out, label_value);
        steer_buf_puts(out, "}");
    }
    steer_buf_printf(out, " %" PRIu64 "\n", value);
}

void prom_u64_by_two(struct steer_buf *out, const char *name, const struct prom_label labels[2],
                     uint64_t value)
{
    steer_buf_printf(out, "%s{%s=", name, labels[0].name);
    quoted(out, labels[0].value);
    steer_buf_printf(out, ",%s=", labels[1].name);
    quoted(out, labels[1].value);
    steer_buf_printf(out, "} %" PRIu64 "\n", value);
}

void prom_real(struct steer_buf *out, const char *name, double value)
{
    steer_buf_printf(out, "%s %.9g\n", name, value);
}
