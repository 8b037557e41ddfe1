/* Calls of dlviz/loss.h, but for losses of a program's own. */
#include "calls.h"

#include <math.h>

DECLARE_SETTINGS(loss)

void see_loss(const dlviz_loss *loss) {
    int64_t index = an_index();
    require(!loss == !dlviz_loss_name(loss), "a name");
    see_text(dlviz_loss_name(loss));
    for (int64_t i = 0; i < dlviz_loss_num_metrics(loss); i++)
        require(dlviz_loss_metric_name(loss, i) != NULL, "a metric's name");
    see_text(dlviz_loss_metric_name(loss, index));
    see_number(dlviz_cross_entropy_label_smoothing(loss));
    see_count(dlviz_cross_entropy_num_class_weights(loss));
    see_number(dlviz_cross_entropy_class_weights(loss, index));
    see_number((double)dlviz_cross_entropy_ignored_label(loss));
    see_number(dlviz_huber_delta(loss));
    see_count(dlviz_bce_with_logits_num_positive_weights(loss));
    see_number(dlviz_bce_with_logits_positive_weights(loss, index));
    (void)dlviz_kl_divergence_log_targets(loss);
}

static dlviz_loss *make_loss(void) {
    int64_t refused = refused_requests();
    dlviz_loss *loss;
    switch (below(9)) {
    case 0:
    case 1:
        loss = dlviz_cross_entropy();
        break;
    case 2:
        loss = dlviz_mse();
        break;
    case 3:
        loss = dlviz_l1();
        break;
    case 4:
        loss = dlviz_huber(one_in(3) ? a_number() : 0.5);
        break;
    case 5:
        loss = dlviz_bce_with_logits();
        break;
    case 6:
        loss = dlviz_kl_divergence();
        break;
    default:
        return custom_loss();
    }
    require(loss != NULL || refused_requests() > refused, "a loss, unless memory ran out");
    return loss;
}

static void set(dlviz_loss *loss) {
    static const loss_number numbers[] = {
        {dlviz_cross_entropy_set_label_smoothing, dlviz_cross_entropy_label_smoothing, 0, 1},
        {dlviz_huber_set_delta, dlviz_huber_delta, ABOVE_0, UP_TO},
    };
    double weights[8];
    for (int i = 0; i < 8; i++)
        weights[i] = one_in(8) ? a_number() : 1;
    int64_t count = below(10) - 1;
    count = count > 8 ? 8 : count;
    switch (below(5)) {
    case 0:
        SET_NUMBER(loss, numbers[below(COUNT(numbers))], loss, a_share());
        break;
    case 1:
        if (CALL(dlviz_cross_entropy_set_class_weights(loss, count, weights)) == DLVIZ_OK)
            require(dlviz_cross_entropy_num_class_weights(loss) == count &&
                        (count == 0 || dlviz_cross_entropy_class_weights(loss, count - 1) >= 0),
                    "weights");
        break;
    case 2:
        if (CALL(dlviz_bce_with_logits_set_positive_weights(loss, count, weights)) == DLVIZ_OK)
            require(
                dlviz_bce_with_logits_num_positive_weights(loss) == count &&
                    (count == 0 || dlviz_bce_with_logits_positive_weights(loss, count - 1) >= 0),
                "weights");
        break;
    case 3: {
        int64_t label = an_int();
        if (CALL(dlviz_cross_entropy_set_ignored_label(loss, label)) == DLVIZ_OK)
            require(dlviz_cross_entropy_ignored_label(loss) == label, "a label");
        break;
    }
    default:
        SET_FLAG(
            loss,
            ((loss_flag){dlviz_kl_divergence_set_log_targets, dlviz_kl_divergence_log_targets}),
            loss, a_bool());
    }
}

static void hand_over(void) {
    dlviz_network *network = a_network();
    const dlviz_loss *before = dlviz_network_loss(network);
    dlviz_loss *loss = take_loss();
    if (CALL(dlviz_network_set_loss(network, loss)) != DLVIZ_OK) {
        require(dlviz_network_loss(network) == before,
                "a loss that is refused leaves the former one");
        return;
    }
    require(dlviz_network_loss(network) == loss, "the loss that was set");
    if (a_bool()) { /* what is owned is not owned again, nor set, nor destroyed */
        dlviz_loss_destroy(loss);
        require(CALL(dlviz_cross_entropy_set_ignored_label(loss, 1)) != DLVIZ_OK,
                "set behind an owner's back");
        require(CALL(dlviz_network_set_loss(a_network(), loss)) != DLVIZ_OK, "owned twice");
    }
    see_loss(loss);
}

void call_loss(void) {
    dlviz_loss *loss = a_loss();
    switch (!loss && !one_in(8) ? 0 : below(7)) {
    case 0:
    case 1:
        loss = make_loss();
        see_loss(loss);
        keep_loss(loss);
        break;
    case 2:
    case 3:
        set(loss);
        break;
    case 4:
    case 5:
        hand_over();
        break;
    default:
        drop_loss();
    }
}
