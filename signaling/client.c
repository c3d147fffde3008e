/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/client.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signaling/sdp.h"
#include "signaling/sdp_model.h"
#include "signaling/strbuf.h"

#define REDIRECTS_MAX 5

int client_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -EIO;
}

void client_fini(void)
{
    curl_global_cleanup();
}

void client_answer_fini(struct client_answer *a)
{
    free(a->body);
    a->body = NULL;
}

/* ---- HTTP ---- */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct client_answer *a = ctx;
    size_t len = size * n;
    if (a->body_len + len > CLIENT_BODY_MAX) {
        return 0;
    }
    char *grown = realloc(a->body, a->body_len + len + 1);
    if (!grown) {
        return 0;
    }
    memcpy(grown + a->body_len, data, len);
    a->body = grown;
    a->body_len += len;
    a->body[a->body_len] = '\0';
    return len;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct client_answer *a = ctx;
    size_t len = size * n;
    char value[64];
    if (len > 5 && len < sizeof(value) && strncasecmp(data, "date:", 5) == 0) {
        memcpy(value, data + 5, len - 5);
        value[len - 5] = '\0';
        time_t t = curl_getdate(value, NULL);
        a->date_s = t > 0 ? (int64_t)t : 0;
    }
    return len;
}

/* When the server's own certificate, the first of its chain, ends. */
static int64_t cert_expiry(CURL *h)
{
    struct curl_certinfo *info = NULL;
    if (curl_easy_getinfo(h, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1) {
        return 0;
    }
    for (const struct curl_slist *s = info->certinfo[0]; s; s = s->next) {
        if (strncmp(s->data, "Expire date:", 12) == 0) {
            time_t t = curl_getdate(s->data + 12, NULL);
            return t > 0 ? (int64_t)t : 0;
        }
    }
    return 0;
}

static void copy(char *out, size_t cap, const char *text)
{
    size_t n = text ? strnlen(text, cap - 1) : 0;
    memcpy(out, text ? text : "", n);
    out[n] = '\0';
}

/* The sentence of a problem+json body (RFC 9457), or the beginning of whatever else came. */
static void take_problem(struct client_answer *a)
{
    cJSON *json = a->body ? cJSON_ParseWithLength(a->body, a->body_len) : NULL;
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "detail"));
    copy(a->why, sizeof(a->why), detail ? detail : a->body);
    cJSON_Delete(json);
}

static void take_result(CURL *h, CURLcode code, const char *words, struct client_answer *a)
{
    long status = 0;
    char *location = NULL;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    a->status = code == CURLE_OK ? (int)status : 0;
    a->bad_cert = code == CURLE_PEER_FAILED_VERIFICATION;
    a->refused = code == CURLE_COULDNT_CONNECT;
    if (code != CURLE_OK) {
        copy(a->why, sizeof(a->why), words[0] ? words : curl_easy_strerror(code));
        return;
    }
    a->cert_expires_s = cert_expiry(h);
    /* Resolves what the Location header says against the URL (RFC 9110 10.2.2). */
    curl_easy_getinfo(h, CURLINFO_REDIRECT_URL, &location);
    copy(a->location, sizeof(a->location), location);
    if (status >= 400) {
        take_problem(a);
    }
}

/* libcurl resolves a Location only of redirects; of a 201 it gives the header's text. */
static void resolve_location(CURL *h, struct client_answer *a)
{
    struct curl_header *header;
    char *url = NULL;
    if (curl_easy_header(h, "Location", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return;
    }
    curl_easy_getinfo(h, CURLINFO_EFFECTIVE_URL, &url);
    CURLU *u = curl_url();
    char *whole = NULL;
    if (u && url && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, header->value, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &whole, 0) == CURLUE_OK) {
        copy(a->location, sizeof(a->location), whole);
    }
    curl_free(whole);
    curl_url_cleanup(u);
}

static struct curl_slist *headers_of(const struct client *c, const char *offer)
{
    struct curl_slist *list = NULL;
    if (offer) {
        list = curl_slist_append(list, "Content-Type: application/sdp");
    }
    if (c->token) {
        struct strbuf b = {0};
        strbuf_addf(&b, "Authorization: Bearer %s", c->token);
        size_t len;
        char *text = strbuf_take(&b, &len);
        if (text) {
            list = curl_slist_append(list, text);
        }
        free(text);
    }
    return list;
}

static int request(const struct client *c, const char *method, const char *url, const char *offer,
                   struct client_answer *ret)
{
    char words[CURL_ERROR_SIZE] = "";
    CURL *h = curl_easy_init();
    memset(ret, 0, sizeof(*ret));
    if (!h) {
        return -ENOMEM;
    }
    struct curl_slist *headers = headers_of(c, offer);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, ret);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, ret);
    curl_easy_setopt(h, CURLOPT_CERTINFO, 1L);
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(h, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    if (c->any_cert) {
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (offer) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, offer);
    }
    CURLcode code = curl_easy_perform(h);
    take_result(h, code, words, ret);
    if (code == CURLE_OK) {
        resolve_location(h, ret);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(h);
    return code == CURLE_OK ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}

int client_get(const struct client *c, const char *url, struct client_answer *ret)
{
    return request(c, "GET", url, NULL, ret);
}

int client_post(const struct client *c, const char *url, const char *offer,
                struct client_answer *ret)
{
    return request(c, "POST", url, offer, ret);
}

int client_delete(const struct client *c, const char *url, struct client_answer *ret)
{
    return request(c, "DELETE", url, NULL, ret);
}

/* ---- SDP ---- */

char *client_audio_offer(bool publish, const char *ufrag, const char *pwd, const char *fingerprint)
{
    struct strbuf b = {0};
    strbuf_addf(&b,
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
                "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=%s\r\n"
                "a=rtcp-mux\r\na=setup:active\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n"
                "a=fingerprint:%s\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n",
                publish ? "sendonly" : "recvonly", ufrag, pwd, fingerprint);
    if (publish) {
        strbuf_addf(&b, "a=msid:doctor audio\r\na=ssrc:1 cname:doctor\r\n");
    }
    size_t len;
    return strbuf_take(&b, &len);
}

/* "candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host": host candidates of component 1 with an IP
 * address. */
static bool read_candidate(char *line, struct candidate *ret)
{
    char *at = line, *word[6];
    for (int i = 0; i < 6; i++) {
        word[i] = sdp_word(&at);
        if (!word[i]) {
            return false;
        }
    }
    uint64_t port;
    const char *p = word[5];
    memset(ret, 0, sizeof(*ret));
    if (strcmp(word[1], "1") != 0 || !sdp_uint(&p, UINT16_MAX, &port) || *p ||
        addr_parse_ip(word[4], (uint16_t)port, &ret->addr)) {
        return false;
    }
    ret->transport = strcasecmp(word[2], "tcp") == 0 ? TRANSPORT_TCP : TRANSPORT_UDP;
    return ret->transport == TRANSPORT_TCP || strcasecmp(word[2], "udp") == 0;
}

static int read_candidates(const struct client_answer *a, struct candidate *ret, int max)
{
    static const char prefix[] = "a=candidate:";
    const char *at = a->body, *line;
    size_t len;
    int n = 0;
    while (n < max && sdp_line(&at, a->body + a->body_len, &line, &len)) {
        char copy_of_line[CANDIDATE_TEXT_MAX];
        if (len < sizeof(prefix) || len >= sizeof(copy_of_line) ||
            memcmp(line, prefix, sizeof(prefix) - 1) != 0) {
            continue;
        }
        memcpy(copy_of_line, line + 2, len - 2);
        copy_of_line[len - 2] = '\0';
        struct candidate c;
        if (!read_candidate(copy_of_line, &c)) {
            continue;
        }
        bool known = false;
        for (int i = 0; i < n; i++) {
            known |= ret[i].transport == c.transport && addr_equal(&ret[i].addr, &c.addr);
        }
        if (!known) {
            ret[n++] = c;
        }
    }
    return n;
}

int client_read_answer(const struct client_answer *a, struct client_remote *ret_remote,
                       struct candidate *ret_candidates, int max)
{
    struct sdp *s;
    int line;
    if (!a->body || sdp_read(a->body, a->body_len, &s, &line)) {
        return -EBADMSG;
    }
    const struct sdp_transport *t = &s->media[0]->transport;
    const char *ufrag = t->ufrag ? t->ufrag : s->transport.ufrag;
    const char *pwd = t->pwd ? t->pwd : s->transport.pwd;
    const struct sdp_transport *fp = t->n_fingerprints ? t : &s->transport;
    int n = -EBADMSG;
    if (ufrag && pwd && fp->n_fingerprints && s->media[0]->port) {
        memset(ret_remote, 0, sizeof(*ret_remote));
        copy(ret_remote->ufrag, sizeof(ret_remote->ufrag), ufrag);
        copy(ret_remote->pwd, sizeof(ret_remote->pwd), pwd);
        memcpy(ret_remote->fingerprints, fp->fingerprints, sizeof(fp->fingerprints));
        ret_remote->n_fingerprints = fp->n_fingerprints;
        n = read_candidates(a, ret_candidates, max);
    }
    sdp_free(s);
    return n;
}
