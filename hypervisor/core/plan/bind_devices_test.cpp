// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/bind_fixture_test.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>

namespace {

using namespace plan;
using namespace plan::test;

constexpr std::uint64_t above_memory = 0xfe000000;

// A machine with two NICs, a disk and a conventional card behind a bridge, all of which may be owned but the last.
struct Devices : testing::Test {
    Wish wish{2};
    plan::test::Board board{wish};
    std::vector<DeviceRequest> requests;
    std::vector<pci::Function> functions;
    std::vector<pci::Requester> reserving;
    PciMachine machine;

    void SetUp() override {
        add(0x0018, 0x8086, 0x10d3, {above_memory, 0x20000});
        add(0x0020, 0x8086, 0x10d3, {above_memory + 0x20000, 0x20000});
        add(0x0028, 0x1b36, 0x0010, {above_memory + 0x40000, 0x4000});
        add(0x00f0, 0x8086, 0x244e, {}).kind = pci::Kind::bridge;
        functions.back().secondary = functions.back().subordinate = 3;
        add(0x0300, 0x10ec, 0x8139, {above_memory + 0x50000, 0x1000});
        machine.remapping = Remapping::complete;
    }
    pci::Function& add(pci::Requester at, std::uint16_t vendor, std::uint16_t device, pci::Bar bar) {
        pci::Function out;
        out.requester = at;
        out.vendor = vendor;
        out.device = device;
        out.kind = pci::Kind::endpoint;
        out.reset = pci::Reset::express;
        out.vectors = 5;
        out.bars[0] = bar;
        return functions.emplace_back(out);
    }
    void want(std::uint32_t partition, std::uint16_t vendor, std::uint16_t device, std::uint32_t place = 0) {
        requests.push_back({partition, vendor, device, place, false, false});
    }
    void want_at(std::uint32_t partition, pci::Requester at) {
        requests.push_back({partition, 0, 0, at, true, false});
    }
    void ready() {
        wish.request.devices = requests;
        machine.functions = functions;
        machine.firmware_memory = reserving;
        board.machine.pci = &machine;
    }
    Outcome good() {
        ready();
        return bind_good(wish, board);
    }
    void refused(Error error, std::uint64_t needed) {
        ready();
        const Issue issue = bind_bad(wish, board);
        EXPECT_STREQ(describe(issue.error), describe(error));
        EXPECT_EQ(issue.needed, needed);
    }
};

TEST_F(Devices, AreFoundByIdsAndByAddress) {
    want(0, 0x8086, 0x10d3, 1);
    want_at(1, 0x18);
    const auto bound = good();
    ASSERT_EQ(bound.bound->devices.size(), 2u);
    EXPECT_EQ(bound.bound->devices[0].function.requester, 0x20);
    EXPECT_EQ(bound.bound->devices[1].function.requester, 0x18);
    EXPECT_EQ(bound.bound->devices[0].vectors(), 5u);
    EXPECT_EQ(bound.bound->devices[0].bars[0].gpa, CAISSON_GPA_DEVICES);
    EXPECT_EQ(bound.bound->devices[0].bars[0].host, above_memory + 0x20000);
}

TEST_F(Devices, AnyNetworkCardIsOneThatHasADriver) {
    requests.push_back({0, 0, 0, 0, false, false, true});
    for (pci::Function& function : functions)
        function.device = static_cast<std::uint16_t>(function.device + 1);
    refused(Error::device_missing, 0);
    add(0x0038, 0x8086, 0x10c9, {above_memory + 0x60000, 0x20000});
    EXPECT_EQ(good().bound->devices[0].function.requester, 0x38);
    requests.push_back({1, 0, 0, 1, false, false, true});
    refused(Error::device_missing, 0);
    add(0x0048, 0x8086, 0x10c9, {above_memory + 0x80000, 0x20000});
    EXPECT_EQ(good().bound->devices[1].function.requester, 0x48);
}

TEST_F(Devices, BarsOfOnePartitionFollowEachOther) {
    want(0, 0x1b36, 0x0010);
    want(0, 0x8086, 0x10d3);
    const auto bound = good();
    EXPECT_EQ(bound.bound->devices[0].bars[0].gpa, CAISSON_GPA_DEVICES);
    EXPECT_EQ(bound.bound->devices[1].bars[0].gpa, CAISSON_GPA_DEVICES + 0x20000) << "a multiple of its size";
    EXPECT_EQ(bound.bound->devices[1].of_partition, 1u);
}

TEST_F(Devices, TablesForThemAreCounted) {
    const std::uint64_t without = good().bound->table_frames;
    want(0, 0x1b36, 0x0010);
    EXPECT_GE(good().bound->table_frames, without + 1 + 3 + 2) << "context, domain, the BAR's";
}

TEST_F(Devices, AreRefusedWithTheReason) {
    want(0, 0x8086, 0x10d3, 2);
    refused(Error::device_missing, 0x808610d3);
    requests.clear();
    want_at(0, 0x19);
    refused(Error::device_missing, 0x19);
    requests.clear();
    want_at(0, 0xf0);
    refused(Error::device_is_bridge, 0xf0);
    requests.clear();
    want_at(0, 0x300);
    refused(Error::device_shares_requester, 0x300);
    requests.clear();
    want_at(0, 0x18);
    want(1, 0x8086, 0x10d3);
    refused(Error::device_taken, 0x18);
}

TEST_F(Devices, AMachineWithoutACompleteIommuHasNone) {
    machine.remapping = Remapping::none;
    want_at(0, 0x18);
    refused(Error::device_without_iommu, 0x18);
}

TEST_F(Devices, WithoutResetOrWithFirmwaresMemoryOrPastTheIommu) {
    want_at(0, 0x18);
    functions[0].reset = pci::Reset::none;
    refused(Error::device_without_reset, 0x18);
    functions[0].reset = pci::Reset::advanced_features;
    reserving = {0x18};
    refused(Error::device_firmware_memory, 0x18);
    requests[0].firmware_memory = true;
    EXPECT_EQ(good().bound->devices.size(), 1u);
    functions[0].vendor = pci::virtio_vendor;
    refused(Error::device_past_iommu, 0x18);
    functions[0].reset = pci::Reset::virtio; // it obeys
    EXPECT_EQ(good().bound->devices.size(), 1u);
}

TEST_F(Devices, MemoryThatFirmwareReservesBelowABridgeMayBeAnyones) {
    reserving = {pci::below_a_bridge};
    want_at(0, 0x18);
    EXPECT_EQ(good().bound->devices.size(), 1u) << "not below one";
    functions[3].kind = pci::Kind::port;
    functions[3].access_control = 0x148;
    want_at(0, 0x300);
    refused(Error::device_firmware_memory, 0x300);
}

TEST_F(Devices, TwoFunctionsOfOneDeviceHaveOneOwner) {
    add(0x19, 0x8086, 0x10d3, {above_memory + 0x60000, 0x1000});
    std::ranges::sort(functions, {}, &pci::Function::requester);
    functions[0].multi_function = functions[1].multi_function = true;
    want_at(0, 0x18);
    want_at(1, 0x19);
    refused(Error::device_not_isolated, 0x19);
    requests[1].partition = 0;
    EXPECT_EQ(good().bound->devices.size(), 2u);
}

TEST_F(Devices, BarsAreWholePagesOfTheirOwn) {
    want_at(0, 0x18);
    const auto bar = [this](pci::Bar is) {
        functions[0].bars[0] = is;
        refused(Error::device_bar, 0x18);
    };
    bar({0, 0x1000});                                       // firmware left it unmapped
    bar({0x1000000, 0x1000});                               // in memory
    bar({above_memory + 0x800, 0x1000});                    // not where its size allows
    bar({above_memory + 0x20000, 0x1000});                  // another's
    bar({above_memory, 0x1800});                            // no power of two
    bar({std::uint64_t{1} << 60, 0x1000});                  // beyond what can be
    functions[0].bars[0] = {above_memory + 0x50800, 0x100}; // a page with the card's
    refused(Error::device_bar, 0x18);
    functions[0].bars[0] = {above_memory + 0x70800, 0x100};
    const auto bound = good();
    EXPECT_EQ(bound.bound->devices[0].bars[0].host, above_memory + 0x70000);
    EXPECT_EQ(bound.bound->devices[0].bars[0].bytes, 0x1000u);
}

TEST_F(Devices, BarsThatDoNotFitTheGuest) {
    want_at(0, 0x18);
    functions[0].bars[0] = {std::uint64_t{1} << 40, std::uint64_t{1} << 32};
    refused(Error::device_too_large, 0x18);
}

TEST_F(Devices, HypervisorsRegistersAreNobodys) {
    const std::array<memory::Run, 1> ours{{{above_memory, 0x1000}}};
    board.machine.devices = ours;
    want_at(0, 0x18);
    refused(Error::device_bar, 0x18);
}

TEST_F(Devices, CheckLooksAgain) {
    want_at(0, 0x18);
    want_at(1, 0x20);
    ready();
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    ASSERT_TRUE(read.ok());
    const Machine& all = board.ready();
    const auto spoiled = [&](auto spoil) {
        BoundPlan bound;
        ASSERT_TRUE(bind(*read, all, options, bound).ok());
        ASSERT_TRUE(check(*read, all, options, bound).ok());
        spoil(bound);
        const auto status = check(*read, all, options, bound);
        ASSERT_FALSE(status.ok());
        EXPECT_EQ(status.error().error, Error::check_devices);
    };
    spoiled([](BoundPlan& bound) { bound.devices[0].partition = 1; });
    spoiled([](BoundPlan& bound) { bound.devices[1].function.requester = 0x18; });
    spoiled([](BoundPlan& bound) { bound.devices[1].bars[0].host = bound.devices[0].bars[0].host; });
    spoiled([](BoundPlan& bound) { bound.devices[1].bars[0].host = 0x1000000; });
    spoiled([](BoundPlan& bound) { bound.devices[0].bars[0].gpa = 0x1000; });
    spoiled([](BoundPlan& bound) { bound.devices.erase(0); });
}

TEST(PlanDevices, ParseRefusesWhatLayoutDoesNotWrite) {
    Wish wish{1};
    std::vector<DeviceRequest> requests{{0, 0x8086, 0x10d3, 0, false, true}};
    wish.request.devices = requests;
    const auto table = wish.table();
    const auto read = Plan::parse(table);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->device(0).flags, device_keeps_firmware_memory);
    const std::size_t at = table.size() - [&] {
        std::size_t data = 0; // bytes of the loads in the table, which lie last
        for (std::uint32_t i = 0; i < read->header().load_count; ++i)
            if (read->load(i).section == no_section)
                data += (read->load(i).bytes + 7) / 8 * 8;
        return data;
    }() - sizeof(Device);
    const auto spoiled = [&](std::size_t offset, std::byte value) {
        auto changed = table;
        changed[at + offset] = value;
        const auto status = Plan::parse(changed);
        return !status.ok() && status.error().error == Error::bad_device;
    };
    EXPECT_TRUE(spoiled(offsetof(Device, partition), std::byte{1}));
    EXPECT_TRUE(spoiled(offsetof(Device, flags), std::byte{4}));
    EXPECT_TRUE(spoiled(offsetof(Device, flags), std::byte{1})) << "by address, and ids";
    EXPECT_TRUE(spoiled(offsetof(Device, place) + 2, std::byte{1}));
    wish.request.devices = requests = std::vector<DeviceRequest>(5, requests[0]);
    EXPECT_EQ(wish.laid_out().error().error, RequestError::too_many_devices);
}

} // namespace
