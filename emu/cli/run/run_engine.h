/* SPDX-License-Identifier: MIT */
/* The engine that `denali run --engine` names. */
#ifndef DENALI_RUN_ENGINE_H
#define DENALI_RUN_ENGINE_H

#include "emu/cli/run/run_options.h"
#include "emu/cpu/engine.h"

/* Without --engine: the translator where this host has one, else the interpreter. */
MUST_CHECK int run_engine_create(const struct run_options *options, struct engine **out,
                                 struct why *why);

#endif
