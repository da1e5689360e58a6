// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/authorization.hpp"

#include "image-tools/oci/strict_json.hpp"
#include "image-tools/registry/failure.hpp"

#include <algorithm>
#include <openssl/evp.h>
#include <utility>

namespace registry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds shortest_token{60}; // where its lifetime is not said
constexpr std::chrono::seconds renewed_before{10};
constexpr std::uint64_t longest_lifetime = 86400;

std::string base64(const std::string& text) {
    std::string out((text.size() + 2) / 3 * 4 + 1, '\0');
    const int size =
        ::EVP_EncodeBlock(static_cast<unsigned char*>(static_cast<void*>(out.data())),
                          static_cast<const unsigned char*>(static_cast<const void*>(text.data())),
                          static_cast<int>(text.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::string basic(const Login& login) {
    return "Basic " + base64(login.user + ":" + login.password);
}

// What may stand in a header.
bool is_plain(const std::string& text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string parameter(const Challenge& challenge, const char* name) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string{} : found->second;
}

} // namespace

Authorization::Authorization(Http& http, Place place, Tls tls, const Credentials& credentials, Rights rights)
    : http_(http), place_(std::move(place)), tls_(std::move(tls)), credentials_(credentials),
      rights_(rights) {}

std::string Authorization::header() {
    if (bearer_ && Clock::now() + renewed_before >= until_)
        fetch_token();
    return header_;
}

const std::optional<Login>& Authorization::login() {
    if (!std::exchange(asked_, true))
        login_ = credentials_.login_for(place_.host);
    return login_;
}

bool Authorization::answer(const Answer& refused, const std::string& used) {
    if (!header_.empty() && used != header_)
        return true; // another request has renewed it meanwhile
    const auto header = refused.headers.find("www-authenticate");
    if (header == refused.headers.end())
        return false;
    std::optional<Challenge> wants_basic;
    for (const std::string& line : header->second) {
        const auto challenges = parse_challenges(line);
        if (!challenges)
            throw diagnostic::fail(Fault::answer, place_.host + ": its WWW-Authenticate cannot be read: " +
                                                      oci::printable(line));
        for (const Challenge& challenge : *challenges) {
            if (challenge.scheme == "bearer" && !challenge.parameters.empty()) {
                bearer_ = challenge;
                fetch_token();
                return header_ != used;
            }
            if (challenge.scheme == "basic")
                wants_basic = challenge;
        }
    }
    if (!wants_basic || !login() || login()->user.empty())
        return false;
    header_ = basic(*login());
    shown_ = login()->from;
    return header_ != used;
}

// Credentials leave this machine under TLS only. A registry on this machine may have its realm here too.
void Authorization::check_realm(const std::string& realm) const {
    const std::string origin = origin_of(realm);
    const std::string host = origin.substr(std::min(origin.size(), origin.find("://") + 3));
    const bool here = place_.loopback() && is_loopback(host);
    if (!origin.starts_with("https://") && !(origin.starts_with("http://") && here))
        throw diagnostic::fail(Fault::exposure, place_.host + ": it wants credentials sent to " +
                                                    oci::printable(realm) + ", which is no https address");
}

Request Authorization::token_request(const std::optional<Login>& who) const {
    Request request;
    request.url = parameter(*bearer_, "realm");
    const std::string service = percent_encoded(parameter(*bearer_, "service"));
    const std::string scope = percent_encoded("repository:" + place_.repository +
                                              (rights_ == Rights::write ? ":pull,push" : ":pull"));
    request.tls = tls_;
    // An insecure registry does not make another host's realm insecure.
    request.tls.verify = tls_.verify || origin_of(request.url) != origin_of("https://" + place_.host);
    request.redirects = false;
    request.most_body = 256 << 10;
    if (who && !who->identity_token.empty()) {
        request.form = "grant_type=refresh_token&client_id=caisson&service=" + service + "&scope=" + scope +
                       "&refresh_token=" + percent_encoded(who->identity_token);
        return request;
    }
    request.url += (request.url.find('?') == std::string::npos ? "?" : "&") + std::string("service=") +
                   service + "&scope=" + scope;
    if (who)
        request.authorization = basic(*who);
    return request;
}

void Authorization::fetch_token() {
    const std::string realm = parameter(*bearer_, "realm");
    check_realm(realm);
    const std::optional<Login>& who = login();
    const Answer answer = http_.perform(token_request(who));
    if (who)
        shown_ = who->from;
    const std::string where = place_.host + ": its token server " + origin_of(realm);
    if (answer.status == 401 || answer.status == 403)
        throw diagnostic::fail(Fault::refused, where + " refuses (" + std::to_string(answer.status) + ")")
            .notes({who ? "with the login of " + who->from
                        : "without a login: none is known for " + place_.host})
            .help("log in (docker login " + place_.host + ", podman login), or look at the image's name");
    if (answer.trouble == Trouble::certificate)
        throw diagnostic::fail(Fault::certificate, where + ": " + answer.reason);
    if (!answer.good())
        throw diagnostic::fail(answer.trouble == Trouble::none ? Fault::answer : Fault::unreachable,
                               where + (answer.trouble == Trouble::none
                                            ? " answers " + std::to_string(answer.status)
                                            : ": " + answer.reason));
    std::string token;
    std::uint64_t lifetime = 0;
    try {
        const oci::JsonDocument document(answer.body, where, {});
        const oci::JsonObject object = document.top();
        token = object.text("token").value_or("");
        if (token.empty())
            token = object.text("access_token").value_or("");
        if (object.has("expires_in"))
            lifetime = object.required_number("expires_in");
    } catch (const diagnostic::Failure& failure) {
        throw diagnostic::fail(Fault::answer, failure.diagnostic().message);
    }
    if (!is_plain(token))
        throw diagnostic::fail(Fault::answer, where + " gives no token that could be sent");
    header_ = "Bearer " + token;
    until_ = Clock::now() + std::max<std::chrono::seconds>(
                                shortest_token, std::chrono::seconds(std::min(lifetime, longest_lifetime)));
}

} // namespace registry
