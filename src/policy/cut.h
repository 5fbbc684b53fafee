// SPDX-License-Identifier: GPL-3.0-or-later
// A population cut by the networks of one record after the other; records that name the same ones share the work.
#ifndef STEERD_POLICY_CUT_H
#define STEERD_POLICY_CUT_H

#include "steerd/geo/population.h"

struct cut {
    struct steer_nested *networks; // of the last one
    size_t count;
    struct steer_population population;
};

// Valid until the next call. whole: as of steer_population_cut, and always the same.
const struct steer_population *cut_population(struct cut *cut, const struct steer_population *whole,
                                              const struct steer_geo *geo,
                                              const struct steer_whom *whom,
                                              const struct steer_nested *networks, size_t count);
void cut_fini(struct cut *cut);

#endif
