/* SPDX-License-Identifier: MIT */
/* What --input, --start and --end of `denali fuzz` say, in words. */
#ifndef DENALI_FUZZ_PLACE_H
#define DENALI_FUZZ_PLACE_H

#include "emu/debug/symbols/symbols.h"
#include "emu/fuzz/way.h"

/* FUNCTION or 0xADDRESS. */
MUST_CHECK int fuzz_place_address(const struct symbols *symbols, const char *text, uint32_t *out,
                                  struct why *why);
/*
 *     console
 *     memory:PLACE[,len=PLACE][,max=N]     PLACE: SYMBOL, 0xADDRESS, a register, argN
 *     packet, packet:udp:PORT, packet:tcp:PORT
 *     disk:NAME[,size=SIZE]
 *
 * NULL: console.
 */
MUST_CHECK int fuzz_place_way(const struct symbols *symbols, const char *text,
                              struct fuzz_way **out, struct why *why);

#endif
