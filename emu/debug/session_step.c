/* SPDX-License-Identifier: MIT */
/*
 * A step by source lines is made of single instructions as long as control
 * stays in the line, and of runs to a return address over what is called. When
 * control is where no instruction could have led, the guest has taken an
 * interrupt: its handler is run through as if it had been called.
 */
#include "emu/debug/session_step.h"

#include "emu/isa/isa.h"

#include <errno.h>

struct line_step {
    bool over; /* calls are gone over */
    struct symbols_line line;
    uint32_t cfa; /* of the frame that it began in; 0: not known */
    bool done;    /* it stopped, for the right reason or another */
};

/* The instruction that is about to run, and where it can lead. */
struct passage {
    uint32_t eip, esp, behind;
    bool call;
    uint32_t to[2];
    unsigned count; /* 0: not known */
};

static bool decode_here(struct session *s, struct isa_insn *out)
{
    uint32_t eip = target_eip(s->target);
    uint8_t bytes[ISA_MAX_LENGTH];
    unsigned have = 0;
    while (have < sizeof(bytes) &&
           !s->target->ops->read(s->target, TARGET_LINEAR, eip + have, bytes + have, 1))
        have++;
    return isa_decode(bytes, have, target_cpu(s->target)->code32, out) == ISA_OK;
}

bool session_is_call(struct session *s, uint32_t *behind)
{
    struct isa_insn insn;
    if (!decode_here(s, &insn))
        return false;
    bool repeats = insn.row->attr & ISA_T_REP && insn.seen & (ISA_SEEN_F3 | ISA_SEEN_F2);
    *behind = target_eip(s->target) + insn.len;
    return insn.row->attr & ISA_T_CALL || repeats;
}

static bool is_relative(const struct isa_insn *insn)
{
    return insn->row->op[0].method == ISA_M_J;
}

static void find_targets(struct session *s, const struct isa_insn *insn, struct passage *p)
{
    const uint32_t ends = ISA_T_JUMP | ISA_T_BRANCH | ISA_T_CALL | ISA_T_RET | ISA_T_END;
    if (!(insn->row->attr & ends) || insn->row->attr & ISA_T_BRANCH)
        p->to[p->count++] = p->behind;
    if (is_relative(insn) && insn->opsize == 4)
        p->to[p->count++] = p->behind + insn->imm;
    if (insn->row->attr & ISA_T_RET &&
        !s->target->ops->read(s->target, TARGET_LINEAR, p->esp, &p->to[0], 4))
        p->count = 1;
}

static struct passage look_ahead(struct session *s)
{
    struct passage p = {.eip = target_eip(s->target), .esp = target_cpu(s->target)->gpr[ISA_ESP]};
    struct isa_insn insn;
    if (!decode_here(s, &insn))
        return p;
    p.behind = p.eip + insn.len;
    p.call = insn.row->attr & ISA_T_CALL;
    find_targets(s, &insn, &p);
    return p;
}

static bool is_step(const struct session *s)
{
    return s->target->stop.kind == TARGET_STOP_STEP;
}

bool session_line_here(struct session *s, struct symbols_line *out)
{
    struct symbols *symbols = session_symbols(s);
    return symbols && symbols_line_at(symbols, target_eip(s->target), out);
}

uint32_t session_cfa(struct session *s)
{
    struct frame_source source = {s->target, session_symbols(s)};
    struct frame frame;
    frame_first(&source, &frame);
    return frame.has_cfa ? frame.cfa : 0;
}

/* To a place where the step goes on. */
static int go_on_at(struct session *s, struct line_step *step, const uint32_t *to, unsigned count,
                    uint32_t min_esp, struct why *why)
{
    bool arrived;
    int err = session_go_to(s, to, count, min_esp, &arrived, why);
    if (!err && arrived)
        s->target->stop.kind = TARGET_STOP_STEP;
    else
        step->done = true;
    return err;
}

/* Control has come into a function that will return to `behind`. */
static int entered(struct session *s, struct line_step *step, const struct passage *p,
                   struct why *why)
{
    uint32_t eip = target_eip(s->target), body;
    struct symbols_line line;
    if (step->over || !session_line_here(s, &line))
        return go_on_at(s, step, &p->behind, 1, p->esp, why);
    body = symbols_after_prologue(session_symbols(s), eip);
    int err = body == eip ? 0 : go_on_at(s, step, &body, 1, 0, why);
    step->done = true;
    return err;
}

/* Out of an interrupt's handler: to the instruction that it came before, or behind it. */
static int leave_handler(struct session *s, struct line_step *step, const struct passage *p,
                         struct why *why)
{
    uint32_t to[3] = {p->eip, p->to[0], p->to[1]};
    return go_on_at(s, step, to, p->count + 1, p->esp, why);
}

static bool was_forced(struct session *s, const struct passage *p)
{
    uint32_t eip = target_eip(s->target);
    for (unsigned i = 0; i < p->count; i++)
        if (p->to[i] == eip)
            return false;
    return p->count != 0;
}

/* After one instruction, or what it called. */
static void look(struct session *s, struct line_step *step)
{
    struct symbols_line line;
    uint32_t eip = target_eip(s->target);
    if (eip >= step->line.start && eip < step->line.end)
        return;
    bool same_frame = session_cfa(s) == step->cfa;
    if (!session_line_here(s, &line)) {
        step->done = true;
        return;
    }
    bool same_line = line.line == step->line.line && line.file == step->line.file;
    /* The middle of another line of the same frame: on to where one begins. */
    if (same_frame && (same_line || eip != line.start))
        step->line = line;
    else
        step->done = true;
}

static int step_once(struct session *s, struct line_step *step, struct why *why)
{
    struct passage p = look_ahead(s);
    int err = session_go(s, 1, why);
    if (err || !is_step(s)) {
        step->done = true;
        return err;
    }
    if (was_forced(s, &p))
        err = leave_handler(s, step, &p, why);
    else if (p.call && target_eip(s->target) != p.behind)
        err = entered(s, step, &p, why);
    if (!err && !step->done)
        look(s, step);
    return err;
}

int session_finish(struct session *s, unsigned level, bool *arrived, struct why *why)
{
    struct frame_source source = {s->target, session_symbols(s)};
    struct frame frame, caller;
    if (!frame_at(&source, level, &frame) || !frame_next(&source, &frame, &caller))
        return why_fail(why, -ENOENT,
                        "nobody is known to have called this frame; \"until *ADDRESS\" runs to a "
                        "place");
    int err = session_go_to(s, &caller.eip, 1, caller.gpr[ISA_ESP], arrived, why);
    if (!err && *arrived)
        s->target->stop.kind = TARGET_STOP_STEP;
    return err;
}

int session_step_line(struct session *s, bool over, bool *good, struct why *why)
{
    struct line_step step = {.over = over};
    int err = 0;
    if (!session_line_here(s, &step.line))
        return session_finish(s, 0, good, why);
    step.cfa = session_cfa(s);
    while (!err && !step.done)
        err = step_once(s, &step, why);
    *good = !err && is_step(s);
    return err;
}
