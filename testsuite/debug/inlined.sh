#!/bin/sh
# SPDX-License-Identifier: MIT
# Optimized code: functions inlined into others are frames of their own, with their arguments and
# variables, which lie now here and now there; and the call that is left out has its line.
. "$SRCDIR/testsuite/debug/lib.sh"
cat >"$TMPDIR/inl.c" <<'END'
struct point { int x, y; };
enum color { RED, GREEN };
struct shape { char name[8]; struct point at[3]; unsigned kind : 3; enum color color; };
static struct shape shapes[2] = {{"tri", {{1, 2}, {3, 4}, {5, 6}}, 5, GREEN}};
volatile int sink;
static inline __attribute__((always_inline)) int area(const struct point *p, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        sum += p[i].x * p[i].y;
        sink = sum;
    }
    return sum;
}
static inline __attribute__((always_inline)) int weigh(struct shape *s, int factor)
{
    int a = area(s->at, 3);
    sink = a * factor;
    return a + factor;
}
__attribute__((noinline)) int total(struct shape *list, int n)
{
    int t = 0;
    for (int i = 0; i < n; i++)
        t += weigh(&list[i], n);
    return t;
}
int main(int argc, char **argv)
{
    (void)argv;
    return total(shapes, argc + 1) == 0;
}
END
gcc -m32 -g -O2 -static -o "$TMPDIR/inl" "$TMPDIR/inl.c" 2>/dev/null || skip "no 32-bit compiler"
debug 'break inl.c:11
continue
backtrace
info args
print sum
up
print *s
info args
up
print list->at[1]
info locals
frame 3
print argc
delete
frame 1
finish' "$TMPDIR/inl"
has '#0  area (' '#1  weigh (' '#2  total (list=0xN <shapes>, n=2) at inl.c:25' 'in main (argc=1, argv=0xN) at inl.c:31' \
    'n = 3' '$1 = 2' 'at inl.c:17' '17	    int a = area(s->at, 3);' 'color = GREEN' 'factor = 2' '{x = 3, y = 4}' 't = 0' 'Value returned is $5 = 48'
