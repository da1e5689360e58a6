// SPDX-License-Identifier: Apache-2.0
// image-tools/build/kept_build.cpp - what a build leaves behind.
#include "image-tools/build/kept_build.hpp"

#include "image-tools/files/cache_place.hpp"
#include "image-tools/files/digest.hpp"

#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace build {
namespace {

using Json = nlohmann::json;

constexpr const char* builds_folder = "builds";

std::string name_of(const std::filesystem::path& bundle, const std::filesystem::path& elf) {
    return files::sha256(std::string_view(std::filesystem::absolute(bundle).lexically_normal().string() +
                                          "\n" + std::filesystem::absolute(elf).lexically_normal().string()))
        .hex();
}

} // namespace

std::optional<FileState> state_of(const std::filesystem::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        return std::nullopt;
    return FileState{static_cast<std::int64_t>(status.st_dev),
                     static_cast<std::int64_t>(status.st_ino),
                     status.st_size,
                     status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec,
                     status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec};
}

std::optional<KeptBuild> KeptBuild::of(const std::filesystem::path& bundle,
                                       const std::filesystem::path& elf) {
    const auto note = files::Notes(builds_folder).read(name_of(bundle, elf));
    if (!note)
        return std::nullopt;
    try {
        const Json all = Json::parse(*note);
        KeptBuild out{all.at("inputs").get<std::string>(), all.at("bundle").get<FileState>(),
                      all.at("elf").get<FileState>(), all.at("bundleSha256").get<std::string>(),
                      all.at("elfSha256").get<std::string>()};
        return state_of(bundle) == out.bundle && state_of(elf) == out.elf ? std::optional(std::move(out))
                                                                          : std::nullopt;
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

void KeptBuild::keep(const std::filesystem::path& bundle_file, const std::filesystem::path& elf_file) const {
    files::Notes(builds_folder)
        .write(name_of(bundle_file, elf_file), Json{{"inputs", inputs},
                                                    {"bundle", bundle},
                                                    {"elf", elf},
                                                    {"bundleSha256", bundle_sha256},
                                                    {"elfSha256", elf_sha256}}
                                                   .dump());
}

} // namespace build
