// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_report.cpp - report: control by control, what a plan keeps, by rule or by design.
#include "image-tools/cli/judging.hpp"
#include "image-tools/diagnostic/neutral.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/registry/images.hpp"

#include <array>
#include <fmt/format.h>

namespace cli {
namespace {

struct ReportOptions {
    std::string file, oscal;
    std::vector<std::string> policies, results;
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> states{
    {{"met", "met"},
     {"notMet", "not met"},
     {"excepted", "excepted"},
     {"byDesign", "met by design"},
     {"elsewhere", "shown elsewhere"},
     {"notApplicable", "not applicable"}}};

std::string_view state_words(const std::string& state) {
    for (const auto& [name, words] : states)
        if (name == state)
            return words;
    return state;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += c;
        }
    }
    return out;
}
std::string escaped(const Json& text) {
    return escaped(std::string_view(text.get_ref<const std::string&>()));
}

std::string listed(const Json& list, std::string_view between) {
    std::string out;
    for (const Json& item : list)
        out += (out.empty() ? "" : std::string(between)) + escaped(item);
    return out;
}

// How many of each state.
std::string counts(const Json& items) {
    std::string out;
    for (const auto& [name, words] : states) {
        std::size_t count = 0;
        for (const Json& item : items)
            count += item["state"] == name ? 1 : 0;
        if (count > 0)
            out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, words);
    }
    return out;
}

// Those of that policy.
Json items_of(const Json& data, const Json& policy) {
    Json out = Json::array();
    for (const Json& item : data["items"])
        if (item["policy"] == policy["name"])
            out.push_back(item);
    return out;
}

// One policy's controls; the heading is where a link to it leads, also for those who read by ear.
std::string table_of(const Json& data, const Json& policy) {
    std::string out = fmt::format(
        "<h2 id=\"{0}\" tabindex=\"-1\">{0}</h2>\n<table>\n<caption>{1}</caption>\n<thead><tr><th "
        "scope=\"col\">Control</th><th scope=\"col\">State</th><th scope=\"col\">What was "
        "found</th></tr></thead>\n<tbody>\n",
        escaped(policy["name"]), escaped(policy["description"]));
    for (const Json& item : items_of(data, policy)) {
        const std::string controls = listed(item["controls"], ", ");
        out += fmt::format(
            "<tr><th scope=\"row\">{}{}</th><td class=\"{}\">{}</td><td>{}", escaped(item["title"]),
            controls.empty() ? "" : "<br><small>" + controls + "</small>", escaped(item["state"]),
            state_words(item["state"].get<std::string>()), listed(item["details"], "<br>"));
        if (item["state"] == "notMet" && item["fix"] != "")
            out += "<br>write: <code>" + escaped(item["fix"]) + "</code>";
        out += "</td></tr>\n";
    }
    return out + "</tbody>\n</table>\n";
}

std::string text(const Json& data) {
    std::string out = fmt::format("{} {}: {}\n", data["name"].get<std::string>(),
                                  data["version"].get<std::string>(), counts(data["items"]));
    for (const Json& item : data["items"]) {
        out += fmt::format("  {:<15} {:<28} {}\n", state_words(item["state"].get<std::string>()),
                           item["id"].get<std::string>(), item["title"].get<std::string>());
        if (item["state"] == "notMet" || item["state"] == "excepted")
            for (const Json& detail : item["details"])
                out += fmt::format("  {:<15} {}\n", "", diagnostic::neutral(detail.get<std::string>()));
    }
    out.pop_back();
    return out;
}

int report_controls(const ReportOptions& options, const Common& common, Report& report) {
    const manifest::Manifest manifest = manifest::load(manifest_file(options.file, common));
    const std::string output = common.output();
    if (!output.empty() && !output.ends_with(".html"))
        throw diagnostic::fail("E0101", "report writes a page: -o " + output)
            .help("write -o NAME.html; text and JSON go to stdout");
    const admission::TestResults results = read_results(options.results);
    const Json data =
        controls_of(manifest, options.policies,
                    plan_of(manifest, {}, image_options(common, manifest.source.file()), report), results);
    if (!options.oscal.empty()) {
        files::AtomicFile file(options.oscal);
        file.write(files::bytes_of(controls_oscal(data)));
        file.commit();
    }
    if (!output.empty()) {
        files::AtomicFile file(output);
        file.write(files::bytes_of(controls_html(data)));
        file.commit();
    }
    report.line(output.empty() ? text(data) : output + ": " + counts(data["items"]));
    report.data(data);
    const bool met = data["met"].get<bool>();
    return static_cast<int>(met ? diagnostic::ExitCode::done : diagnostic::ExitCode::answer_is_no);
}

} // namespace

// No script, no font, no picture.
std::string controls_html(const Json& data) {
    std::string out = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\">\n<title>{0} {1}: controls</title>\n<style>\n"
        "body{{font:16px/1.5 sans-serif;max-width:70rem;margin:2rem auto;padding:0 "
        "1rem;color:#111;background:#fff}}\n"
        "table{{border-collapse:collapse;table-layout:fixed;width:100%}}thead "
        "th:first-child{{width:36%}}\nthead "
        "th:nth-child(2){{width:6em}}caption{{text-align:left;font-weight:bold;padding:.5rem "
        "0}}\n"
        "th,td{{text-align:left;vertical-align:top;border-bottom:1px solid #999;padding:.4rem .8rem .4rem "
        "0}}\n"
        "th,td,code{{overflow-wrap:anywhere}}\n"
        ".notMet{{color:#8a0000;font-weight:bold}}.excepted{{color:#6a4400;font-weight:bold}}\n"
        "</style>\n</head>\n<body>\n<main>\n<h1>Controls of {0} {1}</h1>\n<p>{2}. Judged on {3}. Plan "
        "<code>{4}</code>.</p>\n",
        escaped(data["name"]), escaped(data["version"]), counts(data["items"]), escaped(data["day"]),
        escaped(data["plan"]));
    out += "<nav aria-label=\"Policies\">\n<ul>\n";
    for (const Json& policy : data["policies"])
        out += fmt::format("<li><a href=\"#{0}\">{0}</a>: {1}</li>\n", escaped(policy["name"]),
                           counts(items_of(data, policy)));
    out += "</ul>\n</nav>\n";
    for (const Json& policy : data["policies"])
        out += table_of(data, policy);
    return out + "</main>\n</body>\n</html>\n";
}

admission::TestResults read_results(const std::vector<std::string>& files) {
    constexpr std::uint64_t largest = 64 << 20;
    admission::TestResults out;
    for (const std::string& file : files)
        out.add(files::read_file(file, largest), file);
    return out;
}

void declare_report(Command& root) {
    root.add<ReportOptions>(
        "report", "Control by control: what the plan keeps", "caisson report -o controls.html",
        [](Command& command, ReportOptions& options) {
            declare_manifest_file(command, options.file);
            declare_policy_option(command, options.policies);
            command.option("--junit", options.results, value::file,
                           "results of tests: what is kept by design must be shown by them (repeat)");
            command.option("--oscal", options.oscal, value::file, "write OSCAL's assessment results there");
        },
        report_controls);
}

} // namespace cli
