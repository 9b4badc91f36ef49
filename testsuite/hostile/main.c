/* SPDX-License-Identifier: MIT */
/*
 * hostile [options] [PATTERN...]: every attack (attacks.def) beside a victim. An
 * attack is won if the process lives, no witness has lost a byte, every answer of the
 * victim was right, nothing that the attack checks was wrong, and the victim's 99th
 * percentile is within twice what it is while the attackers stand still.
 *
 * The two are measured in turns, many short ones, and the medians over the turns are
 * compared: what else the host does disturbs both. An attack that seems to be over
 * its bound is measured for more turns, all of which count; no figure is thrown away.
 */
#include "testsuite/hostile/hostile.h"

#include "emu/base/host.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 120u
#define QUESTIONS_MAX 1000u
#define SLACK_US 300u /* a wake-up of the host's; below it a ratio says nothing */
#define SETTLE_NS 2000000u

static const struct hostile_attack attacks[] = {
#define ATTACK(name, flags, line) {#name, flags, line},
#include "testsuite/hostile/attacks.def"
#undef ATTACK
};

struct settings {
    struct hostile_options world;
    unsigned turns, questions;
    bool quick, list, json;
    char **patterns;
    int count;
};

/* Of one attack. */
struct result {
    unsigned turns, wrong;
    struct measured {
        uint32_t p99_us[TURNS_MAX], raw_us[TURNS_MAX]; /* of each turn */
        uint32_t median_us, raw_median_us;             /* of these */
    } alone, beside;
    uint64_t slices, forged;
    unsigned ends;
    struct why why; /* what was lost; "" nothing */
};

static uint32_t percentile(uint32_t *us, unsigned count, unsigned percent)
{
    qsort(us, count, sizeof(*us), bench_by_us);
    return us[count * percent / 100];
}

static uint32_t median(const uint32_t *us, unsigned count)
{
    uint32_t sorted[TURNS_MAX];
    memcpy(sorted, us, count * sizeof(*us));
    return percentile(sorted, count, 50);
}

static void ask(struct hostile_world *w, const struct settings *s, struct result *r,
                struct measured *m)
{
    uint32_t us[QUESTIONS_MAX], raw_us[QUESTIONS_MAX];
    r->wrong += hostile_ask(w, us, raw_us, s->questions);
    m->p99_us[r->turns] = percentile(us, s->questions, 99);
    m->raw_us[r->turns] = percentile(raw_us, s->questions, 99);
    m->median_us = median(m->p99_us, r->turns + 1);
    m->raw_median_us = median(m->raw_us, r->turns + 1);
}

static int turn(struct hostile_world *w, const struct settings *s,
                const struct hostile_attack *attack, struct result *r)
{
    hostile_attack_pause(w, true);
    host_poll(NULL, 0, SETTLE_NS);
    ask(w, s, r, &r->alone);
    hostile_attack_pause(w, false);
    int err = hostile_attack_renew(w, attack, &r->why);
    host_poll(NULL, 0, SETTLE_NS);
    ask(w, s, r, &r->beside);
    r->turns++;
    return err;
}

static bool is_slow(const struct settings *s, const struct result *r)
{
    return !s->quick && r->beside.median_us > 2 * r->alone.median_us + SLACK_US;
}

/* A short attack has been over many times, one that is slow is given the time that it needs. */
static void await_rounds(struct hostile_world *w)
{
    uint64_t end = host_monotonic_ns() + HOSTILE_PATIENCE_NS;
    for (unsigned i = 0; i < w->attackers; i++) {
        while (!hostile_attack_has_begun(&w->attacker[i]) && host_monotonic_ns() < end)
            host_poll(NULL, 0, SETTLE_NS);
    }
}

/* The attackers' own words and ends. */
static void judge_attackers(struct hostile_world *w, const struct hostile_attack *attack,
                            struct result *r)
{
    uint64_t forged = 0;
    host_lock_enter(&w->lock);
    for (unsigned i = 0; i < w->attackers; i++) {
        struct hostile_vm *h = &w->attacker[i];
        struct pool_figures f;
        pool_figures(h->vm, &f);
        r->slices += f.slices;
        forged += f.port.forged;
        r->ends += h->ends;
        if (h->ends && !hostile_attack_may_end(attack, h) && !r->why.text[0])
            why_fail(&r->why, -1, "the attacker ended (%d, %u): %.120s %.120s", h->reason,
                     h->status, h->report, h->console.text);
        else if (!hostile_attack_has_begun(h) && !r->why.text[0])
            why_fail(&r->why, -1, "the attack has not taken place: %.100s", h->console.text);
    }
    host_lock_leave(&w->lock);
    r->forged = forged;
    if ((attack->flags & FORGES) && !forged && !r->why.text[0])
        why_fail(&r->why, -1, "nothing was counted as forged");
}

static void judge(struct hostile_world *w, const struct settings *s,
                  const struct hostile_attack *attack, struct result *r)
{
    await_rounds(w);
    judge_attackers(w, attack, r);
    if (w->victim_ended)
        why_fail(&r->why, -1, "the victim ended");
    else if (r->wrong)
        why_fail(&r->why, -1, "%u answers were missing or wrong", r->wrong);
    else if (!r->why.text[0] && is_slow(s, r))
        why_fail(&r->why, -1, "the victim is slow");
    struct why witness;
    if (!hostile_witnesses_well(w, &witness))
        r->why = witness;
}

static void attack_once(struct hostile_world *w, const struct settings *s,
                        const struct hostile_attack *attack, struct result *r)
{
    memset(r, 0, sizeof(*r));
    int err = hostile_attack_begin(w, attack, &r->why);
    while (!err && r->turns < s->turns)
        err = turn(w, s, attack, r);
    while (!err && r->turns < TURNS_MAX && r->turns < 5 * s->turns && is_slow(s, r))
        err = turn(w, s, attack, r);
    if (!err)
        judge(w, s, attack, r);
    hostile_attack_end(w);
}

/* Output. */

static void print_text(const struct hostile_attack *attack, const struct result *r)
{
    printf("%-32s %s alone %6.3f ms, beside %6.3f ms; by the wall %6.3f, %6.3f (%u turns)",
           attack->name, r->why.text[0] ? "LOST" : "won ", r->alone.median_us / 1e3,
           r->beside.median_us / 1e3, r->alone.raw_median_us / 1e3, r->beside.raw_median_us / 1e3,
           r->turns);
    if (r->why.text[0])
        printf("\n    %s\n    %s", attack->line, r->why.text);
    putchar('\n');
    fflush(stdout);
}

static void print_json(const struct hostile_attack *attack, const struct result *r)
{
    printf("{\"attack\":\"%s\",\"won\":%s,\"alone_p99_ms\":%.3f,\"beside_p99_ms\":%.3f,"
           "\"turns\":%u,\"wrong_answers\":%u,\"ends\":%u,\"forged\":%llu}\n",
           attack->name, r->why.text[0] ? "false" : "true", r->alone.median_us / 1e3,
           r->beside.median_us / 1e3, r->turns, r->wrong, r->ends, (unsigned long long)r->forged);
}

static bool is_wanted(const struct settings *s, const struct hostile_attack *attack)
{
    for (int i = 0; i < s->count; i++) {
        if (strstr(attack->name, s->patterns[i]))
            return true;
    }
    return !s->count;
}

struct sums {
    unsigned attacks, lost;
    double worst_ratio, alone_ms, beside_ms;
};

static void add(struct sums *sum, const struct result *r)
{
    double ratio = r->alone.median_us ? (double)r->beside.median_us / r->alone.median_us : 0;
    sum->attacks++;
    sum->lost += r->why.text[0] != 0;
    sum->alone_ms += r->alone.median_us / 1e3;
    sum->beside_ms += r->beside.median_us / 1e3;
    if (ratio > sum->worst_ratio)
        sum->worst_ratio = ratio;
}

static int run(struct hostile_world *w, const struct settings *s)
{
    static struct result r;
    struct sums sum = {0};
    uint32_t warm[20], raw[20];
    hostile_ask(w, warm, raw, ARRAY_LEN(warm));
    for (unsigned i = 0; i < ARRAY_LEN(attacks); i++) {
        if (!is_wanted(s, &attacks[i]))
            continue;
        attack_once(w, s, &attacks[i], &r);
        (s->json ? print_json : print_text)(&attacks[i], &r);
        add(&sum, &r);
        if (w->victim_ended)
            break;
    }
    if (!s->json)
        printf("%u attacks, %u lost; the victim's p99 alone %.3f ms, beside them %.3f ms in the "
               "mean, at worst %.2f times as long\n",
               sum.attacks, sum.lost, sum.alone_ms / (sum.attacks + !sum.attacks),
               sum.beside_ms / (sum.attacks + !sum.attacks), sum.worst_ratio);
    return sum.lost || !sum.attacks;
}

static const char usage[] =
    "usage: hostile [options] --guests DIR --attack GUEST [PATTERN...]\n"
    "  --quick          few questions; how long the victim takes is only printed\n"
    "  --attackers N    of each kind (default 2)\n"
    "  --workers N      processors of the pool (default 1)\n"
    "  --turns N --questions N\n"
    "  --verify         every translation is verified\n"
    "  --list, --json\n";

static int parse(int argc, char **argv, struct settings *s)
{
    static const struct option options[] = {{"quick", 0, 0, 'q'},
                                            {"attackers", 1, 0, 'a'},
                                            {"workers", 1, 0, 'w'},
                                            {"turns", 1, 0, 't'},
                                            {"questions", 1, 0, 'n'},
                                            {"verify", 0, 0, 'v'},
                                            {"list", 0, 0, 'l'},
                                            {"json", 0, 0, 'j'},
                                            {"guests", 1, 0, 'g'},
                                            {"attack", 1, 0, 'x'},
                                            {0}};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 0) : 0;
        switch (c) {
        case 'q':
            s->quick = true;
            s->turns = 1;
            s->questions = 10;
            break;
        case 'a':
            s->world.attackers = n;
            break;
        case 'w':
            s->world.workers = n;
            break;
        case 't':
            s->turns = n;
            break;
        case 'n':
            s->questions = n;
            break;
        case 'v':
            s->world.verify = true;
            break;
        case 'l':
            s->list = true;
            break;
        case 'j':
            s->json = true;
            break;
        case 'g':
            s->world.guests = optarg;
            break;
        case 'x':
            s->world.attack = optarg;
            break;
        default:
            return -1;
        }
    }
    s->patterns = argv + optind;
    s->count = argc - optind;
    return s->world.attackers - 1 < HOSTILE_ATTACKERS && s->turns - 1 < TURNS_MAX &&
                   s->questions - 1 < QUESTIONS_MAX &&
                   (s->list || (s->world.guests && s->world.attack))
               ? 0
               : -1;
}

int main(int argc, char **argv)
{
    struct settings s = {.world = {.attackers = 2, .workers = 1}, .turns = 9, .questions = 100};
    static struct hostile_world w;
    struct why why = {""};
    if (parse(argc, argv, &s)) {
        fputs(usage, stderr);
        return 2;
    }
    for (unsigned i = 0; s.list && i < ARRAY_LEN(attacks); i++)
        printf("%-32s %s\n", attacks[i].name, attacks[i].line);
    if (s.list)
        return 0;
    int err = hostile_world_init(&w, &s.world, &why);
    if (err)
        fprintf(stderr, "hostile: %s\n", why.text);
    int status = err ? 1 : run(&w, &s);
    hostile_world_fini(&w);
    return status;
}
