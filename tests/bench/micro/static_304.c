/* static_304.c - N requests for a file that the peer has already. */
#include "static.h"

int main(int argc, char **argv)
{
    bench_static(argc > 1 ? atol(argv[1]) : 1000000,
                 "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT\r\n",
                 PL_STR("\r\n\r\n"));
    return 0;
}
