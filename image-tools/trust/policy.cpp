// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/policy.cpp - containers' policy.json.
#include "image-tools/trust/policy.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"

#include <algorithm>
#include <array>

namespace trust {
namespace {

constexpr std::uint64_t largest_policy = 1 << 20, largest_key = 64 << 10;

[[noreturn]] void wrong(const std::string& message, std::string help = "see docs/supply-chain.md") {
    throw diagnostic::fail("E0433", message).help(std::move(help));
}

// A key that is not understood may be one that would have said no.
void expect_only(const oci::JsonObject& object, std::initializer_list<std::string_view> known) {
    for (const std::string& key : object.names())
        if (std::find(known.begin(), known.end(), key) == known.end())
            wrong(object.what() + ": " + oci::printable(key) + " is not known here");
}

Identity identity_of(const oci::JsonObject& object) {
    const std::string type = object.required_text("type");
    Identity out;
    if (type == "matchExact" || type == "matchRepoDigestOrExact" || type == "matchRepository") {
        expect_only(object, {"type"});
        out.form = type == "matchExact"        ? Identity::Form::exact
                   : type == "matchRepository" ? Identity::Form::repository
                                               : Identity::Form::repo_digest_or_exact;
    } else if (type == "anyIdentity") { // ours alone: the key is enough
        expect_only(object, {"type"});
        out.form = Identity::Form::any;
    } else if (type == "exactReference") {
        expect_only(object, {"type", "dockerReference"});
        out.form = Identity::Form::exact_reference;
        out.reference = object.required_text("dockerReference");
    } else if (type == "exactRepository") {
        expect_only(object, {"type", "dockerRepository"});
        out.form = Identity::Form::exact_repository;
        out.reference = object.required_text("dockerRepository");
    } else if (type == "remapIdentity") {
        expect_only(object, {"type", "prefix", "signedPrefix"});
        out.form = Identity::Form::remap;
        out.reference = object.required_text("prefix");
        out.signed_prefix = object.required_text("signedPrefix");
    } else {
        wrong(object.what() + ": the type " + oci::printable(type) + " is not known",
              "matchExact, matchRepoDigestOrExact, matchRepository, exactReference, exactRepository, "
              "remapIdentity");
    }
    return out;
}

std::vector<std::shared_ptr<const PublicKey>> keys_of(const oci::JsonObject& object,
                                                      const Policy::ReadKey& read) {
    std::vector<std::shared_ptr<const PublicKey>> out;
    unsigned ways = 0;
    for (const char* way : {"keyPath", "keyPaths", "keyData", "keyDatas"})
        ways += object.has(way) ? 1 : 0;
    if (ways != 1)
        wrong(object.what() +
              ": sigstoreSigned needs exactly one of keyPath, keyPaths, keyData and keyDatas");
    const auto add = [&](const std::string& pem, const std::string& name) {
        out.push_back(std::make_shared<const PublicKey>(PublicKey::parse(pem, name)));
    };
    const auto add_data = [&](const std::string& data) {
        const auto pem = from_base64(data);
        if (!pem)
            wrong(object.what() + ": keyData is not base64", "base64 -w0 KEY.pub");
        add(*pem, object.what() + ": keyData");
    };
    if (const auto path = object.text("keyPath"))
        add(read(*path), *path);
    if (const auto data = object.text("keyData"))
        add_data(*data);
    for (const char* name : {"keyPaths", "keyDatas"}) {
        for (const std::string& item : object.texts(name))
            if (std::string_view(name) == "keyPaths")
                add(read(item), item);
            else
                add_data(item);
    }
    if (out.empty())
        wrong(object.what() + ": sigstoreSigned names no key");
    return out;
}

Requirement requirement_of(const oci::JsonObject& object, const Policy::ReadKey& read) {
    const std::string type = object.required_text("type");
    if (type == "insecureAcceptAnything" || type == "reject") {
        expect_only(object, {"type"});
        return {type == "reject" ? Requirement::Kind::reject : Requirement::Kind::accept_anything};
    }
    if (type == "signedBy")
        wrong(object.what() + ": signedBy, GPG's signatures, are not read here", "use sigstoreSigned");
    if (type != "sigstoreSigned")
        wrong(object.what() + ": the type " + oci::printable(type) + " is not known",
              "insecureAcceptAnything, reject, sigstoreSigned");
    for (const char* online : {"fulcio", "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData",
                               "rekorPublicKeyDatas", "pki"})
        if (object.has(online))
            wrong(object.what() + ": " + online +
                  " is not supported: signatures are checked with keys alone");
    expect_only(object, {"type", "keyPath", "keyPaths", "keyData", "keyDatas", "signedIdentity"});
    Requirement out{Requirement::Kind::signed_by, keys_of(object, read)};
    if (const auto identity = object.object("signedIdentity"))
        out.identity = identity_of(*identity);
    return out;
}

std::vector<Requirement> requirements_of(const oci::JsonObject& object, const char* key,
                                         const Policy::ReadKey& read) {
    std::vector<Requirement> out;
    for (const oci::JsonObject& item : object.objects(key))
        out.push_back(requirement_of(item, read));
    if (out.empty())
        wrong(object.what() + ": " + oci::printable(key) + " has no requirement",
              R"(write [{"type": "reject"}] or [{"type": "insecureAcceptAnything"}])");
    return out;
}

// "HOST/REPOSITORY" without tag and digest.
std::string repository_of(const std::string& reference) {
    std::string out = reference.substr(0, reference.find('@'));
    const std::size_t colon = out.rfind(':');
    if (colon != std::string::npos && out.find('/', colon) == std::string::npos && out.find('/') < colon)
        out.erase(colon);
    return out;
}

// All shorter forms of a name, longest first.
std::vector<std::string> scopes_of(const Subject& subject) {
    std::vector<std::string> out;
    if (subject.transport == "docker") {
        if (subject.by_digest)
            out.push_back(subject.name + "@" + subject.digest.text());
        else if (!subject.tag.empty())
            out.push_back(subject.name + ":" + subject.tag);
    } else if (!subject.tag.empty()) {
        out.push_back(subject.name + ":" + subject.tag);
    }
    std::string name = subject.name;
    for (;;) {
        out.push_back(name);
        const std::size_t slash = name.rfind('/');
        if (slash == std::string::npos || slash == 0)
            break;
        name.erase(slash);
    }
    if (subject.transport == "docker") // then its domains: "*.example.com"
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
            out.push_back("*" + name.substr(dot));
    else if (name.starts_with('/'))
        out.emplace_back("/");
    out.emplace_back();
    return out;
}

bool below(const std::string& name, const std::string& prefix) {
    return name == prefix || (name.starts_with(prefix) &&
                              std::string_view("/:@").find(name[prefix.size()]) != std::string_view::npos);
}

} // namespace

std::string Subject::text() const {
    const std::string at = by_digest ? "@" + digest.text() : tag.empty() ? std::string() : ":" + tag;
    return (transport == "docker" ? "docker://" : transport + ":") + name + at;
}

bool Identity::accepts(const std::string& said, const Subject& subject) const {
    if (form == Form::any)
        return true;
    if (form == Form::exact_reference)
        return said == reference;
    if (form == Form::exact_repository)
        return repository_of(said) == reference;
    if (subject.transport != "docker")
        return false; // it has no name that a signature could say
    std::string name = subject.name;
    if (form == Form::remap && below(name, reference))
        name = signed_prefix + name.substr(reference.size());
    if (form == Form::repository)
        return repository_of(said) == name;
    const std::string exact = name + ":" + subject.tag;
    if (subject.by_digest)
        return form != Form::exact && repository_of(said) == name;
    return said == exact;
}

Policy Policy::load(const std::filesystem::path& file) {
    const std::filesystem::path folder = file.parent_path();
    return parse(files::read_file(file, largest_policy), file.string(),
                 [&](const std::string& path) { return files::read_file(folder / path, largest_key); });
}

Policy Policy::parse(std::string_view text, const std::string& name, const ReadKey& read) {
    Policy out;
    out.digest_ = files::sha256(text);
    try {
        const oci::JsonDocument document(text, name, oci::Limits());
        const oci::JsonObject top = document.top();
        expect_only(top, {"default", "transports"});
        out.default_ = requirements_of(top, "default", read);
        for (const std::string& transport : top.keys("transports")) {
            const oci::JsonObject scopes = *top.object("transports")->object(transport.c_str());
            for (const std::string& scope : scopes.names())
                out.transports_[transport][scope] = requirements_of(scopes, scope.c_str(), read);
        }
    } catch (const diagnostic::Failure& failure) {
        if (failure.diagnostic().exit != diagnostic::ExitCode::input || failure.diagnostic().code == "E0433")
            throw;
        wrong(failure.diagnostic().message); // what the JSON reader says of images
    }
    return out;
}

Policy::Match Policy::of(const Subject& subject) const {
    const auto transport = transports_.find(subject.transport);
    if (transport != transports_.end())
        for (const std::string& scope : scopes_of(subject))
            if (const auto found = transport->second.find(scope); found != transport->second.end())
                return {found->second, "transports." + subject.transport + ".\"" + scope + "\""};
    return {default_, "default"};
}

} // namespace trust
