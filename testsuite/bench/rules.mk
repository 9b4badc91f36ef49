# SPDX-License-Identifier: MIT
# make bench: our programs (static Linux i386), those of a Debian root where it can be fetched,
# natively, under denali and under QEMU. BENCH_FLAGS: more for testsuite/bench/run.c.
bench_dir = $(srcdir)/testsuite/bench
ifneq ($(guest_static),)
bench_names = $(patsubst $(bench_dir)/programs/%.c,%,$(wildcard $(bench_dir)/programs/*.c))
bench_programs = $(addprefix bench/programs/,$(bench_names))
BENCH_CFLAGS = -m32 -std=gnu11 -O2 -march=i686 -Wall -Wextra -static
bench_sse = -msse2 -mfpmath=sse
bench/programs/mandel bench/programs/nbody87: bench_flags = -mfpmath=387 -mno-sse
bench/programs/nbodysse: bench_flags = $(bench_sse)
bench/programs/matrix: bench_flags = $(bench_sse) -O3

bench/programs/%: $(bench_dir)/programs/%.c $(bench_dir)/bench.h $(bench_dir)/programs/nbody.h config.mk
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(BENCH_CFLAGS) $(bench_flags) -o $@ $< -lm
endif

bench/run: $(bench_dir)/run.c $(bench_dir)/report.c $(bench_dir)/report.h config.mk
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c,$^) -lm

bench_needs = bench/run $(bench_programs)
bench = root=$$($(srcdir)/testsuite/debian/fetch debian) && root="--root $$root" || { echo "$$root"; root=; }; \
	bench/run --programs bench/programs --scripts $(bench_dir)/scripts --work bench/work --denali ./denali \
	$$root --json bench/bench.json --svg bench/bench.svg $(BENCH_FLAGS)

# What the debugger costs: make bench-debug, and at the end of make bench.
bench/debug_cost: $(bench_dir)/debug_cost.c config.mk
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c,$^)
bench_needs += bench/debug_cost
bench_debug = bench/debug_cost --denali ./denali --json bench/debug.json \
	$(addprefix bench/programs/,fib calls branches sort strings chase hash virtual); \
	BUILD=$(CURDIR) SRCDIR=$(abspath $(srcdir)) $(bench_dir)/web_cost.sh
bench += ; $(bench_debug)
.PHONY: bench-debug
bench-debug: all bench/debug_cost $(bench_programs)
	$(Q)$(bench_debug)

# make evaluation: every experiment of `denali bench` in turn, JSON and pictures in evaluation/
# (docs/EVALUATION.md). About ten minutes on a quiet machine.
evaluations = switch create packet tcp http interrupts idle game hostile
.PHONY: evaluation
evaluation: all
	@mkdir -p evaluation
	$(Q)for e in $(evaluations); do echo "bench $$e"; \
		./denali bench $$e --json --svg evaluation/$$e.svg >evaluation/$$e.json || exit 1; done
	$(Q)for n in 10000 100000; do echo "bench alive $$n"; \
		./denali bench alive --vms $$n --json --svg evaluation/alive-$$n.svg >evaluation/alive-$$n.json || exit 1; done
	$(Q)for n in 1000 10000 50000; do echo "bench zipf $$n"; \
		./denali bench zipf --vms $$n --memory 512M --json --svg evaluation/zipf-$$n.svg >evaluation/zipf-$$n.json || exit 1; done
	$(Q)echo "bench cliff" && ./denali bench cliff --memory 512M --json --svg evaluation/cliff.svg >evaluation/cliff.json

# make bench-pc: Debian's kernel and programs in the PC machine and in QEMU's system emulation.
# BENCH_FLAGS: --engine NAME, --programs A,B, --repeat N, --scale PERCENT (testsuite/bench/pc/run.c).
bench/pc/run: $(bench_dir)/pc/run.c $(bench_dir)/pc/speed.c $(bench_dir)/pc/speed.h config.mk
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c,$^) -lm
bench/pc/work: $(bench_dir)/pc/work.c config.mk
	@mkdir -p $(@D)
	$(say) GLD $@
	$(Q)$(GUEST_CC) $(BENCH_CFLAGS) -o $@ $<
.PHONY: bench-pc
bench-pc: all bench/pc/run $(if $(guest_static),bench/pc/work)
	$(Q)[ -x bench/pc/work ] || { echo "SKIP: no compiler for static i386 programs"; exit 0; }; \
	media=$$($(srcdir)/testsuite/pc/fetch pc-media) || { echo "$$media"; exit 0; }; \
	root=$$($(srcdir)/testsuite/debian/fetch debian) || { echo "$$root"; exit 0; }; \
	$(bench_dir)/pc/initrd $$root bench/pc/work bench/pc/initrd.gz && \
	bench/pc/run --kernel $$media/boot/vmlinuz-686 --initrd bench/pc/initrd.gz --json bench/pc.json $(BENCH_FLAGS)
