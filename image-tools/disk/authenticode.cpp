// SPDX-License-Identifier: Apache-2.0
#include "image-tools/disk/authenticode.hpp"

#include "image-tools/bundle/pem.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/disk/pe.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <cstring>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

namespace disk {
namespace {

constexpr std::size_t largest_certificate = 64 * 1024;
// In the optional header of PE32+, from the "PE" on.
constexpr std::size_t checksum_at = 24 + 64, signature_entry_at = 24 + 112 + 4 * 8, entry_bytes = 8;

constexpr const char* indirect_data = "1.3.6.1.4.1.311.2.1.4";  // SPC_INDIRECT_DATA_OBJID
constexpr const char* pe_image_data = "1.3.6.1.4.1.311.2.1.15"; // SPC_PE_IMAGE_DATAOBJ
constexpr std::string_view sha256_algorithm("\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00",
                                            15);

std::uint32_t header_of(std::string_view file) {
    std::uint32_t at = 0;
    if (file.size() >= 0x40)
        std::memcpy(&at, file.data() + 0x3c, sizeof at);
    if (at == 0 || file.size() < at + signature_entry_at + entry_bytes)
        throw diagnostic::fail("E0424", "the header of the application is not whole")
            .help("caisson build writes it anew");
    return at;
}

// DER: a value of less than 64 KiB after its tag and length.
std::string der(unsigned char tag, std::string_view value) {
    std::string out(1, static_cast<char>(tag));
    if (value.size() >= 256) {
        out += '\x82';
        out += static_cast<char>(value.size() >> 8);
    } else if (value.size() >= 128) {
        out += '\x81';
    }
    out += static_cast<char>(value.size());
    return out.append(value);
}
constexpr unsigned char sequence = 0x30, bits = 0x03, octets = 0x04, context_0 = 0xa0, context_2 = 0xa2,
                        string_0 = 0x80;

struct ObjectDeleter {
    void operator()(ASN1_OBJECT* object) const { ASN1_OBJECT_free(object); }
    void operator()(PKCS7* message) const { PKCS7_free(message); }
    void operator()(BIO* bio) const { BIO_free_all(bio); }
    void operator()(ASN1_TIME* time) const { ASN1_TIME_free(time); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(STACK_OF(X509) * list) const { sk_X509_free(list); } // not what it lists
};
template <typename T> using Owned = std::unique_ptr<T, ObjectDeleter>;

template <typename T> T* made(T* thing) {
    if (thing == nullptr)
        bundle::pem::openssl_failed("make a signature for Secure Boot");
    return thing;
}
void done(int result) {
    if (result <= 0)
        bundle::pem::openssl_failed("make a signature for Secure Boot");
}

std::string object(const char* number) {
    const Owned<ASN1_OBJECT> made_object(made(OBJ_txt2obj(number, 1)));
    unsigned char* bytes = nullptr;
    const int size = i2d_ASN1_OBJECT(made_object.get(), &bytes);
    done(size);
    std::string out(static_cast<const char*>(static_cast<const void*>(bytes)),
                    static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return out;
}

// SpcIndirectDataContent without its own tag and length: what the file is (with the text that stands where page hashes would be
// named), and its digest.
std::string content(const files::Digest& digest) {
    std::string obsolete;
    for (const char letter : std::string_view("<<<Obsolete>>>")) {
        obsolete += '\0';
        obsolete += letter;
    }
    const std::string image =
        der(bits, std::string_view("\0", 1)) + der(context_0, der(context_2, der(string_0, obsolete)));
    const std::string_view sum(static_cast<const char*>(static_cast<const void*>(digest.bytes.data())),
                               digest.bytes.size());
    return der(sequence, object(pe_image_data) + der(sequence, image)) +
           der(sequence, std::string(sha256_algorithm) + der(octets, sum));
}

Owned<X509> load_certificate(const std::filesystem::path& file) {
    const std::string text = files::read_file(file, largest_certificate);
    const Owned<BIO> bio(made(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))));
    Owned<X509> out(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!out)
        throw diagnostic::fail("E0511", file.string() + " holds no certificate in PEM")
            .help("make one: openssl req -x509 -new -key KEY -days 3650 -subj /CN=NAME -out FILE");
    return out;
}

[[noreturn]] void refused(const std::string& name, const std::string& why) {
    throw diagnostic::fail("E0512", name + ": " + why).help("build it again with signing.secureBoot");
}

// The message of the file's one signature, which must be all that follows what was hashed. Null: no signature.
Owned<PKCS7> message_of(std::string_view file, const std::string& name) {
    const std::uint32_t header = header_of(file);
    std::uint32_t place = 0, length = 0;
    std::memcpy(&place, file.data() + header + signature_entry_at, sizeof place);
    std::memcpy(&length, file.data() + header + signature_entry_at + 4, sizeof length);
    if (place == 0 && length == 0)
        return nullptr;
    constexpr std::uint32_t head = 8;
    if (place < header + signature_entry_at + entry_bytes || place > file.size() ||
        length != file.size() - place || length <= head)
        refused(name, "what follows its last section is not one signature");
    const auto bytes = files::bytes_of(file.substr(place + head));
    const unsigned char* from = bytes.data();
    Owned<PKCS7> message(d2i_PKCS7(nullptr, &from, static_cast<long>(bytes.size())));
    if (!message || PKCS7_type_is_signed(message.get()) == 0 || message->d.sign == nullptr ||
        message->d.sign->contents == nullptr)
        refused(name, "its signature is none");
    return message;
}

// SpcIndirectDataContent of a message, without its own tag and length.
std::string_view content_of(const PKCS7& message, const std::string& name) {
    const PKCS7& inner = *message.d.sign->contents;
    const ASN1_TYPE* const value = OBJ_obj2nid(inner.type) == NID_pkcs7_data ? nullptr : inner.d.other;
    if (value == nullptr || value->type != V_ASN1_SEQUENCE)
        refused(name, "its signature is not one of a program");
    const ASN1_STRING* const text = value->value.sequence;
    const unsigned char* from = ASN1_STRING_get0_data(text);
    const unsigned char* const start = from;
    long size = 0;
    int tag = 0, kind = 0;
    if ((ASN1_get_object(&from, &size, &tag, &kind, ASN1_STRING_length(text)) & 0x80) != 0 || size <= 0)
        refused(name, "its signature is not one of a program");
    return {static_cast<const char*>(static_cast<const void*>(start)) + (from - start),
            static_cast<std::size_t>(size)};
}

} // namespace

void Signer::Deleter::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}
void Signer::Deleter::operator()(x509_st* certificate) const {
    X509_free(certificate);
}

Signer Signer::load(const std::filesystem::path& key, const std::filesystem::path& certificate) {
    constexpr bundle::pem::Kind rsa{EVP_PKEY_RSA, "RSA", "E0502", "openssl genrsa 2048"};
    Signer out;
    out.key_.reset(bundle::pem::load_private(key, rsa).release());
    out.certificate_.reset(load_certificate(certificate).release());
    if (X509_check_private_key(out.certificate_.get(), out.key_.get()) != 1)
        throw diagnostic::fail("E0511", "the certificate " + certificate.string() +
                                            " is not that of the key " + key.string());
    return out;
}

std::string Signer::sign(std::string file, std::int64_t seconds) const {
    file.resize((file.size() + 7) / 8 * 8);
    const std::string signed_content = content(authenticode_digest(file));

    const Owned<PKCS7> message(made(PKCS7_new()));
    done(PKCS7_set_type(message.get(), NID_pkcs7_signed));
    PKCS7_SIGNER_INFO* const signer =
        made(PKCS7_add_signature(message.get(), certificate_.get(), key_.get(), EVP_sha256()));
    done(PKCS7_add_attrib_content_type(signer, made(OBJ_txt2obj(indirect_data, 1))));
    Owned<ASN1_TIME> time(made(ASN1_TIME_set(nullptr, static_cast<time_t>(seconds))));
    done(PKCS7_add0_attrib_signing_time(signer, time.get()));
    (void)time.release();
    done(PKCS7_add_certificate(message.get(), certificate_.get()));
    done(PKCS7_content_new(message.get(), NID_pkcs7_data));
    const Owned<BIO> hashing(made(PKCS7_dataInit(message.get(), nullptr)));
    done(BIO_write(hashing.get(), signed_content.data(), static_cast<int>(signed_content.size())));
    done(PKCS7_dataFinal(message.get(), hashing.get()));
    // What was hashed as plain data stands in the message as what it is.
    Owned<PKCS7> inner(made(PKCS7_new()));
    inner->type = made(OBJ_txt2obj(indirect_data, 1));
    const std::string whole = der(sequence, signed_content);
    ASN1_STRING* const text = made(ASN1_STRING_new());
    done(ASN1_STRING_set(text, whole.data(), static_cast<int>(whole.size())));
    inner->d.other = made(ASN1_TYPE_new());
    ASN1_TYPE_set(inner->d.other, V_ASN1_SEQUENCE, text);
    done(PKCS7_set_content(message.get(), inner.get()));
    (void)inner.release();
    unsigned char* bytes = nullptr;
    const int size = i2d_PKCS7(message.get(), &bytes);
    done(size);

    // WIN_CERTIFICATE: its length, revision 2.0, PKCS signed data; then the message, in whole eights of bytes.
    std::string table(8, '\0');
    table.append(static_cast<const char*>(static_cast<const void*>(bytes)), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    table.resize((table.size() + 7) / 8 * 8);
    const auto length = static_cast<std::uint32_t>(table.size()),
               place = static_cast<std::uint32_t>(file.size());
    constexpr std::uint32_t kind = 0x00020200;
    std::memcpy(table.data(), &length, sizeof length);
    std::memcpy(table.data() + 4, &kind, sizeof kind);
    const std::uint32_t header = header_of(file);
    std::memcpy(file.data() + header + signature_entry_at, &place, sizeof place);
    std::memcpy(file.data() + header + signature_entry_at + 4, &length, sizeof length);
    file += table;
    const std::uint32_t checksum = pe_checksum(file);
    std::memcpy(file.data() + header + checksum_at, &checksum, sizeof checksum);
    return file;
}

std::string authenticode_bytes(std::string_view file) {
    const std::uint32_t header = header_of(file);
    std::uint32_t end = 0; // of what is hashed: where a signature begins
    std::memcpy(&end, file.data() + header + signature_entry_at, sizeof end);
    const std::string_view hashed = file.substr(0, end == 0 ? file.size() : end);
    const std::size_t checksum = header + checksum_at, entry = header + signature_entry_at;
    std::string out(hashed.substr(0, checksum));
    if (hashed.size() > entry + entry_bytes)
        out.append(hashed.substr(checksum + 4, entry - checksum - 4))
            .append(hashed.substr(entry + entry_bytes));
    return out;
}

files::Digest authenticode_digest(std::string_view file) {
    return files::sha256(authenticode_bytes(file));
}

std::optional<SignedBy> check_signature(std::string_view file, const std::filesystem::path& enrolled,
                                        const std::string& name) {
    const Owned<PKCS7> message = message_of(file, name);
    if (!message) {
        if (!enrolled.empty())
            refused(name, "it is not signed");
        return std::nullopt;
    }
    const std::string_view said = content_of(*message, name);
    const files::Digest digest = authenticode_digest(file);
    const std::string_view sum(static_cast<const char*>(static_cast<const void*>(digest.bytes.data())),
                               digest.bytes.size());
    if (!said.ends_with(std::string(sha256_algorithm) + der(octets, sum)))
        refused(name, "it was changed after it was signed, or is not signed by SHA-256");
    const Owned<BIO> content_bytes(made(BIO_new_mem_buf(said.data(), static_cast<int>(said.size()))));
    if (PKCS7_verify(message.get(), nullptr, nullptr, content_bytes.get(), nullptr, PKCS7_NOVERIFY) != 1)
        refused(name, "its signature is not that of its certificate");
    const Owned<STACK_OF(X509)> signers(PKCS7_get0_signers(message.get(), nullptr, 0));
    if (!signers || sk_X509_num(signers.get()) != 1)
        refused(name, "it has not exactly one signer");
    X509* const signer = sk_X509_value(signers.get(), 0);
    SignedBy out;
    unsigned int length = 0;
    done(X509_digest(signer, EVP_sha256(), out.certificate.bytes.data(), &length));
    const Owned<BIO> text(made(BIO_new(BIO_s_mem())));
    (void)X509_NAME_print_ex(text.get(), X509_get_subject_name(signer), 0,
                             XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
    char* letters = nullptr;
    const long count = BIO_get_mem_data(text.get(), &letters);
    out.subject.assign(letters, static_cast<std::size_t>(count));
    if (!enrolled.empty()) {
        const Owned<X509> trusted = load_certificate(enrolled);
        const bool itself = X509_cmp(signer, trusted.get()) == 0;
        if (!itself && X509_verify(signer, X509_get0_pubkey(trusted.get())) != 1)
            refused(name, "it is signed by " + out.subject + ", not by what " + enrolled.string() + " holds");
    }
    return out;
}

} // namespace disk
