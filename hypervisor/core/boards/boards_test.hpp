// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/boards/boards_test.hpp - tables of real machines and CPUID of real processors, for tests only.
//
// The archives are not part of the project: a folder `boards`, named by CAISSON_BOARDS or found as shared/boards
// beside the checkout. A test that needs one says CAISSON_SKIP_WITHOUT_BOARDS and is skipped with its reason where it is not there.
// Formats: hypervisor/core/boards/README.md.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace boards {

// The folder of the archives, or nothing.
inline std::optional<std::filesystem::path> folder() {
    namespace fs = std::filesystem;
    if (const char* named = std::getenv("CAISSON_BOARDS"); named != nullptr)
        return fs::path{named};
    fs::path at = fs::current_path(); // tests run in their source folder
    while (!fs::exists(at / "CMakePresets.json")) {
        if (at == at.root_path())
            return std::nullopt;
        at = at.parent_path();
    }
    const fs::path beside = at.parent_path() / "shared" / "boards";
    return fs::exists(beside) ? std::optional{beside} : std::nullopt;
}

// The archive, or nothing where it is absent.
inline std::optional<std::filesystem::path> archive(const std::string& name) {
    const auto where = folder();
    return where && std::filesystem::exists(*where / name) ? std::optional{*where / name} : std::nullopt;
}
#define CAISSON_SKIP_WITHOUT_BOARDS(name)                                                                    \
    do {                                                                                                     \
        if (!boards::archive(name))                                                                          \
            GTEST_SKIP() << (name) << " is not there: it is no part of the project (CAISSON_BOARDS)";        \
    } while (false)

struct File {
    std::string name; // without its folder
    std::string bytes;
};

// Every regular file of a tar archive that xz compressed, by name. A damaged archive is an exception.
inline std::vector<File> read_archive(const std::filesystem::path& path) {
    std::string quoted = "'";
    for (const char c : path.string())
        quoted += c == '\'' ? std::string{"'\\''"} : std::string{c};
    const auto close = [](std::FILE* pipe) { static_cast<void>(pclose(pipe)); };
    const std::unique_ptr<std::FILE, decltype(close)> pipe{popen(("xz -dc " + quoted + "'").c_str(), "r"),
                                                           close};
    std::string tar;
    std::vector<char> buffer(1 << 16);
    while (const std::size_t got = pipe ? std::fread(buffer.data(), 1, buffer.size(), pipe.get()) : 0)
        tar.append(buffer.data(), got);
    constexpr std::size_t block = 512, size_at = 124, type_at = 156;
    std::vector<File> files;
    for (std::size_t at = 0; at + block <= tar.size() && tar[at] != '\0';) {
        const std::string name{tar.c_str() + at, strnlen(tar.c_str() + at, 100)};
        const std::size_t size = std::strtoull(tar.substr(at + size_at, 12).c_str(), nullptr, 8);
        const char type = tar[at + type_at];
        if (size > tar.size() - at - block)
            throw std::runtime_error(path.string() + ": cut off in " + name);
        if (type == '0' || type == '\0')
            files.push_back({name.substr(name.rfind('/') + 1), tar.substr(at + block, size)});
        at += block + (size + block - 1) / block * block;
    }
    if (files.empty())
        throw std::runtime_error(path.string() + ": holds nothing; is xz installed?");
    std::ranges::sort(files, {}, &File::name);
    return files;
}

// What CPUID says on one logical CPU.
struct LogicalCpu {
    struct Place {
        std::uint32_t package, core, thread;
        auto operator<=>(const Place&) const = default;
    };
    struct Leaf {
        std::uint32_t number, sub, eax, ebx, ecx, edx;
    };
    std::optional<Place> place; // as the collector placed it
    std::vector<Leaf> leaves;   // as in the dump

    // As the processor would answer: of a leaf without subleaves the one there is; beyond the last leaf zeros (the
    // hypervisor asks for the last leaf first).
    [[nodiscard]] Leaf leaf(std::uint32_t number, std::uint32_t sub = 0) const {
        const Leaf* only = nullptr;
        std::size_t count = 0;
        for (const Leaf& one : leaves) {
            if (one.number != number)
                continue;
            if (one.sub == sub)
                return one;
            only = &one;
            ++count;
        }
        return count == 1 && only->sub == 0 && !has_subleaves(number) ? *only : Leaf{number, sub, 0, 0, 0, 0};
    }

private:
    static bool has_subleaves(std::uint32_t number) {
        for (const std::uint32_t known :
             {4u,    7u,    0xbu,  0xdu,  0xfu,  0x10u, 0x12u, 0x14u,       0x17u,       0x18u,
              0x1au, 0x1bu, 0x1du, 0x1fu, 0x20u, 0x23u, 0x24u, 0x8000001du, 0x80000020u, 0x80000026u})
            if (number == known)
                return true;
        return false;
    }
};

struct Processor {
    std::string name; // the collector's
    std::vector<LogicalCpu> cpus;
};

// Lines `cpu N [package P core C thread T]`, each followed by `leaf subleaf eax ebx ecx edx`, hexadecimal.
inline Processor read_processor(const File& file) {
    Processor result{file.name, {}};
    std::istringstream lines{file.bytes};
    for (std::string line; std::getline(lines, line);) {
        unsigned index = 0;
        LogicalCpu::Place place{};
        LogicalCpu::Leaf leaf{};
        const int placed = std::sscanf(line.c_str(), "cpu %u package %u core %u thread %u", &index,
                                       &place.package, &place.core, &place.thread);
        if (placed >= 1) {
            result.cpus.emplace_back();
            if (placed == 4)
                result.cpus.back().place = place;
        } else if (std::sscanf(line.c_str(), "%x %x %x %x %x %x", &leaf.number, &leaf.sub, &leaf.eax,
                               &leaf.ebx, &leaf.ecx, &leaf.edx) == 6 &&
                   !result.cpus.empty()) {
            // Old collectors wrote every subleaf as 0, in order.
            auto& leaves = result.cpus.back().leaves;
            const auto same = [&leaf](const LogicalCpu::Leaf& other) { return other.number == leaf.number; };
            const auto before = static_cast<std::uint32_t>(std::ranges::count_if(leaves, same));
            leaf.sub = leaf.sub == 0 ? before : leaf.sub;
            leaves.push_back(leaf);
        } else if (!line.empty()) {
            throw std::runtime_error(file.name + ": not a line of a dump: " + line);
        }
    }
    return result;
}

// Every processor of the archive `cpuid.tar.xz`, by name.
inline std::vector<Processor> processors() {
    std::vector<Processor> all;
    for (const File& file : read_archive(archive("cpuid.tar.xz").value()))
        all.push_back(read_processor(file));
    return all;
}

} // namespace boards
