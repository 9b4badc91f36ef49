/* SPDX-License-Identifier: MIT */
/*
 * Host end of a virtual console and keyboard: two streams out, one in. The
 * backend never blocks and holds no bytes of its own, so a flood of output
 * costs the host nothing and a reader that stops reading holds up only its VM.
 */
#ifndef DENALI_CONSOLE_H
#define DENALI_CONSOLE_H

#include "emu/base/base.h"

struct console_backend;

enum console_stream { CONSOLE_OUT = 1, CONSOLE_ERR = 2 };

/* The same bits as enum denali_tty. */
enum console_mode {
    CONSOLE_LINES = 1u << 0,
    CONSOLE_ECHO = 1u << 1,
    CONSOLE_SIGNALS = 1u << 2,
    CONSOLE_CR_IN = 1u << 3,
    CONSOLE_NL_OUT = 1u << 4,
    CONSOLE_FLOW = 1u << 5,
};

struct console_backend_ops {
    const char *name;
    /* Bytes taken, -EAGAIN: none now (out_fd becomes writable), else the host failed for good. */
    int64_t (*write)(struct console_backend *console, enum console_stream stream, const void *data,
                     size_t len);
    /* Bytes; 0: the input has ended; -EAGAIN: none now (in_fd becomes readable). */
    int64_t (*read)(struct console_backend *console, void *data, size_t room);
    /* Descriptors to poll, or -1. */
    int (*in_fd)(const struct console_backend *console);
    int (*out_fd)(const struct console_backend *console, enum console_stream stream);
    /* True after the end of an input that cannot go on (a terminal's can). */
    bool (*ended)(const struct console_backend *console);
    bool (*in_is_tty)(const struct console_backend *console);
    bool (*out_is_tty)(const struct console_backend *console);
    /* enum console_mode bits; -ENOTTY. */
    int (*set_mode)(struct console_backend *console, unsigned mode);
    /* Characters; false: not known. */
    bool (*size)(const struct console_backend *console, unsigned *columns, unsigned *rows);
    /* Gives the terminal back as it was found, and takes it again: around a stop by Ctrl-Z. */
    void (*suspend)(struct console_backend *console);
    void (*resume)(struct console_backend *console);
    /* Gives the terminal back for good. */
    void (*destroy)(struct console_backend *console);
};

/* Backends are structs that begin with this. */
struct console_backend {
    const struct console_backend_ops *ops;
};

/* This process's standard input, output and error. -ENOMEM. */
MUST_CHECK int console_stdio_create(struct console_backend **out);

#endif
