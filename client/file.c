/* SPDX-License-Identifier: BSD-2-Clause */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "file.h"


static int client_file_load(client_file_t *file, int fd, const char *name,
    size_t max, k8s_sa_error_t *err);
static void client_file_trim(k8s_sa_str_t *text);
static int client_file_space(unsigned char c);


int
client_file_read(client_file_t *file, const char *name, k8s_sa_error_t *err)
{
    int  fd, rc;

    memset(file, 0, sizeof(client_file_t));

    if (strcmp(name, "-") == 0) {
        return client_file_load(file, STDIN_FILENO, "standard input",
                                CLIENT_FILE_MAX, err);
    }

    fd = open(name, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        k8s_sa_error_set(err, "cannot open \"%s\": %s", name, strerror(errno));
        return K8S_SA_ERROR;
    }

    rc = client_file_load(file, fd, name, CLIENT_FILE_MAX, err);

    close(fd);

    return rc;
}


int
client_file_read_token(client_file_t *file, const char *name,
    k8s_sa_error_t *err)
{
    int          fd, rc;
    size_t       i;
    const char  *hint;
    struct stat  st;

    memset(file, 0, sizeof(client_file_t));

    fd = open(name, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        k8s_sa_error_set(err, "cannot open token file \"%s\": %s", name,
                         strerror(errno));
        return K8S_SA_ERROR;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        k8s_sa_error_set(err, "token file \"%s\" is not a regular file", name);
        close(fd);
        return K8S_SA_ERROR;
    }

    /* room for some white space around the token */

    rc = client_file_load(file, fd, name, K8S_SA_TOKEN_MAX + 1024, err);

    close(fd);

    if (rc != K8S_SA_OK) {
        return K8S_SA_ERROR;
    }

    if (file->text.len == 0) {
        k8s_sa_error_set(err, "token file \"%s\" is empty", name);
        goto failed;
    }

    if (file->text.len > K8S_SA_TOKEN_MAX) {
        k8s_sa_error_set(err, "the token in \"%s\" has more than %d bytes",
                         name, K8S_SA_TOKEN_MAX);
        goto failed;
    }

    hint = client_file_hint(&file->text);

    if (hint != NULL) {
        k8s_sa_error_set(err, "the token in \"%s\" is malformed: %s", name,
                         hint);
        goto failed;
    }

    /* anything else could split the header's value or start a new header */

    for (i = 0; i < file->text.len; i++) {
        if (file->text.data[i] < 0x21 || file->text.data[i] > 0x7e) {
            k8s_sa_error_set(err, "the token in \"%s\" contains white space, "
                             "control characters or non-ASCII bytes", name);
            goto failed;
        }
    }

    return K8S_SA_OK;

failed:

    client_file_free(file);

    return K8S_SA_ERROR;
}


const char *
client_file_hint(const k8s_sa_str_t *text)
{
    static const char  scheme[] = "Bearer ", base64[] = "ZXlK";

    if (text->len >= sizeof(scheme) - 1
        && strncasecmp((char *) text->data, scheme, sizeof(scheme) - 1) == 0)
    {
        return "it begins with \"Bearer\", which is not part of the token";
    }

    /* tokens begin with "eyJ" and have dots */

    if (text->len >= sizeof(base64) - 1
        && memcmp(text->data, base64, sizeof(base64) - 1) == 0
        && memchr(text->data, '.', text->len) == NULL)
    {
        return "it is in base64, as in the data of a Secret; \"base64 -d\" "
               "decodes it";
    }

    return NULL;
}


static int
client_file_load(client_file_t *file, int fd, const char *name, size_t max,
    k8s_sa_error_t *err)
{
    ssize_t  n;

    file->data = malloc(max);

    if (file->data == NULL) {
        k8s_sa_error_set(err, "out of memory");
        return K8S_SA_ERROR;
    }

    while (file->size < max) {

        n = read(fd, file->data + file->size, max - file->size);

        if (n == 0) {
            file->text.data = file->data;
            file->text.len = file->size;
            client_file_trim(&file->text);

            return K8S_SA_OK;
        }

        if (n > 0) {
            file->size += n;
            continue;
        }

        if (errno != EINTR) {
            k8s_sa_error_set(err, "cannot read \"%s\": %s", name,
                             strerror(errno));
            client_file_free(file);
            return K8S_SA_ERROR;
        }
    }

    k8s_sa_error_set(err, "\"%s\" is longer than %zu bytes", name, max - 1);
    client_file_free(file);

    return K8S_SA_ERROR;
}


static void
client_file_trim(k8s_sa_str_t *text)
{
    while (text->len > 0 && client_file_space(text->data[text->len - 1])) {
        text->len--;
    }

    while (text->len > 0 && client_file_space(text->data[0])) {
        text->data++;
        text->len--;
    }
}


static int
client_file_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


void
client_file_free(client_file_t *file)
{
    if (file->data != NULL) {
        OPENSSL_cleanse(file->data, file->size);
        free(file->data);
    }

    memset(file, 0, sizeof(client_file_t));
}
