// SPDX-License-Identifier: GPL-3.0-or-later
// The Prometheus text format, version 0.0.4.
#include <inttypes.h>

#include "admin_internal.h"

void prom_family(struct steer_buf *out, const char *name, const char *type, const char *help)
{
    steer_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void name_and_label(struct steer_buf *out, const char *name, const char *label,
                           const char *value)
{
    steer_buf_puts(out, name);
    if (label) {
        steer_buf_printf(out, "{%s=\"", label);
        for (; *value; value++) {
            if (*value == '\n') {
                steer_buf_puts(out, "\\n");
                continue;
            }
            if (*value == '"' || *value == '\\')
                steer_buf_puts(out, "\\");
            steer_buf_add(out, value, 1);
        }
        steer_buf_puts(out, "\"}");
    }
    steer_buf_puts(out, " ");
}

void prom_u64(struct steer_buf *out, const char *name, const char *label, const char *label_value,
              uint64_t value)
{
    name_and_label(out, name, label, label_value);
    steer_buf_printf(out, "%" PRIu64 "\n", value);
}

void prom_real(struct steer_buf *out, const char *name, double value)
{
    name_and_label(out, name, NULL, NULL);
    steer_buf_printf(out, "%.9g\n", value);
}
