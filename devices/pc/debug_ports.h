/* SPDX-License-Identifier: MIT */
/*
 * Ports that test guests and firmware use, as the public test suites have them:
 * F4h (`isa-debug-exit`: ends the run with status 2 * value + 1), E9h (debug console: bytes out;
 * reads as E9h where there is one), 80h and 190h (POST code), 8900h ("Shutdown", byte by byte, is a
 * power-off; not where the exit port is, for suites write to both and mean the status).
 */
#ifndef DENALI_PC_DEBUG_PORTS_H
#define DENALI_PC_DEBUG_PORTS_H

#include "devices/pc/board.h"
#include "devices/serial.h"

struct debug_ports;
struct debug_ports_config {
    bool exit_port;
    struct serial_backend *debugcon; /* NULL: nobody listens at E9h and 402h */
};
MUST_CHECK int debug_ports_create(struct board *board, const struct debug_ports_config *config,
                                  struct debug_ports **out);
/* The last POST code. */
uint32_t debug_ports_post(const struct debug_ports *ports);

#endif
