/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "signaling/sdpfrag.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sdpfrag f;
    if (sdpfrag_read((const char *)data, len, &f)) {
        return 0;
    }
    if (strlen(f.ufrag) < 4 || strlen(f.pwd) < 22 || f.n_mids < 0 || f.n_mids > SDPFRAG_MIDS_MAX ||
        f.n_candidates < 0) {
        abort();
    }
    return 0;
}
