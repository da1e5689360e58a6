// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/judge.cpp - what policies say of a plan.
#include "image-tools/admission/judge.hpp"

#include "image-tools/cel/evaluate.hpp"

#include <algorithm>
#include <set>

namespace admission {
namespace {

class Judge {
public:
    Judge(const Use& use, const cel::Value& plan, const std::string& today, Verdict& verdict)
        : use_(use), plan_(plan), today_(today), verdict_(verdict) {
        variables_.set("object", plan);
    }

    void all() {
        cel::Entries values;
        for (const Named& one : use_.policy.variables) {
            // One that is an error is an error to whoever uses it.
            values.emplace_back(cel::Value::of_string(one.name), evaluated(one.expression));
            variables_.set("variables", cel::Value::of_map(values));
        }
        for (const Named& condition : use_.policy.conditions)
            if (const cel::Value value = evaluated(condition.expression);
                value.is(cel::Kind::boolean) && !value.boolean()) {
                verdict_.skipped.push_back(&use_.policy);
                return;
            }
        for (const Rule& rule : use_.policy.rules) {
            ++verdict_.rules;
            if (!rule.each_partition) {
                one(rule, {});
                continue;
            }
            const cel::Value* items = plan_.find("items");
            if (items == nullptr || !items->is(cel::Kind::list))
                continue;
            for (const cel::Value& partition : items->items()) {
                variables_.set("partition", partition);
                const cel::Value* name = partition.is(cel::Kind::map) ? partition.find("name") : nullptr;
                one(rule, name != nullptr && name->is(cel::Kind::text) ? name->text() : "");
            }
        }
    }

private:
    cel::Value evaluated(const Expression& expression) const {
        cel::Meter meter(cel::usual_cost_limit);
        return cel::evaluate(expression.ast, variables_, meter);
    }

    void one(const Rule& rule, const std::string& partition) {
        const cel::Value value = evaluated(rule.expression);
        if (value.is_true())
            return;
        Finding finding;
        finding.policy = &use_.policy;
        finding.rule = &rule;
        finding.partition = partition;
        finding.failed = !value.is(cel::Kind::boolean);
        if (finding.failed)
            finding.message = "it cannot be judged: " +
                              (value.failed() ? value.text() : std::string("the expression is no bool"));
        else
            finding.message = message_of(rule);
        for (const Exception& exception : use_.exceptions) {
            if (exception.rule != rule.id ||
                (!exception.partition.empty() && exception.partition != partition))
                continue;
            if (exception.expires < today_)
                finding.expired = true;
            else
                finding.exception = &exception;
        }
        verdict_.findings.push_back(std::move(finding));
    }

    std::string message_of(const Rule& rule) const {
        if (rule.message_expression)
            if (const cel::Value text = evaluated(*rule.message_expression);
                text.is(cel::Kind::text) && !text.text().empty())
                return text.text();
        if (!rule.message.empty())
            return rule.message;
        return rule.title.empty() ? "not met: " + rule.expression.ast.text : rule.title;
    }

    const Use& use_;
    const cel::Value& plan_;
    const std::string& today_;
    Verdict& verdict_;
    cel::Variables variables_;
};

} // namespace

bool Verdict::unmet() const {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& one) { return one.exception == nullptr; });
}

bool Verdict::excepted() const {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& one) { return one.exception != nullptr; });
}

files::Digest set_digest(const std::vector<Use>& uses) {
    std::set<std::string> lines;
    for (const Use& use : uses)
        lines.insert(use.policy.name + " " + use.policy.digest + "\n");
    std::string all;
    for (const std::string& line : lines)
        all += line;
    return files::sha256(std::string_view(all));
}

bool Verdict::denied() const {
    return std::any_of(findings.begin(), findings.end(), [](const Finding& one) { return one.denies(); });
}

Verdict judge(const std::vector<Use>& uses, const cel::Value& plan, const std::string& today) {
    Verdict out;
    for (const Use& use : uses)
        Judge(use, plan, today, out).all();
    return out;
}

} // namespace admission
