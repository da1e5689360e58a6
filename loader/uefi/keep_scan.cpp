// SPDX-License-Identifier: Apache-2.0
#include "loader/uefi/keep_scan.hpp"

#include "arch/x86_64/cpu/raw.hpp"
#include "hypervisor/base/address.hpp"
#include "loader/uefi/besides.hpp"
#include "loader/uefi/handover.hpp"
#include "loader/uefi/pe_image.hpp"
#include "loader/uefi/say.hpp"

#include <algorithm>
#include <cstring>

namespace loader::uefi {
namespace {

constexpr std::uint64_t page = base::page_size;
constexpr std::uint64_t reachable = std::uint64_t{4} << 30; // on every processor

// Not on the stack, which firmware makes 128 KiB (2.3.4.1), and not allocated, where the description may lie.
alignas(8) constinit std::array<std::byte, std::size_t{64} << 10> map_buffer{};

// A file that is open for writing, closed in the end.
class OpenFile {
public:
    OpenFile(FileSystem& volume, const char16_t* name) {
        File* root = nullptr;
        if (is_error(volume.open_volume(&volume, &root)) || root == nullptr)
            return;
        if (is_error(root->open(root, &file_, name, open_to_read | open_to_write, 0)))
            file_ = nullptr;
        (void)root->close(root);
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() {
        if (file_ != nullptr)
            (void)file_->close(file_);
    }

    [[nodiscard]] bool there() const { return file_ != nullptr; }
    [[nodiscard]] bool has(std::uint64_t bytes) {
        std::uint64_t end = 0;
        return !is_error(file_->set_position(file_, end_of_file)) &&
               !is_error(file_->get_position(file_, &end)) && end == bytes;
    }
    [[nodiscard]] bool read_first(std::span<char> to) {
        std::uint64_t got = to.size();
        return !is_error(file_->set_position(file_, 0)) && !is_error(file_->read(file_, &got, to.data())) &&
               got == to.size();
    }
    [[nodiscard]] bool write_first(std::span<const char> from) {
        return !is_error(file_->set_position(file_, 0)) && write(from) && !is_error(file_->flush(file_));
    }
    // Spaces from there to the last byte, which ends the line.
    [[nodiscard]] bool clear_from(std::uint64_t at) {
        std::array<char, 2048> spaces{};
        spaces.fill(' ');
        if (is_error(file_->set_position(file_, at)))
            return false;
        for (std::uint64_t left = board::kept_bytes - at; left != 0;) {
            const std::size_t now = static_cast<std::size_t>(std::min<std::uint64_t>(left, spaces.size()));
            left -= now;
            if (left == 0)
                spaces[now - 1] = '\n';
            if (!write(std::span(spaces).first(now)))
                return false;
        }
        return true;
    }

private:
    [[nodiscard]] bool write(std::span<const char> from) {
        std::uint64_t put = from.size();
        return !is_error(file_->write(file_, &put, from.data())) && put == from.size();
    }

    File* file_ = nullptr;
};

// Firmware's map, for as long as nothing is allocated: 7.2.3.
class Map {
public:
    explicit Map(const BootServices& boot) {
        std::uint64_t bytes = map_buffer.size(), key = 0;
        std::uint32_t version = 0;
        if (!is_error(boot.get_memory_map(&bytes, map_buffer.data(), &key, &step_, &version)) &&
            bytes <= map_buffer.size() && step_ >= sizeof(MemoryDescriptor))
            bytes_ = bytes;
    }
    template <class Each> void for_each(Each each) const {
        for (std::uint64_t at = 0; at < bytes_ && bytes_ - at >= step_; at += step_) {
            MemoryDescriptor run;
            std::memcpy(&run, map_buffer.data() + at, sizeof run);
            each(run);
        }
    }

private:
    std::uint64_t bytes_ = 0, step_ = sizeof(MemoryDescriptor);
};

constexpr std::uint32_t last_of_boot = 4, conventional = 7; // EfiBootServicesData, EfiConventionalMemory

// Whether the map has memory there that an operating system may use.
bool is_memory(const BootServices& boot, std::uint64_t address) {
    if (address == 0 || address % page != 0 || address > reachable - board::kept_bytes)
        return false;
    const Map map(boot);
    const std::uint64_t end = address + board::kept_bytes;
    for (bool more = true; more && address < end;) {
        more = false;
        map.for_each([&](const MemoryDescriptor& run) {
            const bool free = (run.type != 0 && run.type <= last_of_boot) || run.type == conventional;
            if (free && run.start <= address && (address - run.start) / page < run.pages) {
                address = run.start + std::min(run.pages, (end - run.start + page - 1) / page) * page;
                more = true;
            }
        });
    }
    return address >= end;
}

// The middle of the largest free run: firmware allocates from the ends, and the next boot may do so a little further in.
std::uint64_t far_from_firmware(const BootServices& boot) {
    std::uint64_t most = 0, middle = 0;
    Map(boot).for_each([&](const MemoryDescriptor& run) {
        if (run.type != conventional || run.start >= reachable)
            return;
        const std::uint64_t pages = std::min(run.pages, (reachable - run.start) / page);
        if (pages > most && pages >= board::kept_bytes / page) {
            most = pages;
            middle = run.start + (pages - board::kept_bytes / page) / 2 * page;
        }
    });
    return middle;
}

std::span<char> kept_memory(std::uint64_t address) {
    return {cpu::pointer_to<char>(base::VirtAddr{address}), board::kept_bytes};
}

std::uint64_t take_memory(const BootServices& boot) {
    std::uint64_t address = far_from_firmware(boot);
    if (address == 0 ||
        is_error(boot.allocate_pages(allocate_address, loader_data, board::kept_bytes / page, &address)))
        return 0;
    std::memset(kept_memory(address).data(), 0, sizeof(board::KeptScan));
    return address;
}

Kept look(const BootServices& boot, OpenFile& file) {
    std::array<char, board::unscanned_bytes> head{};
    if (!file.there() || !file.has(board::kept_bytes) || !file.read_first(head))
        return {};
    if (const std::uint64_t noted = board::noted_address({head.data(), head.size()}); noted != 0) {
        if (is_memory(boot, noted)) {
            // Only read: this boot's firmware may have put something of its own behind the text, or where it lies. Taken where it is free,
            // so that writing the file puts nothing there.
            std::uint64_t address = noted;
            (void)boot.allocate_pages(allocate_address, loader_data, board::kept_bytes / page, &address);
            const std::span<const char> memory = kept_memory(noted);
            board::KeptScan kept;
            std::memcpy(&kept, memory.data(), sizeof kept);
            if (const auto text = board::kept_text(kept, memory.subspan(sizeof kept))) {
                const bool done = file.clear_from(text->size()) && file.write_first(*text);
                return {done ? Keeping::delivered : Keeping::failed};
            }
        }
        board::note_address(head, 0);
        return {file.write_first(head) ? Keeping::lost : Keeping::none};
    }
    const std::uint64_t address = take_memory(boot);
    const bool described = !std::string_view{head.data(), head.size()}.starts_with(board::unscanned_begin);
    board::note_address(head, address);
    if (address == 0 || (described && !file.clear_from(head.size())) || !file.write_first(head))
        return {};
    return {Keeping::asked, address};
}

constinit std::uint64_t asked_for = 0; // between before_start and before_entry

} // namespace

Kept keep_scan(const SystemTable& system, Handle self) {
    const BootServices& boot = *system.boot;
    void *found = nullptr, *volume = nullptr;
    if (is_error(boot.handle_protocol(self, &loaded_image, &found)) || found == nullptr)
        return {};
    const auto& loaded = *static_cast<const LoadedImage*>(found);
    const Bytes path = find_section({loaded.base, loaded.bytes}, ".path");
    std::array<char16_t, 128> name{};
    if (path.empty() || path.size() >= sizeof name ||
        is_error(boot.handle_protocol(loaded.device, &file_system, &volume)) || volume == nullptr)
        return {};
    std::memcpy(name.data(), path.data(), path.size());
    OpenFile file(*static_cast<FileSystem*>(volume), name.data());
    return look(boot, file);
}

const char* describe(Keeping what) {
    switch (what) {
    case Keeping::none:
        return "This medium cannot be written: the description goes over the serial line alone.\r\n";
    case Keeping::asked:
        return "The machine will be reset once, to write the description onto this medium.\r\n";
    case Keeping::lost:
        return "Memory did not keep the description over the reset: record the serial line.\r\n";
    case Keeping::delivered:
        return "The board's description is on this medium now: \\EFI\\caisson\\board.json\r\n";
    case Keeping::failed:
        return "The description could not be written onto this medium: record the serial line.\r\n";
    }
    return "";
}

bool before_start(const SystemTable& system, Handle self) {
    const Kept kept = keep_scan(system, self);
    say(system, describe(kept.what));
    asked_for = kept.address;
    if (kept.what != Keeping::delivered)
        return true;
    constexpr std::uint64_t ten_seconds = 10'000'000;
    (void)system.boot->stall(ten_seconds); // to be read
    if (system.runtime != nullptr)
        system.runtime->reset_system(shut_down, ok, 0, nullptr);
    return false;
}

void before_entry(std::uint64_t handover) {
    Handover given;
    std::memcpy(&given, cpu::bytes_at(base::VirtAddr{handover}, sizeof given).data(), sizeof given);
    const board::KeepRequest request{board::KeepRequest::right_magic, asked_for};
    if (asked_for != 0 && given.bundle_bytes >= sizeof request)
        std::memcpy(cpu::bytes_at(base::VirtAddr{given.bundle}, sizeof request).data(), &request,
                    sizeof request);
}

} // namespace loader::uefi
