/* comm/enter.h - the beginning of a call that all ranks make.
 *
 * Whatever a rank may be refused for alone, it tells the others, who have come to the same call, so
 * that nobody waits for it: no such call returns before dlz_comm_enter but where there is no way to
 * them, as of a handle that is NULL. There, the next call differs, or the rank leaves, and either is
 * told. Each call begins with the same exchange, so that ranks which make different ones can say
 * so; and so can those whose libraries would come to other bits.
 *
 *     dlviz_status status = DLZ_OUT_STATUS(map);
 *     DLZ_REQUIRE(tsne);
 *     DLZ_HOLD_TOGETHER(&tsne->busy, "t-SNE handle", DLZ_ALONE, tsne->comm);
 *     if (status == DLVIZ_OK)
 *         status = check(...);
 *     DLZ_TRY(dlz_comm_enter(tsne->comm, __func__, status));
 */
#ifndef DLZ_COMM_ENTER_H
#define DLZ_COMM_ENTER_H

#include "base/busy.h"
#include "base/cancel.h"

#include <dlviz/comm.h>

/* DLVIZ_OK, and *out is NULL; else a failure that names it. */
#define DLZ_OUT_STATUS(out)                                                                        \
    ((out) ? (*(out) = NULL, DLVIZ_OK)                                                             \
           : dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", __func__, #out))

/* Agrees on `status`, as dlz_comm_agree does, whatever calls the ranks are in; and that all have the
 * same library and, where none has failed, are in the call `who`: else fails on all ranks with
 * DLVIZ_ERROR_INVALID_ARGUMENT. */
dlviz_status dlz_comm_enter(dlviz_comm *comm, const char *who, dlviz_status status);

/* Takes the mark of a handle, and that of its communicator. Where another thread has the handle, the
 * others are told, in place of dlz_comm_enter. In a callback of the handle, and where another thread
 * uses the communicator, they are not: they are in a call that goes on. */
dlviz_status dlz_comm_take(const char *who, const dlz_busy *busy, const char *what,
                           dlz_hold_mode mode, dlviz_comm *const *comm, dlz_hold *handle,
                           dlz_hold *shared);
/* The communicator's alone. */
dlviz_status dlz_comm_take_alone(const char *who, dlviz_comm *comm, dlz_hold *shared);

#define DLZ_HOLD_TOGETHER(busy, what, mode, comm)                                                  \
    DLZ_NOT_CANCELLED;                                                                             \
    dlz_hold dlz_hold_ __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};              \
    dlz_hold dlz_shared_ __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};            \
    DLZ_TRY(dlz_comm_take(__func__, busy, what, mode, &(comm), &dlz_hold_, &dlz_shared_))
#define DLZ_HOLD_COMM(who, comm)                                                                   \
    DLZ_NOT_CANCELLED;                                                                             \
    dlz_hold dlz_shared_ __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};            \
    DLZ_TRY(dlz_comm_take_alone(who, comm, &dlz_shared_))

#endif
