# SPDX-License-Identifier: MIT
# The guest that the debugger's tests and docs/DEBUGGING.md step through: each line is a stop.
gobj/guests/accounts.o: gobj_cflags = -O0
