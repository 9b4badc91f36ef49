/* SPDX-License-Identifier: MIT */
/* Blocks of few instructions: a byte-code machine, and a scanner that goes from state to state. */
#include "../bench.h"

enum op { PUSH, ADD, XOR, ROT, DUP, SWAP, DROP, LOOP, OPS };

#define CODE 64
#define TEXT 4096

static __attribute__((noinline)) uint32_t interpret(const uint8_t *code, uint32_t rounds)
{
    uint32_t stack[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    unsigned top = 4;

    for (unsigned at = 0;; at++) {
        uint32_t *p = &stack[top & 7], *q = &stack[(top - 1) & 7];
        switch ((enum op)code[at]) {
        case PUSH:
            stack[++top & 7] = at;
            break;
        case ADD:
            *q += *p;
            top--;
            break;
        case XOR:
            *p ^= *q;
            break;
        case ROT:
            *p = *p << 5 | *p >> 27;
            break;
        case DUP:
            stack[++top & 7] = *p;
            break;
        case SWAP: {
            uint32_t t = *p;
            *p = *q;
            *q = t;
            break;
        }
        case DROP:
            top--;
            break;
        default:
            if (!--rounds)
                return stack[0] ^ stack[3] ^ stack[top & 7];
            at = (unsigned)-1;
        }
    }
}

/* Words, numbers, quoted strings with escapes, comments. */
static __attribute__((noinline)) uint32_t scan(const char *text, unsigned len)
{
    enum { SPACE, WORD, NUMBER, QUOTED, ESCAPE, COMMENT } state = SPACE;
    uint32_t sum = 0;

    for (unsigned i = 0; i < len; i++) {
        char c = text[i];
        if (state == QUOTED) {
            state = c == '"' ? SPACE : c == '\\' ? ESCAPE : QUOTED;
        } else if (state == ESCAPE) {
            sum += (uint8_t)c;
            state = QUOTED;
        } else if (state == COMMENT) {
            state = c == '\n' ? SPACE : COMMENT;
        } else if (c >= '0' && c <= '9') {
            sum = sum * 10 + (uint32_t)(c - '0');
            state = state == WORD ? WORD : NUMBER;
        } else if ((c >= 'a' && c <= 'z') || c == '_') {
            sum ^= (uint32_t)c << (i & 7);
            state = WORD;
        } else {
            state = c == '"' ? QUOTED : c == '#' ? COMMENT : SPACE;
            sum++;
        }
    }
    return sum + state;
}

int main(int argc, char **argv)
{
    static const char letters[] = "abcdefgh_01234567    \n\"\"\\#";
    unsigned long scale = bench_scale(argc, argv, 500);
    uint8_t code[CODE];
    char text[TEXT];
    uint32_t seed = 12345;
    uint64_t sum = 0;

    for (unsigned i = 0; i < CODE; i++)
        code[i] = (uint8_t)(bench_random(&seed) % LOOP);
    code[CODE - 1] = LOOP;
    for (unsigned i = 0; i < TEXT; i++)
        text[i] = letters[bench_random(&seed) % (sizeof(letters) - 1)];
    for (unsigned long i = 0; i < scale; i++) {
        sum = sum * 31 + interpret(code, 20000);
        for (unsigned n = 0; n < 100; n++)
            sum += scan(text + n, TEXT - n);
    }
    return bench_end("branches", sum);
}
