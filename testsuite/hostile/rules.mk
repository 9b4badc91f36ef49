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
# An archive: what a sanitizer keeps of objects that nobody needs would want main.o.
libhostilecli.a: $(hostile_cli_objs)
	$(say) AR $@
	$(Q)rm -f $@ && ar crs $@ $(hostile_cli_objs)
hostile-suite: $(hostile_objs) libhostilecli.a $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $(hostile_objs) libhostilecli.a $(floor_libs) $(LIBS)
hostile/guest: $(hostile_guest_objs) $(guest_lib_objs) $(guest_ld)
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(GUEST_LDFLAGS) -T $(guest_ld) -o $@ $(filter %.o,$^) -lgcc

.PHONY: hostile
hostile: all hostile-suite hostile/guest
	$(Q)./hostile-suite --guests guests --attack hostile/guest $(HOSTILE_FLAGS)
endif

# The figures at the end of docs/SECURITY.md, measured anew: an hour, on a machine that is quiet.
# PARTS="mutants blocks hostile fuzzers": only some of them.
.PHONY: evidence
evidence: tests hostile-suite hostile/guest
	$(Q)$(srcdir)/testsuite/hostile/evidence $(srcdir) $(PARTS)
