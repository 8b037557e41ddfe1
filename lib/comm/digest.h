/* comm/digest.h - whether ranks were given the same data. */
#ifndef DLZ_COMM_DIGEST_H
#define DLZ_COMM_DIGEST_H

#include <dlviz/comm.h>

/* A number made of bytes: others give another one. The same for any number of threads. */
uint64_t dlz_digest(const void *bytes, size_t size);
/* dlz_comm_require_same of a tensor's type, shape and digest. */
dlviz_status dlz_comm_require_same_tensor(dlviz_comm *comm, const char *who, const char *name,
                                          const dlviz_tensor *tensor);

#endif
