// SPDX-License-Identifier: GPL-3.0-or-later
#include "cut.h"

#include <stdlib.h>

#include "steerd/base/mem.h"

static bool same_networks(const struct cut *cut, const struct steer_nested *networks, size_t count)
{
    if (cut->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (cut->networks[i].prefix.len != networks[i].prefix.len ||
            !steer_addr_equal(&cut->networks[i].prefix.addr, &networks[i].prefix.addr))
            return false;
    return true;
}

const struct steer_population *cut_population(struct cut *cut, const struct steer_population *whole,
                                              const struct steer_geo *geo,
                                              const struct steer_whom *whom,
                                              const struct steer_nested *networks, size_t count)
{
    if (!count)
        return whole;
    if (same_networks(cut, networks, count))
        return &cut->population;
    cut_fini(cut);
    cut->networks = steer_memdup(networks, count * sizeof *networks);
    cut->count = count;
    steer_population_cut(&cut->population, whole, geo, whom, networks, count);
    return &cut->population;
}

void cut_fini(struct cut *cut)
{
    steer_population_fini(&cut->population);
    free(cut->networks);
    *cut = (struct cut){0};
}
