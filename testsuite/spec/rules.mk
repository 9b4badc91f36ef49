# SPDX-License-Identifier: MIT
# The guest that lies to its tests: a Linux program for Ilwaco.
ifneq ($(guest_static),)
more_tests += spec/liar
spec/liar: $(srcdir)/testsuite/spec/liar.c config.mk
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) -m32 -std=gnu11 -O1 -g -Wall -Wextra -static -o $@ $<
endif
