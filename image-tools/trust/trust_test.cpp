// SPDX-License-Identifier: Apache-2.0
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/trust/provenance.hpp"
#include "image-tools/trust/signature.hpp"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace trust {
namespace {

// A private key of a test, and what it signs.
class Signer {
public:
    enum class Kind { p256, p384, rsa, rsa_pss, rsa_short, ed25519, p521 };
    explicit Signer(Kind kind)
        : kind_(kind), key_(kind == Kind::p256        ? EVP_EC_gen("P-256")
                            : kind == Kind::p384      ? EVP_EC_gen("P-384")
                            : kind == Kind::p521      ? EVP_EC_gen("P-521")
                            : kind == Kind::rsa_short ? EVP_RSA_gen(1024)
                            : kind == Kind::ed25519   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                      : EVP_RSA_gen(2048)) {}
    Signer(const Signer&) = delete;
    ~Signer() { EVP_PKEY_free(key_); }

    [[nodiscard]] std::string pem() const {
        BIO* bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PUBKEY(bio, key_);
        char* data = nullptr;
        const long length = BIO_get_mem_data(bio, &data);
        std::string out(data, static_cast<std::size_t>(length));
        BIO_free(bio);
        return out;
    }
    [[nodiscard]] std::string sign(const std::string& message, const char* hash = "SHA256") const {
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        EVP_PKEY_CTX* key = nullptr;
        EVP_DigestSignInit_ex(context, &key, kind_ == Kind::ed25519 ? nullptr : hash, nullptr, nullptr, key_,
                              nullptr);
        if (kind_ == Kind::rsa_pss)
            EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING);
        std::string out(1024, '\0');
        std::size_t length = out.size();
        EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &length,
                       reinterpret_cast<const unsigned char*>(message.data()), message.size());
        EVP_MD_CTX_free(context);
        out.resize(length);
        return out;
    }

private:
    Kind kind_;
    EVP_PKEY* key_;
};

const files::Digest image_digest = files::sha256(std::string_view("image"));
const Subject web{"docker", "host.example/team/web", "1", image_digest};

std::string payload(const std::string& reference, const files::Digest& digest) {
    return R"({"critical":{"identity":{"docker-reference":")" + reference +
           R"("},"image":{"docker-manifest-digest":")" + digest.text() +
           R"("},"type":"cosign container image signature"},"optional":null})";
}

Policy policy_of(const std::string& text, const std::string& pem) {
    return Policy::parse(text, "policy.json", [&](const std::string&) { return pem; });
}

std::string signed_by(const std::string& identity) {
    return R"({"default":[{"type":"reject"}],"transports":{"docker":{"host.example/team":[{"type":"sigstoreSigned",)"
           R"("keyPath":"k.pub","signedIdentity":)" +
           identity + "}]}}}";
}

const std::string by_repository = signed_by(R"({"type":"matchRepository"})");

// Places with a signature each, and how many were asked.
struct Places {
    std::vector<Signature> signatures;
    std::size_t asked = 0;

    NextSignatures next() {
        return [this]() -> std::optional<std::vector<Signature>> {
            if (asked == signatures.size())
                return std::nullopt;
            return std::vector{signatures[asked++]};
        };
    }
};

// "" where it is trusted, else the notes behind the scope's.
std::string refusal(const Policy& policy, const Subject& subject, std::vector<Signature> signatures) {
    try {
        static_cast<void>(judge(policy, subject, Places{std::move(signatures)}.next()));
        return "";
    } catch (const diagnostic::Failure& failure) {
        std::string out = failure.diagnostic().code + " " + failure.diagnostic().message;
        for (const std::string& note : failure.diagnostic().notes)
            out += "|" + note;
        return out;
    }
}

Signature simple(const Signer& signer, const std::string& text, const char* hash = "SHA256") {
    return {Signature::Form::simple, text, to_base64(signer.sign(text, hash)), "sig"};
}

TEST(Signatures, OfEachKindOfKey) {
    using Kind = Signer::Kind;
    for (const Kind kind : {Kind::p256, Kind::p384, Kind::rsa, Kind::rsa_pss, Kind::ed25519}) {
        const Signer signer(kind), other(kind);
        const Policy policy = policy_of(by_repository, signer.pem());
        const std::string text = payload(web.name, image_digest);
        EXPECT_EQ(refusal(policy, web, {simple(signer, text)}), "");
        EXPECT_NE(refusal(policy, web, {simple(other, text)}).find("none of the policy's keys"),
                  std::string::npos);
        EXPECT_EQ(refusal(policy, web, {simple(other, text), simple(signer, text)}), "");
        Signature altered = simple(signer, text);
        altered.payload[altered.payload.size() - 2] = ' ';
        EXPECT_NE(refusal(policy, web, {altered}).find("none of the policy's keys"), std::string::npos);
        Places places{{altered, simple(signer, text), altered}};
        const Verdict verdict = judge(policy, web, places.next());
        EXPECT_EQ(places.asked, 2u) << "who is satisfied asks no further place";
        EXPECT_EQ(verdict.how, "signed");
        EXPECT_EQ(verdict.identity, web.name);
        EXPECT_EQ(verdict.key, PublicKey::parse(signer.pem(), "k").fingerprint());
        EXPECT_EQ(verdict.policy, policy.digest());
    }
    const Signer large(Kind::p384);
    EXPECT_EQ(refusal(policy_of(by_repository, large.pem()), web,
                      {simple(large, payload(web.name, image_digest), "SHA384")}),
              "");
    EXPECT_THROW(PublicKey::parse(Signer(Kind::rsa_short).pem(), "k"), diagnostic::Failure);
    EXPECT_THROW(PublicKey::parse(Signer(Kind::p521).pem(), "k"), diagnostic::Failure);
    EXPECT_THROW(PublicKey::parse("no key", "k"), diagnostic::Failure);
}

TEST(Signatures, StrippedSwappedRetaggedOtherDigest) {
    const Signer signer(Signer::Kind::ed25519);
    const Policy policy = policy_of(by_repository, signer.pem());
    EXPECT_NE(refusal(policy, web, {}).find("it has no signature"), std::string::npos);
    const auto other = files::sha256(std::string_view("other"));
    EXPECT_NE(refusal(policy, web, {simple(signer, payload(web.name, other))}).find("of another image"),
              std::string::npos);
    EXPECT_NE(refusal(policy, web, {simple(signer, payload("host.example/team/db", image_digest))})
                  .find("identity"),
              std::string::npos);
    EXPECT_NE(refusal(policy, web, {simple(signer, "{}")}).find("no statement"), std::string::npos);
    EXPECT_NE(refusal(policy, web, {simple(signer, "not JSON")}).find("JSON"), std::string::npos);
    Subject of_index = web;
    of_index.digest = other;
    of_index.manifest = image_digest;
    EXPECT_EQ(refusal(policy, of_index, {simple(signer, payload(web.name, image_digest))}), "");
    Subject elsewhere = web;
    elsewhere.name = "host.example/other";
    EXPECT_NE(refusal(policy, elsewhere, {simple(signer, payload(elsewhere.name, image_digest))})
                  .find("the policy rejects it|the policy's scope: default"),
              std::string::npos);
}

TEST(Identities, EachForm) {
    const auto accepts = [](Identity identity, const std::string& said, Subject subject = web) {
        return identity.accepts(said, subject);
    };
    using Form = Identity::Form;
    Subject exact = web;
    exact.by_digest = true;
    const std::string name = web.name;
    EXPECT_TRUE(accepts({Form::exact}, name + ":1"));
    EXPECT_FALSE(accepts({Form::exact}, name + ":2"));
    EXPECT_FALSE(accepts({Form::exact}, name));
    EXPECT_FALSE(accepts({Form::exact}, name + ":1", exact));
    EXPECT_TRUE(accepts({Form::repo_digest_or_exact}, name + ":1"));
    EXPECT_FALSE(accepts({Form::repo_digest_or_exact}, name));
    EXPECT_TRUE(accepts({Form::repo_digest_or_exact}, name + ":2", exact));
    EXPECT_TRUE(accepts({Form::repository}, name));
    EXPECT_TRUE(accepts({Form::repository}, name + ":9"));
    EXPECT_FALSE(accepts({Form::repository}, "host.example:5000/team/web"));
    EXPECT_TRUE(accepts({Form::exact_reference, "a/b:1"}, "a/b:1"));
    EXPECT_FALSE(accepts({Form::exact_reference, "a/b:1"}, "a/b:2"));
    EXPECT_TRUE(accepts({Form::exact_repository, "a/b"}, "a/b:7"));
    EXPECT_FALSE(accepts({Form::exact_repository, "a/b"}, "a/bc"));
    EXPECT_TRUE(accepts({Form::remap, "host.example", "origin.example"}, "origin.example/team/web:1"));
    EXPECT_FALSE(accepts({Form::remap, "host.example", "origin.example"}, "host.example/team/web:1"));
    EXPECT_TRUE(accepts({Form::remap, "host.exa", "origin"}, name + ":1"))
        << "a prefix ends where a part does";
    const Subject layout{"oci", "/images/web", "", image_digest};
    EXPECT_FALSE(accepts({Form::repository}, "/images/web", layout));
    EXPECT_TRUE(accepts({Form::exact_repository, "a/b"}, "a/b", layout));
}

TEST(Policies, TheMostExactScopeCounts) {
    const auto scope = [](const std::string& scopes, Subject subject = web) {
        return Policy::parse(R"({"default":[{"type":"reject"}],"transports":{)" + scopes + "}}", "p", {})
            .of(subject)
            .scope;
    };
    const std::string any = R"(:[{"type":"insecureAcceptAnything"}])";
    const auto docker = [&](std::initializer_list<const char*> names) {
        std::string out = R"("docker":{)";
        for (const char* name : names)
            out += (out.ends_with('{') ? "\"" : ",\"") + std::string(name) + "\"" + any;
        return out + "}";
    };
    EXPECT_EQ(scope(""), "default");
    EXPECT_EQ(scope(docker({""})), "transports.docker.\"\"");
    EXPECT_EQ(scope(docker({"", "*.example"})), "transports.docker.\"*.example\"");
    EXPECT_EQ(scope(docker({"*.example", "host.example"})), "transports.docker.\"host.example\"");
    EXPECT_EQ(scope(docker({"host.example", "host.example/team/web"})),
              "transports.docker.\"host.example/team/web\"");
    EXPECT_EQ(scope(docker({"host.example/team/web", "host.example/team/web:1"})),
              "transports.docker.\"host.example/team/web:1\"");
    EXPECT_EQ(scope(docker({"host.example/team/we"})), "default");
    const Subject layout{"oci", "/images/web", "v1", image_digest};
    EXPECT_EQ(scope(R"("oci":{"/images")" + any + "}", layout), "transports.oci.\"/images\"");
    EXPECT_EQ(scope(docker({""}), layout), "default");
}

TEST(Policies, WhatIsNotUnderstoodIsRefused) {
    const Signer signer(Signer::Kind::ed25519);
    const auto refused = [&](const std::string& text) {
        try {
            static_cast<void>(policy_of(text, signer.pem()));
            return std::string("accepted");
        } catch (const diagnostic::Failure& failure) {
            return failure.diagnostic().code;
        }
    };
    EXPECT_EQ(refused(by_repository), "accepted");
    for (const char* text :
         {"", "[]", "{}", R"({"default":[]})", R"({"default":[{"type":"maybe"}]})",
          R"({"default":[{"type":"signedBy"}]})", R"({"default":[{"type":"reject"}],"more":1})",
          R"({"default":[{"type":"reject","but":1}]})",
          R"({"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]})",
          R"({"default":[{"type":"sigstoreSigned"}]})",
          R"({"default":[{"type":"sigstoreSigned","keyPaths":[]}]})",
          R"({"default":[{"type":"sigstoreSigned","keyPath":"a","keyData":"YQ=="}]})",
          R"({"default":[{"type":"sigstoreSigned","keyData":"%"}]})",
          R"({"default":[{"type":"sigstoreSigned","keyPath":"a","fulcio":{}}]})",
          R"({"default":[{"type":"sigstoreSigned","keyPath":"a","rekorPublicKeyPath":"x"}]})",
          R"({"default":[{"type":"sigstoreSigned","keyPath":"a","signedIdentity":{"type":"any"}}]})",
          R"({"default":[{"type":"reject"}],"transports":{"docker":{"x":[]}}})"})
        EXPECT_EQ(refused(text), "E0433") << text;
    EXPECT_EQ(refused(R"({"default":[{"type":"sigstoreSigned","keyData":"YQ=="}]})"), "E0514");
}

Signature bundle_of(const Signer& signer, const std::string& statement, const char* version = "0.3") {
    const std::string type = "application/vnd.in-toto+json";
    return {Signature::Form::bundle,
            R"({"mediaType":"application/vnd.dev.sigstore.bundle.v)" + std::string(version) +
                R"(+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":")" +
                to_base64(statement) + R"(","payloadType":")" + type + R"(","signatures":[{"sig":")" +
                to_base64(signer.sign(pre_authentication(type, statement))) + R"("}]}})",
            {},
            "bundle"};
}

std::string statement(const std::string& name, const files::Digest& digest, const char* predicate) {
    return R"({"_type":"https://in-toto.io/Statement/v1","subject":[{"name":")" + name +
           R"(","digest":{"sha256":")" + digest.hex() + R"("}}],"predicateType":")" + predicate +
           R"(","predicate":{}})";
}

TEST(Bundles, OfSigstore) {
    const Signer signer(Signer::Kind::p256), other(Signer::Kind::p256);
    const Policy policy = policy_of(by_repository, signer.pem());
    const char* const sign = "https://sigstore.dev/cosign/sign/v1";
    EXPECT_EQ(refusal(policy, web, {bundle_of(signer, statement(web.name, image_digest, sign))}), "");
    const auto said = [&](const Signature& signature) { return refusal(policy, web, {signature}); };
    EXPECT_NE(
        said(bundle_of(other, statement(web.name, image_digest, sign))).find("none of the policy's keys"),
        std::string::npos);
    EXPECT_NE(said(bundle_of(signer, statement(web.name, files::sha256(std::string_view("y")), sign)))
                  .find("another image"),
              std::string::npos);
    EXPECT_NE(said(bundle_of(signer, statement("", image_digest, sign))).find("names no identity"),
              std::string::npos);
    const Policy any = policy_of(signed_by(R"({"type":"anyIdentity"})"), signer.pem());
    EXPECT_EQ(refusal(any, web, {bundle_of(signer, statement("", image_digest, sign))}), "");
    EXPECT_NE(said(bundle_of(signer, statement(web.name, image_digest, "https://slsa.dev/provenance/v1")))
                  .find("attests"),
              std::string::npos);
    EXPECT_NE(said(bundle_of(signer, statement(web.name, image_digest, sign), "0.1")).find("version 0.3"),
              std::string::npos);
}

TEST(Base64, OneTextForOneSequenceOfBytes) {
    for (const std::string text : {"", "f", "fo", "foo", "foob", "\xff\xfe"})
        EXPECT_EQ(from_base64(to_base64(text)), text);
    for (const char* text : {"A", "AA", "AA=A", "A===", "AAA=AAAA", "AB==", "AAB=", "AA-=", "AAAA\n"})
        EXPECT_EQ(from_base64(text), std::nullopt) << text;
}

TEST(Provenance, IsOfOneBundleAndByOneKey) {
    const bundle::SigningKey key = bundle::SigningKey::generate(), other = bundle::SigningKey::generate();
    const auto output = files::sha256(std::string_view("bundle")),
               image = files::sha256(std::string_view("i"));
    const BuildFacts facts{{{"a.bundle", output}}, {{"oci:web", image}}, {{"name", "a"}}, 7, "0.1.0-x"};
    const std::string envelope = provenance(facts, key);
    EXPECT_EQ(envelope, provenance(facts, key));
    const auto refused = [](const std::string& text, const bundle::PublicKey& trusted,
                            const files::Digest& of, const std::vector<Artifact>& inputs) -> std::string {
        try {
            static_cast<void>(check_provenance(text, "p", std::span(&trusted, 1), of, inputs));
            return "";
        } catch (const diagnostic::Failure& failure) {
            return failure.diagnostic().code + " " + failure.diagnostic().message;
        }
    };
    const bundle::PublicKey good = key.public_key();
    EXPECT_EQ(refused(envelope, good, output, facts.inputs), "");
    EXPECT_NE(refused(envelope, other.public_key(), output, facts.inputs).find("E0515 p is not signed"),
              std::string::npos);
    EXPECT_NE(refused(envelope, good, image, facts.inputs).find("another bundle"), std::string::npos);
    EXPECT_NE(refused(envelope, good, output, {{"oci:web", output}}).find("does not name"),
              std::string::npos);
    EXPECT_EQ(refused("{}", good, output, {}).substr(0, 5), "E0515");
    EXPECT_EQ(refused("no", good, output, {}).substr(0, 5), "E0515");
    std::string altered = envelope;
    const std::size_t at = altered.find("payload\": \"") + 40;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    EXPECT_NE(refused(altered, good, output, facts.inputs).find("is not signed"), std::string::npos);
    EXPECT_EQ(inputs_of_meta(R"({"partitions":[{"image":{"reference":"oci:web","digest":")" + image.text() +
                             R"("}},{"kernel":{"file":"k","digest":")" + output.text() + R"("}}]})"),
              (std::vector<Artifact>{{"oci:web", image}, {"k", output}}));
}

} // namespace
} // namespace trust
