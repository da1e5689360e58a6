// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/lock_file.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/registry/failure.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace registry {
namespace {

constexpr std::uint64_t largest = 1 << 20;
constexpr std::string_view schema = "caisson.lock/1";

files::Digest digest_in(const oci::JsonObject& object, const char* key) {
    const std::string text = object.required_text(key);
    const auto digest = files::Digest::parse(text);
    if (!digest)
        throw diagnostic::fail(Fault::settings, object.what() + ": " + key + " is " + oci::printable(text) +
                                                    ", not a sha256 digest");
    return *digest;
}

} // namespace

std::filesystem::path LockFile::beside(const std::filesystem::path& manifest) {
    return std::filesystem::path(manifest).replace_extension(".lock");
}

std::optional<LockFile> LockFile::load(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::exists(file, error))
        return std::nullopt;
    return parse(files::read_file(file, largest), file.string());
}

LockFile LockFile::parse(std::string_view text, const std::string& name) {
    LockFile out;
    try {
        const oci::JsonDocument document(text, name, {});
        const oci::JsonObject top = document.top();
        if (const std::string found = top.required_text("schema"); found != schema)
            throw diagnostic::fail(Fault::settings, name + ": its schema is " + oci::printable(found) +
                                                        ", not " + std::string(schema));
        for (const oci::JsonObject& item : top.objects("items"))
            out.pin({item.required_text("reference"), item.required_text("platform"),
                     digest_in(item, "digest"), digest_in(item, "manifest"),
                     item.text("signedBy").value_or("")});
    } catch (const diagnostic::Failure& failure) {
        throw diagnostic::fail(Fault::settings, failure.diagnostic().message)
            .help("caisson lock writes it anew");
    }
    return out;
}

void LockFile::pin(Pin entry) {
    std::erase_if(pins_, [&](const Pin& other) {
        return other.reference == entry.reference && other.platform == entry.platform;
    });
    pins_.insert(std::upper_bound(pins_.begin(), pins_.end(), entry), std::move(entry));
}

const Pin* LockFile::find(const std::string& reference, const std::string& platform) const {
    for (const Pin& pin : pins_)
        if (pin.reference == reference && pin.platform == platform)
            return &pin;
    return nullptr;
}

std::string LockFile::text() const {
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    for (const Pin& pin : pins_) {
        items.push_back({{"reference", pin.reference},
                         {"platform", pin.platform},
                         {"digest", pin.digest.text()},
                         {"manifest", pin.manifest.text()}});
        if (!pin.signed_by.empty())
            items.back()["signedBy"] = pin.signed_by;
    }
    const nlohmann::ordered_json document{{"schema", schema}, {"items", items}};
    return document.dump(2) + "\n";
}

} // namespace registry
