# SPDX-License-Identifier: MIT
# Ilwaco's TCP/IP is compiled for this machine as well: its tests run natively.
# net_pair: two stacks against each other. net_behave: what they do when things go wrong. net_linux: against Linux's. net_fuzz: hostile frames,
# with the address sanitizer where the compiler has one.
netstack_objs = $(call objects,guests/ilwaco/net/*.c)
net_rig_objs = $(patsubst %,obj/testsuite/net/%.o,sim services)
net_main_objs = $(patsubst %,obj/testsuite/net/%.o,pair behave linux_tcp)
-include $(patsubst %.o,%.d,$(netstack_objs) $(net_rig_objs) $(net_main_objs))
tests: tests/net_pair tests/net_behave tests/net_linux tests/net_fuzz

tests/net_pair: obj/testsuite/net/pair.o
tests/net_behave: obj/testsuite/net/behave.o
tests/net_linux: obj/testsuite/net/linux_tcp.o
tests/net_pair tests/net_behave tests/net_linux: $(net_rig_objs) $(netstack_objs) $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $(filter %.o,$^) $(floor_libs) -lpthread

net_fuzz_srcs = $(patsubst %,$(srcdir)/testsuite/net/%.c,fuzz sim) $(patsubst %,$(srcdir)/%,$(call sources,guests/ilwaco/net/*.c))
tests/net_fuzz: $(net_fuzz_srcs) $(patsubst %,$(srcdir)/%,$(call sources,guests/ilwaco/net/*.h testsuite/net/*.h)) config.mk
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $(net_fuzz_srcs) 2>/dev/null || \
		$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(net_fuzz_srcs)

# An i386 Linux program that uses sockets: natively and in a VM (sockets.sh).
ifneq ($(guest_static),)
tests: net/sockets
net/sockets: $(srcdir)/testsuite/net/sockets.c config.mk
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(LINUX_CFLAGS) -static -o $@ $< -lpthread
endif
