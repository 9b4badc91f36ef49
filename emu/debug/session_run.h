/* SPDX-License-Identifier: MIT */
/* Letting the machine run, and telling why it stopped. */
#ifndef DENALI_DEBUG_SESSION_RUN_H
#define DENALI_DEBUG_SESSION_RUN_H

#include "emu/debug/session.h"

#include <stdio.h>

/*
 * Runs until something stops: the selected target for `steps` instructions, or (0) all that have
 * not ended. 0: session->target->stop tells why, and the target that stopped is the selected one.
 * -ESRCH: the target has ended. Others: the host failed.
 */
MUST_CHECK int session_go(struct session *session, uint64_t steps, struct why *why);
/* Somebody else (gdb) has resumed targets: runs until they stand again. */
MUST_CHECK int session_go_on(struct session *session, struct why *why);
/* Runs until control reaches one of the addresses with esp at or above `min_esp`. True in
 * `*arrived` if that is why it stopped. */
MUST_CHECK int session_go_to(struct session *session, const uint32_t *address, unsigned count,
                             uint32_t min_esp, bool *arrived, struct why *why);

/* Tells the stop as gdb does: why, where, the source line. */
void session_tell_stop(struct session *session, struct command_out *out);
/* "main (argc=1) at hello.c:12", as at a stop or in a backtrace. */
void session_tell_frame(struct session *session, const struct expr_context *context,
                        bool with_address, struct command_out *out);
/* The source line of the selected frame, numbered; or, where there is none, the instruction. */
void session_tell_line(struct session *session, struct command_out *out);
/* The fields of a frame for programs, into the object that is open. */
void session_frame_fields(const struct expr_context *context, struct command_out *out);

/* A source file, if it is a plain one that can be read; else NULL. */
FILE *session_source_open(const char *file);
/* One line of a source file into `text`, without its end; false: it cannot be read. */
bool session_source_line(const struct session *session, const char *file, int line, char *text,
                         size_t room);

#endif
