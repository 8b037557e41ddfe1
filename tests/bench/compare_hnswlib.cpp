// Times hnswlib, in processor seconds and by the clock, on the points of a .npy file (float32, C order), for comparison with
// bench_neighbors: builds the graph, asks for the k nearest others of every point, and measures
// the recall on 1,000 of them by brute force.
//
//     git clone https://github.com/nmslib/hnswlib
//     g++ -O3 -march=native -std=c++17 -pthread -I hnswlib compare_hnswlib.cpp -o compare_hnswlib
//     bench_neighbors --random 100000 50 --save points.npy
//     ./compare_hnswlib points.npy K M EF_CONSTRUCTION THREADS QUERIES EF...
//
// QUERIES: search for so many of the points only, and predict the time of all from it; 0: all.
#include "hnswlib/hnswlib.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <thread>
#include <vector>

using namespace std;

static double now() {
    return chrono::duration<double>(chrono::steady_clock::now().time_since_epoch()).count();
}

// Processor seconds of all threads.
static double used() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

template <typename F> static void in_parallel(size_t n, int threads, F f) {
    atomic<size_t> next{0};
    vector<thread> all;
    for (int t = 0; t < threads; t++)
        all.emplace_back([&] {
            for (size_t i; (i = next++) < n;)
                f(i);
        });
    for (auto &t : all)
        t.join();
}

int main(int argc, char **argv) {
    if (argc < 8)
        return fprintf(stderr,
                       "compare_hnswlib POINTS.npy K M EF_CONSTRUCTION THREADS QUERIES EF...\n"),
               2;
    ifstream file(argv[1], ios::binary);
    char magic[10];
    file.read(magic, 10);
    uint16_t length;
    memcpy(&length, magic + 8, 2);
    string header(length, ' ');
    file.read(&header[0], length);
    size_t n = 0, d = 0;
    if (sscanf(header.c_str() + header.find('(') + 1, "%zu, %zu", &n, &d) != 2 ||
        header.find("<f4") == string::npos)
        return fprintf(stderr, "not a matrix of float32\n"), 1;
    vector<float> points(n * d);
    file.read((char *)points.data(), (streamsize)(n * d * sizeof(float)));
    size_t k = (size_t)atol(argv[2]), queries = (size_t)atol(argv[6]);
    int threads = atoi(argv[5]);
    hnswlib::L2Space space(d);
    hnswlib::HierarchicalNSW<float> index(&space, n, (size_t)atol(argv[3]), (size_t)atol(argv[4]));
    double start = now(), cpu = used();
    index.addPoint(points.data(), 0);
    in_parallel(n - 1, threads, [&](size_t i) { index.addPoint(&points[(i + 1) * d], i + 1); });
    double build = now() - start, build_cpu = used() - cpu;
    printf("points: %zu x %zu, k %zu, M %s, ef_construction %s, threads %d\nbuild: %.1f s, %.1f s "
           "of processors\n",
           n, d, k, argv[3], argv[4], threads, build, build_cpu);
    fflush(stdout);
    size_t m = min<size_t>(n, 200);
    vector<vector<size_t>> truth(m);
    in_parallel(m, threads, [&](size_t q) {
        vector<pair<float, size_t>> all(n);
        for (size_t i = 0; i < n; i++) {
            float sum = 0;
            for (size_t c = 0; c < d; c++) {
                float difference = points[i * d + c] - points[q * d + c];
                sum += difference * difference;
            }
            all[i] = {i == q ? INFINITY : sum, i};
        }
        partial_sort(all.begin(), all.begin() + (long)k, all.end());
        for (size_t i = 0; i < k; i++)
            truth[q].push_back(all[i].second);
    });
    if (queries == 0 || queries > n)
        queries = n;
    for (int a = 7; a < argc; a++) {
        index.setEf((size_t)atol(argv[a]));
        vector<size_t> hits(m);
        start = now();
        cpu = used();
        in_parallel(queries, threads, [&](size_t q) {
            auto found = index.searchKnn(&points[q * d], k + 1);
            if (q < m)
                for (; !found.empty(); found.pop())
                    hits[q] += (size_t)count(truth[q].begin(), truth[q].end(), found.top().second);
        });
        double all = (double)n / (double)queries;
        double search = (now() - start) * all, search_cpu = (used() - cpu) * all;
        size_t sum = 0;
        for (size_t h : hits)
            sum += h;
        printf("ef %s: recall@%zu %.4f, search %.1f s, build and search %.1f s, %.1f s of "
               "processors\n",
               argv[a], k, (double)sum / (double)(m * k), search, build + search,
               build_cpu + search_cpu);
        fflush(stdout);
    }
    return 0;
}
