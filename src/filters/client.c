#include "filters/client.h"

#include <arpa/inet.h>
#include <string.h>

static bool parse(struct pl_str remote, struct pl_addr *addr)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (remote.len >= sizeof(text))
        return false;
    memcpy(text, remote.data, remote.len);
    if (remote.len == 0)
        addr->sa.sa_family = AF_UNIX;
    else if (inet_pton(AF_INET, text, &addr->v4.sin_addr) == 1)
        addr->sa.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &addr->v6.sin6_addr) == 1)
        addr->sa.sa_family = AF_INET6;
    else
        return false;
    return true;
}

bool pl_client_addr(struct pl_request *req, struct pl_addr *addr)
{
    struct in_addr v4;

    *addr = (struct pl_addr){.len = 0};
    /* Not asked for yet: no need to write it down and read it again. */
    if ((req->remote.data != NULL || req->wire == NULL ||
         !req->wire->peer(req, addr)) &&
        !parse(pl_request_remote(req, NULL), addr))
        return false;
    if (addr->sa.sa_family == AF_INET6 &&
        IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr)) {
        memcpy(&v4, &addr->v6.sin6_addr.s6_addr[12], sizeof(v4));
        addr->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = v4};
    }
    return true;
}
