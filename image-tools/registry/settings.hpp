// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/settings.hpp - registries.conf: where repositories are read from, and who is trusted there.
//
// A subset of the file that podman, buildah and skopeo share: unqualified-search-registries (one), and of [[registry]] the
// keys prefix, location, insecure, blocked and mirror (location, insecure, pull-from-mirror, mirror-by-digest-only). What is
// said beside that does not change where an image comes from, but aliases, which are not read.
// Trust: the machine's administrator and the user.
// Spec:  containers-registries.conf(5), version 2; containers-certs.d(5).
#pragma once

#include "image-tools/oci/registry_name.hpp"
#include "image-tools/registry/http.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace registry {

// Where one repository can be read.
struct Place {
    std::string host; // with the port; as credentials and messages name it
    std::string repository;
    bool insecure = false; // also without a certificate that is trusted, also without TLS
    bool mirror = false;

    [[nodiscard]] std::string text() const { return host + "/" + repository; }
    [[nodiscard]] bool loopback() const { return is_loopback(host); }
};

enum class PullFrom : std::uint8_t { all, digest_only, tag_only };

struct Mirror {
    std::string location;
    bool insecure = false;
    PullFrom pull_from = PullFrom::all;
};

struct RegistryEntry {
    std::string prefix;   // "host", "host/part", "*.host"
    std::string location; // what replaces the prefix; empty: the prefix itself
    bool insecure = false;
    bool blocked = false;
    std::vector<Mirror> mirrors{};
};

class Settings {
public:
    // The user's files, else the system's, with what lies in the folders beside them. Throws E0423, E0601.
    static Settings load();
    // Adds what `text` says; `name` names it in messages. Throws E0423.
    void add(std::string_view text, const std::string& name);

    // With its host, with "latest" where neither tag nor digest is named, with the namespace that everybody leaves out.
    [[nodiscard]] oci::RegistryName completed(oci::RegistryName name) const;
    // Mirrors first, the registry itself last. Throws E0605 where it is blocked.
    [[nodiscard]] std::vector<Place> places(const oci::RegistryName& completed, bool by_digest) const;

private:
    [[nodiscard]] const RegistryEntry* entry_for(const std::string& name) const;

    std::string unqualified_{oci::default_registry};
    std::vector<RegistryEntry> entries_;
};

// What certs.d says of a host: authorities (*.crt), a certificate of our own (*.cert with its *.key); besides them the
// file that SSL_CERT_FILE names.
Tls tls_for(const Place& place);

// The user's configuration folder of `name` ("containers"); empty: there is no home.
std::filesystem::path config_folder(const std::string& name);

} // namespace registry
