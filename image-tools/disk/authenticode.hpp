// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/authenticode.hpp - the signature by which firmware with Secure Boot accepts a UEFI application.
//
// Of the file everything is hashed but the checksum, the entry that says where the signature is, and the signature: those are
// the places that could be changed without notice, and nobody reads them at boot except to find the signature itself.
// Invariants: the same file, key and time give the same bytes (RSA with PKCS#1 v1.5 takes no random number).
// Spec:       Microsoft, "Windows Authenticode Portable Executable Signature Format" 1.0; UEFI 2.10 section 32.2.
#pragma once

#include "image-tools/files/digest.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace disk {

// An RSA key and its certificate.
class Signer {
public:
    // PEM files. Throws E0502 for another kind of key, E0503 where others may read it, E0511 where the certificate is none or not
    // that key's.
    static Signer load(const std::filesystem::path& key, const std::filesystem::path& certificate);

    // The file with its signature after it; `seconds` since 1970 is when it says that it was signed.
    // The file must be one of efi_application(), without a signature.
    [[nodiscard]] std::string sign(std::string file, std::int64_t seconds) const;

    // What the machine's owner enrols the certificate with (enrolment.cpp): db.cer for the firmware's setup, and for UEFI's
    // variables PK, KEK and db a signature list (.esl) and the same signed by this key (.auth).
    struct EnrolmentFile {
        std::string name, bytes;
    };
    [[nodiscard]] std::vector<EnrolmentFile> enrolment(std::int64_t seconds) const;

private:
    struct Deleter {
        void operator()(evp_pkey_st* key) const;
        void operator()(x509_st* certificate) const;
    };
    std::unique_ptr<evp_pkey_st, Deleter> key_;
    std::unique_ptr<x509_st, Deleter> certificate_;
};

// The bytes of a PE file that are hashed: all but what may change afterwards.
std::string authenticode_bytes(std::string_view file);
// What is signed of a PE file.
files::Digest authenticode_digest(std::string_view file);

// Who signed an application.
struct SignedBy {
    std::string subject;       // "CN=Gateway Ltd."
    files::Digest certificate; // SHA-256 of its DER
};
// Checks the one signature of a PE file as firmware does: digest, then signature, then, where `enrolled` names a certificate in
// PEM, that the signer's is that one or was issued by it (dates do not count, as in firmware). Nothing for a file without a
// signature. Throws E0512, E0511 (that file holds no certificate).
std::optional<SignedBy> check_signature(std::string_view file, const std::filesystem::path& enrolled,
                                        const std::string& name);

} // namespace disk
