/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - settings from a file, and single settings as text. The first byte chooses: 0 a
 * file, else the key whose number it is. What is accepted must print, and print the same again. */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_apply.h"
#include "conf/conf_keys.h"
#include "tests/fuzz/fuzz.h"

static struct conf c, again;

static void check_printed(void)
{
    struct conf_error err;
    char *text = conf_print(&c);
    if (!text) {
        abort();
    }
    /* Masked secrets are no longer what they were, and names may hold invalid UTF-8; all else must
     * survive. */
    if (c.auth.n_tokens == 0 && c.ice_servers.n == 0) {
        const struct conf_json_text t = {"printed", text, strlen(text)};
        conf_defaults(&again);
        if (conf_apply_file(&again, &t, NULL, &err) || conf_validate(&again, &err) ||
            strcmp(again.http.listen, c.http.listen) != 0 ||
            again.media.workers != c.media.workers || again.log.format != c.log.format) {
            abort();
        }
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct conf_error err = {.text = ""};
    if (len < 1) {
        return 0;
    }
    conf_defaults(&c);
    const struct conf_json_text text = {"fuzz", (const char *)data + 1, len - 1};
    int rc = 0;
    if (data[0] == 0) {
        rc = conf_apply_file(&c, &text, NULL, &err);
    } else {
        const struct conf_key *k = &conf_keys[data[0] % conf_keys_count];
        struct conf_keys_why why = {.text = ""};
        char *copy = strndup((const char *)data + 1, len - 1);
        if (!copy) {
            return 0;
        }
        rc = conf_keys_is_objects(k) ? conf_apply_list(&c, k, &text, &err)
                                     : conf_keys_put_text(&c, k, copy, &why);
        (void)conf_keys_suggest(copy);
        free(copy);
        if (rc && !err.text[0] && !why.text[0]) {
            abort(); /* refused without a reason */
        }
    }
    if (rc == 0 && conf_validate(&c, &err) == 0) {
        check_printed();
    }
    return 0;
}
