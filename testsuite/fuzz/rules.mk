# SPDX-License-Identifier: MIT
# Fuzz targets: target_NAME.c becomes fuzz/NAME, with our driver, or with that of FUZZ_ENGINE
# (-fsanitize=fuzzer, in a build folder that was configured for it: see ./long).
ifneq ($(check_libs),)
FUZZ_ENGINE =
# Those that need a library that is not there.
fuzz_without = $(if $(capstone_libs),,decoder) $(if $(jansson_libs),,monitor) $(if $(microhttpd_libs),,api settings) $(if $(libslirp_libs),,nat)
fuzz_names = $(filter-out $(fuzz_without),$(patsubst testsuite/fuzz/target_%.c,%,$(call sources,testsuite/fuzz/target_*.c)))
fuzz_targets = $(addprefix fuzz/,$(fuzz_names))
fuzz_common = $(patsubst %,obj/testsuite/fuzz/%.o,fuzz check machine $(if $(FUZZ_ENGINE),,driver))
fuzz_objs = $(fuzz_common) $(patsubst %,obj/testsuite/fuzz/target_%.o,$(fuzz_names))
# Parts of programs and tests that are no library: a target takes of them what it needs.
fuzz_parts = $(filter-out obj/emu/cli/main.o,$(cli_objs)) $(filter-out %/main.o,$(hostd_objs)) \
	$(filter-out %/machine_nat.o,$(nat_objs)) $(unit_helpers) obj/testsuite/net/sim.o
all_objs += $(fuzz_objs)
-include $(fuzz_objs:.o=.d)
more_tests += $(fuzz_targets)

libfuzzparts.a: $(fuzz_parts) $(srcdir)/testsuite/fuzz/rules.mk
	$(say) AR $@
	$(Q)rm -f $@ && ar crs $@ $(fuzz_parts)

fuzz/%: obj/testsuite/fuzz/target_%.o $(fuzz_common) libfuzzparts.a $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) $(FUZZ_ENGINE) -o $@ $< $(fuzz_common) libfuzzparts.a $(floor_libs) \
		$(if $(filter api,$*),$(microhttpd_libs)) $(if $(filter nat,$*),$(libslirp_libs)) $(LIBS)

.PHONY: fuzz-targets
fuzz-targets: $(fuzz_targets)
endif
