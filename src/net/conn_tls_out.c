/* conn_tls_out.c - the output of connections with TLS: gathered, encrypted by
 * the record, sent by the batch. See conn_tls.c. */
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/conn_priv.h"
#include "net/conn_tls.h"

enum { RECORD = PL_TLS_BATCH / 4 };

int pl_conn_tls_send_records(struct pl_conn *conn)
{
    struct pl_tls_io *io = &pl_conn_tls_worker(conn)->io;
    struct iovec iov = {io->out, io->out_len};
    ssize_t sent = 0;

    io->out_len = 0;
    if (iov.iov_len == 0)
        return 0;
    if ((conn->flags & PL_CONN_WRITABLE) && !pl_conn_has_records(conn))
        sent = pl_conn_transfer(conn, &iov, 1);
    if (sent < 0)
        return (int)sent;
    if ((size_t)sent == iov.iov_len)
        return 0;
    conn->flags &= (uint16_t)~PL_CONN_WRITABLE;
    return pl_conn_queue_records(
        conn, pl_str(io->out + sent, iov.iov_len - (size_t)sent));
}

static int encrypt(struct pl_conn *conn, const char *bytes, size_t len)
{
    return len == 0 ? 0
                    : pl_conn_tls_worker(conn)->offer->write(
                          pl_conn_tls(conn)->session, bytes, len);
}

static int encrypt_stage(struct pl_conn *conn)
{
    struct pl_tls_worker *worker = pl_conn_tls_worker(conn);
    size_t len = worker->staged;

    worker->staged = 0;
    return encrypt(conn, worker->stage, len);
}

/* Small pieces gather until they fill a record; whole records of what is large
 * are encrypted from where it is. */
static int put(struct pl_conn *conn, const char *bytes, size_t len)
{
    struct pl_tls_worker *worker = pl_conn_tls_worker(conn);
    int err = 0;

    while (len > 0 && err == 0) {
        size_t part = len - len % RECORD;

        if (worker->staged == 0 && part > 0) {
            err = encrypt(conn, bytes, part);
        } else {
            part = PL_MIN(len, RECORD - worker->staged % RECORD);
            memcpy(worker->stage + worker->staged, bytes, part);
            worker->staged += part;
            if (worker->staged % RECORD == 0)
                err = encrypt_stage(conn);
        }
        bytes += part;
        len -= part;
    }
    return err;
}

ssize_t pl_conn_tls_send(struct pl_conn *conn, const struct iovec *iov, int n)
{
    size_t total = 0, at = 0;
    int i = 0, err = 0;

    while (i < n && err == 0 && (conn->flags & PL_CONN_WRITABLE)) {
        size_t room = PL_TLS_BATCH;

        while (i < n && room > 0 && err == 0) {
            size_t part = PL_MIN(iov[i].iov_len - at, room);

            err = put(conn, (const char *)iov[i].iov_base + at, part);
            room -= part;
            at += part;
            if (at == iov[i].iov_len) {
                at = 0;
                i++;
            }
        }
        total += PL_TLS_BATCH - room;
        if (err == 0)
            err = encrypt_stage(conn);
        if (err == 0)
            err = pl_conn_tls_send_records(conn);
    }
    pl_conn_tls_worker(conn)->staged = 0;
    return err < 0 ? err : (ssize_t)total;
}

/* Of a file that is in memory, up to len bytes. Returns how many, or PL_ERR_*.
 */
static ssize_t put_file(struct pl_conn *conn, struct pl_out *out, size_t len)
{
    struct pl_tls_worker *worker = pl_conn_tls_worker(conn);
    char *to = worker->stage + worker->staged;
    int err = 0;
    ssize_t n;

    len = PL_MIN(len, PL_TLS_BATCH - worker->staged);
    len = PL_MIN(len, out->warm);
    n = pl_sys_pread(out->file, to, len, (off_t)out->off);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0) {
        pl_log(PL_LOG_WARN, "net",
               n < 0 ? "a file cannot be read while it is sent"
                     : "a file became shorter while it was sent");
        return PL_ERR_IO;
    }
    worker->staged += (size_t)n;
    out->warm -= (size_t)n;
    if (worker->staged % RECORD == 0)
        err = encrypt_stage(conn);
    return err < 0 ? err : n;
}

/* From the front of the queue, up to room bytes. */
static ssize_t put_queued(struct pl_conn *conn, size_t room)
{
    struct pl_out *out = conn->io->head;
    size_t len = (size_t)PL_MIN(out->len, (uint64_t)room);
    int err;

    if (out->kind == PL_OUT_FILE)
        return put_file(conn, out, len);
    err = put(conn, out->data + out->off, len);
    return err < 0 ? err : (ssize_t)len;
}

ssize_t pl_conn_tls_push(struct pl_conn *conn)
{
    size_t total = 0;
    ssize_t n = 0;
    int err;

    while (total < PL_TLS_BATCH && n >= 0 && pl_conn_has_queue(conn)) {
        struct pl_out *out = conn->io->head;

        if (out->kind == PL_OUT_FILE && !pl_conn_file_ready(conn, out))
            break;
        n = put_queued(conn, PL_TLS_BATCH - total);
        if (n > 0) {
            total += (size_t)n;
            pl_conn_sent(conn, (size_t)n);
        }
    }
    err = n < 0 ? (int)n : encrypt_stage(conn);
    pl_conn_tls_worker(conn)->staged = 0;
    if (err == 0)
        err = pl_conn_tls_send_records(conn);
    return err < 0 ? err : (ssize_t)total;
}

void pl_conn_tls_goodbye(struct pl_conn *conn)
{
    struct pl_tls *tls = pl_conn_tls(conn);
    int err;

    if (!tls->open || tls->farewell)
        return;
    tls->farewell = true;
    pl_conn_tls_worker(conn)->offer->finish(tls->session);
    err = pl_conn_tls_send_records(conn);
    if (err < 0)
        pl_conn_close(conn, err);
}
