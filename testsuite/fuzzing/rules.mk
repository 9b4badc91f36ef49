# SPDX-License-Identifier: MIT
# Guests with planted mistakes.
ifneq ($(guest_static),)
tests: linux/message

linux/message: $(srcdir)/testsuite/fuzzing/message.c config.mk
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) -m32 -std=gnu11 -O1 -g -Wall -Wextra -static -o $@ $<
endif
