# SPDX-License-Identifier: MIT
# make verify-mutants COUNT=N: damaged translations against the verifier and the guard harness.
# make verify-blocks: blocks of real programs, none of which may be refused.
ifneq ($(and $(capstone_libs),$(zydis_libs)),)
mutants_objs = $(patsubst %,obj/testsuite/mutants/%.o,main jobs work corpus guard mutate)
all_objs += $(mutants_objs)
-include $(mutants_objs:.o=.d)
tests: mutants/mutants
mutants/mutants: $(mutants_objs) $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $(mutants_objs) $(floor_libs) $(LIBS)

COUNT = 1000000
SEED = 1
.PHONY: verify-mutants verify-blocks
verify-mutants: tests
	$(Q)mutants/mutants mutate --count $(COUNT) --seed $(SEED) $$($(srcdir)/testsuite/mutants/programs .)
verify-blocks: tests
	$(Q)mutants/mutants blocks $$($(srcdir)/testsuite/mutants/programs . more)
endif
