// SPDX-License-Identifier: Apache-2.0
#include "image-tools/attest/prediction.hpp"

#include "hypervisor/core/measure/events.hpp"
#include "image-tools/bundle/pem.hpp"
#include "image-tools/files/hash_engine.hpp"

#include <openssl/evp.h>

namespace attest {

std::vector<Event> predict(const bytes::Source& file, const bundle::KeyTable& keys, const std::string& build,
                           const std::string& name) {
    const bundle::Verified verified = bundle::verify(file, keys, name);
    const auto buffer = std::make_unique<bundle::HeaderBuffer>();
    const auto loaded = buffer->load(file);
    const auto contents = bundle::Contents::parse(*buffer, files::hash_engine());
    const auto plan = plan::Plan::parse(verified.summary.table);
    if (!loaded.ok() || !contents.ok() || !plan.ok())
        throw diagnostic::fail("E0501", name + ": its plan cannot be read");
    const measure::Subject subject{contents.value(),    plan.value(), verified.signer, keys, build,
                                   files::hash_engine()};
    std::vector<Event> out;
    for (std::uint32_t i = 0; i < measure::event_count(subject); ++i) {
        const measure::Event event = measure::event(subject, i);
        out.push_back({event.pcr, std::string(event.text.view())});
    }
    return out;
}

std::string digest(std::string_view bank, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned int size = 0;
    const std::string name(bank);
    const EVP_MD* const kind = EVP_get_digestbyname(name.c_str());
    if (kind == nullptr || EVP_Digest(text.data(), text.size(), bytes.data(), &size, kind, nullptr) != 1)
        bundle::pem::openssl_failed("hash a measurement");
    return {bytes.begin(), bytes.begin() + size};
}

std::map<std::uint32_t, std::string> pcrs_after(const std::vector<Event>& events, std::string_view bank) {
    std::map<std::uint32_t, std::string> out;
    for (const Event& event : events) {
        const std::string measured = digest(bank, event.descriptor);
        const auto before = out.try_emplace(event.pcr, std::string(measured.size(), '\0')).first;
        before->second = digest(bank, before->second + measured);
    }
    return out;
}

} // namespace attest
