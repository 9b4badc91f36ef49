/* SPDX-License-Identifier: MIT */
/* Steps that are more than instructions: source lines, calls as a whole, out of frames. */
#ifndef DENALI_DEBUG_SESSION_STEP_H
#define DENALI_DEBUG_SESSION_STEP_H

#include "emu/debug/session_run.h"

/* To where another line begins; calls are gone over (`over`) or into. Where no line is known, until
 * the function has returned. `*good`: it stopped for that and nothing else. */
MUST_CHECK int session_step_line(struct session *session, bool over, bool *good, struct why *why);
/* Until frame `level` has returned to its caller. -ENOENT: it has none that is known. */
MUST_CHECK int session_finish(struct session *session, unsigned level, bool *arrived,
                              struct why *why);
/* Whether the next instruction calls, or repeats; then what follows it. */
bool session_is_call(struct session *session, uint32_t *behind);
bool session_line_here(struct session *session, struct symbols_line *out);
/* Of the innermost frame: esp of its caller before the call; 0: not known. */
uint32_t session_cfa(struct session *session);

#endif
