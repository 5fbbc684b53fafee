// SPDX-License-Identifier: GPL-3.0-or-later
// HTTP with the admin API.
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli_internal.h"
#include "steerd/base/mem.h"

enum { TIMEOUT_S = 60, CONNECT_TIMEOUT_S = 5, TOKEN_MAX = 1000 };

static const char *const token_places[] = {"./data/admin.token", "/var/lib/steerd/admin.token"};

struct token {
    char *text; // NULL: none
    const char *from;
    struct steer_buf tried; // what was looked at in vain, for the error
};

static bool read_token_file(const char *path, struct token *token)
{
    struct steer_buf text = {0};
    struct steer_diag diag;
    if (steer_buf_read_file(&text, path, TOKEN_MAX, &diag) != STEER_OK) {
        steer_buf_printf(&token->tried, "%s%s", token->tried.len ? "; " : "", diag.message);
        steer_buf_fini(&text);
        return false;
    }
    text.data[strcspn(text.data, "\r\n")] = '\0';
    token->text = steer_buf_take(&text);
    token->from = path;
    return true;
}

static bool find_token(const struct cli *cli, struct token *token)
{
    const char *env = getenv("STEERCTL_TOKEN");
    if (cli->token_file) {
        if (read_token_file(cli->token_file, token))
            return true;
        cli_error(cli, "%s", token->tried.data);
        return false;
    }
    if (env && *env) {
        token->text = steer_strdup(env);
        token->from = "STEERCTL_TOKEN";
        return true;
    }
    for (size_t i = 0; i < STEER_ARRAY_LEN(token_places); i++)
        if (read_token_file(token_places[i], token))
            break;
    return true; // without one the server decides
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct steer_buf *body = ctx;
    steer_buf_add(body, data, size * count);
    return size * count;
}

static bool is_loopback(const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    bool loopback = false;
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        loopback = strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                   strcmp(host, "[::1]") == 0;
    curl_free(host);
    curl_url_cleanup(parts);
    return loopback;
}

static void set_body(CURL *curl, const struct cli_request *request, struct curl_slist **fields)
{
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->read) { // of unknown length
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, request->read);
        curl_easy_setopt(curl, CURLOPT_READDATA, request->ctx);
        curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
        *fields = curl_slist_append(*fields, "Transfer-Encoding: chunked");
        *fields = curl_slist_append(*fields, "Expect: 100-continue");
    } else {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->data ? request->data : "");
    }
    struct steer_buf type = {0};
    steer_buf_printf(&type, "Content-Type: %s", request->type);
    *fields = curl_slist_append(*fields, type.data);
    steer_buf_fini(&type);
}

static void set_up(CURL *curl, const struct cli *cli, const struct cli_request *request,
                   const char *url, char error[CURL_ERROR_SIZE], struct cli_reply *reply)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); // the root zone is /zones/%2E
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L); // would carry the token elsewhere
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, request->patient ? 0L : (long)TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "steerctl/" STEER_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    if (is_loopback(cli->url))
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (!request->type)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static int unreachable(const struct cli *cli, const struct cli_request *request, CURLcode code,
                       const char *error)
{
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return cli_error(cli,
                         "cannot reach %s: is steerd running? (--url, STEERCTL_URL)\n       %s",
                         cli->url, error);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return cli_error(cli, "'%s' is not a URL like http://127.0.0.1:8053 (--url, STEERCTL_URL)",
                         cli->url);
    case CURLE_ABORTED_BY_CALLBACK:
        return CLI_FAILED; // the reader has said why
    case CURLE_OPERATION_TIMEDOUT:
        return cli_error(cli, "no answer from %s in time: %s", cli->url, error);
    default:
        break;
    }
    if (strcmp(request->method, "GET") == 0)
        return cli_error(cli, "the connection to %s broke: %s", cli->url, error);
    return cli_error(cli,
                     "the connection to %s broke: %s\n       The change may have been made all the "
                     "same; look with 'steerctl status' before you repeat it.",
                     cli->url, error);
}

static int refused(const struct cli *cli, const struct token *token, const struct cli_reply *reply,
                   const struct cli_source *sources, size_t source_count)
{
    if (reply->status == 401 && token->from)
        return cli_error(cli, "%s refuses the token from %s (--token-file, STEERCTL_TOKEN)",
                         cli->url, token->from);
    if (reply->status == 401)
        return cli_error(cli,
                         "%s wants a token and none was found: %s\n       Give one with "
                         "--token-file FILE or STEERCTL_TOKEN.",
                         cli->url, token->tried.data);
    if (cli->json && reply->json)
        cli_json_print(reply->json);
    else if (json_is_string(json_object_get(reply->json, "detail")))
        cli_problem_print(cli, "error", reply->json, sources, source_count);
    else
        cli_error(cli, "%s answered with status %ld: is it steerd? (--url, STEERCTL_URL)", cli->url,
                  reply->status);
    return CLI_FAILED;
}

static CURLcode perform(CURL *curl, const struct cli *cli, const struct cli_request *request,
                        const struct token *token, char *error, struct cli_reply *reply)
{
    struct steer_buf text = {0};
    struct curl_slist *fields = NULL;
    if (token->text) {
        steer_buf_printf(&text, "Authorization: Bearer %s", token->text);
        fields = curl_slist_append(fields, text.data);
        steer_buf_clear(&text);
    }
    const char *user = getenv("USER");
    if (user && *user && strcmp(request->method, "GET") != 0) { // for the audit
        steer_buf_puts(&text, "Steerd-By: ");
        cli_put(&text, user);
        fields = curl_slist_append(fields, text.data);
        steer_buf_clear(&text);
    }
    size_t url_len = strlen(cli->url);
    while (url_len && cli->url[url_len - 1] == '/')
        url_len--;
    steer_buf_printf(&text, "%.*s%s", (int)url_len, cli->url, request->path);
    set_up(curl, cli, request, text.data, error, reply);
    if (request->type)
        set_body(curl, request, &fields);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    CURLcode code = curl_easy_perform(curl);
    if (!error[0])
        snprintf(error, CURL_ERROR_SIZE, "%s", curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
    const char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    if (code == CURLE_OK && type && strstr(type, "json"))
        reply->json = json_loadb(reply->body.data ? reply->body.data : "", reply->body.len,
                                 JSON_DECODE_ANY, NULL);
    curl_slist_free_all(fields);
    steer_buf_fini(&text);
    return code;
}

int cli_http(const struct cli *cli, const struct cli_request *request, struct cli_reply *reply,
             const struct cli_source *sources, size_t source_count)
{
    struct token token = {0};
    char error[CURL_ERROR_SIZE] = "";
    *reply = (struct cli_reply){0};
    int status = CLI_FAILED;
    CURL *curl = NULL;
    if (!find_token(cli, &token))
        goto out;
    curl = curl_easy_init();
    if (!curl) {
        status = cli_error(cli, "libcurl cannot start");
        goto out;
    }
    CURLcode code = perform(curl, cli, request, &token, error, reply);
    cli_zone_translate(reply->json, sources, source_count);
    // An early refusal while we were sending is an answer too.
    if (code != CURLE_OK && !(code == CURLE_SEND_ERROR && reply->status >= 400))
        status = unreachable(cli, request, code, error);
    else if (reply->status < 200 || reply->status > 299)
        status = refused(cli, &token, reply, sources, source_count);
    else
        status = CLI_OK;
out:
    if (status != CLI_OK)
        cli_reply_fini(reply);
    curl_easy_cleanup(curl);
    free(token.text);
    steer_buf_fini(&token.tried);
    return status;
}

void cli_reply_fini(struct cli_reply *reply)
{
    steer_buf_fini(&reply->body);
    json_decref(reply->json);
    reply->json = NULL;
}

int cli_get_json(const struct cli *cli, const char *path, json_t **json)
{
    struct cli_request request = {.method = "GET", .path = path};
    struct cli_reply reply;
    int status = cli_http(cli, &request, &reply, NULL, 0);
    if (status != CLI_OK)
        return status;
    if (reply.json)
        *json = json_incref(reply.json);
    else
        status = cli_error(cli, "%s did not answer with JSON: is it steerd? (--url, STEERCTL_URL)",
                           cli->url);
    cli_reply_fini(&reply);
    return status;
}

void cli_encode(struct steer_buf *out, const char *text)
{
    bool only_dots = text[strspn(text, ".")] == '\0'; // "." and ".." have a meaning in paths
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-_~", c) || (c == '.' && !only_dots))
            steer_buf_add(out, text, 1);
        else
            steer_buf_printf(out, "%%%02X", c);
    }
}
