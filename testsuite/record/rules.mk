# SPDX-License-Identifier: MIT
# The long form of unit/test_history: random guests, stopped at random places, gone back and forth,
# until COUNT states and stops were held against straight runs.
# make check-record: servers under load for SECONDS each, replayed three times.
COUNT ?= 10000
SECONDS ?= 60
.PHONY: check-history
check-history: unit/test_history
	$(Q)HISTORY_COUNT=$(COUNT) unit/test_history
.PHONY: check-record
check-record: all
	$(Q)BUILD=$(CURDIR) DENALI=$(CURDIR)/denali SRCDIR=$(abspath $(srcdir)) RECORD_SECONDS=$(SECONDS); \
	export BUILD DENALI SRCDIR RECORD_SECONDS; \
	for t in httpd servers; do \
		TMPDIR=$$(TMPDIR= mktemp -d) && export TMPDIR || exit 1; \
		echo "record/$$t"; $(srcdir)/testsuite/record/$$t.sh; rc=$$?; rm -rf "$$TMPDIR"; \
		[ $$rc -eq 0 ] || [ $$rc -eq 77 ] || exit 1; \
	done
