/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the composition root: settings, log, certificate, HTTP side, media plane, signals. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "conf/conf.h"
#include "conf/fds.h"
#include "conf/log.h"
#include "conf/thread.h"
#include "ice/cert.h"
#include "ice/seal.h"
#include "sfu/api.h"
#include "sfu/doctor.h"
#include "sfu/heap.h"
#include "signaling/signaling.h"

#define EXIT_UNAVAILABLE 69 /* EX_UNAVAILABLE: a port is taken, memory is short */

#define CALM_MS 5000

struct app {
    int argc;
    char **argv;
    uv_loop_t loop;
    struct conf *first; /* the plane keeps this one */
    struct conf *conf;  /* signaling's: first, or what a reload read */
    struct cert *cert;
    struct signaling *signaling;
    struct plane *plane;
    uv_signal_t term;
    uv_signal_t intr;
    uv_signal_t hup;
    uv_timer_t calm; /* looks whether memory can go back */
    struct heap heap;
    int terms; /* SIGTERMs so far */
    int exit_code;
};

extern char **environ;

static void set_log(const struct conf *c)
{
    enum log_level level;
    if (log_parse_level(c->log.level, &level) == 0) {
        log_set_level(level);
    }
}

static void on_calm(uv_timer_t *h)
{
    struct app *app = h->data;
    struct api_counters n;
    plane_counters(app->plane, &n);
    if (heap_is_due(&app->heap, n.sessions_added, n.sessions_ended)) {
        heap_trim();
    }
}

static void on_event(struct api_event *ev, void *ctx)
{
    struct app *app = ctx;
    if (app->signaling != NULL) {
        signaling_on_event(ev, app->signaling);
    } else {
        api_event_fini(ev);
    }
}

/* ---- signals ---- */

/* No session is left, or the time is over. */
static void on_drained(void *ctx)
{
    struct app *app = ctx;
    uv_stop(&app->loop);
}

static void stop_now(struct app *app)
{
    signaling_drain(app->signaling, 0, on_drained, app);
}

static void on_term(uv_signal_t *h, int signum)
{
    struct app *app = h->data;
    int timeout_ms = app->conf->limits.drain_timeout_ms;
    log_info("signal", LOG_INT("number", signum));
    if (app->terms++ > 0) {
        stop_now(app);
    } else {
        signaling_drain(app->signaling, timeout_ms == 0 ? -1 : timeout_ms, on_drained, app);
    }
}

/* POST /api/v1/drain. */
static void on_ask_drain(int timeout_ms, void *ctx)
{
    struct app *app = ctx;
    app->terms++;
    signaling_drain(app->signaling, timeout_ms == 0 ? -1 : timeout_ms, on_drained, app);
}

static void on_intr(uv_signal_t *h, int signum)
{
    struct app *app = h->data;
    log_info("signal", LOG_INT("number", signum));
    if (app->terms++ > 1) {
        uv_stop(&app->loop); // asked three times: do not wait for sessions to say goodbye
    } else {
        app->terms++;
        stop_now(app);
    }
}

static void on_hup(uv_signal_t *h, int signum)
{
    struct app *app = h->data;
    struct conf_request req;
    struct conf_error err = {0};
    const char *what = "out of memory";
    struct conf *fresh = calloc(1, sizeof(*fresh));
    log_info("signal", LOG_INT("number", signum));
    int r = fresh == NULL ? -ENOMEM : conf_load(app->argc, app->argv, environ, fresh, &req, &err);
    if (r < 0) {
        log_error("reload_failed", LOG_STR("why", err.text[0] != '\0' ? err.text : what));
        free(fresh);
        return;
    }
    r = signaling_reload(app->signaling, fresh, &what);
    if (r < 0) {
        log_error("reload_failed", LOG_STR("why", what));
        free(fresh);
        return;
    }
    set_log(fresh);
    if (app->conf != app->first) {
        free(app->conf);
    }
    app->conf = fresh;
}

static void watch_signals(struct app *app)
{
    uv_signal_init(&app->loop, &app->term);
    uv_signal_init(&app->loop, &app->intr);
    uv_signal_init(&app->loop, &app->hup);
    app->term.data = app;
    app->intr.data = app;
    app->hup.data = app;
    uv_signal_start(&app->term, on_term, SIGTERM);
    uv_signal_start(&app->intr, on_intr, SIGINT);
    uv_signal_start(&app->hup, on_hup, SIGHUP);
}

/* ---- start and stop ---- */

/* For who reads the terminal, and for who reads the log. */
static int fail(const char *what, int err)
{
    fprintf(stderr, "sluice: %s (%s)\n", what, strerror(-err));
    log_error("start_failed", LOG_STR("why", what), LOG_STR("error", strerror(-err)));
    return err;
}

static void greet(const struct app *app)
{
    char url[CONF_STR_MAX + 32];
    signaling_url(app->signaling, url, sizeof(url));
    log_info("started", LOG_STR("version", SLUICE_VERSION), LOG_STR("url", url),
             LOG_INT("media_port", plane_port(app->plane)),
             LOG_INT("workers", plane_workers(app->plane)), LOG_STR("srtp", seal_backend_name()));
    const char *fingerprint = signaling_self_signed(app->signaling);
    if (fingerprint != NULL) {
        log_info("self_signed", LOG_STR("sha256", fingerprint));
    }
    if (app->conf->log.format == CONF_LOG_TEXT) {
        fprintf(stderr, "Sluice %s is ready: open %s (media on port %u, udp%s)\n", SLUICE_VERSION,
                url, plane_port(app->plane), app->conf->media.tcp ? " and tcp" : "");
        if (fingerprint != NULL) {
            fprintf(stderr, "Its certificate is self-signed; SHA-256 %s\n", fingerprint);
        }
    }
}

static int start(struct app *app)
{
    const char *what = "";
    enum seal_backend backend;
    struct signaling_params sp = {.loop = &app->loop, .conf = app->conf};
    struct plane_params pp = {.conf = app->first, .loop = &app->loop, .ctx = app};
    int r = seal_backend_parse(app->conf->media.seal_backend, &backend);
    if (r == 0) {
        r = seal_backend_select(backend);
    }
    if (r < 0) {
        return fail("media.seal_backend is not built in, or fails its self-test", r);
    }
    app->cert = cert_new();
    if (app->cert == NULL) {
        return fail("the DTLS certificate could not be made", -ENOMEM);
    }
    sp.cert = app->cert;
    sp.drain = on_ask_drain;
    sp.ctx = app;
    pp.cert = app->cert;
    pp.on_event = on_event;
    r = signaling_start(&sp, &app->signaling, &what);
    if (r == 0) {
        r = plane_start(&pp, &app->plane, &what);
    }
    if (r == 0) {
        r = signaling_set_plane(app->signaling, app->plane, &what);
    }
    if (r == 0) {
        uv_timer_init(&app->loop, &app->calm);
        app->calm.data = app;
        uv_timer_start(&app->calm, on_calm, CALM_MS, CALM_MS);
    }
    return r < 0 ? fail(what, r) : 0;
}

static void close_signal(uv_signal_t *h)
{
    if (h->loop != NULL) {
        uv_close((uv_handle_t *)h, NULL);
    }
}

static void stop(struct app *app)
{
    struct signaling *signaling = app->signaling;
    app->signaling = NULL;
    if (app->calm.loop != NULL) {
        uv_close((uv_handle_t *)&app->calm, NULL);
    }
    signaling_stop(signaling);
    if (app->plane != NULL) {
        plane_stop(app->plane);
    }
    close_signal(&app->term);
    close_signal(&app->intr);
    close_signal(&app->hup);
    uv_run(&app->loop, UV_RUN_DEFAULT);
    uv_loop_close(&app->loop);
    cert_free(app->cert);
}

static int serve(struct app *app)
{
    enum log_level level = LOG_LEVEL_INFO;
    bool json = app->conf->log.format == CONF_LOG_JSON;
    signal(SIGPIPE, SIG_IGN);
    fds_raise(); // viewers cost some only by ICE-TCP and HTTP, but 1024 are soon used up
    heap_init();
    int r = log_parse_level(app->conf->log.level, &level);
    if (r == 0) {
        r = log_start(STDOUT_FILENO, json, level);
    }
    if (r < 0) {
        fail("the log could not be started", r);
        return EXIT_UNAVAILABLE;
    }
    thread_become(THREAD_MAIN, 0);
    r = uv_loop_init(&app->loop);
    if (r == 0) {
        r = start(app);
        if (r == 0) {
            thread_give_way();
            watch_signals(app);
            doctor_warn(app->conf);
            greet(app);
            uv_run(&app->loop, UV_RUN_DEFAULT);
        }
        stop(app);
    }
    if (r == 0) {
        log_info("stopped");
    }
    log_stop();
    return r < 0 ? EXIT_UNAVAILABLE : EXIT_SUCCESS;
}

/* Requests that end at once. Returns true with the exit code. */
static bool answer_request(const struct conf *c, const struct conf_request *req, int *ret_code)
{
    *ret_code = EXIT_SUCCESS;
    if (req->help) {
        fputs(conf_usage(), stdout);
    } else if (req->version) {
        puts("sluice " SLUICE_VERSION);
    } else if (req->print_config) {
        char *text = conf_print(c);
        *ret_code = text != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
        puts(text != NULL ? text : "");
        free(text);
    } else if (req->check_config) {
        puts("ok");
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct app app;
    struct conf_request req = {0};
    struct conf_error err = {0};
    const char *what = "";
    int code = EXIT_FAILURE;
    fds_fill_standard();
    if (argc > 1 && strcmp(argv[1], "doctor") == 0) {
        return doctor_main(argc, argv, environ);
    }
    app.argc = argc;
    app.argv = argv;
    app.first = calloc(1, sizeof(*app.first));
    app.conf = app.first;
    if (app.first == NULL) {
        fputs("sluice: out of memory\n", stderr);
        return EXIT_UNAVAILABLE;
    }
    if (conf_load(argc, argv, environ, app.first, &req, &err) < 0) {
        fprintf(stderr, "sluice: %s\n", err.text);
        code = CONF_EXIT;
    } else if (!req.help && !req.version && signaling_check(app.conf, &what) < 0) {
        conf_locate(&req, what, &err);
        fprintf(stderr, "sluice: %s\n", err.text);
        code = CONF_EXIT;
    } else if (!answer_request(app.conf, &req, &code)) {
        code = serve(&app);
    }
    if (app.conf != app.first) {
        free(app.conf);
    }
    free(app.first);
    return code;
}
