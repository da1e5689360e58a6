// SPDX-License-Identifier: Apache-2.0
// image-tools/files/digest.hpp - SHA-256: content addresses of blobs and layers.
//
// Spec: OCI image specification, "Digests"; FIPS 180-4.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace files {

struct Digest {
    std::array<std::uint8_t, 32> bytes{};

    [[nodiscard]] std::string text() const;  // "sha256:<64 lower-case digits>"
    [[nodiscard]] std::string hex() const;   // the digits alone
    [[nodiscard]] std::string brief() const; // "sha256:<12 digits>"
    // Only sha256 with exactly 64 lower-case digits.
    static std::optional<Digest> parse(std::string_view text);
    friend auto operator<=>(const Digest&, const Digest&) = default;
};

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(std::span<const std::uint8_t> data);
    [[nodiscard]] Digest finish(); // once

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {static_cast<const std::uint8_t*>(static_cast<const void*>(text.data())), text.size()};
}

Digest sha256(std::span<const std::uint8_t> data);
Digest sha256(std::string_view data);

} // namespace files
