/* SPDX-License-Identifier: MIT */
/* Lockstep with the translator, which must count for it. */
#include "dbt/dbt.h"
#include "dbt/lockstep/lockstep.h"

int lockstep_create(const struct engine_options *options, struct engine **out)
{
    struct engine_options counting = *options;
    struct engine *subject;
    counting.count = counting.exact = true;
    int err = dbt_create(&counting, &subject);
    return err ? err : lockstep_create_pair(subject, out);
}
