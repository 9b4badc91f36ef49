# SPDX-License-Identifier: MIT
# For `make` typed in the source folder: everything is built in build/.
.DEFAULT_GOAL := all
build/Makefile: configure Makefile.in
	./configure
%: build/Makefile
	@$(MAKE) --no-print-directory -C build $@
all: build/Makefile
	@$(MAKE) --no-print-directory -C build all
Makefile configure Makefile.in: ;
