/* fastcgi.c - the peer in C behind a web server: libfcgi, one request at a
 * time on descriptor 0, as its own examples are written. */
#include <fcgiapp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { ALL = 1 << 30, MD5 = 16 };

static const char *name_of(const FCGX_Request *request)
{
    const char *query = FCGX_GetParam("QUERY_STRING", request->envp);

    return query != NULL && strncmp(query, "name=", 5) == 0 ? query + 5 : "";
}

static void answer_digest(FCGX_Request *request, const char *name)
{
    unsigned char bytes[MD5], text[4 * MD5];
    char hex[2 * MD5 + 1];

    EVP_Digest(name, strlen(name), bytes, NULL, EVP_md5(), NULL);
    for (unsigned i = 0; i < MD5; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    EVP_EncodeBlock(text, (unsigned char *)hex, 2 * MD5);
    FCGX_FPrintF(request->out, "%s", text);
}

int main(void)
{
    FCGX_Request request;

    FCGX_Init();
    FCGX_InitRequest(&request, 0, 0);
    for (int n = 0; n < ALL && FCGX_Accept_r(&request) == 0; n++) {
        const char *path = FCGX_GetParam("SCRIPT_NAME", request.envp);

        FCGX_PutS("Content-Type: text/plain\r\n\r\n", request.out);
        if (path != NULL && strcmp(path, "/digest") == 0)
            answer_digest(&request, name_of(&request));
        else
            FCGX_FPrintF(request.out, "Hello, %s!", name_of(&request));
        FCGX_Finish_r(&request);
    }
    return 0;
}
