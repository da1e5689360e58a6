// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/enrolment.cpp - a certificate as UEFI's variables for Secure Boot take it.
//
// In setup mode, or where the owner's own key is PK and KEK, firmware takes these; elsewhere only its setup enrols (db.cer).
// Spec: UEFI 2.10 sections 8.2.2 (EFI_VARIABLE_AUTHENTICATION_2), 32.4.1 (EFI_SIGNATURE_LIST), 8.3 (EFI_TIME), 32.3 (variables).
#include "image-tools/bundle/pem.hpp"
#include "image-tools/disk/authenticode.hpp"

#include <array>
#include <cstring>
#include <ctime>
#include <openssl/bio.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

namespace disk {
namespace {

// As in memory: the first three parts little-endian.
using GuidBytes = std::array<std::uint8_t, 16>;
constexpr GuidBytes list_of_x509{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
                                 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72},
    pkcs7{0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68, 0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7},
    global{0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c},
    images{0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f},
    // Who asked for it: Caisson.
    owner{0xc8, 0x2c, 0x1d, 0x5e, 0x3b, 0x7a, 0x41, 0x4f, 0x9d, 0x26, 0x83, 0xca, 0x15, 0x50, 0x4e, 0x11};

struct Freed {
    void operator()(PKCS7* message) const { PKCS7_free(message); }
    void operator()(BIO* bio) const { BIO_free_all(bio); }
};

template <typename T> void put(std::string& out, const T& value) {
    std::array<char, sizeof value> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    out.append(bytes.data(), bytes.size());
}

// What an i2d function of OpenSSL writes.
template <typename Write> std::string der_of(Write write) {
    unsigned char* bytes = nullptr;
    const int size = write(&bytes);
    if (size <= 0)
        bundle::pem::openssl_failed("write a certificate");
    std::string out(static_cast<const char*>(static_cast<const void*>(bytes)),
                    static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return out;
}

std::string signature_list(const std::string& certificate) {
    const auto entry = static_cast<std::uint32_t>(sizeof owner + certificate.size());
    constexpr std::uint32_t head = sizeof list_of_x509 + 3 * sizeof(std::uint32_t), no_header = 0;
    std::string out;
    put(out, list_of_x509);
    put(out, head + entry);
    put(out, no_header);
    put(out, entry);
    put(out, owner);
    return out + certificate;
}

std::string efi_time(std::int64_t seconds) {
    const std::time_t when = seconds;
    std::tm date{};
    if (gmtime_r(&when, &date) == nullptr)
        date = {};
    std::string out;
    put(out, static_cast<std::uint16_t>(date.tm_year + 1900));
    for (const int part : {date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec})
        put(out, static_cast<std::uint8_t>(part));
    out.resize(16); // no nanoseconds, no time zone: they must be 0
    return out;
}

} // namespace

std::vector<Signer::EnrolmentFile> Signer::enrolment(std::int64_t seconds) const {
    // Not volatile, for boot and for runtime services, by a time and a signature.
    constexpr std::uint32_t attributes = 0x27;
    const std::string certificate =
        der_of([&](unsigned char** to) { return i2d_X509(certificate_.get(), to); });
    const std::string list = signature_list(certificate), time = efi_time(seconds);
    // The message of what firmware hashes: the variable, the time, and what it is to hold.
    const auto message = [&](std::string_view variable, const GuidBytes& vendor) {
        std::string hashed;
        for (const char letter : variable)
            hashed.append({letter, '\0'});
        put(hashed, vendor);
        put(hashed, attributes);
        hashed += time + list;
        const std::unique_ptr<BIO, Freed> from(
            BIO_new_mem_buf(hashed.data(), static_cast<int>(hashed.size())));
        constexpr int flags = PKCS7_BINARY | PKCS7_DETACHED | PKCS7_NOATTR;
        const std::unique_ptr<PKCS7, Freed> out(
            PKCS7_sign(nullptr, nullptr, nullptr, from.get(), flags | PKCS7_PARTIAL));
        if (!out ||
            PKCS7_sign_add_signer(out.get(), certificate_.get(), key_.get(), EVP_sha256(), flags) ==
                nullptr ||
            PKCS7_final(out.get(), from.get(), flags) != 1)
            bundle::pem::openssl_failed("sign a variable for Secure Boot");
        return der_of([&](unsigned char** to) { return i2d_PKCS7_SIGNED(out->d.sign, to); });
    };
    std::vector<EnrolmentFile> out{{"db.cer", certificate}};
    for (const std::string name : {"PK", "KEK", "db"}) {
        const std::string signature = message(name, name == "db" ? images : global);
        constexpr std::uint16_t revision = 0x0200, kind = 0x0ef1;
        std::string file = time;
        put(file, static_cast<std::uint32_t>(sizeof(std::uint32_t) + 2 * sizeof(std::uint16_t) +
                                             sizeof pkcs7 + signature.size()));
        put(file, revision);
        put(file, kind);
        put(file, pkcs7);
        out.push_back({name + ".esl", list});
        out.push_back({name + ".auth", file + signature + list});
    }
    return out;
}

} // namespace disk
