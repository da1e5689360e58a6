// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/credentials.hpp - who we are to a registry: docker's config.json and credential helpers.
//
// Looked for in REGISTRY_AUTH_FILE, then DOCKER_CONFIG/config.json, then ~/.docker/config.json; the first that is there is
// the only one read. A helper docker-credential-NAME is found by PATH, NAME is of [a-z0-9-], and it has a time limit.
// Trust: the user's own files and programs; what they say is checked for its form. Secrets go into no message.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace registry {

struct Login {
    std::string user, password;
    std::string identity_token; // instead of both, for registries that give tokens
    std::string from;           // the file or helper, for messages
};

class Credentials {
public:
    // Throws E0423 and E0601. Nothing is there: nobody has logged in.
    static Credentials load();
    // Of a file's text. Throws E0423.
    static Credentials parse(std::string_view text, const std::string& name);

    // For a registry's host, with its port. Asks a helper where the file says so. Throws E0423, E0707.
    [[nodiscard]] std::optional<Login> login_for(const std::string& host) const;

private:
    std::string name_;
    std::map<std::string, Login> logins_;        // by the host alone
    std::map<std::string, std::string> helpers_; // by the host; "": of all others
};

inline constexpr std::chrono::seconds helper_time{20};

// What `docker-credential-NAME get` says of `server`; nothing: it does not know it.
std::optional<Login> ask_helper(const std::string& name, const std::string& server,
                                std::chrono::milliseconds limit = helper_time);

} // namespace registry
