// SPDX-License-Identifier: Apache-2.0
// image-tools/build/meta.cpp - the bundle's `meta` section.
#include "image-tools/build/meta.hpp"

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
        } else {
            entry["kernel"] = {{"file", item.partition->kernel->value},
                               {"digest", files::sha256(std::string_view(item.kernel)).text()}};
        }
        if (item.startup) {
            entry["command"] = item.startup->arguments;
            entry["pids"] = item.startup->pids;
        }
        items.push_back(std::move(entry));
    }
    const ordered_json meta{{"schema", "caisson.meta/1"},  {"name", manifest.name},
                            {"version", manifest.version}, {"securityVersion", manifest.security_version},
                            {"build", bundle::build_id()}, {"partitions", items}};
    // Bytes that are not UTF-8 (a hostile image's command) become U+FFFD.
    return meta.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace build
