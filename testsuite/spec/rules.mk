# SPDX-License-Identifier: MIT
# The guest that lies to its tests: a Linux program for Ilwaco.
ifneq ($(guest_static),)
more_tests += spec/liar
spec/liar: $(srcdir)/testsuite/spec/liar.c config.mk
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) -m32 -std=gnu11 -O1 -g -Wall -Wextra -static -o $@ $<
endif

# Many tests, each many times, on a busy machine: make test-repeats REPEATS="1000 100 6" (tests, repeats, spinning processes).
REPEATS = 1000 100 6
.PHONY: test-repeats
test-repeats: all
	$(Q)BUILD=$(CURDIR) SRCDIR=$(abspath $(srcdir)) $(srcdir)/testsuite/spec/repeats $(REPEATS)
