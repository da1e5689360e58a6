// SPDX-License-Identifier: Apache-2.0
#include "image-tools/flash/target.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace flash {
namespace {

namespace fs = std::filesystem;

// One line of a file of the kernel's, without blanks around it; empty where there is none.
std::string line_of(const fs::path& file) {
    std::ifstream stream(file);
    std::string line;
    std::getline(stream, line);
    const auto visible = [](unsigned char letter) { return letter > 0x20 && letter < 0x7f; };
    const auto from = std::find_if(line.begin(), line.end(), visible);
    const auto to = std::find_if(line.rbegin(), std::make_reverse_iterator(from), visible).base();
    std::string out(from, to);
    // What a disk says about itself ends up on a terminal.
    std::replace_if(
        out.begin(), out.end(), [&](unsigned char letter) { return letter != ' ' && !visible(letter); }, '?');
    return out;
}

std::uint64_t number_of(const fs::path& file) {
    std::uint64_t value = 0;
    std::istringstream(line_of(file)) >> value;
    return value;
}

// The unit serial number page of SCSI and SATA disks: four bytes of header, then letters (SPC-4, 7.8.18).
std::string page_80(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    std::string out;
    for (std::size_t i = 4; i < bytes.size(); ++i)
        if (bytes[i] > ' ' && bytes[i] < 0x7f)
            out += bytes[i];
    return out;
}

// The serial number of the USB device that a disk hangs on: nothing else tells sticks apart.
std::string usb_serial(const fs::path& disk) {
    std::error_code error;
    for (fs::path at = fs::canonical(disk / "device", error);
         !error && at.has_relative_path() && at != at.root_path(); at = at.parent_path())
        if (fs::exists(at / "idVendor", error))
            return line_of(at / "serial");
    return "";
}

// "8:17" of the disk and of each partition, with their names.
struct Part {
    std::string name, number;
    fs::path folder;
};

std::vector<Part> parts_of(const fs::path& disk) {
    std::vector<Part> out{{disk.filename().string(), line_of(disk / "dev"), disk}};
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(disk, error))
        if (fs::exists(entry.path() / "partition", error))
            out.push_back({entry.path().filename().string(), line_of(entry.path() / "dev"), entry.path()});
    return out;
}

void find_mounts(const std::vector<Part>& parts, const KernelFiles& kernel,
                 std::vector<std::string>& against) {
    std::ifstream mounts(kernel.proc / "self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream fields(line);
        std::string id, parent, number, root, place;
        fields >> id >> parent >> number >> root >> place;
        for (const Part& part : parts)
            if (part.number == number)
                against.push_back(part.name + " is mounted on " + place);
    }
    std::ifstream swaps(kernel.proc / "swaps");
    for (std::string line; std::getline(swaps, line);)
        for (const Part& part : parts)
            if (line.starts_with("/dev/" + part.name + ' ') || line.starts_with("/dev/" + part.name + '\t'))
                against.push_back(part.name + " is swap space");
}

void find_holders(const std::vector<Part>& parts, std::vector<std::string>& against) {
    std::error_code error;
    for (const Part& part : parts)
        for (const fs::directory_entry& holder : fs::directory_iterator(part.folder / "holders", error)) {
            const std::string known = line_of(holder.path() / "dm/name");
            against.push_back(part.name + " is part of " +
                              (known.empty() ? holder.path().filename().string() : known));
        }
}

} // namespace

void examine_device(Target& target, unsigned major, unsigned minor, const KernelFiles& kernel) {
    const fs::path link = kernel.sys / "dev/block" / (std::to_string(major) + ":" + std::to_string(minor));
    std::error_code error;
    const fs::path disk = fs::canonical(link, error);
    if (error)
        throw diagnostic::fail("E0608",
                               target.path.string() + " is not known to the kernel: " + error.message());
    target.device = true;
    target.name = disk.filename().string();
    if (fs::exists(disk / "partition", error)) {
        target.against.push_back("it is a partition of " + disk.parent_path().filename().string() +
                                 "; a whole disk is written");
        return;
    }
    constexpr std::uint64_t unit = 512; // of "size", whatever the disk's blocks are
    target.bytes = number_of(disk / "size") * unit;
    target.block_bytes = number_of(disk / "queue/logical_block_size");
    target.removable = number_of(disk / "removable") != 0;
    const std::string vendor = line_of(disk / "device/vendor");
    target.model = line_of(disk / "device/model");
    if (!vendor.empty() && vendor != "ATA" && !vendor.starts_with("0x"))
        target.model = vendor + (target.model.empty() ? "" : " ") + target.model;
    target.serial = line_of(disk / "device/serial"); // NVMe, MMC
    if (target.serial.empty())
        target.serial = usb_serial(disk);
    if (target.serial.empty())
        target.serial = page_80(disk / "device/vpd_pg80");
    if (target.serial.empty())
        target.serial = line_of(disk / "serial"); // virtio
    if (number_of(disk / "ro") != 0)
        target.against.emplace_back("it is write-protected");
    if (target.bytes == 0)
        target.against.emplace_back("there is no medium in it");
    else if (target.block_bytes != unit)
        target.against.push_back("its blocks have " + std::to_string(target.block_bytes) +
                                 " bytes; the image is for disks with blocks of 512");
    const std::vector<Part> parts = parts_of(disk);
    find_mounts(parts, kernel, target.against);
    find_holders(parts, target.against);
}

Target examine(const std::filesystem::path& path, const KernelFiles& kernel) {
    Target out;
    out.path = path;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        auto failure = diagnostic::fail_system("E0608", "cannot write to " + path.string(), errno);
        throw failure.help(
            "name a disk, such as /dev/sdX, or a file that is large enough: truncate -s 8G FILE");
    }
    if (S_ISBLK(status.st_mode)) {
        examine_device(out, major(status.st_rdev), minor(status.st_rdev), kernel);
    } else if (S_ISREG(status.st_mode)) {
        out.name = path.filename().string();
        out.bytes = static_cast<std::uint64_t>(status.st_size);
    } else {
        throw diagnostic::fail("E0608", path.string() + " is neither a disk nor a regular file");
    }
    return out;
}

} // namespace flash
