/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/api.h"

#include <stdlib.h>

#include "ice/tcp.h"

const char *api_reason_name(enum api_reason r)
{
    static const char *const names[API_END_COUNT] = {
        [API_END_CLIENT] = "client",           [API_END_PEER_CLOSED] = "peer_closed",
        [API_END_ICE_TIMEOUT] = "ice_timeout", [API_END_DTLS_TIMEOUT] = "dtls_timeout",
        [API_END_DTLS_FAILED] = "dtls_failed", [API_END_MEDIA_TIMEOUT] = "media_timeout",
        [API_END_SILENT] = "silent",           [API_END_TAKEN_OVER] = "taken_over",
        [API_END_KICKED] = "kicked",           [API_END_HALF_OPEN] = "half_open_limit",
        [API_END_SHUTDOWN] = "shutdown",       [API_END_NO_MEMORY] = "no_memory",
        [API_END_REVOKED] = "token_revoked",   [API_END_EXPIRED] = "token_expired",
        [API_END_REMOVED] = "removed",         [API_END_ROOM] = "room_ended",
    };
    return r < API_END_COUNT ? names[r] : "unknown";
}

static const struct {
    const char *name, *remedy;
} faults[API_FAULT_COUNT] = {
    [API_FAULT_B_FRAMES] = {"b-frames", "Browsers show B-frames with stutter: set them to 0 in the "
                                        "encoder (x264: -bf 0, or tune zerolatency)."},
    [API_FAULT_NO_PARAMS] =
        {"no-parameter-sets",
         "Key frames come without SPS and PPS, and none came before: nobody can "
         "decode them. Let the encoder repeat its headers (rtph264pay: "
         "config-interval=-1)."},
    [API_FAULT_RARE_KEYS] = {"rare-key-frames",
                             "Key frames come seconds apart and none on request: who joins or "
                             "loses a picture waits long. Set the key frame interval to 1 or 2 s."},
};

const char *api_fault_name(enum api_fault f)
{
    return f < API_FAULT_COUNT ? faults[f].name : "unknown";
}

const char *api_fault_remedy(enum api_fault f)
{
    return f < API_FAULT_COUNT ? faults[f].remedy : "";
}

void api_cmd_fini(struct api_cmd *c)
{
    switch (c->kind) {
    case API_CMD_SESSION_ADD:
        free(c->u.session);
        c->u.session = NULL;
        break;
    case API_CMD_SESSION_ICE:
        free(c->u.creds);
        c->u.creds = NULL;
        break;
    case API_CMD_TCP_CONN:
        tcp_conn_free(c->u.conn);
        c->u.conn = NULL;
        break;
    case API_CMD_SESSION_END:
    case API_CMD_STREAM_SOURCE:
    case API_CMD_SLOT:
    case API_CMD_STREAM_ALIAS:
    case API_CMD_LEVELS:
    case API_CMD_LAYER:
    case API_CMD_QUERY:
    case API_CMD_REPLICA:
    case API_CMD_FEEDBACK:
    case API_CMD_MUTE:
        break;
    }
}

void api_event_fini(struct api_event *e)
{
    switch (e->kind) {
    case API_EV_ENDED:
        free(e->u.ended.stats);
        e->u.ended.stats = NULL;
        break;
    case API_EV_STATS:
        for (unsigned i = 0; i < e->u.stats.n; i++) {
            free(e->u.stats.sessions[i]);
        }
        free(e->u.stats.sessions);
        e->u.stats.sessions = NULL;
        e->u.stats.n = 0;
        break;
    case API_EV_LEVELS:
        free(e->u.levels.levels);
        e->u.levels.levels = NULL;
        e->u.levels.n = 0;
        break;
    case API_EV_CODEC:
        free(e->u.codec);
        e->u.codec = NULL;
        break;
    case API_EV_DATA:
        free(e->u.data);
        e->u.data = NULL;
        break;
    case API_EV_UP:
    case API_EV_TRACKS:
    case API_EV_FAULT:
    case API_EV_LIVE:
    case API_EV_SILENT:
        break;
    }
}
