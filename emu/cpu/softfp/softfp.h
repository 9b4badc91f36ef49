/* SPDX-License-Identifier: MIT */
/*
 * Floating-point arithmetic in integers: binary32, binary64 and the 80-bit
 * extended format of the x87, exact to the bit and to the flag as Intel's
 * processors do it. It never touches the host's floating-point unit.
 *
 * One path for all formats: softfp_unpack_* widens an encoding to a struct
 * softfp_num, an operation computes the exact result (64 bits of significand,
 * 64 more below, the last one sticky), softfp_round fits it to a format, and
 * softfp_pack_* gives the encoding.
 *
 * Exceptions: every function ORs what it raised into env->flags; the bits are
 * those of the x87 status word and of MXCSR. Start an operation (for packed
 * ones: each element) with flags 0. Invalid, denormal and zero-divide are
 * found before the computation: when one of them is unmasked, softfp_stopped()
 * is true, nothing else is raised, and the result must not be used. Overflow
 * and underflow, unmasked, leave the result that the x87 delivers to a register
 * (exponent wrapped by 24576); a store or an SSE instruction delivers none.
 */
#ifndef DENALI_SOFTFP_H
#define DENALI_SOFTFP_H

#include "emu/base/base.h"

enum softfp_flag {
    SOFTFP_IE = 1,  /* invalid operation */
    SOFTFP_DE = 2,  /* denormal operand */
    SOFTFP_ZE = 4,  /* division of a finite number by zero */
    SOFTFP_OE = 8,  /* overflow */
    SOFTFP_UE = 16, /* underflow */
    SOFTFP_PE = 32, /* precision (inexact) */
    SOFTFP_PRE = SOFTFP_IE | SOFTFP_DE | SOFTFP_ZE,
    SOFTFP_POST = SOFTFP_OE | SOFTFP_UE | SOFTFP_PE,
};

/* Rounding, in the encoding of the x87 control word's RC and of MXCSR's. */
enum softfp_rounding {
    SOFTFP_NEAREST,
    SOFTFP_DOWN,
    SOFTFP_UP,
    SOFTFP_CHOP,
};

enum softfp_kind {
    SOFTFP_ZERO,
    SOFTFP_FINITE,
    SOFTFP_INF,
    SOFTFP_NAN,
    SOFTFP_UNSUPPORTED, /* unnormal, pseudo-infinity, pseudo-NaN: invalid wherever used */
};

struct softfp_num {
    uint8_t kind; /* enum softfp_kind */
    bool sign;
    bool denormal; /* came from a denormal encoding (raises SOFTFP_DE where used) */
    int32_t exp;   /* FINITE: value is sig * 2^(exp - 63) */
    uint64_t sig;  /* FINITE: bit 63 set. NAN: bit 63 set, bit 62 set if quiet */
    uint64_t low;  /* further bits of an exact result, 0 of an unpacked operand */
};

struct softfp_env {
    uint8_t rounding;  /* enum softfp_rounding */
    uint8_t precision; /* significand bits of x87 results: 24, 53, 64 */
    uint8_t masks;     /* enum softfp_flag bits; a set bit is a masked exception */
    bool sse;          /* NaN selection and result delivery of SSE, else of the x87 */
    bool daz, ftz;     /* of MXCSR */
    uint8_t flags;     /* out */
    bool up;           /* out: the significand was rounded up (C1) */
};

struct softfp_format {
    uint8_t bits;       /* of significand, with the leading one */
    int16_t emin, emax; /* of normal numbers */
};

/* The 80-bit extended format as stored: significand with explicit integer bit, sign and exponent.
 */
struct softfp_ext {
    uint64_t sig;
    uint16_t se;
};

extern const struct softfp_format softfp_f32, softfp_f64, softfp_f80;

/* An unmasked exception was found before the computation: there is no result. */
static inline bool softfp_stopped(const struct softfp_env *env)
{
    return env->flags & ~env->masks & SOFTFP_PRE;
}

/* ---- encodings ---- */

/* SSE operands with daz become zeros here. No exception is raised. */
struct softfp_num softfp_unpack_f32(uint32_t bits, const struct softfp_env *env);
struct softfp_num softfp_unpack_f64(uint64_t bits, const struct softfp_env *env);
struct softfp_num softfp_unpack_ext(struct softfp_ext ext);
struct softfp_num softfp_from_int(int64_t value);

/* Of numbers that fit the format: softfp_round's results. NaNs keep their upper bits. */
uint32_t softfp_pack_f32(const struct softfp_num *num);
uint64_t softfp_pack_f64(const struct softfp_num *num);
struct softfp_ext softfp_pack_ext(const struct softfp_num *num);

/* The NaN that masked invalid operations deliver. */
struct softfp_num softfp_default_nan(void);

/*
 * Rounds to `format` and raises overflow, underflow, precision. For softfp_f80
 * the significand is rounded to env->precision bits (precision control).
 */
struct softfp_num softfp_round(const struct softfp_num *exact, const struct softfp_format *format,
                               struct softfp_env *env);

/*
 * Operand checks that come before any operation. True: the result is decided
 * (a NaN, in *out), with SOFTFP_IE raised for signalling NaNs and unsupported
 * encodings. False: both are numbers. SOFTFP_DE is not raised here, because a
 * later invalid operation or zero-divide comes before it: see
 * softfp_note_denormal.
 */
bool softfp_check_nan(const struct softfp_num *a, struct softfp_env *env, struct softfp_num *out);
bool softfp_check_nans(const struct softfp_num *a, const struct softfp_num *b,
                       struct softfp_env *env, struct softfp_num *out);
void softfp_note_denormal(const struct softfp_num *a, struct softfp_env *env);

/* Raises SOFTFP_IE and gives the default NaN. */
struct softfp_num softfp_invalid(struct softfp_env *env);

/* ---- operations; results are exact, to be rounded with softfp_round ---- */

struct softfp_num softfp_add(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env);
struct softfp_num softfp_sub(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env);
struct softfp_num softfp_mul(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env);
struct softfp_num softfp_div(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env);
struct softfp_num softfp_sqrt(const struct softfp_num *a, struct softfp_env *env);

/*
 * A number on its way to another format: raises IE for a signalling NaN, DE for
 * a denormal. The x87 storing a register to memory raises no DE.
 */
struct softfp_num softfp_convert(const struct softfp_num *a, struct softfp_env *env);

struct softfp_num softfp_convert_store(const struct softfp_num *a, struct softfp_env *env);

/* SSE MINxx and MAXxx: the second operand wherever the order is not strict. */
struct softfp_num softfp_min(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env);
struct softfp_num softfp_max(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env);

enum softfp_order { SOFTFP_EQUAL, SOFTFP_LESS, SOFTFP_GREATER, SOFTFP_UNORDERED };

/* Order of a to b. `quiet`: quiet NaNs do not raise SOFTFP_IE. */
enum softfp_order softfp_compare(const struct softfp_num *a, const struct softfp_num *b, bool quiet,
                                 struct softfp_env *env);

/* ---- integers ---- */

/* To the nearest integral value in env's rounding, with SOFTFP_PE. Exact; no further rounding. */
struct softfp_num softfp_round_int(const struct softfp_num *a, struct softfp_env *env);

/*
 * To a signed integer of `width` bits (16, 32, 64) in env's rounding. What does
 * not fit raises SOFTFP_IE and gives the integer indefinite (only the top bit
 * of the width set, sign-extended).
 */
int64_t softfp_to_int(const struct softfp_num *a, unsigned width, struct softfp_env *env);

/* 18-digit packed BCD, as FBSTP and FBLD have it. */
void softfp_to_bcd(const struct softfp_num *a, uint8_t out[10], struct softfp_env *env);
struct softfp_num softfp_from_bcd(const uint8_t in[10]);

/* ---- x87 only; FPREM's and FSCALE's results are rounded already ---- */

/*
 * FPREM (nearest false) and FPREM1 (true). `*quotient`: its low three bits;
 * `*partial`: the reduction is not complete (C2).
 */
struct softfp_num softfp_rem(const struct softfp_num *a, const struct softfp_num *b, bool nearest,
                             unsigned *quotient, bool *partial, struct softfp_env *env);

/* FSCALE: a times two to the power of b, chopped to an integer. */
struct softfp_num softfp_scale(const struct softfp_num *a, const struct softfp_num *b,
                               struct softfp_env *env);

/* FXTRACT: returns the significand, `*exponent` as a number. */
struct softfp_num softfp_extract(const struct softfp_num *a, struct softfp_num *exponent,
                                 struct softfp_env *env);

#endif
