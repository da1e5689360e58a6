// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/pem.hpp - key pairs in PEM files (PKCS#8 private, SPKI public), whatever their kind.
//
// Trust: files are a user's. The pass phrase of an encrypted private key comes from the file that $CAISSON_PASSPHRASE_FILE names,
// or from the terminal; never from a command line.
#pragma once

#include "image-tools/diagnostic/codes.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

struct evp_pkey_st;

namespace bundle::pem {

struct Deleter {
    void operator()(evp_pkey_st* key) const;
};
using Handle = std::unique_ptr<evp_pkey_st, Deleter>;

// What is said when a file holds something else.
struct Kind {
    int openssl_type;
    const char* name; // "Ed25519"
    diagnostic::Code code;
    const char* keygen; // the command that makes one, without -o
};

Handle generate(const Kind& kind);
// Refuses a file that others may read (E0503) or of another kind.
Handle load_private(const std::filesystem::path& file, const Kind& kind);
// Of a private key's file, its public half.
Handle load_public(const std::filesystem::path& file, const Kind& kind);
std::array<std::uint8_t, 32> public_half(evp_pkey_st* key);
std::string private_text(evp_pkey_st* key);
std::string public_text(evp_pkey_st* key);
// `file` (0600) and, when `public_file` is not empty, the public half (0644); never overwrites (E0602).
void save(evp_pkey_st* key, const std::filesystem::path& file, const std::filesystem::path& public_file);

// A PIN or pass phrase: the first line of a file that nobody else may read (E0503, E0601), or asked for at the terminal.
// Empty: there is neither.
std::string secret(const char* prompt, const std::optional<std::string>& file);

[[noreturn]] void openssl_failed(const char* what);

} // namespace bundle::pem
