// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/token.cpp - keys in tokens, by p11-kit.
#include "image-tools/bundle/token.hpp"

#include "image-tools/bundle/pem.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <vector>

namespace bundle {
namespace {

constexpr CK_ULONG most_slots = 256;
constexpr std::array<CK_BYTE, 2> octet_string{0x04, 0x20}; // DER's, of 32 bytes: how a point is given

[[noreturn]] void token_failed(const std::string& uri, const std::string& what) {
    throw diagnostic::fail("E0517", uri + ": " + what)
        .help("p11-kit list-tokens shows what there is; the key is an Ed25519 one, and the file that "
              "pin-source=file:… names holds its PIN");
}

void expect(CK_RV result, const std::string& uri, const char* what) {
    if (result != CKR_OK)
        token_failed(uri, std::string("cannot ") + what + ": " + p11_kit_strerror(result));
}

using Uri = std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)>;

Uri parsed(const std::string& text) {
    Uri uri(p11_kit_uri_new(), p11_kit_uri_free);
    if (!uri || p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get()) != P11_KIT_URI_OK ||
        p11_kit_uri_any_unrecognized(uri.get()) != 0)
        token_failed(text, "not a pkcs11: URI that is understood");
    if (p11_kit_uri_get_pin_value(uri.get()) != nullptr)
        token_failed("pkcs11:…", "a PIN does not stand in a URI: pin-source names the file that holds it");
    if (p11_kit_uri_get_module_path(uri.get()) != nullptr)
        token_failed(text, "a URI names no module; CAISSON_PKCS11_MODULE does");
    return uri;
}

// Modules, initialized; released with it.
class Modules {
public:
    explicit Modules(const std::string& uri) {
        if (const char* path = std::getenv("CAISSON_PKCS11_MODULE"); path != nullptr && *path != '\0') {
            one_[0] = p11_kit_module_load(path, 0);
            if (one_[0] == nullptr || p11_kit_module_initialize(one_[0]) != CKR_OK)
                token_failed(uri, std::string("cannot load ") + path);
            return;
        }
        all_ = p11_kit_modules_load_and_initialize(0);
        if (all_ == nullptr)
            token_failed(uri, "p11-kit knows no module");
    }
    Modules(const Modules&) = delete;
    Modules& operator=(const Modules&) = delete;
    ~Modules() {
        if (all_ != nullptr)
            p11_kit_modules_finalize_and_release(all_);
        if (one_[0] != nullptr) {
            p11_kit_module_finalize(one_[0]);
            p11_kit_module_release(one_[0]);
        }
    }
    // Ends with a null.
    [[nodiscard]] CK_FUNCTION_LIST** list() { return all_ != nullptr ? all_ : one_.data(); }

private:
    CK_FUNCTION_LIST** all_ = nullptr;
    std::array<CK_FUNCTION_LIST*, 2> one_{};
};

struct Slot {
    CK_FUNCTION_LIST* module;
    CK_SLOT_ID id;
};

// The one token that the URI means.
Slot slot_of(Modules& modules, P11KitUri* uri, const std::string& text) {
    std::vector<Slot> found;
    for (CK_FUNCTION_LIST** module = modules.list(); *module != nullptr; ++module) {
        std::vector<CK_SLOT_ID> slots(most_slots);
        CK_ULONG count = most_slots;
        if ((*module)->C_GetSlotList(CK_TRUE, slots.data(), &count) != CKR_OK)
            continue;
        for (CK_ULONG i = 0; i < count; ++i) {
            CK_TOKEN_INFO info{};
            if ((*module)->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
                (info.flags & CKF_TOKEN_INITIALIZED) != 0 && p11_kit_uri_match_token_info(uri, &info) == 1)
                found.push_back({*module, slots[i]});
        }
    }
    if (found.size() != 1)
        token_failed(text, found.empty() ? "there is no such token" : "several tokens are meant by it");
    return found.front();
}

std::string pin_of(P11KitUri* uri) {
    std::optional<std::string> file;
    if (const char* source = p11_kit_uri_get_pin_source(uri); source != nullptr) {
        std::string path = source;
        if (path.starts_with("file:"))
            path.erase(0, 5);
        file = path;
    }
    return pem::secret("PIN of the token: ", file);
}

} // namespace

struct TokenKey::Session {
    explicit Session(const std::string& uri) : name(uri), modules(uri) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        if (open)
            module->C_CloseSession(handle);
    }

    // The object of that class with what the URI says of it; with `id` instead of that.
    [[nodiscard]] CK_OBJECT_HANDLE find(CK_OBJECT_CLASS kind, P11KitUri* uri,
                                        std::optional<std::vector<CK_BYTE>> id) const {
        CK_KEY_TYPE type = CKK_EC_EDWARDS;
        std::vector<CK_ATTRIBUTE> wanted{{CKA_CLASS, &kind, sizeof kind}, {CKA_KEY_TYPE, &type, sizeof type}};
        if (id) {
            wanted.push_back({CKA_ID, id->data(), id->size()});
        } else {
            CK_ULONG count = 0;
            const CK_ATTRIBUTE* said = p11_kit_uri_get_attributes(uri, &count);
            std::copy_if(said, said + count, std::back_inserter(wanted),
                         [](const CK_ATTRIBUTE& one) { return one.type == CKA_LABEL || one.type == CKA_ID; });
        }
        expect(module->C_FindObjectsInit(handle, wanted.data(), wanted.size()), name, "look for keys");
        std::array<CK_OBJECT_HANDLE, 2> found{};
        CK_ULONG count = 0;
        const CK_RV result = module->C_FindObjects(handle, found.data(), found.size(), &count);
        module->C_FindObjectsFinal(handle);
        expect(result, name, "look for keys");
        if (count != 1)
            token_failed(name, count == 0 ? "the token holds no such Ed25519 key"
                                          : "the token holds several such keys: name one by object= or id=");
        return found[0];
    }
    [[nodiscard]] std::vector<CK_BYTE> value(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
        std::vector<CK_BYTE> out(256);
        CK_ATTRIBUTE attribute{type, out.data(), out.size()};
        expect(module->C_GetAttributeValue(handle, object, &attribute, 1), name, "read what a key is");
        out.resize(attribute.ulValueLen);
        return out;
    }

    std::string name;
    Modules modules;
    CK_FUNCTION_LIST* module = nullptr;
    CK_SESSION_HANDLE handle = 0;
    bool open = false;
    CK_OBJECT_HANDLE key = 0;
    std::array<std::uint8_t, 32> point{};
};

TokenKey::TokenKey(const std::string& uri) {
    const Uri said = parsed(uri);
    session_ = std::make_unique<Session>(uri);
    Session& session = *session_;
    const Slot slot = slot_of(session.modules, said.get(), uri);
    session.module = slot.module;
    expect(slot.module->C_OpenSession(slot.id, CKF_SERIAL_SESSION, nullptr, nullptr, &session.handle), uri,
           "open the token");
    session.open = true;
    std::string pin = pin_of(said.get());
    const CK_RV result = slot.module->C_Login(
        session.handle, CKU_USER, static_cast<CK_BYTE*>(static_cast<void*>(pin.data())), pin.size());
    std::fill(pin.begin(), pin.end(), '\0');
    if (result != CKR_USER_ALREADY_LOGGED_IN)
        expect(result, uri, "log in");
    session.key = session.find(CKO_PRIVATE_KEY, said.get(), {});
    const CK_OBJECT_HANDLE half =
        session.find(CKO_PUBLIC_KEY, said.get(), session.value(session.key, CKA_ID));
    std::vector<CK_BYTE> point = session.value(half, CKA_EC_POINT);
    if (point.size() == octet_string.size() + session.point.size() &&
        std::equal(octet_string.begin(), octet_string.end(), point.begin()))
        point.erase(point.begin(), point.begin() + octet_string.size());
    if (point.size() != session.point.size())
        token_failed(uri, "the key is not an Ed25519 one");
    std::copy(point.begin(), point.end(), session.point.begin());
}

TokenKey::TokenKey(TokenKey&&) noexcept = default;
TokenKey& TokenKey::operator=(TokenKey&&) noexcept = default;
TokenKey::~TokenKey() = default;

const std::array<std::uint8_t, 32>& TokenKey::public_key() const {
    return session_->point;
}

std::array<std::uint8_t, 64> TokenKey::sign(std::span<const std::uint8_t> message) const {
    const Session& session = *session_;
    CK_MECHANISM mechanism{CKM_EDDSA, nullptr, 0};
    expect(session.module->C_SignInit(session.handle, &mechanism, session.key), session.name, "sign");
    std::vector<CK_BYTE> data(message.begin(), message.end());
    std::array<std::uint8_t, 64> out{};
    CK_ULONG length = out.size();
    expect(session.module->C_Sign(session.handle, data.data(), data.size(), out.data(), &length),
           session.name, "sign");
    if (length != out.size())
        token_failed(session.name, "its signature is not an Ed25519 one");
    return out;
}

} // namespace bundle
