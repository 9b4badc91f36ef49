# SPDX-License-Identifier: MIT
# Fuzz targets: target_NAME.c becomes fuzz/NAME, with our driver, or with that of FUZZ_ENGINE
# (-fsanitize=fuzzer, in a build folder that was configured for it: see ./long).
ifneq ($(check_libs),)
FUZZ_ENGINE =
fuzz_target_srcs = $(call sources,testsuite/fuzz/target_*.c)
fuzz_targets = $(patsubst testsuite/fuzz/target_%.c,fuzz/%,$(fuzz_target_srcs))
fuzz_common = obj/testsuite/fuzz/fuzz.o $(if $(FUZZ_ENGINE),,obj/testsuite/fuzz/driver.o)
fuzz_objs = obj/testsuite/fuzz/driver.o obj/testsuite/fuzz/fuzz.o $(call objects,testsuite/fuzz/target_*.c)
# Parts of the programs that are no library: a target takes of them what it needs.
fuzz_parts = $(filter-out obj/emu/cli/main.o,$(cli_objs))
all_objs += $(fuzz_objs)
-include $(fuzz_objs:.o=.d)
more_tests += $(fuzz_targets)

libfuzzparts.a: $(fuzz_parts)
	$(say) AR $@
	$(Q)rm -f $@ && ar crs $@ $(fuzz_parts)

fuzz/%: obj/testsuite/fuzz/target_%.o $(fuzz_common) $(unit_helpers) libfuzzparts.a $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) $(FUZZ_ENGINE) -o $@ $< $(fuzz_common) $(unit_helpers) libfuzzparts.a $(floor_libs) $(check_libs) $(LIBS)

.PHONY: fuzz-targets
fuzz-targets: $(fuzz_targets)
endif
