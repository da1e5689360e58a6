// SPDX-License-Identifier: Apache-2.0
// image-tools/flash/target.hpp - what a disk is, and what speaks against writing to it.
//
// Spec: Linux, Documentation/ABI/stable/sysfs-block; proc(5): mountinfo, swaps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace flash {

// Where the kernel tells about disks; tests bring their own.
struct KernelFiles {
    std::filesystem::path sys = "/sys";
    std::filesystem::path proc = "/proc";
};

// A disk as people know it: "sdb, SanDisk Ultra, 29.8 GiB, serial 4C53..."
struct Target {
    std::filesystem::path path; // as it was named
    bool device = false;        // else a regular file
    std::string name;           // "sdb"; of a file, its own
    std::string model, serial;  // empty: the disk does not say
    std::uint64_t bytes = 0;
    std::uint64_t block_bytes = 512;
    bool removable = false;
    // What uses it or makes it unfit, in words: "sdb1 is mounted on /boot". Empty: it may be written to.
    std::vector<std::string> against;
};

// Looks at the disk or file. Throws E0608 where there is none of that name or it is something else, E0601.
Target examine(const std::filesystem::path& path, const KernelFiles& kernel = {});

// The same for a block device of that number, which need not exist: for tests.
void examine_device(Target& target, unsigned major, unsigned minor, const KernelFiles& kernel);

} // namespace flash
