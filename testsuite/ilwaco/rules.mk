# SPDX-License-Identifier: MIT
# Programs that say what Linux does: static i386 programs, run natively and under Ilwaco.
ifneq ($(guest_static),)
ilwaco_dir = $(srcdir)/testsuite/ilwaco
ilwaco_programs = $(patsubst $(ilwaco_dir)/%.c,linux/%,$(wildcard $(ilwaco_dir)/*.c))
tests: $(ilwaco_programs)

linux/%: $(ilwaco_dir)/%.c $(ilwaco_dir)/check.h config.mk
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) -m32 -std=gnu11 -O1 -g -Wall -Wextra -D_GNU_SOURCE -static -pthread -o $@ $< -lm
endif

# The root packer's test is linked with the packer.
pack_objs = $(patsubst %.c,obj/%.o,$(call sources,emu/cli/pack/*.c))
unit/test_pack_root: $(pack_objs)
unit/test_pack_root: LDFLAGS += $(pack_objs)
