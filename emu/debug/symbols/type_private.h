/* SPDX-License-Identifier: MIT */
/* Between type.c and the files that read DWARF. */
#ifndef DENALI_DEBUG_TYPE_PRIVATE_H
#define DENALI_DEBUG_TYPE_PRIVATE_H

#include "emu/debug/symbols/symbols_private.h"
#include "emu/debug/symbols/type.h"

/* type_dwarf.c: the same questions as type.h's, of a type without stars that has a module. */
struct type type_dwarf_target(const struct type *type);
uint32_t type_dwarf_elements(const struct type *type);
void type_dwarf_text(const struct type *type, char text[TYPE_TEXT]);

/* Of a type the type of a pointer to it. */
void type_text_star(char text[TYPE_TEXT]);

#if HAVE_LIBDW
/* The type that a variable, member or parameter has; void if it names none. */
struct type type_of(struct symbols_module *module, Dwarf_Die *die);
/* A type's own entry. */
struct type type_from_die(struct symbols_module *module, Dwarf_Die *die);
bool type_die(const struct type *type, Dwarf_Die *out);
#endif

#endif
