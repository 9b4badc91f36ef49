/* SPDX-License-Identifier: MIT */
/*
 * Which code of a guest ran: collected by the translator as it goes (a block is told once,
 * so a long run costs no more than a short one), written at the end.
 *
 *   drcov   version 2, as DynamoRIO's tools and Lighthouse read it
 *   lcov    a tracefile: lines, functions and branches of the files' DWARF; genhtml reads it
 */
#ifndef DENALI_DEBUG_COVERAGE_H
#define DENALI_DEBUG_COVERAGE_H

#include "emu/base/why.h"
#include "emu/cpu/engine.h"

struct coverage;

MUST_CHECK int coverage_create(struct coverage **out);
void coverage_destroy(struct coverage *coverage); /* after the engine; NULL is harmless */
/* For engine_options. */
struct engine_coverage *coverage_engine(struct coverage *coverage);

/* An ELF file whose code may run, opened now at `place` and read at the end: its path, by which it
 * is told, outlives the coverage; `offset` is added to its addresses. -EINVAL: it is no ELF file.
 */
MUST_CHECK int coverage_add_file(struct coverage *coverage, const char *path, const char *place,
                                 uint32_t offset, struct why *why);

/* Opens what will be written, for a process that may not do so later. -ENOTSUP: lcov needs libdw.
 */
enum coverage_format { COVERAGE_DRCOV, COVERAGE_LCOV, COVERAGE_FORMATS };
MUST_CHECK int coverage_open(struct coverage *coverage, enum coverage_format format,
                             const char *path, struct why *why);
/* Writes and closes all that was opened. */
MUST_CHECK int coverage_write(struct coverage *coverage, struct why *why);

#endif
