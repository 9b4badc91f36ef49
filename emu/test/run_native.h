/* SPDX-License-Identifier: MIT */
#ifndef DENALI_TEST_RUN_NATIVE_H
#define DENALI_TEST_RUN_NATIVE_H

#include "emu/test/run.h"

/* As run_test, without any machine. Skipped where that cannot be. */
void run_native(const struct spec *spec, const struct run_wish *wish, struct outcome *outcome);

#endif
