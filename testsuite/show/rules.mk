# SPDX-License-Identifier: MIT
# make show INSN="01 d8": the row of an instruction and what each pass makes of it.
ifneq ($(capstone_libs),)
tools/show: obj/testsuite/show/show.o $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $< $(floor_libs) $(LIBS)
all_objs += obj/testsuite/show/show.o
show_needs = tools/show
show = tools/show $(INSN)
endif
