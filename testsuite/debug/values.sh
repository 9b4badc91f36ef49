#!/bin/sh
# SPDX-License-Identifier: MIT
# The monitor prints values of a C program as gdb does: the same expressions in both, of one guest.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
cat >"$TMPDIR/values.c" <<'END'
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
enum color { RED, GREEN = 5, BLUE };
enum flag { F_A = 1, F_B = 2, F_C = 4 };
typedef int (*op_t)(int, int);
struct inner { short s; char c; };
struct node { int value; struct node *next; enum color c; char name[12]; double d; unsigned a:3, b:5; int neg:4; union { int i; float f; unsigned char by[4]; } u; struct inner in[2]; op_t op; bool ok; };
static int add(int a, int b) { return a + b; }
struct node n2 = {2, 0, RED, "second-long", -0.5, 1, 2, -3, {7}, {{1, 'a'}, {-2, '\n'}}, 0, false};
struct node n1 = {1, &n2, BLUE, "first", 1.5e300, 5, 17, -8, {.f = 1.0f}, {{3, 0}, {4, '\t'}}, add, true};
int zero[100]; int mat[2][3] = {{1,2,3},{4,5,6}};
char text[] = "hello\tworld\n\"q\""; const char *str = "a\\b\001\377z"; char longtext[300];
float f = 3.14159f, inf = 1.0f/0.0f; double dd = 1e-10, nan_; long double ld = 2.75L;
long long ll = -9000000000LL; unsigned long long ull = 18446744073709551615ULL; uint8_t u8 = 200; int8_t i8 = -5; unsigned char uc = 'x';
enum flag fl = F_A | F_C; enum color odd = 77; struct node *np = &n1; struct node **npp = &np; void *vp = &n2; op_t fp = add; char *nullp; int *ip = &mat[1][1]; const volatile int cv = 4; bool yes = true; struct { int x, y; } anon = {1, 2}; union { int i; char c[4]; } un = {0x41424344};
int main(void) { for (int i = 0; i < 299; i++) longtext[i] = 'a' + i % 3; nan_ = 0.0 / zero[0]; puts("x"); return 0; }
END
gcc -m32 -g -O0 -static -w -o "$TMPDIR/values" "$TMPDIR/values.c" 2>/dev/null || skip "no 32-bit compiler"
cat >"$TMPDIR/expressions" <<'END'
&n1
n1.in
n1.in[1].c
n1.u
n1.op
zero
mat
mat[1]
text
str
longtext
f
inf
dd
ld
ll
ull
u8
i8
uc
fl
odd
np
np->next->name
npp
vp
nullp
*ip
cv
yes
anon
un
&mat
n1.b + 1
-n1.neg
(char)65
(enum color)5
GREEN
sizeof(n1)
sizeof n1.name
/x mat
/d u8
/c 65
/t 10
/o 64
/s text
/x -1
/u i8
str[0]
*str@2
mat[0]@2
np == &n1
!np
~0
1 ? 2 : 3
10 % 3
1 << 4
7 / 2
7 / 2.0
'a'
dd + 1
n1.d > 1
text[1]@4
(long)&n1 & 0xff
n1.ok
END
{
    echo "tbreak puts"
    echo continue
    sed 's/^/print /; s/^print \(\/[a-z]\)/print\1/' "$TMPDIR/expressions"
} >"$TMPDIR/commands"

"$DENALI" debug --batch --commands "$TMPDIR/commands" --net none "$TMPDIR/values" >"$TMPDIR/ours" 2>&1 ||
    fail "the monitor: $(tail -3 "$TMPDIR/ours")"
serve --net none "$TMPDIR/values"
{ cat "$TMPDIR/commands"; echo kill; } | in_gdb
sed -n '/^\$[0-9]* = /p' "$TMPDIR/ours" >"$TMPDIR/a"
sed -n '/^\$[0-9]* = /p' "$TMPDIR/gdb" >"$TMPDIR/b"
[ "$(wc -l <"$TMPDIR/a")" = "$(wc -l <"$TMPDIR/expressions")" ] || fail "some were not answered: $(cat "$TMPDIR/ours")"
cmp -s "$TMPDIR/a" "$TMPDIR/b" || fail "$(diff "$TMPDIR/a" "$TMPDIR/b")"
