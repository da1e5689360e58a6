// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as policy, as simple signing payload, as Sigstore bundle and as DSSE envelope: understood, or refused with a Failure.
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/trust/provenance.hpp"
#include "image-tools/trust/signature.hpp"

#include <cstring>

namespace {

// Accepts by its own key only, so nothing that is made up is ever accepted.
constexpr const char* public_key = "-----BEGIN PUBLIC KEY-----\n"
                                   "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                   "-----END PUBLIC KEY-----\n";
constexpr const char* policy_text = R"({"default":[{"type":"sigstoreSigned","keyPath":"k","signedIdentity":)"
                                    R"({"type":"exactRepository","dockerRepository":"h/r"}}]})";

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string text(size, '\0');
    if (size > 0)
        std::memcpy(text.data(), data, size);
    const auto read = [](const std::string&) { return std::string(public_key); };
    try {
        static_cast<void>(trust::Policy::parse(text, "policy", read));
    } catch (const diagnostic::Failure&) {
    }
    static const trust::Policy policy = trust::Policy::parse(policy_text, "policy", read);
    const trust::Subject subject{"docker", "h/r", "1", files::sha256(std::string_view("x"))};
    using Form = trust::Signature::Form;
    try {
        std::size_t place = 0;
        static_cast<void>(
            trust::judge(policy, subject, [&]() -> std::optional<std::vector<trust::Signature>> {
                if (++place == 1)
                    return std::vector<trust::Signature>{{Form::simple, text, "AAAA", "a"},
                                                         {Form::simple, "{}", text, "b"}};
                if (place == 2)
                    return std::vector<trust::Signature>{{Form::bundle, text, "", "c"}};
                return std::nullopt;
            }));
        __builtin_trap();
    } catch (const diagnostic::Failure&) {
    }
    const std::vector<bundle::PublicKey> keys{{1, 2, 3}};
    try {
        static_cast<void>(trust::check_provenance(text, "provenance", keys, subject.digest, {}));
        __builtin_trap();
    } catch (const diagnostic::Failure&) {
    }
    try {
        static_cast<void>(trust::opened(trust::evidence_type, text, "evidence", keys));
        __builtin_trap();
    } catch (const diagnostic::Failure&) {
    }
    return 0;
}
