// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/machine/calendar.hpp"
#include "partitions/unikernel/start/memory_map.hpp"
#include "partitions/unikernel/start/startup.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace uk;
using namespace uk::start;

struct Record {
    caisson_startup header{};
    std::vector<std::byte> tail;
    std::uint32_t add(std::span<const std::byte> bytes) {
        const auto at = static_cast<std::uint32_t>(sizeof(header) + tail.size());
        tail.insert(tail.end(), bytes.begin(), bytes.end());
        return at;
    }
    std::uint32_t text(std::string_view value) {
        const std::string with_nul{value};
        return add(std::as_bytes(std::span{with_nul.c_str(), with_nul.size() + 1}));
    }
    std::vector<std::byte> bytes() {
        header.total_bytes = static_cast<std::uint32_t>(sizeof(header) + tail.size());
        std::vector<std::byte> all(sizeof(header));
        std::memcpy(all.data(), &header, sizeof(header));
        all.insert(all.end(), tail.begin(), tail.end());
        return all;
    }
};

Record sound() {
    Record record;
    record.header.magic = CAISSON_STARTUP_MAGIC;
    const std::uint32_t texts[] = {record.text("/bin/app"), record.text("two")};
    record.header.argc = 2;
    record.header.argv = record.add(std::as_bytes(std::span{texts}));
    record.header.working_dir = record.text("/");
    record.header.hostname = record.text("box");
    return record;
}

TEST(Startup, ReadsASoundRecord) {
    const auto bytes = sound().bytes();
    const auto startup = Startup::parse(bytes);
    ASSERT_TRUE(startup.has_value());
    EXPECT_EQ(startup->argument(1), "two");
    EXPECT_EQ(startup->hostname(), "box");
}

Record behind_an_uplink() {
    Record record = sound();
    record.header.outside = CAISSON_OUTSIDE_UPLINK;
    record.header.address = 0x64404D02;
    record.header.prefix = 24;
    record.header.gateway = 0x64404D01;
    const caisson_peer db{record.text("db"), 0x64404D03, 1};
    record.header.peer_count = 1;
    record.header.peers = record.add(std::as_bytes(std::span{&db, 1}));
    return record;
}

TEST(Startup, AnUplinkIsAnotherEndOfTheSubnet) {
    const auto is_sound = [](auto change) {
        Record record = behind_an_uplink();
        change(record.header);
        return Startup::parse(record.bytes()).has_value();
    };
    EXPECT_TRUE(is_sound([](caisson_startup&) {}));
    EXPECT_TRUE(is_sound([](caisson_startup& h) { h.peer_count = 0; })) << "it may be the only wire";
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.address = 0; }));
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.prefix = 0; }));
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.prefix = 31; }));
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.gateway = h.address; }));
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.gateway = 0x64404E01; })) << "of another subnet";
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.gateway = 0x64404D03; })) << "a peer's";
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.outside_link = 1; })) << "a peer's";
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.outside_link = CAISSON_LINK_MAX; }));
    EXPECT_FALSE(is_sound([](caisson_startup& h) { h.outside = CAISSON_OUTSIDE_UPLINK + 1; }));
}

TEST(Startup, SixIsACardsAndLiesWithinTheRecord) {
    const auto is_sound = [](auto change) {
        Record record = sound();
        record.header.outside = CAISSON_OUTSIDE_LEASED;
        caisson_rule6 rule{};
        rule.first_port = rule.last_port = 80;
        caisson_outside6 six{};
        six.way = CAISSON_OUTSIDE6_ADVERTISED;
        six.rule_count = 1;
        six.rules = static_cast<unsigned>(sizeof(record.header) + record.tail.size() + sizeof(six));
        record.header.outside6 = six.rules - static_cast<unsigned>(sizeof(six));
        change(record.header, six, rule);
        (void)record.add(std::as_bytes(std::span{&six, 1}));
        (void)record.add(std::as_bytes(std::span{&rule, 1}));
        const auto bytes = record.bytes();
        const auto startup = Startup::parse(bytes);
        bool out = false;
        if (startup) {
            const caisson_outside6 said = startup->outside6(out);
            EXPECT_TRUE(!out || said.rule_count == 0 || startup->rule6(said, 0).first_port == 80);
        }
        return out;
    };
    using Header = caisson_startup;
    using Of = caisson_outside6;
    using Rule = caisson_rule6;
    EXPECT_TRUE(is_sound([](Header&, Of&, Rule&) {}));
    EXPECT_TRUE(is_sound([](Header&, Of&, Rule& rule) { rule.prefix = 128; }));
    EXPECT_TRUE(is_sound([](Header& h, Of&, Rule&) { h.outside6 = 0; })) << "there is none";
    EXPECT_FALSE(is_sound([](Header& h, Of&, Rule&) { h.outside = CAISSON_OUTSIDE_NONE; }));
    EXPECT_FALSE(is_sound([](Header& h, Of&, Rule&) { h.outside6 += 48; })) << "it ends behind the record";
    EXPECT_FALSE(is_sound([](Header& h, Of&, Rule&) { h.outside6 = 0xFFFFFFF0; }));
    EXPECT_FALSE(is_sound([](Header&, Of& six, Rule&) { six.way = 3; }));
    EXPECT_FALSE(is_sound([](Header&, Of& six, Rule&) { six.way = 0; }));
    EXPECT_FALSE(is_sound([](Header&, Of& six, Rule&) { six.rule_count = 2; }));
    EXPECT_FALSE(is_sound([](Header&, Of& six, Rule&) { six.rules = 0xFFFFFFFC; }));
    EXPECT_FALSE(is_sound([](Header&, Of&, Rule& rule) { rule.prefix = 129; }));
    EXPECT_FALSE(is_sound([](Header&, Of&, Rule& rule) { rule.inbound = 2; }));
    EXPECT_FALSE(is_sound([](Header&, Of&, Rule& rule) { rule.last_port = 79; }));
}

TEST(Startup, RefusesEveryOffsetOutside) {
    const auto refused = [](auto change) {
        Record record = sound();
        change(record.header);
        const auto bytes = record.bytes();
        return !Startup::parse(bytes).has_value();
    };
    EXPECT_FALSE(refused([](caisson_startup&) {}));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.magic = 0; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.argc = 0; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.argc = 0x40000000; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.argv = 0xFFFFFFFC; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.hostname = 0xFFFFFFFF; }));
    EXPECT_TRUE(refused([](caisson_startup& h) {
        h.envc = 1;
        h.envp = 0xFFFFFF00;
    }));
    EXPECT_TRUE(refused([](caisson_startup& h) {
        h.tmpfs_count = 1;
        h.tmpfs = h.hostname;
    }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.group_count = 0xFFFFFFFF; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.stop_signal = 65; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.init_bytes = 0x10000; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.init = 0xFFFFFFFF; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.filter_count = 0x20000001; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.filter = 0xFFFFFFFF; }));
    EXPECT_TRUE(refused([](caisson_startup& h) { h.program_count = 0x40000000; }));
    EXPECT_TRUE(refused([](caisson_startup& h) {
        h.program_count = 1;
        h.programs = 0xFFFFFFFC;
    }));
    EXPECT_TRUE(refused([](caisson_startup& h) {
        h.filter = h.total_bytes - 15;
        h.filter_count = 2;
    }));
    auto cut = sound().bytes();
    cut.pop_back();
    EXPECT_FALSE(Startup::parse(cut).has_value());
}

std::vector<std::byte> physical_memory;
const std::byte* window(std::uint64_t address, std::uint64_t bytes) {
    return address <= physical_memory.size() && bytes <= physical_memory.size() - address
               ? &physical_memory[address]
               : nullptr;
}
template <typename T> void put(std::uint64_t at, T value) {
    std::memcpy(&physical_memory[at], &value, sizeof(value));
}

TEST(MemoryMap, ReadsStartInfoAndRefusesWrongOnes) {
    physical_memory.assign(4096, std::byte{0});
    put(0, std::uint32_t{0x336ec578});
    put(4, std::uint32_t{1});
    put(12, std::uint32_t{1}); // modules
    put(16, std::uint64_t{512});
    put(40, std::uint64_t{1024}); // memory map
    put(48, std::uint32_t{2});
    put(512, std::uint64_t{0x5000}), put(520, std::uint64_t{100});
    put(1024, std::uint64_t{0x1234}), put(1032, std::uint64_t{0x9000}), put(1040, std::uint32_t{1});
    put(1048, std::uint64_t{0x100000}), put(1056, std::uint64_t{0x100000}), put(1064, std::uint32_t{2});
    const auto map = read_start_info(0, &window);
    ASSERT_TRUE(map.has_value());
    ASSERT_EQ(map->ram.size(), 1u);
    EXPECT_EQ(map->ram[0].start, 0x2000u);
    EXPECT_EQ(map->ram[0].end, 0xA000u);
    EXPECT_EQ(map->module.end, 0x5064u);
    put(1032, ~std::uint64_t{0});
    EXPECT_FALSE(read_start_info(0, &window).has_value());
    put(1032, std::uint64_t{0x9000});
    put(48, std::uint32_t{65});
    EXPECT_FALSE(read_start_info(0, &window).has_value());
    EXPECT_FALSE(read_start_info(5000, &window).has_value());
}

} // namespace
