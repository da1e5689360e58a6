// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/plan.hpp"

#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/behaviour_rules.hpp"
#include "hypervisor/core/plan/fixture_test.hpp"
#include "partitions/abi/boot_page.h"

#include <optional>
#include <set>

namespace {

using namespace plan;
using namespace plan::test;

TEST(Plan, EveryByteMatters) {
    // A change of any bit is refused or read back as another valid value; it never goes unnoticed in reserved
    // space.
    Wish wish{2};
    wish.partitions[0].command_line = "abc";
    auto table = wish.table();
    const std::size_t loads = sizeof(Header) + 2 * sizeof(Partition);
    const auto parsed = Plan::parse(table);
    const std::size_t data = loads + parsed->header().load_count * sizeof(Load);
    std::vector<bool> own(table.size(), false); // bytes that are loaded: the guest's alone
    for (std::uint32_t i = 0; i < parsed->header().load_count; ++i)
        if (const Load load = parsed->load(i); load.section == no_section)
            std::fill_n(own.begin() + static_cast<std::ptrdiff_t>(load.offset), load.bytes, true);
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < table.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            table[i] ^= static_cast<std::byte>(1u << bit);
            const auto read = Plan::parse(table);
            // Header: machine's CPUs and memory, name, audit key, behaviour. Record: all up to the CPU set, the root
            // image's place and size, the root's section, the entry, the behaviour. Load: where to, and for sections how
            // much and from where.
            const auto within = [](std::size_t at, std::size_t from, std::size_t to) {
                return at >= from && at < to;
            };
            const bool header = within(i, 20, 24) || within(i, 32, offsetof(Header, reserved));
            const std::size_t at =
                i < sizeof(Header) || i >= loads ? ~std::size_t{0} : (i - sizeof(Header)) % sizeof(Partition);
            const bool field =
                within(at, 0, offsetof(Partition, memory_bytes)) ||
                within(at, offsetof(Partition, regions) + sizeof(Region),
                       offsetof(Partition, regions) + sizeof(Region) + offsetof(Region, kind)) ||
                within(at, offsetof(Partition, root_section), offsetof(Partition, first_load)) ||
                within(at, offsetof(Partition, behaviour),
                       offsetof(Partition, behaviour) + offsetof(Behaviour, reserved));
            const bool load = within(i, loads, data) && (i - loads) % sizeof(Load) < 28;
            if (read.ok()) {
                ++accepted;
                EXPECT_TRUE(header || field || load || own[i]) << "byte " << i << " bit " << bit;
            }
            table[i] ^= static_cast<std::byte>(1u << bit);
        }
    EXPECT_GT(accepted, 0u);
    EXPECT_TRUE(Plan::parse(table).ok());
    for (std::size_t size = 0; size < table.size(); ++size)
        EXPECT_FALSE(Plan::parse(std::span{table}.first(size)).ok()) << size;
    table.resize(table.size() + 8);
    EXPECT_FALSE(Plan::parse(table).ok());
    // Not even when the table says so: no byte is unaccounted for.
    ASSERT_TRUE(bytes::store(std::span{table}, offsetof(Header, total_size),
                             static_cast<std::uint32_t>(table.size())));
    EXPECT_EQ(Plan::parse(table).error().error, Error::bad_size);
}

TEST(Plan, AServiceIsThereForOthers) {
    Wish wish{2};
    PartitionRequest& service = wish.partitions[1];
    service.payload = PayloadKind::uplink;
    service.root_section = no_section;
    service.root_bytes = 0;
    service.behaviour.set(flag_service, true);
    auto table = wish.table();
    const auto plan = Plan::parse(table);
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(plan->partition(1).payload, PayloadKind::uplink);
    EXPECT_TRUE(plan->needs_time()); // it is asked to end, and has so long for it
    const std::size_t flags = sizeof(Header) + offsetof(Partition, behaviour) + offsetof(Behaviour, flags);
    ASSERT_TRUE(bytes::store(std::span{table}, flags, flag_console_serial | flag_service));
    EXPECT_EQ(Plan::parse(table).error().error, Error::no_partitions);
}

TEST(Plan, Refusals) {
    struct Case {
        const char* name;
        Error error;
        std::size_t offset; // in the table
        std::uint32_t value;
    };
    constexpr std::size_t first = sizeof(Header);
    constexpr std::size_t behaviour = first + offsetof(Partition, behaviour);
    constexpr std::size_t second = first + sizeof(Partition);
    constexpr std::size_t loads = second + sizeof(Partition);
    const std::vector<Case> cases{
        {"magic", Error::bad_magic, 0, 1},
        {"format", Error::unsupported_format, 4, 1},
        {"size", Error::bad_size, 8, 8},
        {"count 0", Error::no_partitions, 12, 0},
        {"count 65", Error::too_many_partitions, 12, 65},
        {"count 3", Error::too_short, 12, 64},
        {"entsize", Error::unsupported_format, 16, 280},
        {"end", Error::bad_value, offsetof(Header, behaviour), 3},
        {"no retained log", Error::bad_value,
         offsetof(Header, behaviour) + offsetof(MachineBehaviour, retained_log), 0},
        {"half a page", Error::bad_value,
         offsetof(Header, behaviour) + offsetof(MachineBehaviour, retained_log), 4096 + 2048},
        {"panic", Error::bad_value, offsetof(Header, behaviour) + offsetof(MachineBehaviour, on_panic), 3},
        {"more loads", Error::too_short, offsetof(Header, load_count), 1000},
        {"fewer loads", Error::bad_load, offsetof(Header, load_count), 4},
        {"name", Error::bad_name, 40, 0x41414141},
        {"header's reserved", Error::reserved_not_zero, 124, 1},
        {"wires that are not there", Error::bad_load, offsetof(Header, wire_count), 3},
        {"too many wires", Error::bad_wire, offsetof(Header, wire_count), 129},
        {"duplicate", Error::duplicate_name, second, 0x3070},
        {"partition name", Error::bad_name, first, 0},
        {"name behind its end", Error::bad_name, first + 28, 0x61},
        {"header's name behind its end", Error::bad_name, offsetof(Header, name) + 28, 0x61},
        {"name that is taken", Error::bad_name, first, 0x7668},
        {"character below the digits", Error::bad_name, first, 0x2F61},
        {"character above the digits", Error::bad_name, first, 0x3A61},
        {"character below the letters", Error::bad_name, first, 0x6061},
        {"character above the letters", Error::bad_name, first, 0x7B61},
        {"payload", Error::bad_value, first + offsetof(Partition, payload), 3},
        {"flag", Error::bad_value, behaviour + offsetof(Behaviour, flags), all_flags + 1},
        {"cpus", Error::bad_value, first + offsetof(Partition, cpu_count), 0},
        {"many cpus", Error::too_many_cpus, first + offsetof(Partition, cpu_count), 64},
        {"too many cpus", Error::bad_value, first + offsetof(Partition, cpu_count), 65},
        {"delay", Error::bad_value, behaviour + offsetof(Behaviour, restart_delay_ms), 60'001},
        {"short watchdog", Error::bad_value, behaviour + offsetof(Behaviour, watchdog_ms), 99},
        {"long watchdog", Error::bad_value, behaviour + offsetof(Behaviour, watchdog_ms), 3'600'001},
        {"no signal", Error::bad_value, behaviour + offsetof(Behaviour, stop_signal), 0},
        {"signal", Error::bad_value, behaviour + offsetof(Behaviour, stop_signal), 65},
        {"output rate", Error::bad_value, behaviour + offsetof(Behaviour, output_rate), 1023},
        {"note rate", Error::bad_value, behaviour + offsetof(Behaviour, note_rate), 0},
        {"high note rate", Error::bad_value, behaviour + offsetof(Behaviour, note_rate), (1u << 20) + 1},
        {"stop time", Error::bad_value, behaviour + offsetof(Behaviour, stop_timeout_ms), 3'600'001},
        {"machine's flag", Error::bad_value, offsetof(Header, behaviour) + offsetof(MachineBehaviour, flags),
         all_machine_flags + 1},
        {"a TPM both wanted and left", Error::bad_value,
         offsetof(Header, behaviour) + offsetof(MachineBehaviour, flags), flag_require_tpm | flag_leave_tpm},
        {"set", Error::bad_value, first + offsetof(Partition, cpu_set), 3},
        {"restart", Error::bad_value, behaviour + offsetof(Behaviour, restart), 3},
        {"restart max", Error::bad_value, behaviour + offsetof(Behaviour, restart_max), 1},
        {"regions", Error::bad_regions, first + offsetof(Partition, region_count), 7},
        {"no regions", Error::bad_regions, first + offsetof(Partition, region_count), 0},
        {"region of no kind", Error::bad_regions, first + offsetof(Partition, regions) + 40, 3},
        {"region off a page", Error::bad_regions, first + offsetof(Partition, regions) + 24, 0xC0000001},
        {"half a page", Error::bad_regions, first + offsetof(Partition, regions) + 32, 0x800},
        {"root alone", Error::bad_regions, first + offsetof(Partition, regions) + 16, 3},
        {"region", Error::bad_regions, first + offsetof(Partition, regions), 4096},
        {"region gap", Error::bad_regions, first + offsetof(Partition, regions) + 24, 0x1000},
        {"second root", Error::bad_regions, first + offsetof(Partition, regions) + 16, 2},
        {"region reserved", Error::bad_regions, first + offsetof(Partition, regions) + 20, 1},
        {"no bytes", Error::bad_regions, first + offsetof(Partition, regions) + 32, 0},
        {"unused region", Error::bad_regions, first + offsetof(Partition, regions) + 48, 1},
        {"wide", Error::bad_regions, first + offsetof(Partition, regions) + 28, 0x100},
        {"memory", Error::bad_regions, first + offsetof(Partition, memory_bytes), 128u << 20},
        {"no memory", Error::bad_regions, first + offsetof(Partition, memory_bytes), 0},
        {"root", Error::bad_regions, first + offsetof(Partition, root_section), no_section},
        {"first load", Error::bad_load, first + offsetof(Partition, first_load), 1},
        {"loads", Error::bad_load, first + offsetof(Partition, load_count), 25},
        {"loads of others", Error::bad_load, second + offsetof(Partition, load_count), 20},
        {"load left over", Error::bad_size, second + offsetof(Partition, load_count), 3},
        {"reserved behaviour", Error::reserved_not_zero, behaviour + offsetof(Behaviour, reserved), 1},
        {"reserved", Error::reserved_not_zero, first + offsetof(Partition, reserved), 1},
        {"load bytes", Error::bad_load, loads + 8, 0},
        {"load too long", Error::bad_load, loads + 8, 64u << 20},
        {"load outside", Error::bad_load, loads + 4, 1},
        {"load reserved", Error::bad_load, loads + 28, 1},
        {"load in the table", Error::bad_load, loads + 24, no_section},
        {"load elsewhere", Error::bad_load, loads + sizeof(Load) + 16, 8},
        {"load past the table", Error::bad_load, loads + sizeof(Load) + 8, 0x8000},
        {"load that leaves a tail", Error::bad_load, loads + sizeof(Load) + 8, 16},
    };
    for (const Case& item : cases) {
        Wish wish{2};
        wish.partitions[0].command_line = "abc";
        auto table = wish.table();
        ASSERT_TRUE(bytes::store(std::span{table}, item.offset, item.value));
        const auto read = Plan::parse(table);
        ASSERT_FALSE(read.ok()) << item.name;
        EXPECT_EQ(read.error().error, item.error) << item.name << ": " << describe(read.error().error);
    }
}

TEST(Plan, WiresAreAsTheyMustBe) {
    const auto error = [](const auto& change) {
        Wish wish{3};
        const std::array<WireRequest, 3> wires{{{0, 1, false}, {2, 0, true}, {1, 2, false}}};
        wish.request.wires = wires;
        auto table = wish.table();
        const auto good = Plan::parse(table);
        EXPECT_TRUE(good.ok() && good->wire_count() == 3);
        const std::size_t at =
            sizeof(Header) + 3 * sizeof(Partition) + good->header().load_count * sizeof(Load);
        std::array<Wire, 3> records;
        for (std::uint32_t i = 0; i < 3; ++i)
            records[i] = good->wire(i);
        change(records);
        EXPECT_TRUE(bytes::store(std::span{table}, at, records));
        const auto read = Plan::parse(table);
        return read.ok() ? std::optional<Error>{} : read.error().error;
    };
    using Wires = std::array<Wire, 3>;
    EXPECT_EQ(error([](Wires& w) {
                  EXPECT_EQ(w[0].lanes(), 2u);
                  EXPECT_EQ(w[1].lanes(), 1u);
                  EXPECT_EQ(w[1].gpa[1], CAISSON_GPA_LANES + w[0].bytes()); // the second of 'p0'
                  EXPECT_EQ(w[1].gpa[0], CAISSON_GPA_LANES);
                  EXPECT_EQ(w[2].gpa[1], CAISSON_GPA_LANES + w[1].bytes());
              }),
              std::nullopt);
    EXPECT_EQ(error([](Wires& w) { w[0].gpa[0] += 4096, w[1].gpa[1] += 4096; }), std::nullopt);
    EXPECT_EQ(error([](Wires& w) { w[0].partitions[1] = 0; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[0].partitions[1] = 3; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[0].partitions[0] = 7; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[2].partitions = {1, 0}; }), Error::bad_wire); // a second one
    EXPECT_EQ(error([](Wires& w) { w[0].flags = 2; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[0].reserved = 1; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[0].lane_bytes += 4096; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[2].lane_bytes = 4096 + 32 * 1024; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[2].lane_bytes = 4096 + 2 * mebibyte; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[2].lane_bytes = 0; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[0].gpa[0] += 1; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[0].gpa[1] -= 4096; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[1].gpa[1] -= 4096; }), Error::bad_wire); // over the other wire
    EXPECT_EQ(error([](Wires& w) { w[2].gpa[0] = CAISSON_GPA_LANES_END - 4096; }), Error::bad_wire);
    EXPECT_EQ(error([](Wires& w) { w[2].gpa[0] = ~std::uint64_t{4095}; }), Error::bad_wire);
}

// RAM may lie anywhere, but not where lanes are.
TEST(Plan, RegionsMakeRoomForWires) {
    Wish wish{2};
    const std::array<WireRequest, 1> wires{{{0, 1, false}}};
    wish.request.wires = wires;
    auto table = wish.table();
    Partition record = *bytes::load<Partition>(table, sizeof(Header));
    record.regions[1].gpa = CAISSON_GPA_LANES - mebibyte; // the root image, 3 MiB
    EXPECT_TRUE(bytes::store(std::span{table}, sizeof(Header), record));
    EXPECT_EQ(Plan::parse(table).error().error, Error::bad_wire);
}

TEST(Plan, RegionsAreAsTheyMustBe) {
    const auto error = [](const auto& change) {
        Wish wish{1};
        auto table = wish.table();
        Partition record = *bytes::load<Partition>(table, sizeof(Header));
        change(record);
        EXPECT_TRUE(bytes::store(std::span{table}, sizeof(Header), record));
        const auto read = Plan::parse(table);
        return read.ok() ? std::optional<Error>{} : read.error().error;
    };
    EXPECT_EQ(error([](Partition&) {}), std::nullopt);
    EXPECT_EQ(error([](Partition& p) { std::swap(p.regions[0], p.regions[1]); }), Error::bad_regions);
    EXPECT_EQ(error([](Partition& p) { p.regions[0].kind = RegionKind::root_image; }), Error::bad_regions);
    EXPECT_EQ(error([](Partition& p) {
                  p.regions[0].kind = RegionKind::root_image;
                  p.regions[1].kind = RegionKind::ram;
                  p.memory_bytes = p.regions[1].bytes;
              }),
              Error::bad_regions)
        << "RAM is first";
    EXPECT_EQ(error([](Partition& p) { p.regions[0].gpa = base::page_size; }), Error::bad_regions);
    EXPECT_EQ(error([](Partition& p) {
                  p.regions[0].bytes = p.memory_bytes = CAISSON_GPA_BOOT_END - base::page_size;
              }),
              Error::bad_regions)
        << "the boot area is in RAM";
    EXPECT_EQ(error([](Partition& p) { // the last page there is, and the one behind it
                  p.regions[1].gpa = gpa_limit - p.regions[1].bytes;
              }),
              std::nullopt);
    EXPECT_EQ(
        error([](Partition& p) { p.regions[1].gpa = gpa_limit - p.regions[1].bytes + base::page_size; }),
        Error::bad_regions);
    // The root right behind RAM, and a page into it.
    EXPECT_EQ(error([](Partition& p) { p.regions[1].gpa = p.regions[0].bytes; }), std::nullopt);
    EXPECT_EQ(error([](Partition& p) { p.regions[1].gpa = p.regions[0].bytes - base::page_size; }),
              Error::bad_regions);
    EXPECT_EQ(error([](Partition& p) {
                  p.regions[1].kind = RegionKind::ram;
                  p.memory_bytes += p.regions[1].bytes;
              }),
              Error::bad_regions)
        << "a root section without its region";
    EXPECT_EQ(error([](Partition& p) {
                  p.regions[1].kind = RegionKind::ram;
                  p.memory_bytes += p.regions[1].bytes;
                  p.root_section = no_section;
              }),
              std::nullopt);
}

TEST(Plan, LoadsLieInOneRegionOfRam) {
    Wish wish{1, 5 * gibibyte};
    auto table = wish.table();
    const std::size_t first = sizeof(Header) + sizeof(Partition);
    const auto at = [&](std::uint64_t gpa) {
        EXPECT_TRUE(bytes::store(std::span{table}, first + offsetof(Load, gpa), gpa));
        return Plan::parse(table).ok();
    };
    const std::uint64_t size = bytes::load<Load>(table, first)->bytes, low = 3 * gibibyte,
                        high = 4 * gibibyte;
    EXPECT_TRUE(at(low - size));
    EXPECT_FALSE(at(low - size + 1)) << "into the root image";
    EXPECT_FALSE(at(high - 1)) << "it begins in the hole";
    EXPECT_TRUE(at(high));
    EXPECT_TRUE(at(high + 2 * gibibyte - size));
    EXPECT_FALSE(at(high + 2 * gibibyte - size + 1));
}

TEST(Plan, LimitsAreAllowed) {
    Wish wish{2};
    wish.partitions[0].name = "abcdefghijklmnopqrstuvwxyz-0189"; // 31
    wish.partitions[0].behaviour.watchdog_ms = watchdog_ms_bounds.least;
    wish.partitions[1].behaviour.watchdog_ms = watchdog_ms_bounds.most;
    wish.partitions[1].behaviour.restart = Restart::always;
    wish.partitions[1].behaviour.restart_delay_ms = restart_delay_ms_bounds.most;
    wish.partitions[1].cpus = 63;
    wish.partitions[0].behaviour.stop_timeout_ms = stop_timeout_ms_bounds.least;
    wish.partitions[1].behaviour.stop_timeout_ms = stop_timeout_ms_bounds.most;
    wish.partitions[1].behaviour.stop_signal = stop_signal_bounds.most;
    wish.partitions[0].behaviour.output_rate = output_rate_bounds.least;
    wish.partitions[1].behaviour.note_rate = note_rate_bounds.most;
    wish.request.behaviour.set(flag_serial_stop, true);
    wish.request.behaviour.on_panic = OnPanic::poweroff;
    wish.request.behaviour.retained_log = retained_log_bounds.most;
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    ASSERT_TRUE(read.ok()) << describe(read.error().error);
    EXPECT_EQ(read->partition_name(0), wish.partitions[0].name);
    EXPECT_EQ(read->cpus_needed(), max_cpus);
}

TEST(Plan, LittleIsEnough) {
    // RAM alone, and nothing in it: the table ends behind its records.
    Wish wish{1};
    auto table = wish.table();
    Header header = *bytes::load<Header>(table, 0);
    Partition record = *bytes::load<Partition>(table, sizeof(Header));
    header.total_size = sizeof(Header) + sizeof(Partition);
    header.load_count = record.load_count = 0;
    record.region_count = 1;
    record.regions[1] = {};
    record.root_section = no_section;
    table.resize(header.total_size);
    ASSERT_TRUE(bytes::store(std::span{table}, 0, header) &&
                bytes::store(std::span{table}, sizeof(Header), record));
    EXPECT_TRUE(Plan::parse(table).ok());
    ++header.load_count;
    ASSERT_TRUE(bytes::store(std::span{table}, 0, header));
    EXPECT_EQ(Plan::parse(table).error().error, Error::too_short);
}

TEST(Plan, LoadsThatEndAtAMultipleOfEight) {
    for (const char* text : {"abcdefg", "abcdefgh", "abcdefghi"}) {
        Wish wish{2};
        wish.partitions[0].command_line = text;
        EXPECT_TRUE(Plan::parse(wish.table()).ok()) << text;
    }
}

TEST(Plan, CpuSetsAreDisjoint) {
    Wish wish{2};
    wish.partitions[0].cpu_set = 0b0110;
    wish.partitions[1].cpu_set = 0b1001;
    wish.partitions[0].cpus = wish.partitions[1].cpus = 2;
    auto table = wish.table();
    EXPECT_TRUE(Plan::parse(table).ok());
    const std::size_t second = sizeof(Header) + sizeof(Partition);
    ASSERT_TRUE(bytes::store(std::span{table}, second + offsetof(Partition, cpu_set), std::uint64_t{0b1100}));
    const auto read = Plan::parse(table);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().error, Error::cpus_overlap);
    EXPECT_EQ(read.error().partition, 1u);
}

TEST(Plan, DuplicateNamesAreNamed) {
    Wish wish{3};
    auto table = wish.table();
    table[sizeof(Header) + 2 * sizeof(Partition) + 1] = std::byte{'1'};
    const auto read = Plan::parse(table);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().error, Error::duplicate_name);
    EXPECT_EQ(read.error().partition, 2u);
    EXPECT_EQ(read.error().other, 1u);
}

TEST(Plan, NeedsTimeWhereSomethingWaits) {
    const auto needs = [](const auto& change) {
        Wish wish{2};
        change(wish);
        const auto table = wish.table();
        return Plan::parse(table)->needs_time();
    };
    EXPECT_FALSE(needs([](Wish&) {}));
    EXPECT_TRUE(needs([](Wish& w) { w.request.behaviour.on_panic = OnPanic::reboot; }));
    EXPECT_TRUE(needs([](Wish& w) { w.request.behaviour.set(flag_serial_stop, true); }));
    EXPECT_TRUE(needs([](Wish& w) { w.partitions[1].behaviour.watchdog_ms = 1000; }));
    EXPECT_TRUE(needs([](Wish& w) {
        w.partitions[0].behaviour.restart = Restart::always;
        w.partitions[0].behaviour.restart_delay_ms = 1;
    }));
    EXPECT_FALSE(needs([](Wish& w) {
        w.partitions[0].behaviour.restart = Restart::always;
        w.partitions[0].behaviour.restart_delay_ms = 0;
    })) << "at once";
    EXPECT_FALSE(needs([](Wish& w) { w.partitions[0].behaviour.restart_delay_ms = 1; })) << "never restarted";
}

TEST(Plan, TooLittleForItsRecords) {
    Wish wish{1};
    const auto table = wish.table();
    EXPECT_EQ(Plan::parse({}).error().error, Error::too_short);
    EXPECT_EQ(Plan::parse(std::span{table}.first(sizeof(Header) - 1)).error().error, Error::too_short);
    // What the last load lacks to a multiple of 8 belongs to the table.
    auto cut = table;
    const auto header = Plan::parse(table)->header();
    const std::size_t last = sizeof(Header) + sizeof(Partition) + (header.load_count - 1) * sizeof(Load);
    Load load = *bytes::load<Load>(table, last);
    cut.resize(load.offset + load.bytes);
    ASSERT_NE(cut.size() % 8, 0u);
    ASSERT_TRUE(
        bytes::store(std::span{cut}, offsetof(Header, total_size), static_cast<std::uint32_t>(cut.size())));
    EXPECT_EQ(Plan::parse(cut).error().error, Error::bad_load);
}

TEST(Plan, EveryErrorIsDescribed) {
    std::set<std::string> seen;
    for (std::uint8_t error = 0; error <= static_cast<std::uint8_t>(Error::check_pool); ++error)
        EXPECT_TRUE(seen.insert(describe(static_cast<Error>(error))).second);
    EXPECT_STREQ(describe(Error::no_partitions), "there is no partition that is not there for others");
    EXPECT_STREQ(describe(Error::bad_cpu_list), "the machine's CPU list is malformed");
    EXPECT_STREQ(describe(Error::not_enough_memory), "the machine has too little free memory");
    EXPECT_STREQ(describe(Error::check_pool), "the bound plan's frames for the hypervisor are wrong");
}

} // namespace
