// SPDX-License-Identifier: GPL-3.0-or-later
// The kinds of steered records.
#include "policy_internal.h"
#include "steerd/wire/message.h"

const char *const steer_steered_words[STEER_STEERED_KINDS] = {"address", "cname", "mx", "srv",
                                                              "txt"};

static const uint16_t types[STEER_STEERED_KINDS] = {
    [STEER_STEERED_ADDRESS] = 0,          [STEER_STEERED_CNAME] = STEER_TYPE_CNAME,
    [STEER_STEERED_MX] = STEER_TYPE_MX,   [STEER_STEERED_SRV] = STEER_TYPE_SRV,
    [STEER_STEERED_TXT] = STEER_TYPE_TXT,
};

const char *steer_steered_kind_text(enum steer_steered_kind kind)
{
    return steer_steered_words[kind];
}

uint16_t steer_steered_type(enum steer_steered_kind kind)
{
    return types[kind];
}

enum steer_steered_kind steer_steered_of_type(uint16_t type)
{
    for (unsigned kind = 0; kind < STEER_STEERED_KINDS; kind++)
        if (types[kind] == type)
            return (enum steer_steered_kind)kind;
    return STEER_STEERED_ADDRESS;
}
