// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/approval.cpp - a countersignature of a bundle.
#include "image-tools/trust/approval.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/trust/public_key.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

namespace trust {
namespace {

constexpr const char* approval_schema = "caisson.approval/1";
constexpr std::uint64_t largest_approval = 64 << 10;

[[noreturn]] void refuse_approval(const std::string& message, const std::string& help) {
    throw diagnostic::fail("E0516", message).help(help);
}

std::span<const std::uint8_t> as_octets(std::span<const std::byte> bytes) {
    return {static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

std::uint32_t purpose_of(const std::string& word) {
    for (const auto& [name, purpose] : approval_purposes)
        if (word == name)
            return purpose;
    return 0;
}

// Where an approval by that key goes: its own earlier place, or the first that is free.
std::size_t place_in(const bundle::Signatures& signatures, const bundle::Hash& key_id) {
    const auto& all = signatures.counter;
    auto found = std::find_if(all.begin(), all.end(), [&](const bundle::Countersignature& one) {
        return one.purpose != 0 && one.key_id == key_id;
    });
    if (found == all.end())
        found = std::find_if(all.begin(), all.end(),
                             [](const bundle::Countersignature& one) { return one.purpose == 0; });
    return static_cast<std::size_t>(found - all.begin());
}

Approval parse_approval(const std::string& text, const std::string& name) {
    const oci::JsonDocument document(text, name, oci::Limits());
    const oci::JsonObject top = document.top();
    Approval out;
    const auto id = files::Digest::parse("sha256:" + top.required_text("bundle"));
    const auto key = files::Digest::parse("sha256:" + top.required_text("keyId"));
    const auto signature = from_base64(top.required_text("signature"));
    out.signature.purpose = purpose_of(top.required_text("purpose"));
    if (top.required_text("schema") != approval_schema || !id || !key || !signature ||
        signature->size() != bundle::signature_size || out.signature.purpose == 0)
        refuse_approval(name + " holds no approval", "caisson approve --to FILE writes one");
    out.bundle_id = id->bytes;
    out.name = top.text("name").value_or("");
    out.version = top.text("version").value_or("");
    out.signature.key_id = key->bytes;
    std::copy(signature->begin(), signature->end(), out.signature.signature.begin());
    return out;
}

} // namespace

std::string purpose_word(std::uint32_t purpose) {
    for (const auto& [name, value] : approval_purposes)
        if (purpose == value)
            return name;
    return std::to_string(purpose);
}

std::string Approval::text() const {
    const std::string raw(signature.signature.begin(), signature.signature.end());
    const nlohmann::ordered_json out{{"schema", approval_schema},
                                     {"bundle", files::hex(bundle_id)},
                                     {"name", name},
                                     {"version", version},
                                     {"purpose", purpose_word(signature.purpose)},
                                     {"keyId", files::hex(signature.key_id)},
                                     {"signature", to_base64(raw)}};
    return out.dump(1) + "\n";
}

void Approval::expect(const bundle::Hash& id) const {
    if (bundle_id != id)
        refuse_approval("the approval is of another bundle, " + files::hex(bundle_id) + ", and this one is " +
                            files::hex(id),
                        "look at this one and approve it: caisson approve");
}

Approval approve(const bundle::BundleSummary& verified, std::uint32_t purpose,
                 const bundle::SigningKey& key) {
    Approval out{verified.header.bundle_id, verified.name(), verified.version(), {}};
    out.signature.purpose = purpose;
    out.signature.key_id = bundle::key_id(key.public_key());
    out.signature.signature = key.sign(as_octets(bundle::approval_of(out.bundle_id, purpose)));
    return out;
}

Approval read_approval(const std::filesystem::path& file) {
    const std::string text = files::read_file(file, largest_approval);
    try {
        return parse_approval(text, file.string());
    } catch (const diagnostic::Failure& failure) {
        if (failure.diagnostic().exit == diagnostic::ExitCode::trust)
            throw;
        refuse_approval(failure.diagnostic().message, "caisson approve --to FILE writes one"); // JSON
    }
}

void add_to_bundle(const std::filesystem::path& file, const Approval& approval) {
    const bundle::BundleSummary summary = bundle::summarize(bundle::FileSource(file).source(), file.string());
    approval.expect(summary.header.bundle_id);
    const std::size_t place = place_in(summary.signatures, approval.signature.key_id);
    if (place == summary.signatures.counter.size())
        refuse_approval(file.string() + " is countersigned by three others already",
                        "approve the bundle as it was built");
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(static_cast<std::streamoff>(summary.header.header_size - sizeof(bundle::Signatures) +
                                             place * sizeof(bundle::Countersignature)));
    std::array<char, sizeof(bundle::Countersignature)> bytes{};
    std::memcpy(bytes.data(), &approval.signature, sizeof approval.signature);
    stream.write(bytes.data(), bytes.size());
    stream.flush();
    if (!stream)
        throw diagnostic::fail_system("E0602", "cannot write " + file.string(), errno);
}

files::Digest built_digest(const files::FileRange& file) {
    constexpr std::size_t piece = 1 << 20;
    std::vector<std::uint8_t> room(piece);
    files::Sha256 hash;
    bundle::Header header{};
    std::uint64_t from = 0, to = 0; // the countersignatures
    for (std::uint64_t at = 0; at < file.size;) {
        const std::size_t got = file.read(at, room);
        if (got == 0)
            throw diagnostic::fail_system("E0601", "cannot read the whole bundle", EIO);
        if (at == 0 && got >= sizeof header) {
            std::memcpy(&header, room.data(), sizeof header);
            if (header.header_size >= sizeof(bundle::Signatures)) {
                from = header.header_size - sizeof(bundle::Signatures);
                to = from + sizeof(bundle::Signatures::counter);
            }
        }
        const std::uint64_t low = std::clamp(from, at, at + got), high = std::clamp(to, at, at + got);
        std::fill(room.begin() + static_cast<std::ptrdiff_t>(low - at),
                  room.begin() + static_cast<std::ptrdiff_t>(high - at), std::uint8_t{0});
        hash.update(std::span(room).first(got));
        at += got;
    }
    return hash.finish();
}

} // namespace trust
