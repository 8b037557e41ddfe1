/* ring.cpp - the library from C++: learns which points lie in a ring, with handles that free
 * themselves and failures that are exceptions. */
#include <dlviz.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

/* Each handle has a function that destroys it, which takes NULL too. */
template <auto destroy> struct With {
    template <typename T> void operator()(T *handle) const { destroy(handle); }
};
using Tensor = std::unique_ptr<dlviz_tensor, With<dlviz_tensor_destroy>>;
using Dataset = std::unique_ptr<dlviz_dataset, With<dlviz_dataset_destroy>>;
using Network = std::unique_ptr<dlviz_network, With<dlviz_network_destroy>>;
using Optimizer = std::unique_ptr<dlviz_optimizer, With<dlviz_optimizer_destroy>>;
using Trainer = std::unique_ptr<dlviz_trainer, With<dlviz_trainer_destroy>>;

/* Not for callbacks: no exception may pass through the library. */
static void check(dlviz_status status) {
    if (status != DLVIZ_OK)
        throw std::runtime_error(dlviz_last_error());
}

/* Calls a function that makes a handle and gives it to its owner. */
template <typename Owner, typename Function, typename... Arguments>
static Owner make(Function function, Arguments... arguments) {
    typename Owner::pointer handle = nullptr;
    check(function(&handle, arguments...));
    return Owner(handle);
}

static Dataset ring(std::int64_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> points;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < n; i++) {
        float x = uniform(random), y = uniform(random), radius = std::hypot(x, y);
        points.insert(points.end(), {x, y});
        labels.push_back(radius > 0.5f && radius < 0.9f);
    }
    const std::array<std::int64_t, 2> dims = {n, 2}; /* where C has (int64_t[]){n, 2} */
    auto samples =
        make<Tensor>(dlviz_tensor_from_data, DLVIZ_FLOAT32, 2, dims.data(), points.data());
    auto targets = make<Tensor>(dlviz_tensor_from_data, DLVIZ_INT64, 1, &n, labels.data());
    return make<Dataset>(dlviz_dataset_create, samples.get(), targets.get()); /* shares both */
}

int main() try {
    Dataset train = ring(4000, 1), test = ring(1000, 2);
    auto net = make<Network>(dlviz_network_create, 1, dlviz_dataset_dims(train.get()));
    dlviz_network_add(net.get(), "hidden1", dlviz_linear(32));
    dlviz_network_add(net.get(), "relu1", dlviz_relu());
    dlviz_network_add(net.get(), "hidden2", dlviz_linear(32));
    dlviz_network_add(net.get(), "relu2", dlviz_relu());
    dlviz_network_add(net.get(), "out", dlviz_linear(2));
    check(dlviz_network_build(net.get(), 1)); /* the first error of all of the above */

    auto adam = make<Optimizer>(dlviz_adam_create, 3e-3);
    auto trainer = make<Trainer>(dlviz_trainer_create, net.get(), adam.get());
    double accuracy;
    check(dlviz_trainer_fit(trainer.get(), train.get(), 20));
    check(dlviz_network_evaluate(net.get(), test.get(), nullptr, &accuracy));
    std::printf("test accuracy %.1f %%\n", 100 * accuracy);
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
        throw std::runtime_error("cannot write to standard output");
    return EXIT_SUCCESS;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
}
