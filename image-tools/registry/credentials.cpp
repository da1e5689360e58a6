// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/credentials.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/oci/registry_name.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/registry/failure.hpp"

#include <algorithm>
#include <cstdlib>
#include <openssl/evp.h>

namespace registry {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_config = 1 << 20;

// "https://host/v1/" and "host" are one; what everybody calls the default registry's login is its own host.
std::string host_of(std::string key) {
    if (key == oci::default_registry_login || key == oci::default_registry_host)
        return std::string(oci::default_registry);
    for (const std::string_view scheme : {"https://", "http://"})
        if (key.starts_with(scheme))
            key = key.substr(scheme.size());
    return key.substr(0, key.find('/'));
}

std::optional<std::string> from_base64(const std::string& text) {
    if (text.size() % 4 != 0)
        return std::nullopt;
    std::string out(text.size() / 4 * 3, '\0');
    const int size =
        ::EVP_DecodeBlock(static_cast<unsigned char*>(static_cast<void*>(out.data())),
                          static_cast<const unsigned char*>(static_cast<const void*>(text.data())),
                          static_cast<int>(text.size()));
    if (size < 0)
        return std::nullopt;
    const auto padding =
        std::min<std::size_t>(2, text.size() - std::min(text.size(), text.find_last_not_of('=') + 1));
    out.resize(static_cast<std::size_t>(size) -
               std::min<std::size_t>(padding, static_cast<std::size_t>(size)));
    return out;
}

// RFC 7617: the user's name ends at the first colon.
bool split(const std::string& pair, Login& login) {
    const auto colon = pair.find(':');
    if (colon == std::string::npos)
        return false;
    login.user = pair.substr(0, colon);
    login.password = pair.substr(colon + 1);
    while (login.password.ends_with('\0')) // as docker does
        login.password.pop_back();
    return true;
}

bool is_helper_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

std::string checked_helper(const std::string& name, const std::string& file) {
    if (!is_helper_name(name))
        throw diagnostic::fail(Fault::settings,
                               file + ": " + oci::printable(name) + " cannot be a credential helper's name")
            .help("docker-credential-NAME is run; NAME is lower-case letters, digits and '-'");
    return name;
}

} // namespace

Credentials Credentials::load() {
    fs::path file;
    const auto chosen = [](const char* variable) {
        const char* value = std::getenv(variable);
        return value == nullptr ? std::string() : std::string(value);
    };
    if (const std::string named = chosen("REGISTRY_AUTH_FILE"); !named.empty())
        file = named;
    else if (const std::string folder = chosen("DOCKER_CONFIG"); !folder.empty())
        file = fs::path(folder) / "config.json";
    else if (const std::string home = chosen("HOME"); !home.empty())
        file = fs::path(home) / ".docker" / "config.json";
    std::error_code error;
    if (file.empty() || !fs::exists(file, error))
        return {};
    return parse(files::read_file(file, largest_config), file.string());
}

Credentials Credentials::parse(std::string_view text, const std::string& name) {
    Credentials out;
    out.name_ = name;
    try {
        const oci::JsonDocument document(text, name, {});
        const oci::JsonObject top = document.top();
        if (const auto store = top.text("credsStore"); store && !store->empty())
            out.helpers_[""] = checked_helper(*store, name);
        if (const auto helpers = top.object("credHelpers"))
            for (const std::string& key : top.keys("credHelpers"))
                out.helpers_[host_of(key)] = checked_helper(helpers->required_text(key.c_str()), name);
        if (const auto logins = top.object("auths"))
            for (const std::string& key : top.keys("auths")) {
                const auto entry = logins->object(key.c_str());
                Login login;
                login.from = name;
                if (!entry)
                    continue;
                login.identity_token = entry->text("identitytoken").value_or("");
                login.user = entry->text("username").value_or("");
                login.password = entry->text("password").value_or("");
                const auto pair = entry->text("auth");
                if (pair && !pair->empty()) {
                    const auto plain = from_base64(*pair);
                    if (!plain || !split(*plain, login))
                        throw diagnostic::fail(Fault::settings, name + ": 'auth' of " + oci::printable(key) +
                                                                    " is not base64 of USER:PASSWORD");
                }
                if (!login.user.empty() || !login.identity_token.empty())
                    out.logins_[host_of(key)] = std::move(login);
            }
    } catch (const diagnostic::Failure& failure) {
        throw diagnostic::fail(Fault::settings, failure.diagnostic().message)
            .help(failure.diagnostic().help.empty() ? "the file is as docker login writes it"
                                                    : failure.diagnostic().help);
    }
    return out;
}

std::optional<Login> Credentials::login_for(const std::string& host) const {
    const std::string key = host_of(host);
    const auto own = helpers_.find(key), all = helpers_.find("");
    const std::string server = key == oci::default_registry ? std::string(oci::default_registry_login) : key;
    if (own != helpers_.end())
        return ask_helper(own->second, server);
    if (const auto found = logins_.find(key); found != logins_.end())
        return found->second;
    return all == helpers_.end() ? std::nullopt : ask_helper(all->second, server);
}

} // namespace registry
