/* static_hit.c - N requests for a file of 6150 bytes. */
#include "static.h"

int main(int argc, char **argv)
{
    bench_static(argc > 1 ? atol(argv[1]) : 1000000, "", PL_STR("</html>"));
    return 0;
}
