# SPDX-License-Identifier: MIT
# make hostile: every attack of attacks.def beside a victim; HOSTILE_FLAGS: more for the runner.
hostile_cli_objs = $(filter-out obj/emu/cli/main.o,$(cli_objs))
hostile_objs = $(call objects,testsuite/hostile/*.c)
hostile_guest_objs = $(patsubst %.c,gobj/%.o,$(call sources,testsuite/hostile/guest/*.c)) \
	$(patsubst %.S,gobj/%.o,$(call sources,testsuite/hostile/guest/*.S))
all_objs += $(hostile_objs)
-include $(hostile_objs:.o=.d) $(hostile_guest_objs:.o=.d)
ifneq ($(and $(guest_static),$(cli_objs)),)
# Beside Ilwaco, which it looks for where it lies.
tests: hostile-suite hostile/guest
hostile-suite: $(hostile_objs) $(hostile_cli_objs) $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $(hostile_objs) $(hostile_cli_objs) $(floor_libs) $(LIBS)
hostile/guest: $(hostile_guest_objs) $(guest_lib_objs) $(guest_ld)
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(GUEST_LDFLAGS) -T $(guest_ld) -o $@ $(filter %.o,$^) -lgcc

.PHONY: hostile
hostile: all hostile-suite hostile/guest
	$(Q)./hostile-suite --guests guests --attack hostile/guest $(HOSTILE_FLAGS)
endif
