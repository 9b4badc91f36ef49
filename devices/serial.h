/* SPDX-License-Identifier: MIT */
/*
 * Host end of a serial line or a log: bytes out, bytes in. Never blocks.
 * What --serial and --debugcon say: "stdio", "pty" (its name is told on stderr), "file:PATH" (out
 * only), "unix:PATH" (connects, or listens where nothing exists), "null".
 */
#ifndef DENALI_SERIAL_H
#define DENALI_SERIAL_H

#include "emu/base/base.h"
#include "emu/base/why.h"

struct serial_backend;

/* 0 or a negative errno and `why`. */
MUST_CHECK int serial_open(const char *spec, struct serial_backend **out, struct why *why);
/* The same on descriptors that stay the caller's: from `in`, -1 for none, to `to`. -ENOMEM. */
MUST_CHECK int serial_open_fds(int in, int to, struct serial_backend **out);

/* What is still held back is given to the host, for at most half a second. NULL is harmless. */
void serial_close(struct serial_backend *serial);

/*
 * Takes everything: what the host does not take at once is kept; if it stops
 * reading for long, the oldest is lost.
 */
void serial_write(struct serial_backend *serial, const void *data, size_t len);
/* Bytes, 0: none now. */
size_t serial_read(struct serial_backend *serial, void *data, size_t room);
/* What is read is recorded there, or comes from there. */
struct gate;
void serial_set_gate(struct serial_backend *serial, struct gate *gate, uint8_t number);
/* What to poll now: a descriptor and its events, or -1. */
int serial_poll_fd(const struct serial_backend *serial, bool wants_input, short *events);
/* The descriptor is ready: writes what is kept. */
void serial_flush(struct serial_backend *serial);
/* Whether somebody is at the other end. */
bool serial_is_connected(const struct serial_backend *serial);
/* Of a line on a terminal: gives it to another reader for a while, in its own mode; takes it back.
 * Meanwhile nothing is read. Other lines do not mind. */
void serial_suspend(struct serial_backend *serial);
void serial_resume(struct serial_backend *serial);
/* The person typed Ctrl-A x at a terminal. */
bool serial_wants_end(const struct serial_backend *serial);

#endif
