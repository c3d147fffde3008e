/* SPDX-License-Identifier: Apache-2.0 */
/* The m=application section of offers (RFC 8841, standards DC-01..05). */
#include "tests/negotiate_kit.h"
#include "tests/sdp_check.h"

#define HEAD "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define AUDIO(mid, direction)                                                                      \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:" mid "\r\n" TRANSPORT "a=" direction                \
    "\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
#define DATA(mid) "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:" mid "\r\n" TRANSPORT
#define PORT      "a=sctp-port:5000\r\n"

/* The answer of a server that has data channels on, or off. */
static int answer_data(const char *text, bool publish, bool on, struct negotiate_result *r)
{
    struct negotiate_params p = params();
    struct negotiate_refusal why;
    p.data = on;
    p.data_max_message_bytes = 65536;
    snprintf(p.data_room, sizeof(p.data_room), "room");
    snprintf(p.data_name, sizeof(p.data_name), "main");
    *r = (struct negotiate_result){0};
    return answer(text, publish, &p, NULL, r, &why);
}

/* What the answer says of the section, from its m-line to the next or the end. */
static const char *section(const char *text)
{
    static char out[2048];
    const char *at = strstr(text, "m=application");
    cr_assert(at, "%s", text);
    const char *end = strstr(at, "\r\nm=");
    snprintf(out, sizeof(out), "%.*s", end ? (int)(end + 2 - at) : (int)strlen(at), at);
    return out;
}

Test(negotiate_data, a_section_is_answered_in_the_bundle_without_candidates_of_its_own)
{
    for (int publish = 0; publish < 2; publish++) {
        struct negotiate_result r;
        const char *offer = publish ? HEAD "a=group:BUNDLE 0 1\r\n" AUDIO("0", "sendonly") DATA("1")
                                          PORT "a=max-message-size:262144\r\n"
                                    : HEAD "a=group:BUNDLE 0 1\r\n" AUDIO("0", "recvonly") DATA("1")
                                          PORT "a=max-message-size:262144\r\n";
        cr_assert_eq(answer_data(offer, publish, true, &r), 0);
        cr_expect(strstr(r.answer, "a=group:BUNDLE 0 1\r\n"), "DC-04");
        const char *s = section(r.answer);
        cr_expect(strstr(s, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"), "DC-01: %s",
                  s);
        cr_expect(strstr(s, "a=mid:1\r\n") && strstr(s, "a=sctp-port:5000\r\n") &&
                      strstr(s, "a=max-message-size:65536\r\n"),
                  "DC-01: %s", s);
        cr_expect(strstr(s, "a=setup:passive") && !strstr(s, "a=candidate"), "DC-04: %s", s);
        cr_expect(!strstr(s, "rtcp-mux") && !strstr(s, "sendonly") && !strstr(s, "recvonly"));
        cr_expect(r.session->data.on && r.session->link.data_channel);
        cr_expect_eq(r.session->data.index, 1);
        cr_expect_eq(r.session->data.port, 5000);
        cr_expect_eq(r.session->data.max_message_bytes, 262144);
        cr_expect_str_eq(r.session->data.mid, "1");
        cr_expect_str_eq(r.session->data.room, "room");
        cr_expect_str_eq(r.session->data.name, "main");
        cr_expect_eq(r.session->n_mlines, 1);
        done(&r);
    }
}

Test(negotiate_data, alone_it_carries_the_transport_or_is_refused_where_it_is_off)
{
    static const char *const offers[] = {
        HEAD "a=group:BUNDLE 0\r\n" DATA("0") PORT,
        HEAD DATA("0") PORT,
        HEAD "m=application 9 TCP/DTLS/SCTP webrtc-datachannel\r\n" TRANSPORT PORT,
    };
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        for (int publish = 0; publish < 2; publish++) {
            struct negotiate_result r;
            cr_assert_eq(answer_data(offers[i], publish, true, &r), 0, "row %zu", i);
            const char *s = section(r.answer);
            cr_expect(strstr(s, "a=candidate:") && strstr(s, "a=end-of-candidates"), "%s", s);
            cr_expect_eq(r.session->n_mlines, 0);
            cr_expect(!r.source.audio && !r.source.video);
            cr_expect_eq(r.session->data.max_message_bytes, 65536, "DC-03: when not said");
            done(&r);
            cr_expect_eq(answer_data(offers[i], publish, false, &r), 422, "DC-05");
            done(&r);
        }
    }
}

Test(negotiate_data, what_cannot_be_served_gets_port_0_and_media_is_served)
{
    static const struct {
        const char *what, *section;
    } rows[] = {
        {"no port", DATA("1")},
        {"port 0", DATA("1") "a=sctp-port:0\r\n"},
        {"port 65536", DATA("1") "a=sctp-port:65536\r\n"},
        {"port -1", DATA("1") "a=sctp-port:-1\r\n"},
        {"the old form (DC-02)", "m=application 9 DTLS/SCTP 5000\r\na=mid:1\r\n" TRANSPORT
                                 "a=sctpmap:5000 webrtc-datachannel 65535\r\n"},
        {"not encrypted",
         "m=application 9 UDP/SCTP webrtc-datachannel\r\na=mid:1\r\n" TRANSPORT PORT},
        {"another use", "m=application 9 UDP/DTLS/SCTP t38\r\na=mid:1\r\n" TRANSPORT PORT},
        {"rejected", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n" PORT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char offer[4096];
        struct negotiate_result r;
        snprintf(offer, sizeof(offer), "%s%s", HEAD "a=group:BUNDLE 0 1\r\n" AUDIO("0", "sendonly"),
                 rows[i].section);
        cr_assert_eq(answer_data(offer, true, true, &r), 0, "%s", rows[i].what);
        cr_expect_eq(strncmp(section(r.answer), "m=application 0 ", 16), 0, "%s", rows[i].what);
        cr_expect(strstr(r.answer, "a=group:BUNDLE 0\r\n"), "%s", rows[i].what);
        cr_expect(!r.session->data.on && !r.session->link.data_channel, "%s", rows[i].what);
        done(&r);
    }
    struct negotiate_result r;
    const char *two =
        HEAD "a=group:BUNDLE 0 1 2\r\n" AUDIO("0", "sendonly") DATA("1") PORT DATA("2") PORT;
    cr_assert_eq(answer_data(two, true, true, &r), 0);
    cr_expect(strstr(r.answer, "a=group:BUNDLE 0 1\r\n"), "one association: %s", r.answer);
    done(&r);
    cr_assert_eq(answer_data(HEAD "a=group:BUNDLE 0 1\r\n" AUDIO("0", "sendonly") DATA("1") PORT,
                             true, false, &r),
                 0);
    cr_expect_eq(strncmp(section(r.answer), "m=application 0 ", 16), 0, "SEC-72");
    done(&r);
}

Test(negotiate_data, the_peers_message_size_is_understood)
{
    static const struct {
        const char *line;
        uint32_t want;
    } rows[] = {
        {"", 65536},
        {"a=max-message-size:0\r\n", 0},
        {"a=max-message-size:1\r\n", 1},
        {"a=max-message-size:1073741823\r\n", 1073741823}, /* Firefox */
        {"a=max-message-size:4294967296\r\n", UINT32_MAX},
        {"a=max-message-size:-5\r\n", 65536},
        {"a=max-message-size:many\r\n", 65536},
        {"a=max-message-size:99999999999999999999999\r\n", 65536},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char offer[2048];
        struct negotiate_result r;
        snprintf(offer, sizeof(offer), "%s%s", HEAD DATA("0") PORT, rows[i].line);
        cr_assert_eq(answer_data(offer, false, true, &r), 0);
        cr_expect_eq(r.session->data.max_message_bytes, rows[i].want, "%s", rows[i].line);
        done(&r);
    }
}

Test(negotiate_data, the_first_of_the_group_has_the_transport)
{
    struct negotiate_result r;
    const char *offer = HEAD "a=group:BUNDLE 1 0\r\n" AUDIO("0", "sendonly") DATA("1") PORT;
    cr_assert_eq(answer_data(offer, true, true, &r), 0);
    cr_expect(strstr(r.answer, "a=group:BUNDLE 1 0\r\n"));
    cr_expect(strstr(section(r.answer), "a=candidate:"));
    cr_expect_null(strstr(strstr(r.answer, "m=audio"), "a=candidate:") <
                           strstr(r.answer, "m=application")
                       ? strstr(strstr(r.answer, "m=audio"), "a=candidate:")
                       : NULL);
    done(&r);
    struct negotiate_params p = params();
    char *fragment = negotiate_restart_fragment(&p, "1", MEDIA_AUDIO, true);
    cr_expect(strstr(fragment, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"));
    free(fragment);
}

Test(negotiate_data, what_real_clients_offer)
{
    static const struct {
        const char *name;
        bool taken;
        uint32_t max_message_bytes;
    } rows[] = {
        {"chromium156-pub-av-datachannel", true, 262144},
        {"chromium156-pub-video-datachannel", true, 262144},
        {"chromium156-play-datachannel", true, 262144},
        {"firefox153-pub-av-datachannel", true, 1073741823},
        {"firefox153-pub-video-datachannel", true, 1073741823},
        {"firefox153-play-datachannel", true, 1073741823},
        {"aiortc1.4.0-pub-av-datachannel", false, 0}, /* the old form */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[128];
        struct negotiate_result r;
        snprintf(path, sizeof(path), "sdp/%s.sdp", rows[i].name);
        char *text = fixture_load(path, NULL);
        cr_assert_eq(answer_data(text, strstr(rows[i].name, "-pub-"), true, &r), 0, "%s",
                     rows[i].name);
        cr_expect_eq(r.session->data.on, rows[i].taken, "%s", rows[i].name);
        cr_expect_eq(r.session->data.max_message_bytes, rows[i].max_message_bytes, "%s %u",
                     rows[i].name, (unsigned)r.session->data.max_message_bytes);
        cr_expect_geq(r.session->n_mlines, 1, "%s", rows[i].name);
        done(&r);
        free(text);
    }
}
