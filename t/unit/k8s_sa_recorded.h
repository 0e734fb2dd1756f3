/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The recorded answers of real API servers in t/fixtures/: status line, headers
 * and the body as sent, and the line about it in INDEX.txt.
 */

#ifndef K8S_SA_RECORDED_H
#define K8S_SA_RECORDED_H


#include "k8s_sa_test.h"

#include <glob.h>
#include <strings.h>
#include <unistd.h>


typedef struct {
    const char     *name;        /* such as "valid-projected" */
    const char     *path;        /* path without ".http" */
    const char     *index;       /* line in INDEX.txt */
    unsigned        status;      /* 0 if there is none */
    unsigned char  *body;        /* decoded, of exact size for ASan */
    size_t          len;
} recorded_t;


static inline size_t
recorded_unchunk(unsigned char *dst, const char *p, const char *end)
{
    char    *rest;
    size_t   n, len;

    len = 0;

    for ( ;; ) {
        n = strtoul(p, &rest, 16);
        assert_memory_equal(rest, "\r\n", 2);

        if (n == 0) {
            return len;
        }

        p = rest + 2;
        assert_true(n + 2 <= (size_t) (end - p));

        memcpy(dst + len, p, n);

        len += n;
        p += n + 2;
    }
}


/* Reads the last answer of a file, which "100 Continue" may precede. */

static inline void
recorded_answer(recorded_t *rec)
{
    char           *data, *p, *body, *end, *headers;
    size_t          len, n;
    unsigned char  *bytes;

    data = test_read(test_format("%s.http", rec->path), &len);
    end = data + len;

    rec->status = 0;
    rec->body = test_copy("", 0);
    rec->len = 0;

    for (p = data; p < end; p = body) {
        body = strstr(p, "\r\n\r\n");
        if (body == NULL) {
            return;
        }

        headers = test_format("%.*s", (int) (body - p), p);
        body += 4;

        p = strchr(headers, ' ');
        assert_non_null(p);

        rec->status = atoi(p);

        if (rec->status == 100) {
            continue;
        }

        n = end - body;
        bytes = test_copy(body, n);

        if (strcasestr(headers, "\r\nTransfer-Encoding: chunked")) {
            n = recorded_unchunk(bytes, body, end);
        }

        rec->body = test_copy(bytes, n);
        rec->len = n;

        return;
    }
}


/*
 * The line about an answer, in the INDEX.txt of its folder or, with the
 * folder's name, in that of the version.
 */

static inline const char *
recorded_index(const char *path)
{
    char        *top, *entry, *index;
    size_t       len;
    const char  *p, *name;

    name = strrchr(path, '/') + 1;
    top = test_format("%.*s", (int) (name - path), path);
    index = test_format("%sINDEX.txt", top);

    if (access(index, F_OK) != 0) {
        top[strlen(top) - 1] = '\0';
        name = path + (strrchr(top, '/') + 1 - top);
        index = test_format("%.*sINDEX.txt", (int) (name - path), path);
    }

    entry = test_format("%s.http:", name);
    index = test_read(index, NULL);

    len = strlen(entry);

    for (p = index; p; p = strchr(p, '\n')) {
        p += (*p == '\n');

        if (strncmp(p, entry, len) == 0) {
            return test_format("%.*s", (int) strcspn(p, "\n"), p);
        }
    }

    fail_msg("%s is not in INDEX.txt", entry);

    return NULL;
}


/*
 * Calls visit for each recorded answer t/fixtures/VERSION/PATTERN.http, in
 * alphabetical order.
 */

static inline void
recorded_each(const char *version, const char *pattern,
    void (*visit)(recorded_t *rec, void *data), void *data)
{
    glob_t       found;
    size_t       i;
    recorded_t   rec;

    assert_int_equal(glob(test_format("t/fixtures/%s/%s.http", version,
                                      pattern), 0, NULL, &found), 0);

    for (i = 0; i < found.gl_pathc; i++) {
        rec.path = test_format("%.*s",
                               (int) strlen(found.gl_pathv[i]) - 5,
                               found.gl_pathv[i]);
        rec.name = strrchr(rec.path, '/') + 1;
        rec.index = recorded_index(rec.path);
        recorded_answer(&rec);

        visit(&rec, data);
    }

    globfree(&found);
}


/* Fails unless the identity is the user in a TokenReview's status. */

static inline void
recorded_user(const char *path, const k8s_sa_identity_t *id, json_t *status)
{
    char        *lists;
    size_t       i;
    json_t      *user, *value, *values;
    const char  *name;

    user = json_object_get(status, "user");

    assert_string_equal(test_text(&id->username),
                        json_string_value(json_object_get(user, "username")));
    assert_string_equal(test_text(&id->uid),
                        json_string_value(json_object_get(user, "uid")));

    lists = "";

    json_array_foreach(json_object_get(user, "groups"), i, value) {
        lists = test_format("%s%s\n", lists, json_string_value(value));
    }

    assert_string_equal(test_text(&id->groups), lists);

    lists = "";

    json_object_foreach(json_object_get(user, "extra"), name, values) {
        json_array_foreach(values, i, value) {
            lists = test_format("%s%s\t%s\n", lists, name,
                                json_string_value(value));
        }
    }

    if (strcmp(test_text(&id->extra), *lists ? lists : "(absent)") != 0) {
        fail_msg("%s: extra is\n%s", path, test_text(&id->extra));
    }
}


#endif /* K8S_SA_RECORDED_H */
