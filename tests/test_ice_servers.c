/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/ice_servers.h"

static struct conf *with_servers(void)
{
    struct conf *c = calloc(1, sizeof(*c));
    c->ice_servers.n = 3;
    c->ice_servers.credential_ttl_s = 86400;
    c->ice_servers.servers[0] = (struct conf_ice_server){.url = "stun:stun.example.org:3478"};
    c->ice_servers.servers[1] =
        (struct conf_ice_server){.url = "turn:turn.example.org?transport=udp", .secret = "north"};
    c->ice_servers.servers[2] = (struct conf_ice_server){
        .url = "turns:turn.example.org:443", .username = "u", .credential = "c"};
    return c;
}

Test(ice_servers, makes_the_credentials_that_coturn_expects)
{
    /* printf %s 1800086400:s42 | openssl dgst -sha1 -hmac north -binary | base64 */
    char out[32];
    ice_servers_credential("north", "1800086400:s42", out);
    cr_expect_str_eq(out, "OYkJq8nyRCaOEqdDpMc9r+QRU3g=");
    struct conf *c = with_servers();
    char link[ICE_SERVERS_LINK_MAX];
    cr_assert_eq(ice_servers_link(c, 1, "s42", 1800000000, link), 0);
    cr_expect_str_eq(link,
                     "<turn:turn.example.org?transport=udp>; rel=\"ice-server\"; "
                     "username=\"1800086400:s42\"; credential=\"OYkJq8nyRCaOEqdDpMc9r+QRU3g=\"; "
                     "credential-type=\"password\"");
    free(c);
}

Test(ice_servers, writes_links_in_the_order_clients_read)
{
    struct conf *c = with_servers();
    char link[ICE_SERVERS_LINK_MAX];
    cr_assert_eq(ice_servers_link(c, 0, "s1", 0, link), 0);
    cr_expect_str_eq(link, "<stun:stun.example.org:3478>; rel=\"ice-server\"");
    cr_assert_eq(ice_servers_link(c, 2, "s1", 0, link), 0);
    cr_expect_str_eq(link, "<turns:turn.example.org:443>; rel=\"ice-server\"; username=\"u\"; "
                           "credential=\"c\"; credential-type=\"password\"");
    free(c);
}

Test(ice_servers, refuses_what_clients_split_on)
{
    static const char *const bad_ones[] = {"a,b",    "a;b", "a\"b", "a'b",  "a b",
                                           "a\r\nb", "<a>", "a\\b", "a\tb", "a\x80"};
    for (size_t i = 0; i < ARRAY_LEN(bad_ones); i++) {
        for (int where = 0; where < 3; where++) {
            struct conf *c = with_servers();
            struct conf_ice_server *s = &c->ice_servers.servers[2];
            char *at = where == 0 ? s->url : where == 1 ? s->username : s->credential;
            const char *bad = NULL;
            cr_assert_eq(ice_servers_check(c, &bad), 0);
            snprintf(at, 16, "%s", bad_ones[i]);
            cr_expect_lt(ice_servers_check(c, &bad), 0, "%zu at %d", i, where);
            cr_expect_eq(bad, s->url);
            free(c);
        }
    }
}
