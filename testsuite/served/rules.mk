# SPDX-License-Identifier: MIT
# Ilwaco with nothing optimized and a tape of the calls into its TCP/IP, and the same TCP/IP under gcov as a
# program of the host: ilwaco.sh holds the lines of the one against those of the other.
# gcov is a matter of gcc.
ifneq ($(and $(guest_static),$(ilwaco_ld),$(findstring gcc,$(GUEST_CC))),)
served_calls = $(addprefix netstack_,init input poll deadline output_ready finish busy info) \
	$(addprefix net_,socket close watch ready bind connect disconnect listen accept send recv shutdown local remote set get)
served_objs = $(patsubst gobj/%,served/gobj/%,$(ilwaco_objs)) served/gobj/testsuite/served/tape.o
served_native = $(patsubst %.c,served/native/%.o,$(call sources,guests/ilwaco/net/*.c)) served/native/replay.o
tests: served/guests/ilwaco served/replay
-include $(served_objs:.o=.d) $(served_native:.o=.d)

served/gobj/%.o: $(srcdir)/%.c config.mk Makefile
	@mkdir -p $(@D)
	$(say) GCC $*.c
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -O0 -mgeneral-regs-only $(served_cflags) -I$(srcdir) -MMD -MP -c -o $@ $<
served/gobj/%.o: $(srcdir)/%.S config.mk Makefile
	@mkdir -p $(@D)
	$(say) GCC $*.S
	$(Q)$(GUEST_CC) -m32 -g -I$(srcdir) -MMD -MP -c -o $@ $<
# Its names are given by the linker (--wrap).
served/gobj/testsuite/served/tape.o: served_cflags = -Wno-missing-prototypes
served/guests/ilwaco: $(served_objs) $(ilwaco_ld)
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(GUEST_LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(served_calls)) -T $(ilwaco_ld) -o $@ $(served_objs) -lgcc

comma = ,
served/native/%.o: $(srcdir)/%.c config.mk Makefile
	@mkdir -p $(@D)
	$(say) GCC $*.c
	$(Q)$(GUEST_CC) -m32 -std=gnu11 -O0 -g --coverage -I$(srcdir) -MMD -MP -c -o $@ $<
served/native/replay.o: $(srcdir)/testsuite/served/replay.c config.mk Makefile
	@mkdir -p $(@D)
	$(say) GCC testsuite/served/replay.c
	$(Q)$(GUEST_CC) -m32 -std=gnu11 -O1 -g -Wall -Wextra -I$(srcdir) -MMD -MP -c -o $@ $<
served/replay: $(served_native)
	$(say) GLD $@
	$(Q)$(GUEST_CC) -m32 -static --coverage -o $@ $(served_native)
endif
