/* SPDX-License-Identifier: MIT */
/*
 * The x86-64 translator and the lockstep engine, behind engine.h. Where the
 * host is not x86-64, both constructors return -ENOTSUP.
 */
#ifndef DENALI_DBT_H
#define DENALI_DBT_H

#include "emu/cpu/engine.h"

MUST_CHECK int dbt_create(const struct engine_options *options, struct engine **out);

/* Interpreter and translator side by side, block by block, on one memory. */
MUST_CHECK int lockstep_create(const struct engine_options *options, struct engine **out);

#endif
