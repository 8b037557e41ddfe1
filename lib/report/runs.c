/* The runs of a report: made, owned, and the names of their maps. */
#include "report/report.h"
#include "base/grow.h"

#include <string.h>

dlviz_status dlz_report_run_create(dlviz_report *report, const char *name, dlviz_report_run **out) {
    *out = NULL;
    dlviz_report_run *run = dlz_alloc_zero(sizeof *run);
    if (!run)
        return dlz_fail_memory("a run", sizeof *run);
    run->report = report;
    if (!(run->name = dlz_strdup(name))) {
        dlz_free(run);
        return dlz_fail_memory("a run's name", strlen(name) + 1);
    }
    *out = run;
    return DLVIZ_OK;
}

void dlz_report_forget_frames(dlviz_report_run *run) {
    for (int64_t f = 0; f < run->num_frames; f++)
        dlz_report_frame_release(run, &run->frames[f]);
    dlz_free(run->frames);
    run->frames = NULL;
    run->num_frames = run->num_outputs = 0;
    dlz_report_release_texts(&run->maps);
    dlz_report_probabilities_release(&run->probabilities);
}

void dlz_report_run_destroy(dlviz_report_run *run) {
    if (!run)
        return;
    dlz_report_release_facts(run);
    dlz_report_forget_frames(run);
    dlz_free(run->neighbors);
    dlz_free(run->attribution.points);
    dlz_free(run->attribution.maps);
    dlz_free(run->layer);
    dlz_free(run->name);
    dlz_free(run);
}

dlviz_status dlz_report_take_runs(dlviz_report *report, int64_t count,
                                  dlviz_report_run *const *runs) {
    dlviz_report_run **all =
        dlz_list_grow(report->runs, report->num_runs, count, sizeof(dlviz_report_run *));
    if (!all)
        return dlz_fail_memory("the runs of a report",
                               (uint64_t)(report->num_runs + count) * sizeof(dlviz_report_run *));
    report->runs = all;
    for (int64_t i = 0; i < count; i++) {
        runs[i]->report = report;
        all[report->num_runs++] = runs[i];
    }
    return DLVIZ_OK;
}

bool dlz_report_has_run(const dlviz_report *report, const char *name,
                        const dlviz_report_run *except) {
    for (int64_t i = 0; i < report->num_runs; i++)
        if (report->runs[i] != except && strcmp(report->runs[i]->name, name) == 0)
            return true;
    return false;
}

dlviz_status dlviz_report_add_run(dlviz_report *report, const char *name, dlviz_report_run **run) {
    DLZ_REQUIRE_OUT(run);
    DLZ_REQUIRE(report);
    DLZ_TRY(dlz_report_check_text(__func__, "name", name));
    if (!name[0])
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'name' is empty", __func__);
    DLZ_TRY(dlz_report_require_points(__func__, report));
    if (dlz_report_has_run(report, name, NULL))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the report has a run named '%s' already; each needs a name of its own",
                        __func__, name);
    dlviz_report_run *made;
    DLZ_TRY(dlz_report_run_create(report, name, &made));
    dlviz_status status = dlz_report_take_runs(report, 1, &made);
    if (status == DLVIZ_OK)
        *run = made;
    else
        dlz_report_run_destroy(made);
    return status;
}

int64_t dlviz_report_num_runs(const dlviz_report *report) {
    return report ? report->num_runs : 0;
}

dlviz_report_run *dlviz_report_run_at(dlviz_report *report, int64_t index) {
    return index >= 0 && index < dlviz_report_num_runs(report) ? report->runs[index] : NULL;
}

const char *dlviz_report_run_name(const dlviz_report_run *run) {
    return run ? run->name : NULL;
}

/* -- Maps ----------------------------------------------------------------------------------------
 */

dlviz_status dlz_report_add_map_name(dlviz_report_run *run, const char *name) {
    char **all = dlz_list_grow(run->maps.items, run->maps.count, 1, sizeof *all);
    if (!all)
        return dlz_fail_memory("the maps of a run", (uint64_t)run->maps.count * sizeof *all);
    run->maps.items = all;
    if (!(all[run->maps.count] = dlz_strdup(name)))
        return dlz_fail_memory("a map's name", strlen(name) + 1);
    run->maps.count++;
    return DLVIZ_OK;
}

dlviz_status dlviz_report_run_add_map(dlviz_report_run *run, const char *name) {
    DLZ_REQUIRE(run);
    DLZ_TRY(dlz_report_check_text(__func__, "name", name));
    if (run->num_frames > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the run has frames already; maps come before",
                        __func__);
    return dlz_report_add_map_name(run, name);
}

int64_t dlviz_report_run_num_maps(const dlviz_report_run *run) {
    return run ? run->maps.count : 0;
}

const char *dlviz_report_run_map_name(const dlviz_report_run *run, int64_t index) {
    return index >= 0 && index < dlviz_report_run_num_maps(run) ? run->maps.items[index] : NULL;
}
