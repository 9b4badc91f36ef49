# SPDX-License-Identifier: MIT
# Programs that hold the PC's processor against captures of real ones.
pc_programs = pc/vectors
vectors_objs = $(patsubst %,obj/testsuite/pc/%.o,vectors moo moo_json)
all_objs += $(vectors_objs)
-include $(vectors_objs:.o=.d)
tests: $(pc_programs)
pc/vectors: $(vectors_objs) $(floor_libs)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(pie_ldflags) $(LDFLAGS) -o $@ $(filter %.o,$^) $(floor_libs) $(LIBS)

# Guests of the PC's tests: Multiboot kernels, flat binaries with their own addresses, boot sectors.
ifneq ($(GUEST_CC),)
pc_kernels = $(addprefix pc/guests/,hello hot hammer triple paged mmio echo frames suite)
pc_sectors = $(addprefix pc/guests/,sector game writer)
PC_CFLAGS = -m32 -g -march=i386 -std=c11 -O2 -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -Wall -Wextra
PC_LDFLAGS = -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-N -Wl,--no-warn-rwx-segments
tests: $(pc_kernels) $(pc_sectors) pc/guests/aout
$(pc_kernels): pc/guests/%: $(wildcard $(srcdir)/testsuite/pc/guests/*)
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(PC_CFLAGS) $(PC_LDFLAGS) -T $(srcdir)/testsuite/pc/guests/kernel.ld -o $@ $(wildcard $(srcdir)/testsuite/pc/guests/$*.[cS]) -lgcc
$(pc_sectors): pc/guests/%: $(srcdir)/testsuite/pc/guests/%.S
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(PC_LDFLAGS) -Wl,-Ttext=0x7c00 -Wl,--oformat=binary -o $@ $<
# Kernels that are real-mode code.
tests: pc/guests/setup pc/guests/oldsetup
pc/guests/oldsetup: PC_OLD = -DOLD
pc/guests/setup pc/guests/oldsetup: $(srcdir)/testsuite/pc/guests/setup.S
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(PC_OLD) $(PC_LDFLAGS) -Wl,-Ttext=0 -Wl,--oformat=binary -o $@ $<
# A firmware image: a program for RAM and the code that copies it there.
tests: pc/guests/machine.rom
pc/guests/machine.rom: $(wildcard $(srcdir)/testsuite/pc/rom/*)
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) -DCASES=6000 -Os $(filter-out -O2 -g,$(PC_CFLAGS)) $(PC_LDFLAGS) -T $(srcdir)/testsuite/pc/rom/rom.ld -o $@.elf $(srcdir)/testsuite/pc/rom/start.S $(srcdir)/testsuite/pc/rom/machine.c
	$(Q)objcopy -O binary -j .program -j .boot $@.elf $@
pc/guests/aout: $(srcdir)/testsuite/pc/guests/aout.S
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(PC_LDFLAGS) -Wl,-Ttext=0x300000 -Wl,--oformat=binary -o $@ $<
endif
