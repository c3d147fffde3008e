/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "signaling/sdpfrag.h"
#include "tests/sdp_check.h"

#define CREDS "a=ice-ufrag:lZDk\r\na=ice-pwd:lyMM2DwIkstFGXxq2iNSabEO\r\n"
#define PWD   "a=ice-pwd:lyMM2DwIkstFGXxq2iNSabEO\r\n"
#define M     "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
#define CAND  "a=candidate:1 1 udp 2122063615 192.0.2.2 53804 typ host"

static int read_exact(const char *text, size_t len, struct sdpfrag *ret)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    int err = sdpfrag_read(copy, len, ret);
    free(copy);
    return err;
}

static const struct {
    const char *id, *text;
    int err, n_mids, n_candidates;
    bool end;
} rows[] = {
    /* standards 4e: what real clients send */
    {"one candidate", CREDS M CAND "\r\n", 0, 1, 1, false},
    {"byte order mark, blanks", "\xef\xbb\xbf" CREDS M CAND " \t\r\n", 0, 1, 1, false},
    {"attributes behind", CREDS M CAND " generation 0 ufrag lZDk network-id 1\r\n", 0, 1, 1, false},
    {"credentials in the section", M CREDS CAND "\r\n", 0, 1, 1, false},
    {"no m-line (binbat's restart)", CREDS, 0, 0, 0, false},
    {"end only", CREDS M "a=end-of-candidates\r\n", 0, 1, 0, true},
    {"empty attribute", CREDS M "a=\r\na=end-of-candidates\r\n", 0, 1, 0, true},
    {"misspelt end", CREDS M "a=end-of-canidates\r\n", 0, 1, 0, false},
    {"RTP/AVP 0", CREDS "m=audio 9 RTP/AVP 0\r\na=mid:video0\r\n", 0, 1, 0, false},
    {"no port (medooze)", CREDS "m=audio RTP/AVP 0\r\na=mid:0\r\n", 0, 1, 0, false},
    {"index as mid (MediaMTX)", CREDS "m=x 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:17\r\n", 0, 1, 0, false},
    {"several sections", CREDS M CAND "\r\nm=video 9 RTP/AVP 0\r\na=mid:1\r\n" CAND "\r\n", 0, 2, 2,
     false},
    {"same mid again", CREDS M CAND "\r\n" M CAND "\r\n", 0, 1, 2, false},
    {"LF only, no last line end", "a=ice-ufrag:lZDk\na=ice-pwd:lyMM2DwIkstFGXxq2iNSabEO\n\n" CAND,
     0, 0, 1, false},
    {"unknown lines", "v=0\r\ns=-\r\nb=AS:1\r\n" CREDS "a=group:BUNDLE 0\r\na=ice-options:ice2\r\n",
     0, 0, 0, false},
    {"WHIP-39 TCP",
     CREDS M "a=candidate:3 1 TCP 1010827519 10.77.0.2 9 typ host tcptype active\r\n", 0, 1, 1,
     false},
    {"WHIP-39 mDNS", CREDS M "a=candidate:3 1 udp 5 1f0e-2.local 9 typ host\r\n", 0, 1, 1, false},
    {"WHIP-39 unknown transport", CREDS M "a=candidate:3 1 dccp 5 192.0.2.1 9 typ host\r\n", 0, 1,
     1, false},
    {"component 2", CREDS M "a=candidate:0 2 UDP 5 fd77::2 9 typ host\r\n", 0, 1, 1, false},
    /* ICE-18: dropped without an error */
    {"component 0 (Eyevinn)", CREDS M "a=candidate:1 0 udp 5 [fd00::2] 9 typ host\r\n", 0, 1, 0,
     false},
    {"port 0", CREDS M "a=candidate:1 1 udp 5 192.0.2.1 0 typ host\r\n", 0, 1, 0, false},
    {"port 65536", CREDS M "a=candidate:1 1 udp 5 192.0.2.1 65536 typ host\r\n", 0, 1, 0, false},
    {"port text", CREDS M "a=candidate:1 1 udp 5 192.0.2.1 1x typ host\r\n", 0, 1, 0, false},
    {"priority overlong", CREDS M "a=candidate:1 1 udp 99999999999 192.0.2.1 1 typ host\r\n", 0, 1,
     0, false},
    {"cut candidate", CREDS M "a=candidate:1 1 udp 5 192.0.2.1 1 typ\r\n", 0, 1, 0, false},
    {"empty candidate", CREDS M "a=candidate:\r\n", 0, 1, 0, false},
    /* WHIP-37: refused */
    {"empty", "", -EBADMSG, 0, 0, false},
    {"no ufrag", PWD M CAND "\r\n", -EBADMSG, 0, 0, false},
    {"no pwd", "a=ice-ufrag:lZDk\r\n" M CAND "\r\n", -EBADMSG, 0, 0, false},
    {"ufrag of 3", "a=ice-ufrag:lZD\r\n" PWD, -EBADMSG, 0, 0, false},
    {"ufrag character", "a=ice-ufrag:lZD\"\r\n" PWD, -EBADMSG, 0, 0, false},
    {"pwd of 21", "a=ice-ufrag:lZDk\r\na=ice-pwd:lyMM2DwIkstFGXxq2iNSa\r\n", -EBADMSG, 0, 0, false},
    {"m= garbage", CREDS "m=garbage\r\n", -EBADMSG, 0, 0, false},
    {"m= empty", CREDS "m=\r\n", -EBADMSG, 0, 0, false},
    {"no line", CREDS "garbage\r\n", -EBADMSG, 0, 0, false},
    {"JSON", "{\"candidate\":\"\"}", -EBADMSG, 0, 0, false},
    {"bare CR", CREDS "a=mid:0\ra=mid:1\r\n", -EBADMSG, 0, 0, false},
    {"mid empty", CREDS "a=mid:\r\n", -EBADMSG, 0, 0, false},
    {"mid of 32", CREDS "a=mid:abcdefghijklmnopqrstuvwxyz012345\r\n", -EBADMSG, 0, 0, false},
    {"mid with a blank", CREDS "a=mid:a b\r\n", -EBADMSG, 0, 0, false},
};

Test(sdpfrag, takes_and_refuses_as_the_table_says)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sdpfrag f = {.n_mids = -1};
        int err = read_exact(rows[i].text, strlen(rows[i].text), &f);
        cr_expect_eq(err, rows[i].err, "%s: %d", rows[i].id, err);
        if (err) {
            cr_expect_eq(f.n_mids, -1, "%s: written on failure", rows[i].id);
            continue;
        }
        cr_expect_str_eq(f.ufrag, "lZDk", "%s", rows[i].id);
        cr_expect_str_eq(f.pwd, "lyMM2DwIkstFGXxq2iNSabEO", "%s", rows[i].id);
        cr_expect_eq(f.n_mids, rows[i].n_mids, "%s", rows[i].id);
        cr_expect_eq(f.n_candidates, rows[i].n_candidates, "%s", rows[i].id);
        cr_expect_eq(f.end_of_candidates, rows[i].end, "%s", rows[i].id);
    }
}

/* Other sections than the first may carry other credentials (aiortc): the first ones count. */
Test(sdpfrag, first_credentials_win)
{
    struct sdpfrag f;
    static const char text[] = CREDS M "a=ice-ufrag:other\r\na=ice-pwd:0000000000000000000000\r\n";
    cr_assert_eq(read_exact(text, strlen(text), &f), 0);
    cr_expect_str_eq(f.ufrag, "lZDk");
    cr_expect_str_eq(f.pwd, "lyMM2DwIkstFGXxq2iNSabEO");
}

static void read_one(const char *name, const char *text, size_t len)
{
    struct sdpfrag f;
    int n_lines = 0;
    cr_assert_eq(read_exact(text, len, &f), 0, "%s", name);
    for (const char *p = strstr(text, "a=candidate:"); p; p = strstr(p + 1, "a=candidate:")) {
        n_lines++;
    }
    cr_expect_eq(f.n_candidates, n_lines, "%s", name);
    cr_expect_eq(f.n_mids, strstr(text, "a=mid:") != NULL, "%s", name);
    cr_expect_eq(f.end_of_candidates, strstr(text, "end-of-candidates") != NULL, "%s", name);
}

Test(sdpfrag, reads_the_fragments_of_real_clients)
{
    cr_assert_eq(fixture_each("sdp/trickle", ".sdpfrag", read_one), 10);
}

Test(sdpfrag, survives_every_truncation_and_every_inverted_byte)
{
    char text[] = CREDS M CAND "\r\na=end-of-candidates\r\n";
    size_t len = strlen(text);
    struct sdpfrag f;
    for (size_t i = 0; i < len; i++) {
        int err = read_exact(text, i, &f);
        cr_expect(err == 0 || err == -EBADMSG, "cut at %zu", i);
        text[i] = (char)~text[i];
        err = read_exact(text, len, &f);
        cr_expect(err == 0 || err == -EBADMSG, "inverted at %zu", i);
        text[i] = (char)~text[i];
    }
}

Test(sdpfrag, keeps_its_limits)
{
    static char text[256 * 1024];
    struct sdpfrag f;
    for (int n = SDPFRAG_MIDS_MAX; n <= SDPFRAG_MIDS_MAX + 1; n++) {
        size_t at = (size_t)sprintf(text, CREDS);
        for (int i = 0; i < n; i++) {
            at += (size_t)sprintf(text + at, "a=mid:%d\r\n", i);
        }
        cr_expect_eq(read_exact(text, at, &f), n > SDPFRAG_MIDS_MAX ? -EBADMSG : 0, "%d mids", n);
    }
    size_t at = (size_t)sprintf(text, CREDS "a=x:");
    memset(text + at, 'x', 200 * 1024);
    cr_expect_eq(read_exact(text, at + 8000, &f), 0);
    cr_expect_eq(read_exact(text, at + 8192, &f), -EBADMSG, "line above 8 KiB");
    cr_expect_eq(read_exact(text, at + 200 * 1024, &f), -EBADMSG, "body above 128 KiB");
}
