/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/post.h"
#include "tests/http_kit.h"

static void post_end(struct post *p, int worker, uint64_t id)
{
    struct api_cmd cmd = {.kind = API_CMD_SESSION_END, .id = id};
    post_surely(p, worker, &cmd);
}

Test(post, keeps_order_while_a_mailbox_is_full)
{
    uv_loop_t loop;
    cr_assert_eq(uv_loop_init(&loop), 0);
    struct post *p = post_new(&loop);
    post_set_plane(p, &kit_plane);
    struct api_cmd query = {.kind = API_CMD_QUERY, .u.query.token = 7};
    kit_plane.mute = true;
    kit_plane.full = true;
    cr_expect_eq(post_try(p, 0, &query), -ENOBUFS);
    for (uint64_t id = 1; id <= 100; id++) {
        post_end(p, 0, id);
    }
    cr_expect_eq(post_waiting(p), 100);
    kit_plane.full = false;
    cr_expect_eq(post_try(p, 0, &query), -ENOBUFS, "nothing overtakes what waits");
    cr_expect_eq(post_try(p, 1, &query), 0, "another worker is not held up");
    post_end(p, 0, 101);
    cr_expect_eq(post_waiting(p), 101);
    uv_run(&loop, UV_RUN_DEFAULT); // ends when nothing waits
    cr_expect_eq(post_waiting(p), 0);
    cr_expect_eq(post_try(p, 0, &query), 0);
    cr_assert_eq(kit_plane.n_cmds, 1 + 101 + 1);
    for (uint64_t id = 1; id <= 101; id++) {
        cr_expect_eq(kit_plane.cmds[id].cmd.id, id);
        cr_expect_eq(kit_plane.cmds[id].worker, 0);
    }
    post_free(p);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
}

Test(post, frees_what_was_not_delivered)
{
    uv_loop_t loop;
    cr_assert_eq(uv_loop_init(&loop), 0);
    struct post *p = post_new(&loop);
    post_set_plane(p, &kit_plane);
    kit_plane.full = true;
    struct api_cmd cmd = {.kind = API_CMD_SESSION_ADD, .id = 1};
    cmd.u.session = calloc(1, sizeof(*cmd.u.session));
    post_surely(p, 2, &cmd);
    cr_expect_eq(post_waiting(p), 1);
    post_free(p);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
}
