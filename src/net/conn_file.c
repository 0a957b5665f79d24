/* conn_file.c - a file on its way to a peer: what is sent next is in memory
 * before sendfile() looks for it, so that a cold or slow disk holds this
 * connection and nobody else.
 *
 *     window --probes--> warm --> sendfile
 *        ^                | cold
 *        +--- read on an offload thread; the queue stands still meanwhile
 *
 * A probe reads one byte with RWF_NOWAIT. Where the kernel cannot say (some
 * file systems), every window is read ahead. */
#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "loop/offload.h"
#include "net/conn_priv.h"

enum {
    WINDOW = 512 * 1024,
    STRIDE = 128 * 1024, /* between probes: what kernels read ahead at once */
    SCRATCH = 64 * 1024,
    BY_HAND = 16 * 1024, /* sent without asking where no thread can be had */
};

/* A window that is being read. The thread has file, off and len until its end;
 * the rest is the worker's. */
struct pl_ahead {
    struct pl_job job;
    struct pl_net *net;
    struct pl_conn *conn; /* NULL: has closed meanwhile */
    struct pl_out *out;
    void (*release)(void *arg); /* of a file whose connection has closed */
    void *arg;
    int file, err;
    uint64_t off;
    size_t len;
    char scratch[SCRATCH];
};

/* ---- on an offload thread ---- */

static void read_window(struct pl_job *job)
{
    struct pl_ahead *ahead = PL_CONTAINER_OF(job, struct pl_ahead, job);
    size_t done = 0;

    while (done < ahead->len) {
        ssize_t n =
            pl_sys_pread(ahead->file, ahead->scratch,
                         PL_MIN(ahead->len - done, sizeof(ahead->scratch)),
                         (off_t)(ahead->off + done));

        if (n == 0) /* it has become shorter: sendfile will say so */
            return;
        if (n < 0 && errno != EINTR) {
            ahead->err = PL_ERR_IO;
            return;
        }
        done += n < 0 ? 0 : (size_t)n;
    }
}

/* ---- on the worker ---- */

static void on_read(struct pl_job *job)
{
    struct pl_ahead *ahead = PL_CONTAINER_OF(job, struct pl_ahead, job);
    struct pl_net *net = ahead->net;
    struct pl_conn *conn = ahead->conn;
    int err = ahead->err;

    net->reads--;
    if (conn == NULL) {
        ahead->release(ahead->arg);
    } else {
        ahead->out->ahead = NULL;
        ahead->out->warm = ahead->len;
    }
    pl_pool_put(net->pool, ahead, sizeof(*ahead));
    if (conn == NULL)
        return;
    if (err < 0) {
        pl_log(PL_LOG_ERROR, "net", "a file cannot be read while it is sent");
        pl_conn_close(conn, err);
        return;
    }
    pl_conn_write_begin(conn);
    pl_conn_push(conn);
}

static bool begin_read(struct pl_conn *conn, struct pl_out *out, size_t len)
{
    struct pl_net *net = pl_conn_net(conn);
    struct pl_ahead *ahead = pl_pool_get(net->pool, sizeof(*ahead));

    if (ahead == NULL)
        return false;
    ahead->job = (struct pl_job){.work = read_window,
                                 .done = on_read,
                                 .reply = pl_loop_mailbox(net->loop)};
    ahead->net = net;
    ahead->conn = conn;
    ahead->out = out;
    ahead->file = out->file;
    ahead->err = 0;
    ahead->off = out->off;
    ahead->len = len;
    if (pl_offload_submit(net->offload, &ahead->job) < 0) {
        pl_pool_put(net->pool, ahead, sizeof(*ahead));
        return false;
    }
    net->reads++;
    out->ahead = ahead;
    /* It is our disk that is slow, not the peer. */
    pl_deadline_set(&net->deadlines, &conn->source, &conn->class,
                    PL_DEADLINE_NONE, 0);
    return true;
}

static bool is_warm(int file, uint64_t at)
{
    char byte;
    struct iovec iov = {&byte, 1};

    return pl_sys_preadv2(file, &iov, 1, (off_t)at, RWF_NOWAIT) >= 0;
}

/* How many of the next len bytes can be sent at once. */
static size_t probe(const struct pl_out *out, size_t len)
{
    size_t warm = 0;

    if (!is_warm(out->file, out->off))
        return 0;
    while (warm < len) {
        size_t next = PL_MIN(warm + STRIDE, len);

        if (!is_warm(out->file, out->off + next - 1))
            break;
        warm = next;
    }
    return warm;
}

bool pl_conn_file_ready(struct pl_conn *conn, struct pl_out *out)
{
    size_t len = (size_t)PL_MIN(out->len, (uint64_t)WINDOW);

    if (out->ahead != NULL)
        return false;
    if (out->warm > 0)
        return true;
    out->warm = pl_conn_net(conn)->offload == NULL ? len : probe(out, len);
    if (out->warm > 0)
        return true;
    if (begin_read(conn, out, len))
        return false;
    out->warm = PL_MIN(len, (size_t)BY_HAND);
    return true;
}

void pl_conn_file_abandon(struct pl_out *out)
{
    out->ahead->conn = NULL;
    out->ahead->release = out->release;
    out->ahead->arg = out->arg;
    out->release = NULL;
}
