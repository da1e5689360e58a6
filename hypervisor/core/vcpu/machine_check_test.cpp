// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/machine_check.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace {

namespace mca = vcpu::mca;
using vcpu::MachineCheck;
using vcpu::MachineCheckBank;

// MSRs that a real CPU has: reading another one is #GP there and a failure here.
struct FakeMsrs {
    std::map<std::uint32_t, std::uint64_t> values;
    std::vector<std::uint32_t> written;
    std::uint64_t read(std::uint32_t index) {
        EXPECT_TRUE(values.contains(index)) << std::hex << index;
        return values[index];
    }
    void write(std::uint32_t index, std::uint64_t value) {
        values[index] = value;
        written.push_back(index);
    }
    explicit FakeMsrs(std::uint32_t banks) {
        values[mca::mcg_cap] = 0x1000100 | banks;
        for (std::uint32_t i = 0; i < banks && i < mca::max_banks; ++i)
            values[mca::first_bank + 4 * i + 1] = 0;
    }
    void fill(std::uint32_t bank, std::uint64_t status, std::uint64_t address, std::uint64_t misc) {
        values[mca::first_bank + 4 * bank + 1] = status;
        values[mca::first_bank + 4 * bank + 2] = address;
        values[mca::first_bank + 4 * bank + 3] = misc;
    }
};

struct Seen {
    std::vector<std::pair<MachineCheckBank, MachineCheck>> banks;
    MachineCheck worst;
};

Seen scan(FakeMsrs& msrs, bool amd = false, bool clear = true) {
    Seen seen;
    seen.worst =
        vcpu::scan_machine_checks(msrs, amd, clear, [&](const MachineCheckBank& bank, MachineCheck kind) {
            seen.banks.push_back({bank, kind});
        });
    return seen;
}

TEST(MachineCheck, ClassifiedByStatus) {
    EXPECT_EQ(vcpu::classify(0, false), MachineCheck::none);
    EXPECT_EQ(vcpu::classify(~mca::valid, true), MachineCheck::none); // not valid: the rest means nothing
    EXPECT_EQ(vcpu::classify(mca::valid | 0x136, false), MachineCheck::corrected);
    EXPECT_EQ(vcpu::classify(mca::valid | mca::uncorrected, false), MachineCheck::fatal);
    EXPECT_EQ(vcpu::classify(mca::valid | mca::context_corrupt, false), MachineCheck::fatal);
    // On Intel bits 43 and 44 are part of the corrected error count.
    for (const std::uint64_t bit : {mca::amd_deferred, mca::amd_poison}) {
        EXPECT_EQ(vcpu::classify(mca::valid | bit, false), MachineCheck::corrected);
        EXPECT_EQ(vcpu::classify(mca::valid | bit, true), MachineCheck::fatal);
    }
}

TEST(MachineCheck, NothingToSee) {
    FakeMsrs msrs{10};
    const Seen seen = scan(msrs);
    EXPECT_EQ(seen.worst, MachineCheck::none);
    EXPECT_TRUE(seen.banks.empty());
    EXPECT_TRUE(msrs.written.empty());
}

TEST(MachineCheck, CorrectedIsReportedOnceAndCleared) {
    FakeMsrs msrs{10};
    msrs.fill(3, mca::valid | mca::address_valid | 0x9F, 0x1234000, 7);
    Seen seen = scan(msrs);
    ASSERT_EQ(seen.banks.size(), 1u);
    EXPECT_EQ(seen.worst, MachineCheck::corrected);
    EXPECT_EQ(seen.banks[0].first.index, 3u);
    EXPECT_EQ(seen.banks[0].first.address, 0x1234000u);
    EXPECT_EQ(seen.banks[0].first.misc, 0u); // MISCV is 0
    EXPECT_EQ(msrs.written, std::vector<std::uint32_t>{0x40D});
    EXPECT_TRUE(scan(msrs).banks.empty());
}

TEST(MachineCheck, LookingAloneChangesNothing) {
    FakeMsrs msrs{10};
    msrs.fill(0, mca::valid, 0, 0);
    EXPECT_EQ(scan(msrs, false, false).worst, MachineCheck::corrected);
    EXPECT_TRUE(msrs.written.empty());
}

TEST(MachineCheck, OneFatalBankIsEnoughAndStays) {
    FakeMsrs msrs{4};
    msrs.fill(0, mca::valid, 0, 0);
    msrs.fill(1, mca::valid | mca::uncorrected | mca::misc_valid, 5, 6);
    msrs.fill(2, mca::valid, 0, 0);
    const Seen seen = scan(msrs);
    EXPECT_EQ(seen.worst, MachineCheck::fatal);
    ASSERT_EQ(seen.banks.size(), 3u);
    EXPECT_EQ(seen.banks[1].second, MachineCheck::fatal);
    EXPECT_EQ(seen.banks[1].first.address, 0u); // ADDRV is 0
    EXPECT_EQ(seen.banks[1].first.misc, 6u);
    EXPECT_NE(msrs.values[0x405], 0u);
    EXPECT_EQ(msrs.values[0x401], 0u);
}

TEST(MachineCheck, NoMoreBanksThanThePlainRegistersName) {
    FakeMsrs msrs{0xFF}; // reading bank 32 would fail the fake
    msrs.fill(31, mca::valid, 0, 0);
    EXPECT_EQ(scan(msrs).banks.size(), 1u);
}

} // namespace
