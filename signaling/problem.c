/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/problem.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/http.h"

const char *problem_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

void problem_answer(struct http_request *rq, int status, const char *type, const char *detail)
{
    char urn[80] = "about:blank";
    if (type != NULL) {
        snprintf(urn, sizeof(urn), "urn:sluice:problem:%s", type);
        http_note_problem(rq, type);
    }
    char *text = NULL;
    cJSON *o = cJSON_CreateObject();
    if (cJSON_AddStringToObject(o, "type", urn) != NULL &&
        cJSON_AddStringToObject(o, "title", problem_title(status)) != NULL &&
        cJSON_AddNumberToObject(o, "status", status) != NULL &&
        cJSON_AddStringToObject(o, "detail", detail) != NULL) {
        text = cJSON_PrintUnformatted(o);
    }
    cJSON_Delete(o);
    http_set_header(rq, "Cache-Control", "no-store");
    http_answer_take(rq, status, "application/problem+json", text, text != NULL ? strlen(text) : 0);
}

void problem_answer_later(struct http_request *rq, int status, const char *type, const char *detail,
                          int retry_after_s)
{
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
    http_set_header(rq, "Retry-After", seconds);
    problem_answer(rq, status, type, detail);
}

void problem_answer_method(struct http_request *rq, const char *allow)
{
    http_set_header(rq, "Allow", allow);
    problem_answer(rq, 405, "method", "This URL does not take this method; see Allow.");
}
