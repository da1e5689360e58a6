// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/authorization.hpp - showing a registry who we are: basic, or a token from where it says.
//
// Trust:      the registry names the realm; credentials go there by https only, or within this machine.
// Invariants: a token is asked for reading one repository, nothing else; for writing only by who pushes.
// Spec:       RFC 7617, RFC 6750; the distribution project, "Token Authentication" and "OAuth2 Token Authentication".
#pragma once

#include "image-tools/registry/challenge.hpp"
#include "image-tools/registry/credentials.hpp"
#include "image-tools/registry/http.hpp"
#include "image-tools/registry/settings.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace registry {

enum class Rights : bool { read, write };

class Authorization {
public:
    Authorization(Http& http, Place place, Tls tls, const Credentials& credentials,
                  Rights rights = Rights::read);

    // For the next request; empty: nothing was asked for. A token that is about to run out is renewed before. Throws as
    // answer() does.
    [[nodiscard]] std::string header();
    // Of a 401: true, and header() is a new one; false: it asks for nothing that we have. `used` is what the refused request
    // carried. Throws E0510, E0604, E0605, E0606, E0707.
    bool answer(const Answer& refused, const std::string& used);
    // Where the credentials that were shown come from; empty: none were.
    [[nodiscard]] const std::string& shown() const { return shown_; }

private:
    const std::optional<Login>& login();
    void fetch_token();
    [[nodiscard]] Request token_request(const std::optional<Login>& who) const;
    void check_realm(const std::string& realm) const;

    Http& http_;
    Place place_;
    Tls tls_;
    const Credentials& credentials_;
    Rights rights_;
    bool asked_ = false; // for the login
    std::optional<Login> login_;
    std::string header_, shown_;
    std::optional<Challenge> bearer_; // tokens are renewed by it
    std::chrono::steady_clock::time_point until_{};
};

} // namespace registry
