// SPDX-License-Identifier: Apache-2.0
// Which disks are written to, and what a disk holds when the writing stops at any place.
#include "image-tools/disk/piece.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/flash/target.hpp"
#include "image-tools/flash/write.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <unistd.h>

namespace {

using namespace flash;
namespace fs = std::filesystem;

// The kernel's files about one disk, made up.
class Kernel {
public:
    Kernel() {
        std::string name = (fs::temp_directory_path() / "caisson-flash-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
        put("sys/devices/usb1/idVendor", "0781");
        put("sys/devices/usb1/serial", "4C5300");
        fs::create_directories(disk() / "holders");
        put("sys/devices/usb1/host/block/sdx/dev", "8:16");
        put("sys/devices/usb1/host/block/sdx/size", "131072");
        put("sys/devices/usb1/host/block/sdx/ro", "0");
        put("sys/devices/usb1/host/block/sdx/removable", "1");
        put("sys/devices/usb1/host/block/sdx/queue/logical_block_size", "512");
        put("sys/devices/usb1/host/block/sdx/sdx1/dev", "8:17");
        put("sys/devices/usb1/host/block/sdx/sdx1/partition", "1");
        fs::create_directories(disk() / "sdx1/holders");
        put("sys/devices/usb1/host/model", "Ultra  \x1b[31m");
        put("sys/devices/usb1/host/vendor", "SanDisk ");
        fs::create_directory_symlink("../..", disk() / "device");
        fs::create_directories(root_ / "sys/dev/block");
        fs::create_directory_symlink(disk(), root_ / "sys/dev/block/8:16");
        fs::create_directory_symlink(disk() / "sdx1", root_ / "sys/dev/block/8:17");
        put("proc/self/mountinfo", "22 1 0:5 / /proc rw - proc proc rw\n");
        put("proc/swaps", "Filename Type Size Used Priority\n");
    }
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;
    ~Kernel() { fs::remove_all(root_); }

    void put(const std::string& file, const std::string& text) const {
        fs::create_directories((root_ / file).parent_path());
        std::ofstream(root_ / file) << text << '\n';
    }
    void put_disk(const std::string& file, const std::string& text) const {
        put("sys/devices/usb1/host/block/sdx/" + file, text);
    }
    [[nodiscard]] fs::path disk() const { return root_ / "sys/devices/usb1/host/block/sdx"; }
    [[nodiscard]] Target target(unsigned minor = 16) const {
        Target out;
        out.path = "/dev/sdx";
        examine_device(out, 8, minor, {root_ / "sys", root_ / "proc"});
        return out;
    }
    [[nodiscard]] std::string against(unsigned minor = 16) const {
        std::string out;
        for (const std::string& reason : target(minor).against)
            out += reason + ";";
        return out;
    }

private:
    fs::path root_;
};

TEST(Target, ADiskIsDescribed) {
    const Kernel kernel;
    const Target target = kernel.target();
    EXPECT_EQ(target.name, "sdx");
    EXPECT_EQ(target.model, "SanDisk Ultra  ?[31m"); // no escape of a stick's reaches the terminal
    EXPECT_EQ(target.serial, "4C5300");
    EXPECT_EQ(target.bytes, 64u << 20);
    EXPECT_TRUE(target.removable);
    EXPECT_EQ(kernel.against(), "");
}

TEST(Target, WhatIsUsedOrUnfitIsRefused) {
    const Kernel kernel;
    EXPECT_NE(kernel.against(17).find("it is a partition of sdx"), std::string::npos);
    kernel.put("proc/self/mountinfo", "30 1 8:17 / /boot rw shared:1 - ext4 /dev/sdx1 rw\n"
                                      "31 1 8:16 / /media rw - vfat /dev/sdx rw");
    EXPECT_EQ(kernel.against(), "sdx1 is mounted on /boot;sdx is mounted on /media;");
    kernel.put("proc/self/mountinfo", "");
    kernel.put("proc/swaps", "Filename Type\n/dev/sdx1   partition 1 0 -2\n/dev/sdx11 partition 1 0 -2");
    EXPECT_EQ(kernel.against(), "sdx1 is swap space;");
    kernel.put("proc/swaps", "");
    kernel.put_disk("sdx1/holders/dm-0/dm/name", "vg-root");
    EXPECT_EQ(kernel.against(), "sdx1 is part of vg-root;");
    fs::remove_all(kernel.disk() / "sdx1/holders/dm-0");
    kernel.put_disk("ro", "1");
    EXPECT_EQ(kernel.against(), "it is write-protected;");
    kernel.put_disk("ro", "0");
    kernel.put_disk("queue/logical_block_size", "4096");
    EXPECT_NE(kernel.against().find("4096 bytes"), std::string::npos);
    kernel.put_disk("queue/logical_block_size", "512");
    kernel.put_disk("size", "0");
    EXPECT_EQ(kernel.against(), "there is no medium in it;");
}

// A disk with a cache that loses what was not settled, in any order, when the power fails.
class FailingDisk final : public Disk {
public:
    struct PowerFails {};
    FailingDisk(std::uint64_t bytes, std::uint64_t operations, unsigned seed)
        : now_(bytes, 'o'), settled_(now_), left_(operations), random_(seed) {}

    [[nodiscard]] std::uint64_t bytes() const override { return now_.size(); }
    void write(std::uint64_t at, std::span<const std::uint8_t> from) override {
        spend();
        for (std::uint64_t i = 0; i < from.size(); i += disk::sector) {
            const auto piece = from.subspan(i, disk::sector);
            std::copy(piece.begin(), piece.end(), now_.begin() + static_cast<std::ptrdiff_t>(at + i));
            pending_.push_back(at + i);
        }
    }
    void read(std::uint64_t at, std::span<std::uint8_t> to) override {
        spend();
        std::copy_n(now_.begin() + static_cast<std::ptrdiff_t>(at), to.size(), to.begin());
    }
    void settle() override {
        spend();
        settled_ = now_;
        pending_.clear();
    }
    // What the disk holds after the power failed.
    [[nodiscard]] std::string after_failure() {
        for (const std::uint64_t at : pending_)
            if (random_() % 2 == 0)
                settled_.replace(at, disk::sector, now_, at, disk::sector);
        return settled_;
    }
    [[nodiscard]] const std::string& now() const { return now_; }
    [[nodiscard]] std::uint64_t operations_left() const { return left_; }
    void flip(std::uint64_t at) { now_[at] = static_cast<char>(now_[at] ^ 1); }

private:
    void spend() {
        if (left_-- == 0)
            throw PowerFails{};
    }
    std::string now_, settled_;
    std::uint64_t left_;
    std::vector<std::uint64_t> pending_;
    std::mt19937 random_;
};

constexpr std::uint64_t partition_bytes = 5u << 20;

disk::Medium image(std::uint64_t data_bytes = 0) {
    std::string bytes(partition_bytes, '\0');
    std::mt19937 random(7);
    for (char& byte : bytes)
        byte = static_cast<char>(random());
    disk::Medium out;
    out.kind = disk::MediumKind::disk;
    out.partition = {files::FileRange::temporary(), "image", 0, bytes.size()};
    files::write_all(out.partition.file->get(), files::bytes_of(bytes), "image");
    out.layout = {partition_bytes, data_bytes, {1}, {2}, {3}};
    return out;
}
// A table of older days where a table can be, so that a disk that was not written at all would boot something.
constexpr std::uint64_t all = ~std::uint64_t{0};

TEST(Write, ADiskOfAnyLengthHoldsAValidTable) {
    for (const std::uint64_t data_bytes : {std::uint64_t{0}, std::uint64_t{3} << 20}) {
        const disk::Medium medium = image(data_bytes);
        const std::uint64_t least = disk::least_disk(medium.layout);
        for (const std::uint64_t bytes : {least, least + 512, least + (5 << 20) + 3 * 512}) {
            FailingDisk disk(bytes, all, 1);
            write(disk, medium, {});
            for (const disk::Piece& piece : disk::gpt_disk(medium.layout, bytes).pieces)
                EXPECT_EQ(disk.now().substr(piece.offset, piece.bytes.size()), piece.bytes) << bytes;
            EXPECT_EQ(compare(disk, medium, {}).found, Found::complete);
            for (const std::uint64_t at :
                 {std::uint64_t{600}, disk::first_partition_at + 12345, bytes - 512}) {
                disk.flip(at);
                EXPECT_EQ(compare(disk, medium, {}).found, Found::different) << at;
                disk.flip(at);
            }
        }
    }
}

TEST(Write, ADataPartitionBeginsEmptyAndIsNotLookedAtAgain) {
    const disk::Medium medium = image(3 << 20);
    FailingDisk disk(disk::least_disk(medium.layout), all, 1);
    write(disk, medium, {});
    const std::uint64_t at = medium.layout.data_at();
    EXPECT_EQ(at, disk::first_partition_at + partition_bytes);
    EXPECT_EQ(disk.now().substr(at, 1 << 20), std::string(1 << 20, '\0'));
    EXPECT_EQ(disk.now()[at + (1 << 20)], 'o') << "only its first MiB is written";
    disk.flip(at + 5); // whoever uses it
    EXPECT_EQ(compare(disk, medium, {}).found, Found::complete);
}

TEST(Write, TooSmallADiskIsLeftAsItIs) {
    for (const std::uint64_t data_bytes : {std::uint64_t{0}, std::uint64_t{3} << 20}) {
        const disk::Medium medium = image(data_bytes);
        FailingDisk disk(disk::least_disk(medium.layout) - 512, all, 1);
        const std::string before = disk.now();
        EXPECT_THROW(write(disk, medium, {}), diagnostic::Failure);
        EXPECT_EQ(disk.now(), before);
    }
}

TEST(Write, WhereverThePowerFailsTheDiskIsCompleteOrBootsNothing) {
    const disk::Medium medium = image(2 << 20);
    const std::uint64_t bytes = disk::least_disk(medium.layout) + (2 << 20);
    FailingDisk whole(bytes, all, 1);
    write(whole, medium, {});
    const std::uint64_t operations = all - whole.operations_left();
    unsigned complete = 0, incomplete = 0, untouched = 0;
    for (std::uint64_t stop = 0; stop < operations; ++stop)
        for (unsigned seed = 0; seed < 4; ++seed) {
            FailingDisk disk(bytes, stop, seed);
            EXPECT_THROW(write(disk, medium, {}), FailingDisk::PowerFails);
            const std::string left = disk.after_failure();
            const std::string_view start = std::string_view(left).substr(0, disk::sector);
            if (left == whole.now()) {
                ++complete;
            } else if (start == std::string(disk::sector, '\0')) {
                ++incomplete;
            } else {
                // Only before anything new but zeros is on it.
                ++untouched;
                EXPECT_EQ(start, std::string(disk::sector, 'o')) << stop;
                EXPECT_EQ(left.find_first_not_of(std::string("o\0", 2)), std::string::npos) << stop;
            }
        }
    EXPECT_GT(incomplete, complete);
    EXPECT_GT(untouched, 0u);
}

} // namespace
