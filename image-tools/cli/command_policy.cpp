// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_policy.cpp - policy ls, test, fix, explain; and judging a plan.
#include "image-tools/admission/cases.hpp"
#include "image-tools/admission/fixes.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/cel/functions.hpp"
#include "image-tools/cel/json.hpp"
#include "image-tools/cli/judging.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/manifest/yaml.hpp"
#include "image-tools/registry/images.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace cli {
namespace {

struct LsOptions {
    std::string policy;
};
struct TestOptions {
    std::vector<std::string> files;
};
struct RuleOptions {
    std::string rule, policy;
};

struct FixOptions {
    std::string file;
    std::vector<std::string> policies;
};

// SOURCE_DATE_EPOCH's day where it is set.
std::string today() {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    const std::int64_t seconds = build::source_date_epoch().value_or(now.count());
    const cel::Value time = cel::Value::of_timestamp(seconds, 0);
    return time.failed() ? "9999-12-31" : cel::timestamp_text(time).substr(0, 10);
}

std::vector<admission::Policy> policies_of(const std::string& word) {
    if (!word.empty())
        return admission::load(word, {});
    std::vector<admission::Policy> out;
    for (const admission::Packaged& set : admission::packaged_sets())
        out.push_back(admission::parse(std::string(set.name), std::string(set.text)));
    return out;
}

std::string_view word(admission::Action action) {
    return admission::action_words[static_cast<std::size_t>(action)];
}

Json rule_json(const admission::Policy& policy, const admission::Rule& rule) {
    return {{"id", rule.id},
            {"policy", policy.name},
            {"title", rule.title},
            {"severity", rule.severity},
            {"action", word(policy.action)},
            {"controls", rule.controls},
            {"forEach", rule.each_partition ? "partition" : "plan"},
            {"expression", rule.expression.ast.text},
            {"fix", rule.fix}};
}

int ls(const LsOptions& options, const Common&, Report& report) {
    Json items = Json::array();
    for (const admission::Policy& policy : policies_of(options.policy)) {
        report.line(fmt::format("{} ({}): {}", policy.name, word(policy.action), policy.description));
        for (const admission::Rule& rule : policy.rules) {
            report.line(fmt::format("  {:<28} {:<8} {}", rule.id, rule.severity, rule.title));
            items.push_back(rule_json(policy, rule));
        }
    }
    report.data({{"schema", "caisson.policies/1"}, {"items", items}});
    return 0;
}

int explain(const RuleOptions& options, const Common&, Report& report) {
    for (const admission::Policy& policy : policies_of(options.policy))
        for (const admission::Rule& rule : policy.rules) {
            if (rule.id != options.rule)
                continue;
            report.line(fmt::format("{}: {}", rule.id, rule.title));
            report.line(fmt::format(
                "policy {} ({}), severity {}{}", policy.name, word(policy.action), rule.severity,
                rule.controls.empty() ? "" : fmt::format(", controls {}", fmt::join(rule.controls, ", "))));
            report.line(fmt::format("\nholds{} where\n    {}",
                                    rule.each_partition ? " for each partition" : "",
                                    rule.expression.ast.text));
            if (!rule.reason.empty())
                report.line("\n" + rule.reason);
            if (!rule.fix.empty())
                report.line("\nin the manifest:\n    " + rule.fix);
            Json data = rule_json(policy, rule);
            data["schema"] = "caisson.policy-rule/1";
            report.data(data);
            return 0;
        }
    throw diagnostic::fail("E0101", "there is no rule '" + options.rule + "'")
        .help("caisson policy ls lists the packaged ones; --policy names another file");
}

int test(const TestOptions& options, const Common&, Report& report) {
    Json items = Json::array();
    bool good = true;
    for (const std::string& file : options.files) {
        const admission::CasesResult result =
            admission::run_cases(file, files::read_file(file, manifest::max_text));
        std::size_t passed = 0;
        for (const admission::CaseResult& one : result.cases) {
            passed += one.passed ? 1 : 0;
            if (!one.passed)
                report.line(fmt::format("FAILED {}: {}: {}", file, one.name, one.detail));
            items.push_back(
                {{"file", file}, {"name", one.name}, {"passed", one.passed}, {"detail", one.detail}});
        }
        for (const std::string& rule : result.untested)
            report.warning(fmt::format("{}: no case makes {} fail", file, rule));
        report.line(fmt::format("{}: {} of {} cases passed", file, passed, result.cases.size()));
        good = good && passed == result.cases.size();
    }
    report.data({{"schema", "caisson.policy-test/1"}, {"passed", good}, {"items", items}});
    return static_cast<int>(good ? diagnostic::ExitCode::done : diagnostic::ExitCode::answer_is_no);
}

std::vector<admission::Use> uses_of(const manifest::Manifest& manifest,
                                    const std::vector<std::string>& more) {
    std::vector<admission::Use> out;
    for (const manifest::PolicyUse& use : manifest.policies)
        try {
            for (admission::Policy& policy : admission::load(use.name.value, manifest.directory)) {
                for (std::size_t i = 0; i < std::size(admission::action_words); ++i)
                    if (admission::action_words[i] == use.action)
                        policy.action = static_cast<admission::Action>(i);
                out.push_back({std::move(policy), {}});
                for (const manifest::PolicyException& one : use.exceptions)
                    out.back().exceptions.push_back(
                        {one.rule, one.partition, one.owner, one.reason, one.expires});
            }
        } catch (diagnostic::Failure& failure) {
            throw failure.at_if_nowhere(manifest.source.place(use.name.spot));
        }
    for (const std::string& name : more)
        for (admission::Policy& policy : admission::load(name, {}))
            out.push_back({std::move(policy), {}});
    return out;
}

// "restricted-non-root (web): it runs as user 0".
std::string text_of(const admission::Finding& finding) {
    return finding.rule->id + (finding.partition.empty() ? "" : " (" + finding.partition + ")") + ": " +
           finding.message;
}

cel::Value value_of(const Json& plan) {
    auto value = cel::read_json(plan.dump(-1, ' ', false, Json::error_handler_t::replace));
    if (const auto* problem = std::get_if<cel::Problem>(&value))
        throw diagnostic::fail("E7001", "the plan cannot be read back: " + problem->message);
    return std::get<cel::Value>(std::move(value));
}

// The manifest's change that meets what is not met; with -o the manifest, so changed.
int fix(const FixOptions& options, const Common& common, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options.file, common));
    const std::vector<admission::Use> uses = uses_of(manifest, options.policies);
    if (uses.empty())
        throw diagnostic::fail("E0101", "neither the manifest nor --policy names a policy")
            .help("for example: caisson policy fix --policy restricted");
    const Json plan = plan_of(manifest, {}, image_options(common, manifest.source.file()), report);
    const admission::Verdict verdict = admission::judge(uses, value_of(plan), today());
    const manifest::Node patch = admission::patch_of(verdict);
    Json items = Json::array();
    for (const admission::Finding& finding : verdict.findings)
        if (finding.exception == nullptr)
            items.push_back({{"rule", finding.rule->id},
                             {"partition", finding.partition},
                             {"message", finding.message},
                             {"fix", finding.rule->fix}});
    const std::string text = patch.entries.empty() ? std::string() : admission::yaml_text(patch);
    if (!common.outputs.empty()) {
        files::AtomicFile out(common.output());
        out.write(files::bytes_of(
            admission::yaml_text(admission::merged(manifest::parse_yaml(manifest.source), patch))));
        out.commit();
    }
    report.text(report.json() ? std::string() : text);
    report.data({{"schema", "caisson.policy-fix/1"}, {"patch", text}, {"items", items}});
    return 0;
}

// A rule's state by what was found of it.
Json standing(const admission::Policy& policy, const admission::Rule& rule,
              const admission::Verdict& verdict) {
    Json out = rule_json(policy, rule), details = Json::array();
    std::string state =
        std::find(verdict.skipped.begin(), verdict.skipped.end(), &policy) != verdict.skipped.end()
            ? "notApplicable"
            : "met";
    for (const admission::Finding& finding : verdict.findings) {
        if (finding.rule != &rule)
            continue;
        const admission::Exception* excepted = finding.exception;
        state = excepted == nullptr || state == "notMet" ? "notMet" : "excepted";
        details.push_back((finding.partition.empty() ? "" : finding.partition + ": ") + finding.message +
                          (excepted == nullptr
                               ? ""
                               : fmt::format("; {} answers for it until {}: {}", excepted->owner,
                                             excepted->expires, excepted->reason)));
    }
    out["state"] = state;
    out["details"] = std::move(details);
    return out;
}

// What is kept by design, by the tests that show it; where no results are given, their names.
Json standing(const admission::Policy& policy, const admission::Design& design,
              const admission::TestResults& results) {
    using Shown = admission::TestResults::Shown;
    std::string state = "byDesign";
    Json details = Json::array({design.reason});
    for (const std::string& test : design.tests) {
        const Shown shown = results.empty() ? Shown::passed : results.look(test);
        if (shown != Shown::passed)
            state = "notMet";
        details.push_back("shown by " + test +
                          (results.empty()          ? ""
                           : shown == Shown::passed ? ": passed"
                           : shown == Shown::failed ? ": FAILED"
                                                    : ": no result, or not of all its cases"));
    }
    return {{"id", design.id},
            {"policy", policy.name},
            {"title", design.title},
            {"controls", design.controls},
            {"state", state},
            {"details", details},
            {"fix", ""}};
}

} // namespace

Judgement judge_plan(const manifest::Manifest& manifest, const std::vector<std::string>& more,
                     const Json& plan, Report& report) {
    const std::vector<admission::Use> uses = uses_of(manifest, more);
    if (uses.empty())
        return {};
    const admission::Verdict verdict = admission::judge(uses, value_of(plan), today());
    Judgement out;
    Json findings = Json::array(), sets = Json::array();
    for (const admission::Use& use : uses)
        sets.push_back(
            {{"name", use.policy.name}, {"digest", use.policy.digest}, {"action", word(use.policy.action)}});
    for (const admission::Finding& finding : verdict.findings) {
        Json item{{"rule", finding.rule->id},           {"policy", finding.policy->name},
                  {"partition", finding.partition},     {"severity", finding.rule->severity},
                  {"controls", finding.rule->controls}, {"action", word(finding.action())},
                  {"message", finding.message},         {"fix", finding.rule->fix}};
        const std::string text = text_of(finding);
        if (const admission::Exception* one = finding.exception) {
            item["exception"] = {{"owner", one->owner}, {"reason", one->reason}, {"expires", one->expires}};
            report.note(fmt::format("note: policy {}: {}: excepted by {} until {}: {}", finding.policy->name,
                                    text, one->owner, one->expires, one->reason));
        } else if (finding.denies()) {
            out.denied.push_back(text + (finding.expired ? " (its exception has expired)" : ""));
        } else if (finding.action() == admission::Action::warn) {
            report.warning("policy " + finding.policy->name + ": " + text);
        }
        findings.push_back(std::move(item));
    }
    out.mark = {admission::set_digest(uses).bytes, (verdict.unmet() ? bundle::policy_not_met : 0) |
                                                       (verdict.excepted() ? bundle::policy_excepted : 0)};
    out.json = {
        {"denied", !out.denied.empty()}, {"rules", verdict.rules}, {"policies", sets}, {"items", findings}};
    return out;
}

Json controls_of(const manifest::Manifest& manifest, const std::vector<std::string>& more, const Json& plan,
                 const admission::TestResults& results) {
    std::vector<admission::Use> uses = uses_of(manifest, more);
    for (admission::Policy& set : policies_of({}))
        if (std::none_of(uses.begin(), uses.end(),
                         [&set](const admission::Use& use) { return use.policy.name == set.name; }))
            uses.push_back({std::move(set), {}});
    const std::string day = today();
    const admission::Verdict verdict = admission::judge(uses, value_of(plan), day);
    Json items = Json::array(), policies = Json::array();
    bool met = true;
    for (const admission::Use& use : uses) {
        const admission::Policy& policy = use.policy;
        policies.push_back({{"name", policy.name},
                            {"description", policy.description},
                            {"digest", policy.digest},
                            {"action", word(policy.action)}});
        for (const admission::Rule& rule : policy.rules) {
            items.push_back(standing(policy, rule, verdict));
            met = met && items.back()["state"] != "notMet";
        }
        for (const admission::Design& one : policy.by_design) {
            items.push_back(standing(policy, one, results));
            met = met && items.back()["state"] != "notMet";
        }
        for (const admission::Design& one : policy.elsewhere)
            items.push_back({{"id", one.id},
                             {"policy", policy.name},
                             {"title", one.title},
                             {"controls", one.controls},
                             {"state", "elsewhere"},
                             {"details", Json::array({one.reason})}});
    }
    return {
        {"schema", "caisson.report/1"},
        {"name", manifest.name},
        {"version", manifest.version},
        {"day", day},
        {"plan",
         files::sha256(std::string_view(plan.dump(-1, ' ', false, Json::error_handler_t::replace))).text()},
        {"met", met},
        {"policies", policies},
        {"items", items}};
}

void refuse_denied(const manifest::Manifest& manifest, const Judgement& judgement) {
    if (judgement.denied.empty())
        return;
    const std::string rule = judgement.denied.front().substr(0, judgement.denied.front().find_first_of(" :"));
    throw diagnostic::fail("E0530", fmt::format("{}: {} {} of its policies not met", manifest.source.file(),
                                                judgement.denied.size(),
                                                judgement.denied.size() == 1 ? "rule" : "rules"))
        .notes(judgement.denied)
        .help("caisson policy explain " + rule + " says what to write");
}

void declare_policy_option(Command& command, std::vector<std::string>& policies) {
    command.option("--policy", policies, value::file,
                   "a packaged set, a file or a folder that judges besides the manifest's (repeat)");
}

void declare_policy_commands(Command& root) {
    Command group = root.group("policy", "Rules that judge a plan before it is built");
    group.add<LsOptions>(
        "ls", "Packaged policies and their rules", "caisson policy ls",
        [](Command& command, LsOptions& options) {
            command.argument(options.policy, value::file,
                             "a set, a file or a folder (default: all packaged sets)");
        },
        ls);
    group.add<TestOptions>(
        "test", "Do the tests beside policies pass? (exit 1 when one does not)",
        "caisson policy test policy/ours_cases.yaml",
        [](Command& command, TestOptions& options) {
            command.argument(options.files, value::file, "files of kind PolicyTest");
            command.required(value::file.word);
        },
        test);
    group.add<FixOptions>(
        "fix", "What to write into the manifest so that every rule is met; -o FILE writes it so changed",
        "caisson policy fix --policy restricted -o fixed.yaml",
        [](Command& command, FixOptions& options) {
            declare_manifest_file(command, options.file);
            declare_policy_option(command, options.policies);
        },
        fix);
    group.add<RuleOptions>(
        "explain", "What a rule asks for, and what to write", "caisson policy explain restricted-non-root",
        [](Command& command, RuleOptions& options) {
            command.argument(options.rule, value::word, "its id", Command::Must::yes);
            command.option("--policy", options.policy, value::file,
                           "where it stands (default: the packaged sets)");
        },
        explain);
}

} // namespace cli
