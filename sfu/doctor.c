/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - what is examined: this machine with its settings, or a server by its URL. */
#include "sfu/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/log.h"
#include "ice/addr.h"
#include "ice/seal.h"
#include "sfu/doctor_check.h"
#include "signaling/client.h"
#include "signaling/entropy.h"

#define CERT_SOON_S (14 * 86400) /* an expiry this near is worth a warning */

void doctor_say(struct doctor *d, enum finding f, const char *what, const char *fmt, ...)
{
    static const char *const words[] = {"ok   ", "warn ", "WRONG"};
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->worst = MAX(d->worst, (int)f);
    if (!d->to_log) {
        printf("%s %-12s %s\n", words[f], what, text);
        fflush(stdout);
    } else if (f != FINE) {
        log_warn("doctor", LOG_STR("check", what), LOG_STR("finding", text));
    }
}

void doctor_say_expiry(struct doctor *d, const char *what, int64_t expires_s)
{
    int64_t left_s = expires_s - clock_wall_us() / US_PER_S;
    if (left_s <= 0) {
        doctor_say(d, WRONG, "certificate", "%s expired %lld days ago: renew it, then send SIGHUP",
                   what, (long long)(-left_s / 86400));
    } else if (left_s < CERT_SOON_S) {
        doctor_say(d, DOUBTFUL, "certificate",
                   "%s expires in %lld days: renew it, then send SIGHUP", what,
                   (long long)(left_s / 86400));
    } else {
        doctor_say(d, FINE, "certificate", "%s is valid for %lld days", what,
                   (long long)(left_s / 86400));
    }
}

void doctor_warn(const struct conf *c)
{
    struct doctor d = {.conf = c, .to_log = true};
    doctor_machine_check(&d);
}

/* Where a server with these settings listens, as seen from this machine. */
static void base_of_conf(struct doctor *d)
{
    const struct conf *c = d->conf;
    char host[CONF_STR_MAX];
    uint16_t port = 0;
    bool tls = c->tls.cert_file[0] || c->tls.self_signed;
    if (conf_split_host_port(c->http.listen, host, sizeof(host), &port)) {
        return;
    }
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
        memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
    }
    bool v6 = strchr(host, ':');
    snprintf(d->base, sizeof(d->base), "%s://%s%.200s%s:%u", tls ? "https" : "http", v6 ? "[" : "",
             host, v6 ? "]" : "", port);
    d->ours = true;
}

/* A token of the configuration for each half, and a stream that its pattern allows. */
static void tokens_of_conf(struct doctor *d)
{
    const struct conf *c = d->conf;
    char name[32];
    snprintf(name, sizeof(name), "%.31s", d->stream);
    for (int i = 0; i < c->auth.n_tokens; i++) {
        const struct conf_token *t = &c->auth.tokens[i];
        if (t->publish && !d->publish_token) {
            size_t star = strcspn(t->pattern, "*");
            snprintf(d->stream, sizeof(d->stream), "%.*s%s", (int)MIN(star, 100u), t->pattern,
                     t->pattern[star] ? name : "");
            d->publish_token = t->token;
        }
    }
    for (int i = 0; i < c->auth.n_tokens; i++) {
        const struct conf_token *t = &c->auth.tokens[i];
        size_t star = strcspn(t->pattern, "*");
        if (t->play && !d->play_token && strncmp(t->pattern, d->stream, star) == 0) {
            d->play_token = t->token;
        }
    }
}

static int usage(void)
{
    fputs("usage: sluice doctor [flags of sluice]              this machine, with its settings\n"
          "       sluice doctor URL [--token T] [--stream S]   a server, from outside\n",
          stderr);
    return CONF_EXIT;
}

static int examine(struct doctor *d)
{
    if (seal_backend_select(SEAL_AUTO) || client_init()) {
        return EXIT_FAILURE;
    }
    if (d->conf) {
        doctor_machine_check(d);
        if (d->conf->http.public_origin[0]) {
            struct doctor outside = {.worst = d->worst};
            (void)doctor_server_http(&outside, d->conf->http.public_origin);
            d->worst = outside.worst;
        }
    }
    if (doctor_server_http(d, d->base)) {
        doctor_server_media(d);
    }
    client_fini();
    puts(d->worst == FINE       ? "All is well."
         : d->worst == DOUBTFUL ? "It works; the lines marked warn are worth a look."
                                : "Something is wrong: the lines marked WRONG say what to do.");
    return d->worst == WRONG ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A name of a stream that nobody else has. */
static void make_stream_name(char *out, size_t cap)
{
    snprintf(out, cap, "doctor-");
    entropy_text(out + strlen(out), 8);
    for (char *p = out; *p; p++) {
        *p = *p == '_' ? 'x' : *p;
    }
}

/* The server's URL, or one of its endpoints: then that stream is looked at. */
static bool read_url(struct doctor *d, const char *url)
{
    size_t len = strlen(url);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        fprintf(stderr, "sluice: name the server by its URL, http://%s or https://%s\n", url, url);
        return false;
    }
    const char *end = strstr(url, "/whip/");
    end = end ? end : strstr(url, "/whep/");
    if (end) {
        snprintf(d->stream, sizeof(d->stream), "%s", end + 6);
        len = (size_t)(end - url);
    }
    while (len && url[len - 1] == '/') {
        len--;
    }
    if (len >= sizeof(d->base)) {
        return false;
    }
    memcpy(d->base, url, len);
    d->base[len] = '\0';
    return true;
}

/* A server somewhere: args is its URL, then flags. */
static int examine_url(struct doctor *d, int n, char **args)
{
    if (!read_url(d, args[0])) {
        return usage();
    }
    for (int i = 1; i < n; i += 2) {
        if (i + 1 < n && strcmp(args[i], "--token") == 0) {
            d->publish_token = d->play_token = args[i + 1];
        } else if (i + 1 < n && strcmp(args[i], "--stream") == 0) {
            snprintf(d->stream, sizeof(d->stream), "%s", args[i + 1]);
        } else {
            return usage();
        }
    }
    return examine(d);
}

/* This machine, with the settings that sluice would start with. */
static int examine_here(struct doctor *d, int argc, char **argv, char **envp)
{
    struct conf_request req = {0};
    struct conf_error err = {0};
    struct conf *c = calloc(1, sizeof(*c));
    int code = CONF_EXIT;
    if (!c || conf_load(argc, argv, envp, c, &req, &err) < 0) {
        fprintf(stderr, "sluice: %s\n", err.text[0] ? err.text : "out of memory");
    } else if (req.help) {
        (void)usage();
        code = EXIT_SUCCESS;
    } else {
        d->conf = c;
        base_of_conf(d);
        tokens_of_conf(d);
        code = examine(d);
    }
    free(c);
    return code;
}

int doctor_main(int argc, char **argv, char **envp)
{
    struct doctor d = {0};
    make_stream_name(d.stream, sizeof(d.stream));
    if (argc > 2 && argv[2][0] != '-') {
        return examine_url(&d, argc - 2, argv + 2);
    }
    argv[1] = argv[0];
    return examine_here(&d, argc - 1, argv + 1, envp);
}
