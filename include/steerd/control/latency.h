// SPDX-License-Identifier: GPL-3.0-or-later
// Latency tables: samples in, tables frozen, and looking at both. Floor 7; the rules of control.h hold.
#ifndef STEERD_CONTROL_LATENCY_H
#define STEERD_CONTROL_LATENCY_H

#include "steerd/control/control.h"
#include "steerd/policy/latency_samples.h"

// Takes a batch for a measured table. *reply: {"accepted":n,"limited":n,"refused":[{"index","reason"}]}. When this
// returns STEER_OK, what counted is durable. After an error of the store the samples may count nevertheless. Errors:
// STEER_ENOTFOUND (no such table), STEER_ECONFLICT (it is not measured), STEER_EIO.
enum steer_err steer_control_latency_samples(struct steer_control *control, const char *table,
                                             struct steer_latency_batch *batch, json_t **reply,
                                             struct steer_diag *diag) STEER_MUST_USE;

// [{"name","document","rows","measured":bool}], and of measured ones "number" and "frozen" (null before the first),
// "frozen_rows","changes","judged","next" (null while held),"held","estimates","accepted","limited","refused" (samples
// since the start),"refusal": null or {"at","why"}.
enum steer_err steer_control_latency_list(struct steer_control *control, json_t **list,
                                          struct steer_diag *diag) STEER_MUST_USE;
// {"name","number","rows":[{"client","site","ms","table"}],"tables":[{"number","frozen","rows","changes"}]}: the rows in
// force, table 0 being uploaded ones; number 0: the present one, else one that is kept, without uploaded rows.
enum steer_err steer_control_latency_show(struct steer_control *control, const char *table,
                                          uint32_t number, json_t **shown,
                                          struct steer_diag *diag) STEER_MUST_USE;
// [{"client","site","ms","low","high","weight"}]: the heaviest `limit` ones; low and high are the quartiles.
enum steer_err steer_control_latency_estimates(struct steer_control *control, const char *table,
                                               size_t limit, json_t **list,
                                               struct steer_diag *diag) STEER_MUST_USE;
struct steer_control_freeze {
    const char *table;
    uint32_t
        to; // 0, or the number of a kept table that is to be in force again, under a new number, and to be held
    // Assertions that need not hold for it, and why: both go into the audit.
    const char *const *override_asserts;
    size_t override_assert_count;
    const char *reason; // required with them
    const char *by;
};
// Freezes a table now, and by itself again from then on; after one that is held not until somebody asks for it.
// *reply: {"name","changed":bool,"number","rows","changes","held"}. Errors: STEER_EINVAL (an assertion does not hold;
// the present table stays), STEER_ENOTFOUND, STEER_ECONFLICT, STEER_EIO.
enum steer_err steer_control_latency_freeze(struct steer_control *control,
                                            const struct steer_control_freeze *freeze,
                                            json_t **reply, struct steer_diag *diag) STEER_MUST_USE;

// For metrics.
struct steer_measure_stats {
    const char *table;
    uint64_t accepted, limited, refused; // samples
    uint64_t estimates;
    uint64_t number, rows, frozen_unix_s; // of the table in force; 0 before the first
    bool refusing;                        // the last one was not published
};
void steer_control_each_measure(struct steer_control *control,
                                void (*visit)(void *ctx, const struct steer_measure_stats *stats),
                                void *ctx);

#endif
