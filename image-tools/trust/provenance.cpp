// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/provenance.cpp - what a bundle was built from, as a signed statement.
#include "image-tools/trust/provenance.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/trust/public_key.hpp"
#include "image-tools/trust/signature.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace trust {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* statement_type = "https://in-toto.io/Statement/v1";
constexpr const char* predicate_type = "https://slsa.dev/provenance/v1";

[[noreturn]] void refuse(const std::string& message) {
    throw diagnostic::fail("E0515", message)
        .help("caisson build --provenance FILE writes one beside the bundle");
}

Json described(const std::vector<Artifact>& all) {
    Json out = Json::array();
    for (const Artifact& one : all)
        out.push_back({{"name", one.name}, {"digest", {{"sha256", one.digest.hex()}}}});
    return out;
}

std::vector<Artifact> artifacts_in(const oci::JsonObject& object, const char* key) {
    std::vector<Artifact> out;
    for (const oci::JsonObject& item : object.objects(key))
        if (const auto digests = item.object("digest"))
            if (const auto digest = files::Digest::parse("sha256:" + digests->text("sha256").value_or("")))
                out.push_back({item.text("name").value_or(""), *digest});
    return out;
}

bundle::PublicKey signer_of(const oci::JsonObject& envelope, const std::string& message,
                            const std::string& name, std::span<const bundle::PublicKey> keys) {
    for (const oci::JsonObject& item : envelope.objects("signatures"))
        if (const auto raw = from_base64(item.text("sig").value_or("")))
            for (const bundle::PublicKey& key : keys)
                if (PublicKey::ed25519(key, name).signed_this(message, *raw))
                    return key;
    throw diagnostic::fail("E0515", name + " is not signed by a key that is trusted here");
}

Opened open_envelope(std::string_view type, std::string_view text, const std::string& name,
                     std::span<const bundle::PublicKey> keys) {
    const oci::JsonDocument document(text, name, oci::Limits());
    const oci::JsonObject envelope = document.top();
    auto payload = from_base64(envelope.required_text("payload"));
    if (!payload || envelope.required_text("payloadType") != type)
        throw diagnostic::fail("E0515", name + " is no DSSE envelope of " + std::string(type));
    const bundle::PublicKey key = signer_of(envelope, pre_authentication(type, *payload), name, keys);
    return {std::move(*payload), key};
}

bundle::PublicKey check(std::string_view text, const std::string& name,
                        std::span<const bundle::PublicKey> keys, const files::Digest& output,
                        const std::vector<Artifact>& inputs) {
    const auto [payload, key] = open_envelope(in_toto_type, text, name, keys);
    const oci::JsonDocument inner(payload, name + ": its statement", oci::Limits());
    const oci::JsonObject statement = inner.top();
    if (statement.required_text("_type") != statement_type ||
        statement.required_text("predicateType") != predicate_type)
        refuse(name + " is no SLSA provenance of version 1");
    const std::vector<Artifact> subjects = artifacts_in(statement, "subject");
    if (std::none_of(subjects.begin(), subjects.end(),
                     [&](const Artifact& one) { return one.digest == output; }))
        refuse(name + " is of another bundle: none of its subjects is " + output.text());
    const auto predicate = statement.object("predicate");
    const auto definition = predicate ? predicate->object("buildDefinition") : std::nullopt;
    const std::vector<Artifact> named =
        definition ? artifacts_in(*definition, "resolvedDependencies") : std::vector<Artifact>();
    for (const Artifact& one : inputs)
        if (std::find(named.begin(), named.end(), one) == named.end())
            refuse(name + " does not name " + oci::printable(one.name) + " " + one.digest.text() +
                   ", which is in the bundle");
    return key;
}

} // namespace

std::vector<Artifact> inputs_of_meta(const std::string& meta) {
    std::vector<Artifact> out;
    try {
        const oci::JsonDocument document(meta, "the bundle's meta section", oci::Limits());
        const auto add = [&out](const std::string& name, const std::string& digest) {
            if (const auto known = files::Digest::parse(digest);
                known && std::find(out.begin(), out.end(), Artifact{name, *known}) == out.end())
                out.push_back({name, *known});
        };
        for (const oci::JsonObject& item : document.top().objects("partitions"))
            for (const auto& [kind, name] : {std::pair{"image", "reference"}, std::pair{"kernel", "file"}})
                if (const auto source = item.object(kind)) {
                    add(source->text(name).value_or(""), source->text("digest").value_or(""));
                    if (const auto verdict = source->object("trust"))
                        add("trust policy", verdict->text("policy").value_or(""));
                }
    } catch (const diagnostic::Failure& failure) {
        refuse(failure.diagnostic().message);
    }
    return out;
}

Opened opened(std::string_view type, std::string_view envelope, const std::string& name,
              std::span<const bundle::PublicKey> keys) {
    try {
        return open_envelope(type, envelope, name, keys);
    } catch (const diagnostic::Failure& failure) {
        if (failure.diagnostic().exit == diagnostic::ExitCode::trust)
            throw;
        throw diagnostic::fail("E0515", failure.diagnostic().message); // JSON
    }
}

std::string enveloped(std::string_view type, const std::string& payload, const bundle::SigningKey& key) {
    const bundle::Signature raw = key.sign(files::bytes_of(pre_authentication(type, payload)));
    const std::string signature(raw.begin(), raw.end());
    const Json envelope{
        {"payload", to_base64(payload)},
        {"payloadType", type},
        {"signatures", {{{"keyid", bundle::fingerprint(key.public_key())}, {"sig", to_base64(signature)}}}}};
    return envelope.dump(1) + "\n";
}

std::string provenance(const BuildFacts& facts, const bundle::SigningKey& key) {
    Json parameters = Json::object();
    for (const auto& [name, value] : facts.parameters)
        parameters[name] = value;
    const Json statement{
        {"_type", statement_type},
        {"subject", described(facts.outputs)},
        {"predicateType", predicate_type},
        {"predicate",
         {{"buildDefinition",
           {{"buildType", "urn:caisson:build:v1"},
            {"externalParameters", parameters},
            {"internalParameters", {{"buildEpoch", facts.epoch}}},
            {"resolvedDependencies", described(facts.inputs)}}},
          {"runDetails",
           {{"builder", {{"id", "urn:caisson:tool"}, {"version", {{"caisson", facts.tool}}}}}}}}}};
    const std::string payload = statement.dump(-1, ' ', false, Json::error_handler_t::replace);
    return enveloped(in_toto_type, payload, key);
}

bundle::PublicKey check_provenance(std::string_view envelope, const std::string& name,
                                   std::span<const bundle::PublicKey> keys, const files::Digest& output,
                                   const std::vector<Artifact>& inputs) {
    try {
        return check(envelope, name, keys, output, inputs);
    } catch (const diagnostic::Failure& failure) {
        if (failure.diagnostic().exit == diagnostic::ExitCode::trust)
            throw;
        refuse(failure.diagnostic().message); // JSON
    }
}

} // namespace trust
