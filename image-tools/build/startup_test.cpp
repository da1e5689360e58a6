// SPDX-License-Identifier: Apache-2.0
// image-tools/build/startup_test.cpp - Docker's rules for command and environment; the startup record; the loader ELF's slot.
#include "image-tools/build/startup.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/startup.h"

#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

namespace {

using Words = std::vector<std::string>;

manifest::Partition partition() {
    manifest::Partition out;
    out.name = "web";
    return out;
}

oci::ImageConfig config() {
    oci::ImageConfig out;
    out.entrypoint = {"/entry"};
    out.cmd = {"a", "b"};
    out.env = {"PATH=/p", "A=1"};
    return out;
}

TEST(Startup, CommandFollowsDocker) {
    manifest::Partition p = partition();
    EXPECT_EQ(build::command(p, config()), (Words{"/entry", "a", "b"}));
    p.args = {{{"x"}}, {}};
    EXPECT_EQ(build::command(p, config()), (Words{"/entry", "x"}));
    p.entrypoint = {{{"/mine"}}, {}};
    EXPECT_EQ(build::command(p, config()), (Words{"/mine", "x"}));
    p.args.reset();
    EXPECT_EQ(build::command(p, config()), (Words{"/mine"}));
    p.entrypoint->value.clear();
    EXPECT_TRUE(build::command(p, config()).empty());
}

TEST(Startup, EnvironmentOverridesInPlace) {
    manifest::Partition p = partition();
    p.environment = {{"A", "2"}, {"B", "3"}};
    EXPECT_EQ(build::environment(p, config(), "/root"),
              (Words{"HOSTNAME=web", "PATH=/p", "A=2", "B=3", "HOME=/root"}));
    const Words bare = build::environment(partition(), {}, "/");
    EXPECT_EQ(bare, (Words{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           "HOSTNAME=web", "HOME=/"}));
}

template <typename T> T at(const std::vector<std::uint8_t>& bytes, std::size_t offset) {
    T value;
    EXPECT_LE(offset + sizeof value, bytes.size());
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

std::string text(const std::vector<std::uint8_t>& bytes, std::size_t offset) {
    const auto end = std::find(bytes.begin() + static_cast<std::ptrdiff_t>(offset), bytes.end(), 0);
    EXPECT_NE(end, bytes.end());
    return {bytes.begin() + static_cast<std::ptrdiff_t>(offset), end};
}

TEST(Startup, RecordHoldsEverything) {
    build::Startup startup;
    startup.arguments = {"/bin/x", "", "two words"};
    startup.environment = {"A=1"};
    startup.working_directory = "/srv";
    startup.hostname = "h";
    startup.user = 101;
    startup.group = 102;
    startup.groups = {7, 8};
    startup.stop_signal = 3;
    startup.tmpfs = {{"/run", 8 << 20, 0755, {}}};
    startup.writable_limit = 1234;
    startup.read_only = true;
    startup.processes.no_new_privileges = true;
    startup.processes.capabilities = 0x123456789A;
    startup.pids = 77;
    const std::vector<std::uint8_t> bytes = build::encode(startup, "web");
    const auto head = at<caisson_startup>(bytes, 0);
    EXPECT_EQ(head.magic, CAISSON_STARTUP_MAGIC);
    EXPECT_EQ(head.total_bytes, bytes.size());
    EXPECT_EQ(head.flags, CAISSON_STARTUP_READ_ONLY | CAISSON_STARTUP_NO_NEW_PRIVILEGES);
    EXPECT_EQ(head.capabilities, 0x123456789Au);
    EXPECT_EQ(head.pids, 77u);
    EXPECT_EQ(head.init_bytes, 0u);
    ASSERT_EQ(head.argc, 3u);
    EXPECT_EQ(text(bytes, at<std::uint32_t>(bytes, head.argv)), "/bin/x");
    EXPECT_EQ(text(bytes, at<std::uint32_t>(bytes, head.argv + 4)), "");
    EXPECT_EQ(text(bytes, at<std::uint32_t>(bytes, head.argv + 8)), "two words");
    EXPECT_EQ(text(bytes, at<std::uint32_t>(bytes, head.envp)), "A=1");
    EXPECT_EQ(text(bytes, head.working_dir), "/srv");
    EXPECT_EQ(text(bytes, head.hostname), "h");
    EXPECT_EQ(at<std::uint32_t>(bytes, head.groups + 4), 8u);
    const auto mount = at<caisson_tmpfs>(bytes, head.tmpfs);
    EXPECT_EQ(head.tmpfs % alignof(caisson_tmpfs), 0u);
    EXPECT_EQ(text(bytes, mount.path), "/run");
    EXPECT_EQ(mount.size, 8u << 20);
    EXPECT_EQ(mount.mode, 0755u);
    EXPECT_EQ(head.program_count, 0u);
    startup.programs = {"/bin/x", "/bin/y"};
    const std::vector<std::uint8_t> limited = build::encode(startup, "web");
    const auto with = at<caisson_startup>(limited, 0);
    EXPECT_EQ(with.flags, head.flags | CAISSON_STARTUP_ONLY_LISTED);
    ASSERT_EQ(with.program_count, 2u);
    EXPECT_EQ(text(limited, at<std::uint32_t>(limited, with.programs + 4)), "/bin/y");
}

TEST(Startup, InitIsAProgramBeforeTheWords) {
    build::Startup startup;
    startup.arguments = {"/bin/x", "y"};
    startup.processes.init = true;
    const std::vector<std::uint8_t> bytes = build::encode(startup, "web");
    const auto head = at<caisson_startup>(bytes, 0);
    ASSERT_EQ(head.argc, 3u);
    EXPECT_EQ(text(bytes, at<std::uint32_t>(bytes, head.argv)), "/dev/init");
    EXPECT_EQ(text(bytes, at<std::uint32_t>(bytes, head.argv + 4)), "/bin/x");
    ASSERT_LE(std::uint64_t{head.init} + head.init_bytes, bytes.size());
    ASSERT_GT(head.init_bytes, SELFMAG);
    EXPECT_EQ(std::memcmp(bytes.data() + head.init, ELFMAG, SELFMAG), 0);
}

std::vector<std::string> words_of(const build::Startup& startup) {
    const std::vector<std::uint8_t> bytes = build::encode(startup, "web");
    const auto head = at<caisson_startup>(bytes, 0);
    EXPECT_EQ(head.init_bytes == 0, !startup.has_init());
    std::vector<std::string> out;
    for (std::uint32_t i = 0; i < head.argc; ++i)
        out.push_back(text(bytes, at<std::uint32_t>(bytes, head.argv + 4 * i)));
    return out;
}

// As partitions/init/watch.hpp says.
TEST(Startup, WhatTheReaperLooksAfter) {
    build::Startup startup;
    startup.arguments = {"/bin/x", "y"};
    EXPECT_EQ(words_of(startup), (Words{"/bin/x", "y"}));
    startup.probes = {{0x0A000001, 80}};
    EXPECT_EQ(words_of(startup), (Words{"/dev/init", "", "", "167772161", "80", "", "/bin/x", "y"}));
    startup.probes.clear();
    startup.health.kind = manifest::Health::Kind::http;
    startup.health.port = 80;
    startup.restarted = true;
    EXPECT_EQ(words_of(startup), (Words{"/dev/init", "", "10000", "5000", "10000", "3", "1", "http", "80",
                                        "200", "399", "/", "", "/bin/x", "y"}));
    startup.health.kind = manifest::Health::Kind::exec;
    startup.health.words = {"ping", ""};
    EXPECT_EQ(words_of(startup), (Words{"/dev/init", "", "10000", "5000", "10000", "3", "1", "exec", "2",
                                        "ping", "", "", "/bin/x", "y"}));
}

TEST(Startup, TooLargeIsALimit) {
    build::Startup startup;
    startup.arguments = {std::string(CAISSON_STARTUP_MAX, 'x')};
    try {
        static_cast<void>(build::encode(startup, "web"));
        FAIL();
    } catch (const diagnostic::Failure& failure) {
        EXPECT_EQ(failure.diagnostic().exit, diagnostic::ExitCode::limit);
    }
}

// A minimal ELF64 with sections: null, .shstrtab, .caisson.keys.
std::string elf_with_keys() {
    const std::string names("\0.shstrtab\0.caisson.keys\0", 25);
    const bundle::KeyTable keys = bundle::empty_keys();
    Elf64_Ehdr head{};
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_shentsize = sizeof(Elf64_Shdr);
    head.e_shnum = 3;
    head.e_shstrndx = 1;
    const std::size_t names_at = sizeof head, keys_at = names_at + names.size();
    head.e_shoff = keys_at + sizeof keys;
    std::array<Elf64_Shdr, 3> sections{};
    sections[1].sh_type = SHT_STRTAB;
    sections[1].sh_name = 1;
    sections[1].sh_offset = names_at;
    sections[1].sh_size = names.size();
    sections[2].sh_type = SHT_PROGBITS;
    sections[2].sh_name = 11;
    sections[2].sh_offset = keys_at;
    sections[2].sh_size = sizeof keys;
    std::string out(head.e_shoff + sizeof sections, '\0');
    std::memcpy(out.data(), &head, sizeof head);
    std::memcpy(out.data() + names_at, names.data(), names.size());
    std::memcpy(out.data() + keys_at, &keys, sizeof keys);
    std::memcpy(out.data() + head.e_shoff, sections.data(), sizeof sections);
    return out;
}

TEST(LoaderElf, KeySlotIsFilledAndReadBack) {
    std::string elf = elf_with_keys();
    bundle::KeyTable keys = bundle::empty_keys();
    keys.slots[0] = bundle::slot(bundle::purpose_bundle, bundle::key_development, 9, {1, 2, 3});
    bundle::set_keys(elf, keys);
    const bundle::KeyTable back = bundle::keys_of(elf);
    EXPECT_EQ(back.slots[0].security_version_floor, 9u);
    EXPECT_EQ(back.slots[0].public_key, keys.slots[0].public_key);
}

TEST(LoaderElf, BrokenFilesAreRefused) {
    const std::string elf = elf_with_keys();
    for (std::size_t size = 0; size < elf.size(); ++size)
        EXPECT_THROW(static_cast<void>(bundle::keys_of(elf.substr(0, size))), diagnostic::Failure) << size;
    std::string huge = elf;
    std::memset(huge.data() + offsetof(Elf64_Ehdr, e_shoff), 0xFF, 8);
    EXPECT_THROW(static_cast<void>(bundle::keys_of(huge)), diagnostic::Failure);
}

TEST(LoaderElf, BuildId) {
    using namespace std::string_literals;
    EXPECT_TRUE(bundle::carries("xxCAISSON-BUILD-ID:1.0-ab\0yy"s, "1.0-ab"));
    EXPECT_FALSE(bundle::carries("1.0-abc\0"s, "1.0-ab"));
    EXPECT_FALSE(bundle::carries("1.0-ab"s, "1.0-ab"));
    EXPECT_FALSE(bundle::carries("nothing\0"s, "1.0-ab"));
}

} // namespace
