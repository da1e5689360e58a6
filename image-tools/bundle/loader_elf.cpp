// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/loader_elf.cpp - the ELFs that belong to this tool.
//
// Spec: System V ABI, "Object Files" (ELF64 section headers).
#include "image-tools/bundle/loader_elf.hpp"

#include "build_id.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <unistd.h>

namespace bundle {
namespace {

constexpr std::string_view key_section = ".caisson.keys";

[[noreturn]] void environment_failure(diagnostic::Code code, std::string message, std::string help) {
    throw diagnostic::fail(code, std::move(message)).help(std::move(help));
}

template <typename T> std::optional<T> load(const std::string& bytes, std::uint64_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
        return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

struct Range {
    std::uint64_t offset, size;
};

// The file range of the section called `name`.
std::optional<Range> find_section(const std::string& elf, std::string_view name) {
    const auto head = load<Elf64_Ehdr>(elf, 0);
    if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64 ||
        head->e_shentsize != sizeof(Elf64_Shdr))
        return std::nullopt;
    const auto section = [&](std::uint64_t index) {
        return load<Elf64_Shdr>(elf, head->e_shoff + index * sizeof(Elf64_Shdr));
    };
    const auto names = section(head->e_shstrndx);
    if (!names)
        return std::nullopt;
    for (std::uint64_t i = 0; i < head->e_shnum; ++i) {
        const auto entry = section(i);
        if (!entry || entry->sh_type != SHT_PROGBITS)
            continue;
        const std::uint64_t at = names->sh_offset + entry->sh_name;
        if (at >= elf.size() || elf.compare(at, name.size() + 1, std::string(name) + '\0') != 0)
            continue;
        if (entry->sh_offset <= elf.size() && elf.size() - entry->sh_offset >= entry->sh_size)
            return Range{entry->sh_offset, entry->sh_size};
    }
    return std::nullopt;
}

// Of what has no section table any more (loadable_part): the one place that looks like a table of keys.
std::optional<Range> find_keys(const std::string& elf) {
    const std::string_view magic(key_table_magic.data(), key_table_magic.size());
    std::optional<Range> out;
    for (std::size_t at = elf.find(magic); at != std::string::npos; at = elf.find(magic, at + 1)) {
        const auto table = load<KeyTable>(elf, at);
        if (!table || table->count != key_slots || table->entsize != sizeof(KeySlot))
            continue;
        if (out)
            return std::nullopt; // which one the hypervisor reads cannot be said
        out = Range{at, sizeof(KeyTable)};
    }
    return out;
}

Range key_range(const std::string& elf) {
    refuse_weakened(elf);
    const auto range = find_section(elf, key_section);
    if (range && range->size >= sizeof(KeyTable))
        if (const auto table = load<KeyTable>(elf, range->offset); table && table->magic == key_table_magic)
            return *range;
    environment_failure("E0706", "the loader ELF has no key slot",
                        "install caisson again: caisson.elf is not this tool's");
}

std::filesystem::path own_folder() {
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::filesystem::path() : self.parent_path();
}

} // namespace

Library Library::find() {
    if (const char* chosen = std::getenv("CAISSON_LIB"); chosen != nullptr && chosen[0] != '\0')
        return Library({chosen});
    const std::filesystem::path folder = own_folder();
    // Installed as bin/caisson; in a build tree as image-tools/cli/caisson.
    const std::filesystem::path build = folder / ".." / "..";
    return Library({folder / ".." / "lib" / "caisson", build / "hypervisor" / "kernel", build / "loader",
                    build / "partitions" / "unikernel" / "start", build / "partitions" / "uplink",
                    build / "partitions" / "adversary", folder, build / "qemu-tests"});
}

std::filesystem::path Library::file(const std::string& name) const {
    std::error_code error;
    for (const std::filesystem::path& folder : folders_)
        if (std::filesystem::is_regular_file(folder / name, error))
            return folder / name;
    std::string searched;
    for (const std::filesystem::path& folder : folders_)
        searched += (searched.empty() ? "" : ", ") + folder.lexically_normal().string();
    throw diagnostic::fail("E0704", name + " is missing")
        .notes({"looked in " + searched})
        .help("install caisson completely, or set CAISSON_LIB to the folder that holds "
              "caisson.elf and unikernel.elf");
}

std::string Library::elf(const std::string& name) const {
    const std::filesystem::path path = file(name);
    std::string bytes = files::read_file(path, largest_elf);
    if (!carries(bytes, build_id()))
        environment_failure("E0705",
                            path.lexically_normal().string() + " belongs to another build: this tool is " +
                                build_id(),
                            "install tool and ELFs of one version, or build both again");
    return bytes;
}

void refuse_weakened(const std::string& elf) {
    // The start of the selector in hypervisor/base/weakness.hpp.
    if (elf.find("CAISSON-WEAK-V1") == std::string::npos ||
        std::getenv("CAISSON_TEST_WEAK_LOADER") != nullptr)
        return;
    throw diagnostic::fail("E0507", "the loader ELF is a deliberately weakened hypervisor, made for tests")
        .help("install caisson again: this is not a product's caisson.elf");
}

std::string build_id() {
    return CAISSON_BUILD_ID;
}

std::string build_id_of(const std::string& elf) {
    constexpr std::string_view mark = "CAISSON-BUILD-ID:";
    const std::size_t at = elf.find(mark);
    const std::size_t end = at == std::string::npos ? at : elf.find('\0', at);
    if (end == std::string::npos || end - at > 128)
        environment_failure("E0706", "the loader does not say which build it is",
                            "install caisson again: it is not this tool's");
    return elf.substr(at + mark.size(), end - at - mark.size());
}

bool carries(const std::string& elf, const std::string& id) {
    return elf.find(id + '\0') != std::string::npos;
}

void set_keys(std::string& elf, const KeyTable& keys) {
    const Range range = key_range(elf);
    std::memcpy(elf.data() + range.offset, &keys, sizeof keys);
}

KeyTable keys_of(const std::string& elf) {
    return *load<KeyTable>(elf, key_range(elf).offset);
}

KeyTable keys_of_loadable_part(const std::string& part) {
    refuse_weakened(part);
    const auto range = find_keys(part);
    if (!range)
        environment_failure("E0706", "the loader in it has no key slot, or several",
                            "build it again: it is not what caisson build writes");
    return *load<KeyTable>(part, range->offset);
}

std::string loadable_part(std::string elf) {
    auto head = load<Elf64_Ehdr>(elf, 0);
    if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64 ||
        head->e_phentsize != sizeof(Elf64_Phdr))
        return elf;
    std::uint64_t end = head->e_phoff + head->e_phnum * sizeof(Elf64_Phdr);
    for (std::uint64_t i = 0; i < head->e_phnum; ++i) {
        const auto entry = load<Elf64_Phdr>(elf, head->e_phoff + i * sizeof(Elf64_Phdr));
        if (!entry || entry->p_offset > elf.size() || entry->p_filesz > elf.size() - entry->p_offset)
            return elf;
        end = std::max(end, entry->p_offset + entry->p_filesz);
    }
    head->e_shoff = 0;
    head->e_shnum = 0;
    head->e_shstrndx = 0;
    std::memcpy(elf.data(), &*head, sizeof *head);
    elf.resize(std::min<std::uint64_t>(end, elf.size()));
    return elf;
}

KeySlot slot(std::uint32_t purpose, std::uint32_t flags, std::uint64_t floor,
             const std::array<std::uint8_t, 32>& public_key) {
    KeySlot out{};
    out.purpose = purpose;
    out.flags = flags;
    out.security_version_floor = floor;
    out.public_key = public_key;
    return out;
}

KeyTable empty_keys() {
    KeyTable keys{};
    keys.magic = key_table_magic;
    keys.count = key_slots;
    keys.entsize = sizeof(KeySlot);
    return keys;
}

} // namespace bundle
