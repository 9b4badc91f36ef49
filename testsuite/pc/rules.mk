# SPDX-License-Identifier: MIT
# Programs that hold the PC's processor against captures of real ones.
pc_programs = pc/vectors
all_objs += obj/testsuite/pc/vectors.o obj/testsuite/pc/moo.o
-include obj/testsuite/pc/vectors.d obj/testsuite/pc/moo.d
tests: $(pc_programs)
pc/vectors: obj/testsuite/pc/vectors.o obj/testsuite/pc/moo.o $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $(filter %.o,$^) $(floor_libs) $(LIBS)
