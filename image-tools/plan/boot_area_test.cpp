// SPDX-License-Identifier: Apache-2.0
#include "image-tools/plan/boot_area.hpp"

#include "hypervisor/core/acpi/tables.hpp"
#include "image-tools/plan/guest_layout.hpp"
#include "image-tools/plan/start_info.hpp"
#include "partitions/abi/boot_page.h"

#include <cstring>
#include <gtest/gtest.h>
#include <memory>

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

// The area as a guest finds it: zeros and what is loaded.
struct Area {
    std::vector<std::byte> bytes = std::vector<std::byte>(CAISSON_GPA_BOOT_END);

    explicit Area(const plan::PartitionRequest& request, std::uint32_t index = 0) {
        std::uint64_t end = CAISSON_GPA_ACPI;
        for (const plan::BootPiece& piece : plan::boot_area(request, index)) {
            EXPECT_GE(piece.gpa, end);
            end = piece.gpa + piece.bytes.size();
            EXPECT_LE(end, CAISSON_GPA_BOOT_END);
            EXPECT_NE(piece.bytes.back(), std::byte{0}); // nothing is carried that is zero anyway
            std::copy(piece.bytes.begin(), piece.bytes.end(),
                      bytes.begin() + static_cast<std::ptrdiff_t>(piece.gpa));
        }
    }
    template <typename T> T at(std::uint64_t gpa) const {
        T value;
        std::memcpy(&value, bytes.data() + gpa, sizeof value);
        return value;
    }
    std::span<const std::byte> operator()(std::uint64_t address, std::size_t length) const {
        return std::span{bytes}.subspan(address, length);
    }
};

plan::PartitionRequest request_of(plan::PayloadKind payload) {
    plan::PartitionRequest request;
    request.name = "web";
    request.payload = payload;
    request.memory_bytes = 16 * mebibyte;
    return request;
}

TEST(BootArea, Unikernel) {
    const std::vector<std::byte> startup(300, std::byte{7});
    plan::PartitionRequest request = request_of(plan::PayloadKind::unikernel);
    request.root_bytes = 8192;
    request.startup = startup;
    request.cpus = 3;
    Area area{request, 5};
    const auto page = area.at<caisson_boot_page>(CAISSON_GPA_BOOT_PAGE);
    EXPECT_EQ(page.magic, CAISSON_BOOT_MAGIC);
    EXPECT_EQ(page.partition_id, 5u);
    EXPECT_EQ(page.vcpu_count, 3u);
    EXPECT_EQ(page.memory_bytes, 16 * mebibyte);
    EXPECT_EQ(page.root_gpa, CAISSON_GPA_ROOT);
    EXPECT_EQ(page.root_bytes, 8192u);
    EXPECT_EQ(page.startup_bytes, 300u);
    EXPECT_STREQ(page.partition_name, "web");
    EXPECT_EQ(area.at<std::uint8_t>(CAISSON_GPA_STARTUP + 299), 7);
    const auto info = area.at<pvh::StartInfo>(CAISSON_GPA_START_INFO);
    ASSERT_EQ(info.module_count, 1u);
    const auto module = area.at<pvh::ModuleEntry>(info.module_list);
    EXPECT_EQ(module.address, CAISSON_GPA_BOOT_PAGE);
    EXPECT_EQ(module.bytes, 4096u + 300);
    EXPECT_EQ(area.at<char>(info.command_line), '\0');
    auto tables = std::make_unique<acpi::Tables>();
    ASSERT_TRUE(acpi::parse(bytes::Source{area, UINT64_MAX}, info.rsdp, *tables).ok());
    EXPECT_EQ(tables->cpus.size(), 3u);
}

TEST(BootArea, OwnKernel) {
    plan::PartitionRequest request = request_of(plan::PayloadKind::pvh);
    request.command_line = "quiet";
    request.cpu_set = 0b1100;
    request.cpus = 0;
    const Area plain{request};
    auto info = plain.at<pvh::StartInfo>(CAISSON_GPA_START_INFO);
    EXPECT_EQ(info.module_count, 0u);
    EXPECT_EQ(std::memcmp(plain.bytes.data() + info.command_line, "quiet", 6), 0);
    const auto page = plain.at<caisson_boot_page>(CAISSON_GPA_BOOT_PAGE);
    EXPECT_EQ(page.vcpu_count, 2u);
    EXPECT_EQ(page.root_bytes, 0u);
    EXPECT_EQ(page.startup_offset, 0u);

    request.module_bytes = 5000;
    const Area with{request};
    info = with.at<pvh::StartInfo>(CAISSON_GPA_START_INFO);
    ASSERT_EQ(info.module_count, 1u);
    const auto module = with.at<pvh::ModuleEntry>(info.module_list);
    EXPECT_EQ(module.address, plan::module_gpa(16 * mebibyte, 5000));
    EXPECT_EQ(module.bytes, 5000u);
}

} // namespace
