/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/alloc.h"

#include <math.h>
#include <string.h>

/* Going up leaves a tenth of the budget free. */
#define UP_SHARE(bps) ((uint32_t)((uint64_t)(bps)*9 / 10))
/* Or a little less, for steps that can be taken back at once. */
#define FINE_SHARE(bps) ((uint32_t)((uint64_t)(bps)*49 / 50))
/* What is a little too dear for a short while is borne: a layer's rate is never quite even. */
#define OVER_US     (500 * US_PER_MS)
#define AT_ALL(bps) ((uint64_t)(bps)*103 / 100)
/* And for longer while the network's queue says that it carries it. */
#define OVER_CALM_US      (3 * US_PER_S)
#define FAR_OVER_BPS(bps) ((uint32_t)((uint64_t)(bps)*13 / 10))
#define OVER_BPS(bps)     ((uint32_t)((uint64_t)(bps)*23 / 20))
/* The key frame of a layer of that size comes through a full queue in time. */
#define URGENT_BPS(bps) ((uint32_t)((uint64_t)(bps)*2 / 5))
#define HALF_US         (500 * US_PER_MS)
#define SETTLE_US       US_PER_S /* between two steps up of one stream */
/* A step up that was taken back so soon has failed: tried again later and later. With several
 * streams what one took shows slowly. */
#define FELL_BACK_US     (5 * US_PER_S)
#define FELL_BACK_ALL_US (15 * US_PER_S)
#define RETRY_FIRST_US   (3 * US_PER_S)
#define RETRY_MAX_US     (60 * US_PER_S)
#define RETRY_RATE_US    (4 * US_PER_S) /* where only the frame rate was at stake */
/* With so much more than there was when it failed it is another network. */
#define WIDER_BPS(bps) ((uint64_t)(bps)*5 / 4)
/* Other choices must be worth so much more than the present ones for each stream that changes. */
#define WORTHWHILE 0.2f
/* And for one whose picture becomes smaller, so that another's may grow. */
#define WORTH_SWAP 1.0f
/* The smallest point stays while it is so little too dear. */
#define KEEP_BPS(bps) MAX((uint64_t)(bps)*5 / 4, (uint64_t)(bps) + 100000)
/* A picture that covers this share of the area it is shown in is as good as a larger one. */
#define COVERS(pixels) ((pixels)*0.8)
#define WORTH_BASE     (160.0 * 90 * 4) /* pixels a second that are worth nothing */
/* A camera's picture that moves so slowly is worth a little less than a smaller one that moves four
 * times as fast: by more than measured rates waver, so that the choice between them is none. */
#define SLOW_FPS    10
#define SLOW_LESS   0.3
#define SWAP_ROUNDS 4

const char *alloc_reason_name(enum alloc_reason r)
{
    static const char *const names[ALLOC_REASONS] = {
        [ALLOC_NOTHING] = "nothing",     [ALLOC_BEST] = "best",
        [ALLOC_SIZE] = "size",           [ALLOC_WISH] = "wish",
        [ALLOC_BANDWIDTH] = "bandwidth", [ALLOC_PROOF] = "proof",
        [ALLOC_RETRY] = "retry",         [ALLOC_LOSS] = "loss",
        [ALLOC_DEAD] = "dead",           [ALLOC_TOO_LITTLE] = "too_little",
    };
    return (unsigned)r < ALLOC_REASONS ? names[r] : "";
}

/* Sizes of a stream whose encodings say nothing useful: not said, or all the same at very different
 * rates (Safari). Then the rate stands for the size. */
static bool sizes_mislead(const struct alloc_stream *s)
{
    uint32_t small = UINT32_MAX, large = 0, cheap = UINT32_MAX, dear = 0;
    bool several = false;
    for (unsigned i = 0; i < s->n; i++) {
        const struct alloc_point *p = &s->points[i];
        if (p->pixels == 0) {
            return true;
        }
        several |= p->enc != s->points[0].enc;
        if (p->dt == 0) {
            small = MIN(small, p->pixels);
            large = MAX(large, p->pixels);
            cheap = MIN(cheap, p->bps);
            dear = MAX(dear, p->bps);
        }
    }
    return several && small != UINT32_MAX && large - small < large / 5 && dear / 3 > cheap / 2;
}

static float worth_of(const struct alloc_stream *s, const struct alloc_point *p, bool by_rate)
{
    double pixels = by_rate ? p->bps * (640.0 * 360 / 500000) : p->pixels;
    if (s->shown_pixels) {
        pixels = MIN(pixels, COVERS(s->shown_pixels));
    }
    double fps = p->fps_q4 ? p->fps_q4 / 16.0 : 30;
    if (s->screen || by_rate) {
        fps = 30 * pow(fps / 30, 0.1); /* with by_rate the frames have been paid for already */
    }
    bool slow = fps < SLOW_FPS && !s->screen && !by_rate;
    double worth = log2(MAX(pixels * fps, 1) / WORTH_BASE);
    worth -= slow ? MIN(SLOW_LESS, worth / 2) : 0; /* small ones keep their order */
    return (float)(MAX(worth, 0.1)) * s->weight;
}

void alloc_prune(struct alloc_stream *s)
{
    bool by_rate = sizes_mislead(s);
    s->cut = false;
    for (unsigned i = 0; i < s->n; i++) {
        struct alloc_point p = s->points[i];
        unsigned at = i;
        p.worth = worth_of(s, &p, by_rate);
        for (; at > 0 && s->points[at - 1].bps > p.bps; at--) {
            s->points[at] = s->points[at - 1];
        }
        s->points[at] = p;
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct alloc_point p = s->points[i];
        /* A shade better is no better: measured rates waver. For the same reason the present point
         * stays, unless it is clearly worse. */
        const struct alloc_memory *m = s->memory;
        bool is_present = m && m->has && m->enc == p.enc && m->dt == p.dt;
        float slack = is_present ? -WORTHWHILE : 0.02f;
        if (kept && p.worth <= s->points[kept - 1].worth + slack * s->weight) {
            s->cut |= s->shown_pixels && p.pixels > s->points[kept - 1].pixels;
            continue;
        }
        s->points[kept++] = p;
    }
    /* Too many: those go whose neighbours are nearest in cost. */
    while (kept > ALLOC_KEPT) {
        unsigned least = 1;
        for (unsigned i = 1; i + 1 < kept; i++) {
            if (s->points[i + 1].bps - s->points[i - 1].bps <
                s->points[least + 1].bps - s->points[least - 1].bps) {
                least = i;
            }
        }
        kept--;
        memmove(&s->points[least], &s->points[least + 1], (kept - least) * sizeof(s->points[0]));
    }
    s->n = (uint8_t)kept;
}

static uint32_t cost_of(const struct alloc_stream *s, int i)
{
    return i < 0 ? 0 : s->points[i].bps;
}

static float value_of(const struct alloc_stream *s, int i)
{
    return i < 0 ? 0 : s->points[i].worth;
}

static int top_of(const struct alloc_stream *s, const int8_t *limit, unsigned i)
{
    int top = (int)s[i].n - 1;
    return limit ? MIN(top, (int)limit[i]) : top;
}

/* The step up of one stream that is worth most for its money within left. */
static int best_step(const struct alloc_stream *s, int top, uint32_t left, float *ret_rate)
{
    int best = ALLOC_OFF;
    uint32_t from = cost_of(s, s->choice);
    *ret_rate = 0;
    for (int j = s->choice + 1; j <= top; j++) {
        uint32_t more = s->points[j].bps - from;
        if (more > left) {
            break;
        }
        float rate = (s->points[j].worth - value_of(s, s->choice)) / (float)(more + 1);
        if (rate > *ret_rate) {
            *ret_rate = rate;
            best = j;
        }
    }
    return best;
}

/* Takes one stream down, not below floor, and another up where both together are worth more.
 * Returns what is left, or -1 if there is no such pair. */
static int64_t swap_once(struct alloc_stream *s, unsigned n, uint32_t left, const int8_t *floor,
                         const int8_t *limit)
{
    float best = 1e-4f;
    int64_t best_left = -1;
    unsigned bi = 0, bk = 0;
    int bdown = 0, bup = 0;
    for (unsigned i = 0; i < n; i++) {
        int least = floor ? floor[i] : ALLOC_OFF;
        for (int down = s[i].choice; down-- > least;) {
            uint32_t room = left + cost_of(&s[i], s[i].choice) - cost_of(&s[i], down);
            float loss = value_of(&s[i], s[i].choice) - value_of(&s[i], down);
            for (unsigned k = 0; k < n; k++) {
                int top = top_of(s, limit, k);
                for (int up = s[k].choice + 1; k != i && up <= top; up++) {
                    uint32_t more = s[k].points[up].bps - cost_of(&s[k], s[k].choice);
                    float gain = s[k].points[up].worth - value_of(&s[k], s[k].choice) - loss;
                    if (more <= room && gain > best) {
                        best = gain;
                        best_left = room - more;
                        bi = i, bk = k, bdown = down, bup = up;
                    }
                }
            }
        }
    }
    if (best_left >= 0) {
        s[bi].choice = (int8_t)bdown;
        s[bk].choice = (int8_t)bup;
    }
    return best_left;
}

/* Shares out what bps leaves beyond the points of floor (NULL: none). */
static uint32_t share(struct alloc_stream *s, unsigned n, uint32_t bps, const int8_t *floor,
                      const int8_t *limit)
{
    uint32_t left = bps;
    int step[ALLOC_STREAMS];
    float rate[ALLOC_STREAMS];
    assert(n <= ALLOC_STREAMS);
    for (unsigned i = 0; i < n; i++) {
        s[i].choice = floor ? floor[i] : ALLOC_OFF;
        left -= MIN(cost_of(&s[i], s[i].choice), left);
    }
    for (unsigned i = 0; i < n; i++) {
        step[i] = best_step(&s[i], top_of(s, limit, i), left, &rate[i]);
    }
    for (;;) {
        int best = -1;
        for (unsigned i = 0; i < n; i++) {
            /* What fitted before need not fit now. */
            if (step[i] >= 0 && s[i].points[step[i]].bps - cost_of(&s[i], s[i].choice) > left) {
                step[i] = best_step(&s[i], top_of(s, limit, i), left, &rate[i]);
            }
            if (step[i] >= 0 && (best < 0 || rate[i] > rate[best])) {
                best = (int)i;
            }
        }
        if (best < 0) {
            break;
        }
        struct alloc_stream *b = &s[best];
        left -= b->points[step[best]].bps - cost_of(b, b->choice);
        b->choice = (int8_t)step[best];
        step[best] = best_step(b, top_of(s, limit, (unsigned)best), left, &rate[best]);
    }
    for (int round = 0; round < SWAP_ROUNDS && n > 1; round++) {
        int64_t now_left = swap_once(s, n, left, floor, limit);
        if (now_left < 0) {
            break;
        }
        left = (uint32_t)now_left;
    }
    return bps - left;
}

uint32_t alloc_share(struct alloc_stream *s, unsigned n, uint32_t bps, const int8_t *limit)
{
    return share(s, n, bps, NULL, limit);
}

/* The point that a stream has now, as an index; if it is gone, the dearest that costs no more. */
static int present(const struct alloc_stream *s)
{
    const struct alloc_memory *m = s->memory;
    if (!m->has || s->n == 0) {
        return ALLOC_OFF;
    }
    int same_enc = ALLOC_OFF;
    for (int i = 0; i < (int)s->n; i++) {
        if (s->points[i].enc == m->enc && s->points[i].dt == m->dt) {
            return i;
        }
        if (s->points[i].enc == m->enc) {
            same_enc = i;
        }
    }
    return same_enc >= 0 ? same_enc : 0;
}

/* The smallest budget of the last half to one second. */
static uint32_t lasting(struct alloc *a, uint32_t bps, int64_t now_us)
{
    if (now_us - a->half_us >= HALF_US) {
        a->lowest[1] = now_us - a->half_us < 2 * HALF_US ? a->lowest[0] : bps;
        a->lowest[0] = bps;
        a->half_us = now_us;
    }
    a->lowest[0] = MIN(a->lowest[0], bps);
    return MIN(a->lowest[0], a->lowest[1]);
}

static float worth_in_all(const struct alloc_stream *s, unsigned n, const int8_t *choice)
{
    float sum = 0;
    for (unsigned i = 0; i < n; i++) {
        sum += value_of(&s[i], choice ? choice[i] : s[i].choice);
    }
    return sum;
}

/* Is point b as large as point a, and of the same encoding? */
static bool is_same_size(const struct alloc_stream *s, int a, int b)
{
    return s->points[a].enc == s->points[b].enc && s->points[a].pixels == s->points[b].pixels;
}

/* What failed is not to be tried again yet. */
static bool is_early(const struct alloc_retry *r, uint32_t bps, int64_t now_us)
{
    return now_us < r->retry_us && bps < WIDER_BPS(r->up_bps);
}

/* A step up has been taken back. */
static void took_back(struct alloc_retry *r, int64_t soon_us, int64_t most_us, int64_t now_us)
{
    bool failed = r->up_us && now_us - r->up_us < soon_us;
    r->delay_us = failed ? MIN(MAX(r->delay_us * 2, (int64_t)RETRY_FIRST_US), most_us) : 0;
    r->retry_us = now_us + r->delay_us;
}

static void took_up(struct alloc_retry *r, uint32_t bps, int64_t now_us)
{
    r->up_us = now_us;
    r->up_bps = bps;
}

/* A stream goes from its present point to choice, with a budget of bps. */
static void move(struct alloc_stream *s, int from, uint32_t bps, int64_t now_us)
{
    struct alloc_memory *m = s->memory;
    int to = s->choice;
    if (m->has && from >= 0 && to >= 0 && to != from) {
        bool same = is_same_size(s, from, to);
        m->moved_us = now_us;
        if (to > from) {
            took_up(same ? &m->rate : &m->size, bps, now_us);
        } else if (same) {
            took_back(&m->rate, FELL_BACK_US, RETRY_RATE_US, now_us);
        } else {
            took_back(&m->size, FELL_BACK_US, RETRY_MAX_US, now_us);
        }
    }
    bool has = to >= 0;
    if (has != m->has || (has && (m->enc != s->points[to].enc || m->dt != s->points[to].dt))) {
        m->switches += m->has;
        m->has = has;
        m->enc = has ? s->points[to].enc : 0;
        m->dt = has ? s->points[to].dt : 0;
    }
}

static enum alloc_reason reason_of(const struct alloc_stream *s, const struct alloc_budget *b,
                                   uint32_t cost, int64_t now_us)
{
    if (s->n == 0) {
        return ALLOC_NOTHING;
    }
    if (s->choice == (int)s->n - 1) {
        return s->wished ? ALLOC_WISH : s->cut ? ALLOC_SIZE : s->dead ? ALLOC_DEAD : ALLOC_BEST;
    }
    if (s->choice < 0) {
        return ALLOC_TOO_LITTLE;
    }
    uint32_t next = cost - cost_of(s, s->choice) + s->points[s->choice + 1].bps;
    if (next > UP_SHARE(b->bps)) {
        return ALLOC_BANDWIDTH;
    }
    const struct alloc_memory *m = s->memory;
    bool same = is_same_size(s, s->choice, s->choice + 1);
    return is_early(same ? &m->rate : &m->size, UP_SHARE(b->bps), now_us) ? ALLOC_RETRY
                                                                          : ALLOC_PROOF;
}

static void tell_needs(const struct alloc_stream *s, unsigned n, struct alloc_needs *ret)
{
    struct alloc_needs needs = {0};
    float best = 0;
    uint32_t step = 0;
    for (unsigned i = 0; i < n; i++) {
        if (s[i].n == 0) {
            continue;
        }
        float rate;
        int j = best_step(&s[i], (int)s[i].n - 1, UINT32_MAX, &rate);
        needs.now_bps += cost_of(&s[i], s[i].choice);
        needs.all_bps += s[i].points[s[i].n - 1].bps;
        if (j >= 0 && rate > best) {
            best = rate;
            step = s[i].points[j].bps - cost_of(&s[i], s[i].choice);
        }
    }
    needs.next_bps = step ? needs.now_bps + step : 0;
    *ret = needs;
}

/* The step down that loses least for what it saves of excess. Returns what it saves, 0: there is
 * none. */
static uint32_t take_down(struct alloc_stream *s, unsigned n, uint64_t excess)
{
    float best = INFINITY;
    unsigned bi = 0;
    int to = 0;
    for (unsigned i = 0; i < n; i++) {
        for (int j = s[i].choice; j-- > ALLOC_OFF;) {
            bool same = j >= 0 && is_same_size(&s[i], s[i].choice, j);
            float loss =
                value_of(&s[i], s[i].choice) - value_of(&s[i], j) + (same ? 0 : WORTHWHILE);
            uint64_t saved = cost_of(&s[i], s[i].choice) - cost_of(&s[i], j);
            float rate = loss / (float)(MIN(saved, excess) + 1);
            if (rate < best) {
                best = rate;
                bi = i, to = j;
            }
        }
    }
    if (best == INFINITY) {
        return 0;
    }
    uint32_t saved = cost_of(&s[bi], s[bi].choice) - cost_of(&s[bi], to);
    s[bi].choice = (int8_t)to;
    return saved;
}

/* Less must be sent: as few streams as possible go down from was, and none up. The smallest points
 * stay if they nearly fit. */
static void go_down(struct alloc_stream *s, unsigned n, uint32_t bps, const int8_t *was)
{
    int8_t least[ALLOC_STREAMS] = {0};
    uint64_t cost = 0;
    for (unsigned i = 0; i < n; i++) {
        s[i].choice = was[i];
        cost += cost_of(&s[i], s[i].choice);
    }
    for (uint32_t saved = 1; cost > bps && saved; cost -= saved) {
        saved = take_down(s, n, cost - bps);
    }
    for (unsigned i = 0; i < n; i++) {
        least[i] = s[i].choice;
    }
    cost = share(s, n, bps, least, was);
    for (unsigned i = 0; i < n; i++) {
        if (s[i].choice < 0 && was[i] >= 0 && cost + s[i].points[0].bps <= KEEP_BPS(bps)) {
            s[i].choice = 0;
            cost += s[i].points[0].bps;
        }
    }
}

/* The best point of the same encoding and size as point i. */
static int8_t same_size(const struct alloc_stream *s, int i)
{
    int best = i;
    for (int j = i + 1; i >= 0 && j < (int)s->n; j++) {
        best = is_same_size(s, i, j) ? j : best;
    }
    return (int8_t)best;
}

/* How far stream s may go up from its present point was. */
static int8_t highest(const struct alloc *a, const struct alloc_stream *s, int8_t was, uint32_t bps,
                      int64_t now_us)
{
    const struct alloc_memory *m = s->memory;
    if (was < 0) {
        return (int8_t)((int)s->n - 1);
    }
    if (m->moved_us && now_us - m->moved_us < SETTLE_US) {
        return was;
    }
    bool early = is_early(&m->size, bps, now_us) || is_early(&a->size, bps, now_us);
    return early ? same_size(s, was) : (int8_t)((int)s->n - 1);
}

/* More may be sent, or differently: bps for anything, fine for frame rate. Streams that must wait
 * stay where they are. */
static void go_up(const struct alloc *a, struct alloc_stream *s, unsigned n, uint32_t bps,
                  uint32_t fine, const int8_t *was, int64_t now_us)
{
    int8_t limit[ALLOC_STREAMS] = {0};
    bool again = false;
    for (unsigned i = 0; i < n; i++) {
        limit[i] = highest(a, &s[i], was[i], bps, now_us);
    }
    (void)alloc_share(s, n, bps, limit);
    for (unsigned i = 0; i < n; i++) {
        bool faster =
            was[i] >= 0 && s[i].choice > was[i] && is_same_size(&s[i], was[i], s[i].choice);
        if (faster && is_early(&s[i].memory->rate, bps, now_us)) {
            limit[i] = was[i];
            again = true;
        }
    }
    if (again) {
        (void)alloc_share(s, n, bps, limit);
    }
    if (worth_in_all(s, n, NULL) < worth_in_all(s, n, was) + WORTHWHILE && fine > bps) {
        /* Frame rate can be given back without a key frame: that may be tried with less room. */
        for (unsigned i = 0; i < n; i++) {
            limit[i] = was[i] < 0 ? limit[i] : MIN(limit[i], same_size(&s[i], was[i]));
        }
        (void)alloc_share(s, n, fine, limit);
    }
    bool starts = false;
    float changes = 0;
    for (unsigned i = 0; i < n; i++) {
        starts |= was[i] < 0 && s[i].choice >= 0;
        bool swaps =
            s[i].choice < was[i] && (s[i].choice < 0 || !is_same_size(&s[i], was[i], s[i].choice));
        changes += swaps ? WORTH_SWAP : was[i] != s[i].choice ? WORTHWHILE : 0;
    }
    if (!starts && worth_in_all(s, n, NULL) < worth_in_all(s, n, was) + changes) {
        for (unsigned i = 0; i < n; i++) {
            s[i].choice = was[i];
        }
    }
}

/* What all streams together remember of a decision, which has taken them from was. forced: there
 * was not enough for what they had. */
static void remember(struct alloc *a, const struct alloc_stream *s, unsigned n, const int8_t *was,
                     bool forced, uint32_t bps, int64_t now_us)
{
    bool larger = false, smaller = false;
    for (unsigned i = 0; i < n; i++) {
        bool size = was[i] >= 0 && s[i].choice >= 0 && !is_same_size(&s[i], was[i], s[i].choice);
        larger |= size && s[i].choice > was[i];
        smaller |= size && s[i].choice < was[i];
    }
    if (forced && smaller) {
        took_back(&a->size, n > 1 ? FELL_BACK_ALL_US : FELL_BACK_US, RETRY_MAX_US, now_us);
    } else if (larger) {
        took_up(&a->size, bps, now_us);
    }
}

void alloc_decide(struct alloc *a, struct alloc_stream *s, unsigned n,
                  const struct alloc_budget *budget, int64_t now_us, struct alloc_needs *ret_needs)
{
    int8_t was[ALLOC_STREAMS] = {0};
    uint64_t cost = 0;
    bool begins = false;
    unsigned with = 0;
    assert(n <= ALLOC_STREAMS);
    for (unsigned i = 0; i < n; i++) {
        was[i] = (int8_t)present(&s[i]);
        cost += cost_of(&s[i], was[i]);
        begins |= s[i].n && !s[i].memory->has;
        with += s[i].n > 0;
        struct alloc_memory *m = s[i].memory;
        if (m->weight != s[i].weight || m->shown_pixels != s[i].shown_pixels) {
            m->weight = s[i].weight;
            m->shown_pixels = s[i].shown_pixels;
            m->size = a->size = (struct alloc_retry){0}; /* what failed then says nothing now */
        }
    }
    uint32_t steady = lasting(a, budget->bps, now_us);
    bool over = cost > AT_ALL(budget->bps);
    a->over_since_us = !over ? 0 : a->over_since_us ? a->over_since_us : now_us;
    int64_t patience_us = budget->calm ? OVER_CALM_US : budget->overuse ? 0 : OVER_US;
    bool must =
        over && (cost > (budget->calm ? FAR_OVER_BPS(budget->bps) : OVER_BPS(budget->bps)) ||
                 now_us - a->over_since_us >= patience_us);
    if (budget->unlimited) {
        (void)alloc_share(s, n, UINT32_MAX, NULL);
    } else if (must) {
        go_down(s, n, budget->urgent ? URGENT_BPS(budget->bps) : budget->bps, was);
    } else if ((over || budget->overuse) && !begins) {
        for (unsigned i = 0; i < n; i++) {
            s[i].choice = was[i];
        }
    } else {
        /* A stream that begins cannot wait for proof of what the estimate says. */
        uint32_t sure = begins ? budget->bps : MAX(steady, MIN(budget->proved_bps, budget->bps));
        uint32_t room = MIN(UP_SHARE(budget->bps), sure);
        uint32_t keep = (uint32_t)MIN(cost, budget->bps);
        go_up(a, s, n, MAX(room, keep), MAX(MIN(FINE_SHARE(budget->bps), steady), keep), was,
              now_us);
    }
    remember(a, s, n, was, must, budget->bps, now_us);
    uint32_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        /* A viewer's only stream is never taken away. */
        if (s[i].choice < 0 && s[i].n && with == 1) {
            s[i].choice = 0;
        }
        move(&s[i], was[i], budget->bps, now_us);
        sum += cost_of(&s[i], s[i].choice);
    }
    for (unsigned i = 0; i < n; i++) {
        s[i].reason = budget->unlimited && s[i].choice < (int)s[i].n - 1
                          ? ALLOC_LOSS
                          : reason_of(&s[i], budget, sum, now_us);
    }
    tell_needs(s, n, ret_needs);
}
