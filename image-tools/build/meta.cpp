// SPDX-License-Identifier: Apache-2.0
// image-tools/build/meta.cpp - the bundle's `meta` section.
#include "image-tools/build/meta.hpp"

#include "image-tools/admission/policy.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/files/digest.hpp"

#include <nlohmann/json.hpp>

namespace build {

std::string meta_text(const manifest::Manifest& manifest, const Prepared& prepared) {
    using nlohmann::ordered_json;
    ordered_json items = ordered_json::array();
    for (const PreparedPartition& item : prepared.partitions) {
        ordered_json entry{{"name", item.partition->name}};
        if (item.image) {
            ordered_json layers = ordered_json::array();
            for (const oci::Layer& layer : item.image->layers())
                layers.push_back(layer.blob.digest.text());
            entry["image"] = {{"reference", item.partition->image->value},
                              {"digest", item.image->manifest_digest().text()},
                              {"config", item.image->config().digest.text()},
                              {"layers", layers}};
            if (const auto& verdict = item.verdict)
                entry["image"]["trust"] = {{"how", verdict->how},
                                           {"key", verdict->key},
                                           {"identity", verdict->identity},
                                           {"scope", verdict->scope},
                                           {"policy", verdict->policy.text()}};
        } else {
            entry["kernel"] = {{"file", item.source()},
                               {"digest", files::sha256(std::string_view(item.kernel)).text()}};
        }
        if (item.startup) {
            entry["command"] = item.startup->arguments;
            entry["pids"] = item.startup->pids;
        }
        items.push_back(std::move(entry));
    }
    ordered_json meta{{"schema", "caisson.meta/1"},  {"name", manifest.name},
                      {"version", manifest.version}, {"securityVersion", manifest.security_version},
                      {"build", bundle::build_id()}, {"partitions", items}};
    ordered_json policies = ordered_json::array();
    for (const manifest::PolicyUse& use : manifest.policies)
        for (const admission::Policy& policy : admission::load(use.name.value, manifest.directory))
            policies.push_back(
                {{"name", policy.name},
                 {"digest", policy.digest},
                 {"action", use.action.empty()
                                ? admission::action_words[static_cast<std::size_t>(policy.action)]
                                : std::string_view(use.action)},
                 {"exceptions", use.exceptions.size()}});
    if (!policies.empty()) // those that let this bundle be built
        meta["policies"] = std::move(policies);
    // Bytes that are not UTF-8 (a hostile image's command) become U+FFFD.
    return meta.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace build
