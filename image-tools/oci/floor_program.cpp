// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/floor_program.cpp - for figures only: the least that a signed bundle of an image costs. Each layer's blob is read
// and hashed, inflated, its tar hashed and written, and what was written hashed by leaves of 2 MiB.
//
// usage: floor_program OUTPUT BLOB.gz...
// It makes nothing of use: no tree, no root image, no checks. One thread, buffers that stay in the second-level cache.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <isa-l/igzip_lib.h>
#include <memory>
#include <openssl/evp.h>

namespace {

constexpr std::size_t input_bytes = 128 << 10, output_bytes = 256 << 10, leaf_bytes = 2 << 20;

class Hash {
public:
    Hash() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
    void update(const std::uint8_t* bytes, std::size_t count) {
        EVP_DigestUpdate(context_.get(), bytes, count);
    }
    void finish() {
        std::array<std::uint8_t, 32> digest{};
        EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
        EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
    }

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
};

struct Output {
    std::FILE* file;
    Hash leaves{};
    std::size_t in_leaf = 0;

    void write(const std::uint8_t* bytes, std::size_t count) {
        std::fwrite(bytes, 1, count, file);
        while (count != 0) {
            const std::size_t part = count < leaf_bytes - in_leaf ? count : leaf_bytes - in_leaf;
            leaves.update(bytes, part);
            bytes += part;
            count -= part;
            in_leaf += part;
            if (in_leaf == leaf_bytes) {
                leaves.finish();
                in_leaf = 0;
            }
        }
    }
};

bool add_layer(const char* name, Output& output) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name, "rb"), std::fclose);
    if (!file)
        return false;
    std::setvbuf(file.get(), nullptr, _IONBF, 0);
    static std::array<std::uint8_t, input_bytes> in;
    static std::array<std::uint8_t, output_bytes> out;
    const auto state = std::make_unique<inflate_state>();
    isal_inflate_init(state.get());
    state->crc_flag = ISAL_GZIP;
    Hash blob, tar;
    while (const std::size_t got = std::fread(in.data(), 1, in.size(), file.get())) {
        blob.update(in.data(), got);
        state->next_in = in.data();
        state->avail_in = static_cast<std::uint32_t>(got);
        do {
            if (state->block_state == ISAL_BLOCK_FINISH) { // the next member
                isal_inflate_reset(state.get());
                state->crc_flag = ISAL_GZIP;
            }
            state->next_out = out.data();
            state->avail_out = static_cast<std::uint32_t>(out.size());
            if (isal_inflate(state.get()) != ISAL_DECOMP_OK)
                return false;
            const std::size_t made = out.size() - state->avail_out;
            tar.update(out.data(), made);
            output.write(out.data(), made);
        } while (state->avail_in != 0 || state->avail_out == 0);
    }
    blob.finish();
    tar.finish();
    return true;
}

} // namespace

int main(int count, char** words) {
    if (count < 3) {
        std::fputs("usage: floor_program OUTPUT BLOB.gz...\n", stderr);
        return 2;
    }
    Output output{std::fopen(words[1], "wb")};
    if (output.file == nullptr)
        return 1;
    std::setvbuf(output.file, nullptr, _IONBF, 0);
    for (int i = 2; i < count; ++i)
        if (!add_layer(words[i], output)) {
            std::fprintf(stderr, "floor_program: %s is no gzip file\n", words[i]);
            return 1;
        }
    return std::fclose(output.file) == 0 ? 0 : 1;
}
