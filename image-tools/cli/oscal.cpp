// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/oscal.cpp - a report as OSCAL's assessment results.
//
// Invariants: the same report gives the same bytes: identifiers follow from it, times are its day.
// Spec:       NIST OSCAL 1.1.2, Assessment Results Model (JSON).
#include "image-tools/cli/judging.hpp"
#include "image-tools/sbom/documents.hpp"

namespace cli {
namespace {

// A token: what OSCAL takes for the name of a control.
std::string token(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        const bool more = (c >= '0' && c <= '9') || c == '-' || c == '.';
        out += letter || more ? c : '_';
    }
    return !out.empty() && out[0] >= '0' && out[0] <= '9' ? "_" + out : out;
}

struct OscalState {
    const char *state, *reason;
};

OscalState oscal_state(const std::string& state) {
    if (state == "met" || state == "byDesign")
        return {"satisfied", "pass"};
    return {"not-satisfied", state == "notMet" ? "fail" : "other"};
}

} // namespace

std::string controls_oscal(const Json& controls) {
    const auto text = [](const Json& at, const char* key) { return at.at(key).get<std::string>(); };
    const std::string time = text(controls, "day") + "T00:00:00Z";
    const std::string about = controls.dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto uuid = [&about](const std::string& what) {
        return sbom::uuid_of_text("caisson oscal v1\n" + about + "\n" + what, '5');
    };
    Json selected = Json::array(), observations = Json::array(), findings = Json::array();
    for (const Json& item : controls["items"]) {
        const std::string id = text(item, "id"), state = text(item, "state");
        if (state == "notApplicable" || state == "elsewhere")
            continue;
        std::string said = state == "met" ? "The rule is met." : "";
        for (const Json& detail : item["details"])
            said += (said.empty() ? "" : " ") + detail.get<std::string>() + ".";
        if (said.empty())
            said = state;
        std::string title = text(item, "title");
        if (title.empty())
            title = id;
        const std::string target = token(text(item, "policy") + "_" + id);
        Json props = Json::array();
        for (const Json& control : item["controls"])
            props.push_back({{"name", "control"}, {"ns", "urn:caisson:policy"}, {"value", control}});
        selected.push_back({{"control-id", target}});
        observations.push_back({{"uuid", uuid("observation " + target)},
                                {"title", title},
                                {"description", said},
                                {"methods", {state == "byDesign" ? "TEST" : "EXAMINE"}},
                                {"collected", time}});
        Json finding{{"uuid", uuid("finding " + target)}, {"title", title}, {"description", said}};
        if (!props.empty())
            finding["props"] = props;
        const OscalState its = oscal_state(state);
        finding["target"] = {{"type", "objective-id"},
                             {"target-id", target},
                             {"status", {{"state", its.state}, {"reason", its.reason}}}};
        finding["related-observations"] = {{{"observation-uuid", uuid("observation " + target)}}};
        findings.push_back(std::move(finding));
    }
    const std::string title = "Controls of " + text(controls, "name") + " " + text(controls, "version");
    const Json result{{"uuid", uuid("result")},
                      {"title", title},
                      {"description", "Verdicts of policies on the plan " + text(controls, "plan")},
                      {"start", time},
                      {"reviewed-controls", {{"control-selections", {{{"include-controls", selected}}}}}},
                      {"observations", observations},
                      {"findings", findings}};
    const Json document{{"assessment-results",
                         {{"uuid", uuid("document")},
                          {"metadata",
                           {{"title", title},
                            {"last-modified", time},
                            {"version", text(controls, "version")},
                            {"oscal-version", "1.1.2"}}},
                          {"import-ap", {{"href", "#" + uuid("plan")}}},
                          {"results", {result}}}}};
    return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace cli
