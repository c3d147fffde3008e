/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "signaling/etag.h"

Test(etag, compares_as_rfc_9110_and_real_clients_do)
{
    static const struct {
        const char *header;
        enum etag_match want;
    } rows[] = {
        {NULL, ETAG_ABSENT},
        {"\"cur\"", ETAG_CURRENT},
        {"  \"cur\"  ", ETAG_CURRENT},
        {"\"a\", \"cur\"", ETAG_CURRENT}, /* WHIP-34 */
        {"\"a\",\"b\" ,\"cur\",", ETAG_CURRENT},
        {"\"a\", W/\"b\", \"cur\"", ETAG_CURRENT},
        {"*", ETAG_ANY},     /* WHIP-35 */
        {"\"*\"", ETAG_ANY}, /* simple-whip-server's form */
        {" * ", ETAG_ANY},
        {"\"a\", *", ETAG_ANY},
        {"cur", ETAG_CURRENT}, /* unquoted */
        {"\"old\"", ETAG_STALE},
        {"W/\"cur\"", ETAG_STALE}, /* strong comparison */
        {"W/*", ETAG_STALE},
        {"\"curr\"", ETAG_STALE},
        {"\"cu\"", ETAG_STALE},
        {"\"CUR\"", ETAG_STALE},
        {"\"cur", ETAG_CURRENT}, /* a lost quote */
        {"", ETAG_STALE},
        {",,,", ETAG_STALE},
        {"\"\"", ETAG_STALE},
        {"\"a,cur\"", ETAG_STALE}, /* a comma within quotes */
        {"**", ETAG_STALE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(etag_match(rows[i].header, "cur"), rows[i].want, "row %zu: %s", i,
                     rows[i].header ? rows[i].header : "(none)");
    }
}
