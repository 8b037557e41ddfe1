/* Metrics of the user's own loss: what they come to, in training and afterwards. */
#include "support/netspec.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

typedef struct own {
    int destroyed;
    dlviz_status status;
    const char *sentence; /* for the failure; NULL: none */
} own;

static void count_end(void *user) {
    ((own *)user)->destroyed++;
}

typedef struct training {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *set;
} training;

static void stop(training *t) {
    dlviz_trainer_destroy(t->trainer);
    dlviz_optimizer_destroy(t->optimizer);
    dlviz_network_destroy(t->network);
    dlviz_dataset_destroy(t->set);
}

/* The squared error over labels of any number, told in words by two metrics; labels below 0 count
 * for neither. */
static dlviz_status distance(const dlviz_loss_pass *pass, void *user) {
    const float *x = dlviz_tensor_const_float(dlviz_loss_pass_outputs(pass));
    const int64_t *labels = dlviz_tensor_const_data(dlviz_loss_pass_targets(pass));
    double *losses = dlviz_loss_pass_losses(pass);
    dlviz_tensor *gradient = dlviz_loss_pass_gradient(pass);
    (void)user;
    for (int64_t i = 0; i < dlviz_loss_pass_num_samples(pass); i++) {
        double error = (double)x[i] - (double)labels[i];
        losses[i] = error * error;
        if (gradient)
            dlviz_tensor_float(gradient)[i] = (float)(2 * error);
    }
    return DLVIZ_OK;
}

static dlviz_status tell(const dlviz_loss_pass *pass, void *user) {
    own *o = user;
    const float *x = dlviz_tensor_const_float(dlviz_loss_pass_outputs(pass));
    const int64_t *labels = dlviz_tensor_const_data(dlviz_loss_pass_targets(pass));
    double *near = dlviz_loss_pass_metric(pass, 0), *above = dlviz_loss_pass_metric(pass, 1);
    ck_assert(!dlviz_loss_pass_metric(pass, 2) && !dlviz_loss_pass_metric(pass, -1));
    ck_assert(!dlviz_loss_pass_losses(pass) && !dlviz_loss_pass_gradient(pass));
    for (int64_t i = 0; i < dlviz_loss_pass_num_samples(pass); i++) {
        bool counts = labels[i] >= 0;
        near[i] = counts ? fabs((double)x[i] - (double)labels[i]) < 0.5 : (double)NAN;
        above[i] = counts ? x[i] > (float)labels[i] : (double)NAN;
    }
    return o->sentence ? dlviz_fail(o->status, "%s", o->sentence) : DLVIZ_OK;
}

static dlviz_loss_functions distances = {.struct_size = sizeof distances,
                                         .name = "distance",
                                         .takes_labels = true,
                                         .value = distance,
                                         .num_metrics = 2,
                                         .metric_names = (const char *const[]){"near", "above"},
                                         .measure = tell,
                                         .destroy = count_end};

static training follow(dlviz_loss *loss, int64_t n, const int64_t *labels) {
    training t = {.network = net_from_text("1", "fc:linear,out=1")};
    dlviz_tensor *x, *y;
    ck_ok(dlviz_network_set_loss(t.network, loss));
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, 1}));
    for (int64_t i = 0; i < n; i++)
        dlviz_tensor_float(x)[i] = (float)i / 4;
    ck_ok(dlviz_tensor_from_data(&y, DLVIZ_INT64, 1, &n, labels));
    ck_ok(dlviz_dataset_create(&t.set, x, y));
    ck_ok(dlviz_adam_create(&t.optimizer, 0.01));
    ck_ok(dlviz_trainer_create(&t.trainer, t.network, t.optimizer));
    ck_ok(dlviz_trainer_set_batch_size(t.trainer, 3));
    ck_ok(dlviz_trainer_set_validation(t.trainer, t.set));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
    return t;
}

START_TEST(the_users_own_metrics) {
    static const int64_t labels[] = {0, 1, -1, 3, 0, 2, -7, 1};
    own o = {0};
    training t = follow(dlviz_loss_custom(&distances, &o), 8, labels);
    ck_assert_str_eq(dlviz_loss_metric_name(dlviz_network_loss(t.network), 1), "above");
    ck_assert_ptr_null(dlviz_loss_metric_name(dlviz_network_loss(t.network), 2));
    ck_ok(dlviz_trainer_fit(t.trainer, t.set, 2));
    dlviz_tensor *outputs;
    double loss, near, above, sum = 0, nears = 0, aboves = 0;
    ck_ok(dlviz_network_predict(t.network, t.set, &outputs));
    ck_ok(dlviz_network_evaluate(t.network, t.set, &loss, &near));
    ck_ok(dlviz_network_measure(t.network, t.set, "above", &above));
    for (int i = 0; i < 8; i++) {
        double x = (double)dlviz_tensor_const_float(outputs)[i], error = x - (double)labels[i];
        sum += error * error;
        nears += labels[i] >= 0 && fabs(error) < 0.5;
        aboves += labels[i] >= 0 && error > 0;
    }
    ck_assert_double_eq_tol(loss, sum / 8, 1e-9 * loss);
    ck_assert_double_eq(near, nears / 6);
    ck_assert_double_eq(above, aboves / 6);
    ck_assert_double_eq(dlviz_trainer_history(t.trainer, 1, "validation_near"), near);
    ck_assert_double_eq(dlviz_trainer_history(t.trainer, 1, "validation_above"), above);
    ck_assert(dlviz_trainer_history(t.trainer, 0, "train_near") >= 0);
    /* Samples without weight count in metrics; no sample that counts, no metric. */
    dlviz_tensor *weights;
    dlviz_dataset *none;
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, (int64_t[]){8}));
    dlviz_tensor_float(weights)[2] = 1;
    ck_ok(dlviz_dataset_set_weights(t.set, weights));
    ck_ok(dlviz_network_evaluate(t.network, t.set, NULL, &near));
    ck_assert_double_eq(near, nears / 6);
    ck_ok(dlviz_dataset_select(t.set, 1, (int64_t[]){2}, &none));
    ck_ok(dlviz_network_evaluate(t.network, none, NULL, &near));
    ck_assert(isnan(near));
    /* Failures, and what a checkpoint knows. */
    const char *path = scratch_path("metrics");
    ck_ok(dlviz_trainer_save_checkpoint(t.trainer, path));
    o.status = DLVIZ_ERROR_UNSUPPORTED, o.sentence = "nobody knows";
    ck_fails(dlviz_network_evaluate(t.network, t.set, &loss, NULL), DLVIZ_ERROR_UNSUPPORTED,
             "measure of the loss distance: nobody knows");
    ck_fails(dlviz_trainer_fit(t.trainer, t.set, 1), DLVIZ_ERROR_UNSUPPORTED, "nobody knows");
    dlviz_loss_functions fewer = distances;
    fewer.num_metrics = 1;
    training other = follow(dlviz_loss_custom(&fewer, &o), 8, labels);
    ck_fails(dlviz_trainer_load_checkpoint(other.trainer, path), DLVIZ_ERROR_FORMAT, "metrics");
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(weights);
    dlviz_dataset_destroy(none);
    stop(&t);
    stop(&other);
    ck_assert_int_eq(o.destroyed, 2);
}
END_TEST

START_TEST(metrics_are_checked) {
    static const char *const twice[] = {"near", "near"}, *const comma[] = {"near", "a,b"};
    dlviz_network *network = net_from_text("3", "fc:linear,out=2");
    own o = {0};
    dlviz_loss_functions f = distances;
    f.metric_names = twice;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID,
             "metrics 0 and 1 are both called 'near'");
    f.metric_names = (const char *const[]){"near", "loss"};
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID,
             "the name of metric 1 is 'loss'");
    f.metric_names = comma;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "'a,b'");
    f.metric_names = (const char *const[]){"near", NULL};
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "metric 1");
    f.metric_names = NULL;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "metric_names");
    f = distances;
    f.num_metrics = 9;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "0 to 8");
    f.num_metrics = 0;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "num_metrics");
    f = distances;
    f.measure = NULL;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "'measure'");
    ck_assert_int_eq(o.destroyed, 8);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    return run_tests("custom_metrics",
                     (const TTest *[]){the_users_own_metrics, metrics_are_checked, NULL});
}
