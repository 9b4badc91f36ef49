# SPDX-License-Identifier: MIT
# The instruction tests and the fuzzer; their oracle is a 32-bit process on this CPU. Capstone
# tells what a difference is about.
ifneq ($(capstone_libs),)
insn_common = $(patsubst %,obj/testsuite/insn/%.o,compare form frame gen machine options program runner_engine runner_native runner_pc runner_shared value)
insn_programs = tests/insn tests/accept tests/flagsets insn/fuzz
segments_objs = $(patsubst %,obj/testsuite/insn/%.o,segments segments_gen segments_pc compare options)
all_objs += $(segments_objs)
-include $(patsubst %.o,%.d,$(segments_objs))
tests: insn/segments
insn/segments: $(segments_objs) $(insn_common) $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $(sort $(segments_objs) $(insn_common)) $(floor_libs) $(LIBS)
all_objs += $(insn_common) $(patsubst %,obj/testsuite/insn/%.o,$(notdir $(insn_programs)))
-include $(patsubst %.o,%.d,$(insn_common) $(patsubst %,obj/testsuite/insn/%.o,$(notdir $(insn_programs))))
tests: $(insn_programs)

define insn_rule
$(1): obj/testsuite/insn/$(notdir $(1)).o $(insn_common) $(floor_libs)
	@mkdir -p $$(@D)
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$(pie_ldflags) $$(LDFLAGS) -o $$@ $$< $(insn_common) $$(floor_libs) $$(LIBS)
endef
$(foreach p,$(insn_programs),$(eval $(call insn_rule,$(p))))
fuzz_quick = insn/fuzz --runners interp,dbt,slices,tight,pc $(FUZZ_ARGS) && \
	insn/fuzz --runners interp,shared --count 100000 $(FUZZ_ARGS)

endif

ifneq ($(guest_static),)
tests: insn/native32 insn/segments32
insn/native32 insn/segments32: insn/%: $(srcdir)/testsuite/insn/%.c $(srcdir)/testsuite/insn/case.h $(srcdir)/testsuite/insn/segments.h config.mk Makefile
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(LINUX_CFLAGS) -fno-stack-protector -I$(srcdir) -static -no-pie -Wl,-Ttext-segment=0x70000000 -o $@ $<
endif
