// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/judge_figures.cpp - how long a verdict takes: 64 partitions, 200 rules, the packaged ones again and again.
//
//   judge_figures    prints milliseconds of CPU, the best of five; exit 1 above 50
#include "image-tools/admission/cases.hpp"
#include "image-tools/admission/judge.hpp"
#include "image-tools/cel/json.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace {

constexpr std::size_t partitions = 64, rules = 200;
constexpr double most = 50; // milliseconds

double now() {
    std::timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

cel::Value large_plan() {
    auto plan = nlohmann::ordered_json::parse(admission::example_plan());
    const auto one = plan["items"][0];
    while (plan["items"].size() < partitions) {
        plan["items"].push_back(one);
        plan["items"].back()["name"] = "web" + std::to_string(plan["items"].size());
    }
    return std::get<cel::Value>(cel::read_json(plan.dump()));
}

std::vector<admission::Use> many_rules() {
    std::vector<admission::Use> out;
    for (std::size_t left = rules; left > 0;)
        for (const admission::Packaged& set : admission::packaged_sets()) {
            admission::Use use{admission::parse(std::string(set.name), std::string(set.text)), {}};
            use.policy.rules.resize(std::min(left, use.policy.rules.size()));
            left -= use.policy.rules.size();
            out.push_back(std::move(use));
        }
    return out;
}

} // namespace

int main() {
    const cel::Value plan = large_plan();
    const double start = now();
    const std::vector<admission::Use> uses = many_rules();
    const double reading = now() - start;
    double best = 1e9;
    std::size_t asked = 0;
    for (int i = 0; i < 5; ++i) {
        const double before = now();
        asked = admission::judge(uses, plan, "2026-11-30").rules;
        best = std::min(best, now() - before);
    }
    std::printf("%zu partitions, %zu rules: %.1f ms (and %.1f ms to read the rules)\n", partitions, asked,
                best, reading);
    return asked == rules && best <= most ? 0 : 1;
}
