/* static.h - N requests for one small file that the worker keeps. */
#ifndef PL_BENCH_STATIC_H
#define PL_BENCH_STATIC_H

#include <sys/stat.h>

#include "handlers/files.h"
#include "handlers/static.h"
#include "request.h"

#define BENCH_FILE_SIZE 6150

/* A folder with page.html, whose last bytes are "</html>"; removed by
 * bench_folder_remove(). */
static void bench_folder_make(char *folder)
{
    static char text[BENCH_FILE_SIZE + 1];
    char path[64];
    FILE *file;

    memset(text, '-', BENCH_FILE_SIZE);
    memcpy(text + BENCH_FILE_SIZE - 7, "</html>", 7);
    PL_ASSERT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/page.html", folder);
    file = fopen(path, "w");
    PL_ASSERT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void bench_folder_remove(const char *folder)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/page.html", folder);
    PL_ASSERT(unlink(path) == 0 && rmdir(folder) == 0);
}

/* Asks n times for the file with these fields; each answer ends with end. */
static void bench_static(long n, const char *fields, struct pl_str end)
{
    char folder[] = "/tmp/bench-static-XXXXXX";
    struct pl_static_options options = {.root = folder};
    struct pl_handler *handler;
    struct bench bench;
    char request[256];

    bench_folder_make(folder);
    bench_open(&bench);
    bench.http.files = pl_files_new(&bench.sched, 1 << 20, 16);
    PL_ASSERT(bench.http.files != NULL);
    handler = pl_static_new(&options, NULL);
    PL_ASSERT(handler != NULL);
    PL_ASSERT(pl_site_route(bench.site, PL_METHODS_ANY, PL_STR("/files"), true,
                            handler, NULL, "", NULL) == 0);
    snprintf(request, sizeof(request),
             "GET /files/page.html HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    bench_run(&bench, n, pl_str_c(request), end);
    bench_hang_up(&bench);
    pl_files_free(bench.http.files);
    pl_site_free(bench.site);
    bench_close(&bench);
    bench_folder_remove(folder);
}

#endif
