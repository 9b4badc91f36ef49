# SPDX-License-Identifier: MIT
# Ilwaco's TCP/IP is compiled for this machine as well: its tests run natively.
netstack_objs = $(call objects,guests/ilwaco/net/*.c)
net_sim_obj = obj/testsuite/net/sim.o
net_tests = tests/net_pair
all_objs += $(netstack_objs) $(net_sim_obj) $(net_tests:tests/net_%=obj/testsuite/net/%.o)
tests: $(net_tests)

$(net_tests): tests/net_%: obj/testsuite/net/%.o $(net_sim_obj) $(netstack_objs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $^
