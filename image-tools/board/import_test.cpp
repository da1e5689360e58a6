// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/frame.hpp"
#include "image-tools/board/from_line.hpp"
#include "image-tools/board/import.hpp"
#include "image-tools/board/lines.hpp"
#include "image-tools/board/read.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <fstream>
#include <gtest/gtest.h>

namespace {

using board::Facts;

std::string table(const std::string& name, std::string body) {
    std::string out = name;
    out.resize(36);
    out += body;
    const auto length = static_cast<std::uint32_t>(out.size());
    std::memcpy(out.data() + 4, &length, sizeof length);
    unsigned sum = 0;
    for (const char c : out)
        sum += static_cast<unsigned char>(c);
    out[9] = static_cast<char>(0u - sum);
    return out;
}
// Two CPUs and an I/O APIC.
std::string madt() {
    return table(
        "APIC",
        std::string("\0\0\xe0\xfe\1\0\0\0\0\x08\0\0\1\0\0\0\0\x08\1\1\1\0\0\0\1\x0c\2\0\0\0\xc0\xfe\0\0\0\0",
                    36));
}

class Folder {
public:
    Folder() {
        std::string name = testing::TempDir() + "board-import.XXXXXX";
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    void put(const std::string& name, const std::string& bytes) const {
        std::filesystem::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name, std::ios::binary) << bytes;
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

constexpr const char* cpuid_of_one =
    "CPU 0:\n"
    "   0x00000000 0x00: eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69\n"
    "   0x00000001 0x00: eax=0x000306a9 ebx=0x02100800 ecx=0x00200020 edx=0xbfebfbff\n"
    "   0x0000000b 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000100 edx=0x00000002\n"
    "   0x0000000b 0x01: eax=0x00000004 ebx=0x00000004 ecx=0x00000201 edx=0x00000002\n"
    "CPU 1:\n"
    "   0x00000000 0x00: eax=0x00000002 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69\n";

TEST(Tables, AreReadByTheBootsOwnParser) {
    Facts facts;
    board::take_tables({madt(), table("WDAT", ""), table("WDRT", "")}, facts);
    EXPECT_EQ(facts.refused.view(), "");
    EXPECT_EQ(facts.tables.cpus.size(), 2u);
    EXPECT_EQ(facts.tables.io_apics[0].address, 0xfec00000u);
    EXPECT_TRUE(facts.has_wdrt);
    EXPECT_EQ(facts.watchdog, board::Watchdog::unknown); // that WDAT has no entry
}

// A header of 32 bytes behind the usual one, then entries of 24.
std::string wdat(std::uint32_t entries, std::uint8_t space, std::uint8_t access, std::uint64_t address) {
    std::string body(32, '\0');
    const auto put = [&body](std::size_t at, auto value) {
        std::memcpy(body.data() + at, &value, sizeof value);
    };
    put(12, std::uint32_t{600});
    put(16, std::uint32_t{0x3ff});
    put(20, std::uint32_t{4});
    put(28, entries);
    body.resize(32 + 24);
    body[32] = 1, body[33] = 2;
    body[36] = static_cast<char>(space), body[37] = 16, body[39] = static_cast<char>(access);
    put(40, address);
    put(48, std::uint32_t{1});
    put(52, std::uint32_t{0x3ff});
    return table("WDAT", body);
}

TEST(Tables, AWdatIsReadWholeOrNotAtAll) {
    const auto read = [](const std::string& bytes) {
        const auto facts = std::make_unique<Facts>();
        board::take_tables({madt(), bytes}, *facts);
        EXPECT_EQ(facts->watchdog, facts->tables.wdat ? board::Watchdog::wdat : board::Watchdog::unknown);
        return facts->tables.wdat;
    };
    const auto good = read(wdat(1, 1, 2, 0x460));
    ASSERT_TRUE(good);
    EXPECT_EQ(good->period_ms, 600u);
    ASSERT_EQ(good->entries.size(), 1u);
    EXPECT_EQ(good->entries[0].address, 0x460u);
    EXPECT_EQ(good->entries[0].bytes, 2);
    EXPECT_EQ(good->entries[0].mask, 0x3ffu);
    EXPECT_EQ(read(wdat(1, 0, 0, 0xfed1f410))->entries[0].bytes, 2); // as the register's width says
    EXPECT_TRUE(read(wdat(1, 0, 0, 0xfed1f410))->entries[0].in_memory);
    EXPECT_FALSE(read(wdat(2, 1, 2, 0x460)));       // one is missing
    EXPECT_FALSE(read(wdat(0, 1, 2, 0x460)));       // none
    EXPECT_FALSE(read(wdat(~0u, 1, 2, 0x460)));     // more than fit
    EXPECT_FALSE(read(wdat(1, 2, 2, 0x460)));       // PCI configuration
    EXPECT_FALSE(read(wdat(1, 1, 4, 0x460)));       // 64 bits
    EXPECT_FALSE(read(wdat(1, 1, 2, 0x10000)));     // no port
    EXPECT_FALSE(read(wdat(1, 1, 2, 0x461)));       // between two registers
    EXPECT_FALSE(read(wdat(1, 0, 3, 0x100000000))); // out of reach
    EXPECT_FALSE(read(wdat(1, 1, 2, 0)));
}

TEST(Tables, WhatTheBootRefusesIsKeptInItsWords) {
    Facts facts;
    std::string bad = madt();
    bad[20] ^= 1;
    board::take_tables({bad}, facts);
    EXPECT_EQ(facts.refused.view(), "its list of CPUs and I/O APICs (MADT) is damaged: update it");
    Facts none;
    board::take_tables({}, none);
    EXPECT_EQ(none.refused.view(), "it lists no usable CPU (MADT): update it");
}

// The FADT's pointer is of the machine that was; S5 is found all the same.
TEST(Tables, FindTheDsdtWhereverItIs) {
    std::string fadt(240, '\0');
    const std::uint64_t far = 0x7fff0000;
    std::memcpy(fadt.data() + 140 - 36, &far, sizeof far);
    fadt[64 - 36] = 4, fadt[65 - 36] = 6, fadt[89 - 36] = 2;
    Facts facts;
    board::take_tables({table("FACP", fadt), madt(),
                        table("DSDT", std::string("\x08_S5_\x12\x06\x04\x0a\x05\x0a\x05\0\0", 13))},
                       facts);
    ASSERT_TRUE(facts.tables.soft_off);
    EXPECT_EQ(facts.tables.soft_off->pm1a, 5);
    EXPECT_EQ(facts.tables.fadt->pm1a_control, 0x604);
}

TEST(Tables, OfAcpidump) {
    const std::string bytes = madt();
    std::string text = "APIC @ 0x00000000BFFE0000\n";
    for (std::size_t at = 0; at < bytes.size(); at += 16) {
        char line[32];
        std::snprintf(line, sizeof line, "    %04zX: ", at);
        text += line;
        for (std::size_t i = at; i < std::min(at + 16, bytes.size()); ++i) {
            std::snprintf(line, sizeof line, "%02X ", static_cast<unsigned char>(bytes[i]));
            text += line;
        }
        text += " APIC....be\n";
    }
    const auto read = board::tables_of_dump(text + "\nnoise: 41 42\nFACP @ 0x0\n    0000: 46 41 zz\n");
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(read[0], bytes);
    EXPECT_EQ(read[1], "FA");
}

TEST(Cpuid, OfBothPrograms) {
    Facts facts;
    ASSERT_TRUE(board::take_cpuid(cpuid_of_one, facts));
    EXPECT_EQ(facts.processor.apic_id, 2u);
    EXPECT_EQ(facts.processor(0).eax, 0xdu); // of the first CPU
    EXPECT_EQ(facts.processor(0xb, 1).eax, 4u);
    Facts old;
    ASSERT_TRUE(
        board::take_cpuid("cpu 0\n00000004 00 1 2 3 4\n00000004 00 5 6 7 8\n00000099 00 1 1 1 1\n", old));
    EXPECT_EQ(old.processor(4, 1).edx, 8u); // collectors that wrote every subleaf as 0
    EXPECT_EQ(old.processor.leaves.size(), 2u);
    EXPECT_FALSE(board::take_cpuid("nothing\n", old));
}

TEST(Cpuid, OfCpuinfoAlone) {
    Facts facts;
    ASSERT_TRUE(board::take_cpuinfo(
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 158\nstepping\t: 9\n"
        "physical id\t: 0\nsiblings\t: 8\ncpu cores\t: 4\napicid\t\t: 0\n"
        "flags\t\t: fpu vmx x2apic pdpe1gb\n\nprocessor\t: 1\nphysical id\t: 0\napicid\t\t: 7\n",
        facts));
    EXPECT_EQ(facts.processor(0).ebx, 0x756e6547u);
    EXPECT_EQ(facts.processor(0).edx, 0x49656e69u);
    EXPECT_EQ(facts.processor(1).eax, 0x906e9u);
    EXPECT_EQ(facts.processor(1).ecx & (1u << 5), 1u << 5);
    EXPECT_EQ(facts.processor(0xb, 0).eax, 1u); // two threads a core
    EXPECT_EQ(facts.processor(0xb, 1).eax, 3u); // eight a package
}

TEST(Memory, OfTheKernelsMessages) {
    Facts facts;
    ASSERT_TRUE(
        board::take_e820("[    0.0] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\r\n"
                         "[    0.0] BIOS-e820: [mem 0x00000000000f0000-0x00000000000fffff] reserved\nelse\n"
                         "[    0.0] BIOS-e820: [mem 0x5-0x4] usable\n",
                         facts));
    ASSERT_EQ(facts.memory.size(), 2u);
    EXPECT_EQ(facts.memory[0].bytes, 0x9fc00u);
    EXPECT_EQ(facts.memory[1].kind, memory::Kind::reserved);
}

TEST(Functions, OfLspci) {
    const std::string text = "00:02.0 Ethernet controller: Intel Corporation 82574L\n"
                             "\tRegion 0: Memory at feb40000 (32-bit, non-prefetchable) [size=128K]\n"
                             "\tRegion 2: I/O ports at c040 [size=32]\n"
                             "00: 86 80 d3 10 07 05 10 00 00 00 00 02 00 00 00 00\n"
                             "10: 00 00 b4 fe 00 00 b6 fe 41 c0 00 00 00 00 b8 fe\n"
                             "20: 00 00 00 00 00 00 00 00 00 00 00 00 86 80 00 00\n"
                             "30: 00 00 b4 fe 40 00 00 00 00 00 00 00 0b 01 00 00\n"
                             "40: 10 00 01 00 00 00 00 10 00 00 00 00 00 00 00 00\n\n"
                             "0000:00:1f.0 ISA bridge\n00: 86 80 18 29\n";
    Facts facts;
    ASSERT_TRUE(board::take_lspci(text, facts));
    ASSERT_EQ(facts.functions.size(), 1u); // the other's registers are not all there
    const pci::Function& nic = facts.functions[0].function;
    EXPECT_EQ(nic.requester, 0x10);
    EXPECT_EQ(nic.class_code, 0x020000u);
    EXPECT_EQ(nic.reset, pci::Reset::express);
    EXPECT_EQ(nic.kind, pci::Kind::endpoint);
    EXPECT_EQ(nic.bars[0].base, 0xfeb40000u);
    EXPECT_EQ(nic.bars[0].bytes, 0x20000u);
    EXPECT_EQ(nic.bars[2].bytes, 0u);
}

TEST(Folder, OfALinux) {
    const Folder folder;
    folder.put("sys/firmware/acpi/tables/APIC", madt());
    folder.put("cpuid", cpuid_of_one);
    folder.put("sys/firmware/memmap/10/start", "0x200000\n");
    folder.put("sys/firmware/memmap/10/end", "0x2fffff\n");
    folder.put("sys/firmware/memmap/10/type", "ACPI Tables\n");
    folder.put("sys/firmware/memmap/2/start", "0x100000\n");
    folder.put("sys/firmware/memmap/2/end", "0x1fffff\n");
    folder.put("sys/firmware/memmap/2/type", "System RAM\n");
    std::string config(256, '\0');
    config.replace(0, 12, std::string("\x86\x80\xd3\x10\0\0\0\0\0\0\0\x02", 12));
    folder.put("sys/bus/pci/devices/0000:03:00.0/config", config);
    folder.put("sys/bus/pci/devices/0000:03:00.0/resource",
               "0x00000000f7d00000 0x00000000f7dfffff 0x0000000000040200\n0x000000000000e000 "
               "0x000000000000e01f 0x0000000000040101\n");
    folder.put("sys/class/dmi/id/product_name", "A board\n");
    const board::Imported imported = board::import_folder(folder.path());
    const Facts& facts = *imported.facts;
    EXPECT_TRUE(imported.notes.empty());
    EXPECT_EQ(facts.name.view(), "A board");
    EXPECT_EQ(facts.tables.cpus.size(), 2u);
    ASSERT_EQ(facts.memory.size(), 2u);
    EXPECT_EQ(facts.memory[0].base, 0x100000u); // by the kernel's numbers
    EXPECT_EQ(facts.memory[0].kind, memory::Kind::usable);
    ASSERT_EQ(facts.functions.size(), 1u);
    EXPECT_EQ(facts.functions[0].function.requester, 0x300);
    EXPECT_EQ(facts.functions[0].function.bars[0].bytes, 0x100000u);
    EXPECT_EQ(facts.functions[0].function.bars[1].bytes, 0u);
    const std::string text = board::to_text(facts);
    EXPECT_EQ(board::to_text(*board::read(text, "b.json")), text);
}

TEST(Folder, SaysWhatIsMissing) {
    const Folder folder;
    const auto refused = [&folder] {
        try {
            (void)board::import_folder(folder.path());
        } catch (const diagnostic::Failure& failure) {
            return failure.diagnostic().code +
                   failure.diagnostic().message.substr(folder.path().string().size());
        }
        return std::string();
    };
    EXPECT_EQ(refused(), "E0426 holds no ACPI tables");
    folder.put("apic.dat", madt());
    EXPECT_EQ(refused(), "E0426 holds neither cpuid nor cpuinfo");
    folder.put("proc/cpuinfo", "processor : 0\nvendor_id : AuthenticAMD\n");
    const board::Imported imported = board::import_folder(folder.path());
    EXPECT_EQ(imported.notes.size(), 3u); // cpuid, memory, functions
}

std::string frame(char type, std::uint64_t number, const std::string& payload) {
    audit::FrameEncoder encoder;
    std::string out;
    encoder.begin({.type = static_cast<audit::FrameType>(type)}, number, payload);
    std::array<char, 64> piece{};
    while (!encoder.done())
        out.append(piece.data(), encoder.fill(piece));
    return out;
}

TEST(Line, HoldsADescriptionInPieces) {
    const std::string good = "firmware says\r\n" + frame('l', 0, "board scan") + frame('d', 1, "{\"a\":") +
                             frame('d', 2, "1}\n") + frame('e', 3, "reason=all-stopped action=poweroff");
    EXPECT_EQ(board::description_on(good, "line"), "{\"a\":1}\n");
    EXPECT_EQ(board::description_on(frame('l', 0, "nothing"), "line"), std::nullopt);
    EXPECT_EQ(board::description_on("", "line"), std::nullopt);
    const auto refused = [](const std::string& line) {
        try {
            return std::string(board::description_on(line, "line").value_or("nothing"));
        } catch (const diagnostic::Failure& failure) {
            EXPECT_EQ(failure.diagnostic().code, "E0903");
            return failure.diagnostic().message;
        }
    };
    EXPECT_EQ(refused(frame('d', 1, "{\"a\":") + frame('d', 3, "1}") + frame('e', 4, "x")),
              "line: frames of the description are missing");
    EXPECT_EQ(refused(frame('d', 1, "{\"a\":")), "line: the line ends in the middle of the description");
    EXPECT_EQ(refused(frame('d', 2, "1}") + frame('e', 3, "x")),
              "line: the beginning of the description is missing");
    std::string damaged = good;
    damaged[damaged.find("1}")] = '2';
    EXPECT_EQ(refused(damaged), "line: a frame of the description is damaged");
}

} // namespace
