/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets what: the routing of messages over associations that are played. */
#include "tests/data_kit.h"

Test(data, a_message_reaches_everyone_of_the_room_who_has_the_label_open)
{
    begin();
    struct assoc *alice = enter(1, "r1", "alice"), *bob = enter(2, "r1", "bob"),
                 *carol = enter(3, "r1", "carol"), *dave = enter(4, "r2", "dave");
    open_channel(alice, 0, "chat");
    open_channel(bob, 2, "chat");
    open_channel(carol, 0, "other");
    open_channel(dave, 0, "chat");
    GOT(alice, "0:ack");
    GOT(bob, "2:ack");
    GOT(carol, "0:ack");
    GOT(dave, "0:ack");
    say(alice, 0, "hello");
    GOT(alice, "");
    GOT(bob, "1:open:chat(sender=alice) 1:51:hello");
    GOT(carol, "");
    GOT(dave, "");
    say(alice, 0, "again");
    say(bob, 2, "hi");
    GOT(bob, "1:51:again");
    GOT(alice, "1:open:chat(sender=bob) 1:51:hi");
    open_channel(carol, 2, "chat");
    say(alice, 0, "all");
    GOT(bob, "1:51:all");
    GOT(carol, "2:ack 1:open:chat(sender=alice) 1:51:all");
    open_channel(carol, 4, "chat"); /* twice open is heard once */
    say(bob, 2, "once");
    GOT(carol, "4:ack 3:open:chat(sender=bob) 3:51:once");
    const struct api_counters *n = data_counters(data);
    cr_expect_eq(n->data_associations, 4);
    cr_expect_eq(n->data_channels, 6);
    cr_expect_eq(n->data_messages_in, 5);
    cr_expect_eq(n->data_messages_out, 7);
    end();
}

Test(data, a_message_to_one_reaches_that_one)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob"),
                 *bob2 = enter(3, "r", "bob"), *carol = enter(4, "r", "carol");
    open_channel(alice, 0, "chat@bob");
    say(alice, 0, "nobody hears");
    open_channel(bob, 0, "chat");
    open_channel(carol, 0, "chat");
    open_channel(bob2, 0, "chat");
    open_channel(alice, 2, "chat@nobody");
    open_channel(alice, 4, "mail@home@bob");
    open_as(alice, 6, "chat@bob", "a/b", (struct dcep_reliability){DCEP_RELIABLE});
    open_channel(bob, 2, "mail@home"); /* is itself "mail" to "home" */
    (void)got(alice);
    (void)got(bob);
    (void)got(carol);
    (void)got(bob2);
    say(alice, 0, "psst");
    say(alice, 2, "x");
    say(alice, 4, "y");
    GOT(bob, "1:open:chat(sender=alice&direct=1) 1:51:psst");
    GOT(bob2, "1:open:chat(sender=alice&direct=1) 1:51:psst");
    say(alice, 6, "z");
    GOT(bob, "3:open:chat(sender=alice&direct=1&protocol=a%2Fb) 3:51:z");
    GOT(carol, "");
    end();
}

Test(data, the_control_channel_is_mains)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob");
    open_channel(alice, 0, "sluice");
    cr_expect_eq(n_told[API_DATA_OPENED], 1);
    cr_expect_eq(told_id, 1);
    open_channel(bob, 0, "sluice");
    (void)got(alice);
    (void)got(bob);
    say(alice, 0, "{\"pin\":\"bob\"}");
    cr_expect_str_eq(told, "{\"pin\":\"bob\"}");
    cr_expect_eq(told_id, 1);
    GOT(bob, "");
    data_send(data, 2, NULL, "for bob", 7);
    data_send(data, 0, "r", "for all", 7);
    data_send(data, 0, "elsewhere", "lost", 4);
    data_send(data, 99, NULL, "lost", 4);
    GOT(alice, "0:51:for all");
    GOT(bob, "0:51:for bob 0:51:for all");
    char big[17000] = {0};
    say_as(bob, 0, DCEP_PPID_STRING, big, sizeof(big));
    cr_expect_eq(n_told[API_DATA_MESSAGE], 1);
    cr_expect_eq(n_told[API_DATA_CLOSED], 1);
    cr_expect_eq(bob->n_resets, 1);
    data_on_close(data, 1);
    cr_expect_eq(n_told[API_DATA_CLOSED], 2);
    end();
}

Test(data, kinds_of_messages_are_kept)
{
    static const uint32_t ppids[] = {DCEP_PPID_STRING, DCEP_PPID_BINARY, DCEP_PPID_STRING_EMPTY,
                                     DCEP_PPID_BINARY_EMPTY};
    static const uint32_t stray[] = {0, 49, 52, 54, 55, 58, 0xffffffff};
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob");
    open_channel(alice, 0, "x");
    open_channel(bob, 0, "x");
    (void)got(bob);
    say(alice, 0, "first");
    (void)got(bob);
    for (size_t i = 0; i < ARRAY_LEN(ppids); i++) {
        say_as(alice, 0, ppids[i], "\0", 1);
        cr_assert_eq(bob->n_out, 1);
        cr_expect_eq(bob->out[0].m.ppid, ppids[i]);
        cr_expect_eq(bob->out[0].m.len, 1);
        (void)got(bob);
    }
    for (size_t i = 0; i < ARRAY_LEN(stray); i++) {
        say_as(alice, 0, stray[i], "x", 1);
    }
    say(alice, 2, "no channel there");
    say(bob, 1, "on a channel that is for reading");
    GOT(bob, "");
    GOT(alice, "0:ack");
    cr_expect_eq(data_counters(data)->data_stray, ARRAY_LEN(stray) + 2);
    end();
}

Test(data, reliability_is_the_senders_and_nothing_overtakes_the_open)
{
    static const struct dcep_reliability rows[] = {
        {DCEP_RELIABLE, false, 0}, {DCEP_RELIABLE, true, 0}, {DCEP_REXMIT, true, 0},
        {DCEP_REXMIT, false, 3},   {DCEP_TIMED, true, 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin();
        struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob");
        open_as(alice, 0, "x", "", rows[i]);
        open_channel(bob, 0, "x");
        (void)got(bob);
        say(alice, 0, "1");
        cr_assert_eq(bob->n_out, 2);
        struct dcep_open o;
        cr_assert_eq(dcep_read(bob->out[0].bytes, bob->out[0].m.len, &o), DCEP_OPEN);
        cr_expect_eq(o.reliability.kind, rows[i].kind);
        cr_expect_eq(o.reliability.unordered, rows[i].unordered);
        cr_expect_eq(o.reliability.param, rows[i].param);
        cr_expect_eq(o.priority, 512);
        cr_expect_eq(bob->out[0].m.reliability.kind, DCEP_RELIABLE);
        cr_expect_eq(bob->out[1].m.reliability.kind, rows[i].kind);
        cr_expect_not(bob->out[1].m.reliability.unordered, "row %zu", i);
        (void)got(bob);
        ack(bob, 1);
        say(alice, 0, "2");
        cr_expect_eq(bob->out[0].m.reliability.unordered, rows[i].unordered, "row %zu", i);
        cr_expect_eq(bob->out[0].m.reliability.param, rows[i].param);
        end();
    }
}

Test(data, an_open_that_is_wrong_is_answered_by_a_reset)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice");
    struct assoc *bob = enter(2, "r", "bob");
    static const struct {
        const char *bytes;
        size_t len;
        uint16_t sid;
    } rows[] = {
        {"\x03\0\0\0\0\0\0\0\0\x05\0\0", 12, 0}, /* label beyond the end */
        {"\x03\x09\0\0\0\0\0\0\0\0\0\0", 12, 2}, /* channel type */
        {"\x07", 1, 4},                          /* message type */
        {"\x03\0\0\0\0\0\0\0\0\0\0\0", 12, 5},   /* the server's half of the streams */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        alice->n_resets = 0;
        say_as(alice, rows[i].sid, DCEP_PPID_CONTROL, rows[i].bytes, rows[i].len);
        cr_expect_eq(alice->n_resets, 1, "row %zu", i);
        cr_expect_eq(alice->resets[0], rows[i].sid);
        cr_expect_eq(data_counters(data)->data_channels_refused, i + 1);
    }
    alice->n_resets = 0;
    open_channel(alice, 10, "x");
    open_channel(alice, 10, "y"); /* twice: neither counts */
    cr_expect_eq(alice->n_resets, 1);
    open_channel(bob, 0, "x");
    (void)got(bob);
    say(alice, 10, "nobody listens here");
    GOT(bob, "");
    GOT(alice, "10:ack");
    say_as(alice, ASSOC_STREAMS, DCEP_PPID_CONTROL, "\x03\0\0\0\0\0\0\0\0\0\0\0", 12);
    cr_expect_eq(alice->n_resets, 1, "no such stream: nothing to reset");
    for (uint16_t i = 0; i < 9; i++) {
        open_channel(alice, (uint16_t)(100 + 2 * i), "many");
    }
    cr_expect_eq(alice->n_resets, 2);
    cr_expect_eq(alice->resets[1], 116, "the ninth of eight");
    end();
}

Test(data, streams_are_used_again_once_both_halves_are_closed)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob");
    open_channel(bob, 0, "x");
    for (int round = 0; round < 3; round++) {
        open_channel(alice, 0, "x");
        GOT(alice, "0:ack");
        alice->n_resets = 0;
        tell(alice, ASSOC_RESET_BY_PEER, 0);
        cr_expect_eq(alice->n_resets, 1, "our half follows");
        tell(alice, ASSOC_RESET_DONE, 0);
    }
    open_channel(alice, 0, "x"); /* again before our half is done: the ACK waits */
    (void)got(alice);
    tell(alice, ASSOC_RESET_BY_PEER, 0);
    open_channel(alice, 0, "x");
    GOT(alice, "");
    tell(alice, ASSOC_RESET_DONE, 0);
    GOT(alice, "0:ack");
    (void)got(bob);
    say(alice, 0, "1");
    GOT(bob, "1:open:x(sender=alice) 1:51:1");
    bob->n_resets = 0;
    tell(alice, ASSOC_RESET_BY_PEER, 0);
    cr_expect_eq(bob->n_resets, 1, "the reader is told");
    cr_expect_eq(bob->resets[0], 1);
    close_both(bob, 1);
    tell(alice, ASSOC_RESET_DONE, 0);
    end();
}

Test(data, who_leaves_takes_the_channels_along)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob");
    open_channel(alice, 0, "x");
    open_channel(alice, 2, "y");
    open_channel(bob, 0, "x");
    open_channel(bob, 2, "y");
    say(alice, 0, "1");
    say(alice, 2, "2");
    say(bob, 0, "3");
    data_on_close(data, 1);
    cr_expect_eq(bob->n_resets, 2);
    say(bob, 0, "anyone?");
    alice = enter(3, "r", "alice");
    open_channel(alice, 0, "x");
    (void)got(bob);
    say(alice, 0, "back");
    GOT(bob, "5:open:x(sender=alice) 5:51:back");
    push(alice, &(struct assoc_event){.kind = ASSOC_DOWN});
    turn();
    cr_expect_eq(bob->n_resets, 3);
    say(bob, 0, "to nobody");
    data_on_close(data, 3);
    data_on_close(data, 3);
    end();
}

Test(data, a_reader_that_closes_a_channel_hears_no_more_of_it)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob"),
                 *carol = enter(3, "r", "carol");
    open_channel(alice, 0, "x");
    open_channel(bob, 0, "x");
    open_channel(carol, 0, "x");
    (void)got(bob);
    say(alice, 0, "1");
    close_both(bob, 1);
    (void)got(bob);
    say(alice, 0, "2");
    say(carol, 0, "3");
    GOT(bob, "3:open:x(sender=carol) 3:51:3");
    tell(alice, ASSOC_RESET_BY_PEER, 0);
    tell(alice, ASSOC_RESET_DONE, 0);
    open_channel(alice, 0, "x");
    say(alice, 0, "4");
    GOT(bob, "5:open:x(sender=alice) 5:51:4");
    end();
}

Test(data, a_slow_reader_loses_lossy_messages_and_reliable_channels_and_nobody_else_does)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob"),
                 *carol = enter(3, "r", "carol");
    open_as(alice, 0, "game", "", (struct dcep_reliability){DCEP_REXMIT, true, 0});
    open_channel(alice, 2, "file");
    for (uint16_t i = 0; i < 2; i++) {
        open_channel(i ? carol : bob, 0, "game");
        open_channel(i ? carol : bob, 2, "file");
    }
    say(alice, 0, "1");
    say(alice, 2, "2");
    (void)got(bob);
    (void)got(carol);
    bob->slow = true;
    for (int i = 0; i < 10; i++) {
        say(alice, 0, "g");
    }
    const struct api_counters *n = data_counters(data);
    cr_expect_eq(n->data_slow_dropped, 10);
    cr_expect_eq(bob->n_resets, 0);
    cr_expect_eq(carol->n_out, 10);
    (void)got(carol);
    say(alice, 2, "f");
    cr_expect_eq(n->data_slow_closed, 1);
    cr_expect_eq(bob->n_resets, 1);
    cr_expect_eq(bob->resets[0], 3);
    say(alice, 2, "f");
    cr_expect_eq(n->data_slow_closed, 1);
    cr_expect_eq(n->data_slow_dropped, 11);
    GOT(carol, "3:51:f 3:51:f");
    bob->slow = false;
    say(alice, 2, "back");
    say(alice, 0, "back");
    GOT(bob, "5:open:file(sender=alice) 5:51:back 1:51:back");
    end();
}

static void pass_ms(int ms)
{
    for (int i = 0; i < ms; i += 10) {
        now_us += 10 * US_PER_MS;
        data_tick(data, now_us);
        turn();
    }
}

Test(data, a_sender_waits_for_its_only_reader_while_that_gets_on)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob"),
                 *carol = enter(3, "r", "carol");
    open_channel(alice, 0, "file");
    open_channel(alice, 2, "chat");
    open_channel(bob, 0, "file");
    open_channel(carol, 0, "chat");
    say(alice, 0, "1");
    GOT(bob, "0:ack 1:open:file(sender=alice) 1:51:1");
    (void)got(carol);
    bob->half = true;
    bob->waiting = 100000;
    say(alice, 0, "2");
    say(alice, 2, "behind it");
    pass_ms(1900);
    GOT(bob, "");
    GOT(carol, "");
    bob->waiting = 99000; /* it gets on */
    pass_ms(1900);
    GOT(bob, "");
    bob->half = false;
    pass_ms(10);
    GOT(bob, "1:51:2");
    GOT(carol, "1:open:chat(sender=alice) 1:51:behind it");
    const struct api_counters *n = data_counters(data);
    cr_expect_eq(n->data_held, 1);
    cr_expect_eq(n->data_slow_closed + n->data_slow_dropped, 0);
    bob->half = true; /* and then it does not any more: nobody waits for ever */
    say(alice, 0, "3");
    say(alice, 2, "how long?");
    pass_ms(1900);
    GOT(carol, "");
    pass_ms(200);
    GOT(carol, "1:51:how long?");
    cr_expect_eq(bob->n_resets, 1);
    cr_expect_eq(n->data_slow_closed, 1);
    say(alice, 0, "4");
    say(alice, 2, "no wait");
    GOT(carol, "1:51:no wait");
    bob->half = false;
    say(alice, 0, "5");
    GOT(bob, "3:open:file(sender=alice) 3:51:5");
    bob->half = true; /* who keeps up does not wait for who does not */
    open_channel(carol, 2, "file");
    (void)got(carol);
    say(alice, 0, "6");
    GOT(carol, "3:open:file(sender=alice) 3:51:6");
    GOT(bob, "3:51:6");
    carol->half = true;
    say(alice, 0, "7");
    data_on_close(data, 1); /* while it is held up */
    end();
}

Test(data, messages_that_are_too_long)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice");
    struct data_open small = {.id = 2, .client_even = true, .data = {.on = true, .port = 5000}};
    snprintf(small.data.room, sizeof(small.data.room), "r");
    snprintf(small.data.name, sizeof(small.data.name), "bob");
    small.data.max_message_bytes = 10;
    data_on_open(data, &small, now_us);
    struct assoc *bob = newest;
    push(bob, &(struct assoc_event){.kind = ASSOC_UP, .n_streams = ASSOC_STREAMS});
    open_channel(alice, 0, "x");
    open_channel(bob, 0, "x");
    (void)got(bob);
    say(alice, 0, "0123456789");
    say(alice, 0, "0123456789a");
    GOT(bob, "1:open:x(sender=alice) 1:51:0123456789");
    cr_expect_eq(data_counters(data)->data_too_long, 1);
    cr_expect_eq(alice->n_resets, 0);
    push(alice, &(struct assoc_event){.kind = ASSOC_TOO_LONG, .sid = 0, .len = 70000});
    turn();
    cr_expect_eq(alice->n_resets, 1, "above our own limit: the channel is closed");
    cr_expect_eq(bob->n_resets, 1);
    end();
}

Test(data, a_sender_that_is_too_fast_is_held_up_and_loses_nothing)
{
    begin();
    conf.data.messages_per_s = 100;
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob"),
                 *carol = enter(3, "r", "carol");
    open_channel(alice, 0, "x");
    open_channel(bob, 0, "x");
    open_channel(carol, 0, "x");
    (void)got(bob);
    for (int i = 0; i < 1000; i++) {
        push(alice, &(struct assoc_event){.kind = ASSOC_MESSAGE,
                                          .sid = 0,
                                          .ppid = DCEP_PPID_STRING,
                                          .data = (const uint8_t *)"x",
                                          .len = 1});
    }
    turn();
    unsigned at_once = bob->n_out;
    cr_expect_leq(at_once, 101);
    cr_expect_geq(at_once, 90);
    say(carol, 0, "me too");
    cr_expect_eq(bob->n_out, at_once + 2, "others are not held up");
    for (int ms = 0; ms < 5000; ms += 10) {
        now_us += 10 * US_PER_MS;
        data_tick(data, now_us);
        turn();
    }
    cr_expect_leq(bob->n_out - at_once, 510);
    cr_expect_geq(bob->n_out - at_once, 490);
    for (int ms = 0; ms < 6000; ms += 10) {
        now_us += 10 * US_PER_MS;
        data_tick(data, now_us);
        turn();
    }
    cr_expect_eq(bob->n_out, 1 + 1000 + 2);
    cr_expect_gt(data_counters(data)->data_throttled, 0);
    end();
}

Test(data, a_reader_has_so_many_channels_and_the_one_unused_longest_gives_way)
{
    begin();
    struct assoc *bob = enter(1, "r", "bob"), *first = NULL, *last = NULL;
    open_channel(bob, 0, "x");
    (void)got(bob);
    for (uint64_t id = 2; id < 2 + 130; id++) {
        char name[16];
        snprintf(name, sizeof(name), "p%u", (unsigned)id);
        last = enter(id, "r", name);
        first = first ? first : last;
        open_channel(last, 0, "x");
        say(last, 0, "hello");
        if (id == 100) {
            say(first, 0, "still here");
        }
    }
    cr_expect_eq(bob->n_resets, 2, "%u", bob->n_resets);
    cr_expect_neq(bob->resets[0], 1, "the first speaker was heard again meanwhile");
    (void)got(bob);
    say(last, 0, "x");
    cr_expect_eq(bob->n_out, 1);
    end();
}

Test(data, a_thousand_opens_and_closes_leave_nothing_behind)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob");
    open_channel(bob, 0, "x7");
    for (unsigned i = 0; i < 1000; i++) {
        char label[16];
        uint16_t sid = (uint16_t)(2 * (i % 200));
        snprintf(label, sizeof(label), "x%u", i % 10);
        open_channel(alice, sid, label);
        say(alice, sid, "x");
        tell(alice, ASSOC_RESET_BY_PEER, sid);
        tell(alice, ASSOC_RESET_DONE, sid);
        if (i % 10 == 7) {
            cr_expect_eq(bob->n_resets, 1);
            close_both(bob, bob->resets[0]);
        }
        alice->n_resets = bob->n_resets = 0;
        alice->n_out = bob->n_out = 0;
    }
    cr_expect_eq(data_counters(data)->data_channels, 1001);
    cr_expect_eq(data_counters(data)->data_channels_refused, 0);
    end();
}

static unsigned n_stats;
static struct api_data_stats stats_of[4];

static void on_stats(int worker, uint64_t id, const struct api_data_stats *st, void *ctx)
{
    (void)ctx;
    cr_assert(worker == 0 && id < ARRAY_LEN(stats_of));
    stats_of[id] = *st;
    n_stats++;
}

Test(data, numbers_are_told_when_they_have_changed)
{
    begin();
    struct assoc *alice = enter(1, "r", "alice"), *bob = enter(2, "r", "bob");
    open_channel(alice, 0, "x");
    open_channel(bob, 0, "x");
    say(alice, 0, "12345");
    data_each_changed(data, on_stats, NULL);
    cr_expect_eq(n_stats, 2);
    cr_expect_eq(stats_of[1].channels, 1);
    cr_expect_eq(stats_of[1].messages_in, 1);
    cr_expect_eq(stats_of[1].bytes_in, 5);
    cr_expect_eq(stats_of[2].channels, 2);
    cr_expect_eq(stats_of[2].messages_out, 1);
    cr_expect_eq(stats_of[2].bytes_out, 5);
    data_each_changed(data, on_stats, NULL);
    cr_expect_eq(n_stats, 2);
    end();
}

Test(data, packets_are_counted_by_why_they_were_refused)
{
    begin();
    (void)enter(1, "r", "alice");
    for (uint8_t why = 0; why < ASSOC_FILTER_COUNT; why++) {
        data_on_packet(data, 1, &why, 1, now_us);
    }
    data_on_packet(data, 2, (const uint8_t *)"", 1, now_us);
    const struct api_counters *n = data_counters(data);
    cr_expect_eq(n->drop_sctp_form, 3);
    cr_expect_eq(n->drop_sctp_chunk, 2);
    cr_expect_eq(n->drop_sctp_init, 1);
    cr_expect_eq(n->drop_sctp_unknown, 1);
    end();
}
