/* Programs that finalize MPI while a communicator is still there: the others are told, as they would
 * wait for a rank that never comes. Attributes of MPI_COMM_SELF are deleted before anything else. */
#include "mpi/link.h"

/* Seconds. */
#define LAST_NOTICES 3

static int on_delete(MPI_Comm comm, int key, void *attribute, void *extra) {
    dlz_mpi_link *link = attribute;
    (void)comm, (void)key, (void)extra;
    if (link->said)
        return MPI_SUCCESS;
    link->finalized = true;
    dlz_mpi_say(link, DLZ_MPI_FINALIZES, "");
    (void)dlz_mpi_hear_all(link, LAST_NOTICES);
    return MPI_SUCCESS;
}

dlviz_status dlz_mpi_watch(dlz_mpi_link *link) {
    DLZ_MPI_TRY("MPI_Comm_create_keyval",
                MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, on_delete, &link->key, NULL));
    DLZ_MPI_TRY("MPI_Comm_set_attr", MPI_Comm_set_attr(MPI_COMM_SELF, link->key, link));
    return DLVIZ_OK;
}

void dlz_mpi_unwatch(dlz_mpi_link *link) {
    void *attribute;
    int found = 0;
    if (link->key == MPI_KEYVAL_INVALID)
        return;
    if (MPI_Comm_get_attr(MPI_COMM_SELF, link->key, &attribute, &found) == MPI_SUCCESS && found)
        MPI_Comm_delete_attr(MPI_COMM_SELF, link->key);
    MPI_Comm_free_keyval(&link->key);
}
