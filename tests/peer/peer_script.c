/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void peer_set_loss(struct peer *p, double in, double out, bool media_only)
{
    p->loss_in = in;
    p->loss_out = out;
    p->loss_media_only = media_only;
}

void peer_set_silent(struct peer *p, bool silent)
{
    p->silent = silent;
}

void peer_set_voice(struct peer *p, bool voice)
{
    p->env.quiet = !voice;
}

void peer_set_paused(struct peer *p, bool paused)
{
    p->paused = paused;
}

void peer_set_layer_paused(struct peer *p, unsigned layer, bool paused)
{
    p->paused_layers = (p->paused_layers & ~(1U << layer)) | (paused ? 1U << layer : 0);
}

int peer_send_raw(struct peer *p, const uint8_t *buf, size_t len)
{
    return peer_net_send(p, buf, len, false);
}

int peer_send_rtp(struct peer *p, const uint8_t *buf, size_t len)
{
    uint8_t out[PEER_PACKET_MAX + PEER_SRTP_TRAILER_MAX];

    if (!p->srtp || p->state != PEER_UP || len > PEER_PACKET_MAX) {
        return -ENOTCONN;
    }
    memcpy(out, buf, len);
    int r = peer_srtp_protect_rtp(p->srtp, out, &len);
    return r < 0 ? r : peer_net_send(p, out, len, true);
}

int peer_send_rtcp(struct peer *p, const uint8_t *buf, size_t len)
{
    uint8_t out[PEER_PACKET_MAX + PEER_SRTP_TRAILER_MAX];

    if (!p->srtp || p->state != PEER_UP || len > PEER_PACKET_MAX) {
        return -ENOTCONN;
    }
    memcpy(out, buf, len);
    int r = peer_srtp_protect_rtcp(p->srtp, out, &len);
    return r < 0 ? r : peer_net_send(p, out, len, true);
}

int peer_send_data(struct peer *p, const uint8_t *buf, size_t len)
{
    return p->dtls ? peer_dtls_write(p->dtls, buf, len) : -ENOTCONN;
}

struct peer_data *peer_data(struct peer *p)
{
    return p->data;
}

int peer_rebind(struct peer *p, bool check)
{
    if (p->watch.fd >= 0) {
        peer_loop_unwatch(p->loop, &p->watch);
        close(p->watch.fd);
        p->watch.fd = -1;
    }
    int r = peer_net_open(p);
    if (r == 0 && check) {
        peer_net_check_now(p);
    }
    return r;
}

void peer_request_keyframe(struct peer *p, bool fir)
{
    for (unsigned i = 0; i < p->n_rx; i++) {
        struct peer_rtcp_out o = {.len = 0};
        if (!p->rx[i]->video) {
            continue;
        }
        if (!p->rsize) {
            peer_rtcp_put_rr(&o, p->ssrc, NULL, 0);
            peer_rtcp_put_sdes(&o, p->ssrc, p->cname);
        }
        if (fir) {
            peer_rtcp_put_fir(&o, p->ssrc, p->rx[i]->ssrc, p->fir_nr++);
        } else {
            peer_rtcp_put_pli(&o, p->ssrc, p->rx[i]->ssrc);
        }
        p->stats.plis_sent++;
        peer_feedback_send(p, &o);
    }
}

void peer_force_keyframe(struct peer *p)
{
    for (unsigned i = 0; i < p->n_tx; i++) {
        p->tx[i].key_wanted = true;
    }
}

void peer_send_bye(struct peer *p)
{
    struct peer_rtcp_out o = {.len = 0};

    if (!p->n_tx) {
        peer_rtcp_put_rr(&o, p->ssrc, NULL, 0);
        peer_rtcp_put_bye(&o, p->ssrc);
    }
    for (unsigned i = 0; i < p->n_tx; i++) {
        peer_tx_report(&p->tx[i], &o, p->cname, peer_loop_now_us(p->loop));
        peer_rtcp_put_bye(&o, p->tx[i].ssrc);
    }
    peer_feedback_send(p, &o);
}

void peer_send_close(struct peer *p)
{
    if (p->dtls) {
        peer_dtls_close(p->dtls);
    }
    peer_enter(p, PEER_CLOSED);
}
