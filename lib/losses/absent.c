/* What a network that was opened has in the place of a loss of the program that saved it. */
#include "base/base.h"
#include "losses/loss.h"

static dlviz_status check_output(const dlviz_loss *loss, const dlz_shape *output) {
    (void)output;
    (void)loss;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "it is one of the program's own that saved the network; set it, or another, "
                    "with dlviz_network_set_loss");
}

static void destroy(dlviz_loss *loss) {
    dlz_free((char *)(uintptr_t)loss->name);
}

/* Saved again, it is what it was. */
static const dlz_loss_type absent_type = {
    .name = "custom",
    .size = sizeof(dlviz_loss),
    .check_output = check_output,
    .destroy = destroy,
};

dlviz_loss *dlz_loss_absent(const char *name) {
    char *own = dlz_strdup(name);
    dlviz_loss *loss = own ? dlz_loss_create(&absent_type) : NULL;
    if (loss)
        loss->name = own;
    else
        dlz_free(own);
    if (!own)
        dlz_fail_memory("a loss's name", 0);
    return loss;
}
