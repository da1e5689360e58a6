// SPDX-License-Identifier: Apache-2.0
#include "loader/uefi/efi_loader.hpp"

#include "arch/x86_64/cpu/raw.hpp"
#include "build_id.hpp"
#include "hypervisor/base/text.hpp"
#include "loader/uefi/pe_image.hpp"
#include "loader/uefi/say.hpp"

#include <algorithm>

namespace loader::uefi {
namespace {

constexpr std::uint64_t page = base::page_size, image_alignment = base::large_page_size;
constexpr std::uint64_t gibibyte = 1u << 30, mebibyte = 1u << 20;
constexpr std::uint64_t most_map_bytes = 2 * mebibyte, spare_descriptors = 64, most_tables = 1024;
constexpr unsigned most_exits = 8;

std::span<std::byte> memory_at(std::uint64_t address, std::uint64_t bytes) {
    return cpu::bytes_at(base::VirtAddr{address}, bytes);
}
std::uint64_t number(const void* pointer) {
    return pointer == nullptr ? 0 : cpu::address_of(*static_cast<const std::byte*>(pointer)).value();
}

class Loader {
public:
    Loader(const SystemTable& system, Handle self, const Processor& processor)
        : system_(system), boot_(*system.boot), self_(self), processor_(processor) {}

    Start run() {
        Start start;
        handover_.started = processor_.clock();
        (void)boot_.set_watchdog_timer(0, 0x10000, 0,
                                       nullptr); // a large bundle may take longer than five minutes
        say(system_, "Caisson " CAISSON_BUILD_ID "\r\n");
        start.problem = prepare();
        if (start.problem == Problem::none)
            start.problem = leave();
        if (start.problem == Problem::none) {
            start.entry = entry_;
            start.handover = place_of_handover_;
        } else if (start.problem != Problem::boot_services_stay) {
            constexpr std::uint64_t five_seconds = 5'000'000;
            say(system_, "Caisson does not start: ");
            say(system_, describe(start.problem));
            say(system_, "\r\n");
            (void)boot_.stall(five_seconds);
        }
        return start;
    }

private:
    Problem prepare() {
        if (processor_.five_levels)
            return Problem::five_levels;
        void* found = nullptr;
        if (is_error(boot_.handle_protocol(self_, &loaded_image, &found)) || found == nullptr)
            return Problem::not_loaded;
        loaded_ = static_cast<const LoadedImage*>(found);
        own_ = {loaded_->base, loaded_->bytes};
        if (const Problem problem = place_image(); problem != Problem::none)
            return problem;
        if (const Problem problem = find_bundle(); problem != Problem::none)
            return problem;
        look_at_tables();
        look_at_screen();
        return Problem::none;
    }

    // Whole pages where boot reaches them; 0: there are none.
    std::uint64_t allocate(std::uint32_t type, std::uint64_t bytes) {
        std::uint64_t address = (processor_.huge_pages ? 512 * gibibyte : 4 * gibibyte) - 1;
        return is_error(boot_.allocate_pages(allocate_below, type, bytes::units(bytes, page), &address))
                   ? 0
                   : address;
    }

    Problem place_image() {
        const Bytes elf = find_section(own_, ".caisson");
        const auto shape = shape_of(elf);
        if (!shape)
            return Problem::damaged_file;
        const std::uint64_t room = bytes::units(shape->bytes, page) * page;
        const std::uint64_t taken = allocate(loader_code, room + image_alignment);
        if (taken == 0)
            return Problem::no_room;
        // The first multiple above, which is never 0.
        const std::uint64_t place = base::round_down(taken, image_alignment) + image_alignment;
        uefi::place(elf, memory_at(place, room));
        entry_ = place + shape->entry;
        // What is left on both sides goes back.
        if (place != taken)
            (void)boot_.free_pages(taken, (place - taken) / page);
        if (const std::uint64_t end = taken + room + image_alignment; end != place + room)
            (void)boot_.free_pages(place + room, (end - place - room) / page);
        return Problem::none;
    }

    Problem find_bundle() {
        if (const Bytes inside = find_section(own_, ".bundle"); !inside.empty()) {
            handover_.bundle = number(inside.data());
            handover_.bundle_bytes = inside.size();
            return Problem::none;
        }
        const Bytes path = find_section(own_, ".path");
        std::array<char16_t, 128> name{};
        if (path.empty() || path.size() >= sizeof name)
            return Problem::no_bundle;
        std::memcpy(name.data(), path.data(), path.size());
        return read_bundle(name.data());
    }

    Problem read_bundle(const char16_t* name) {
        void* found = nullptr;
        if (is_error(boot_.handle_protocol(loaded_->device, &file_system, &found)) || found == nullptr)
            return Problem::no_file_system;
        auto* const volume = static_cast<FileSystem*>(found);
        File *root = nullptr, *file = nullptr;
        if (is_error(volume->open_volume(volume, &root)) || root == nullptr)
            return Problem::no_file_system;
        Problem problem = Problem::file_missing;
        if (!is_error(root->open(root, &file, name, open_to_read, 0)) && file != nullptr) {
            problem = read_file(*file);
            (void)file->close(file);
        }
        (void)root->close(root);
        return problem;
    }

    Problem read_file(File& file) {
        std::uint64_t bytes = 0;
        if (is_error(file.set_position(&file, end_of_file)) || is_error(file.get_position(&file, &bytes)) ||
            is_error(file.set_position(&file, 0)) || bytes == 0)
            return Problem::file_unreadable;
        const std::uint64_t room = bytes > 512 * gibibyte ? 0 : allocate(loader_data, bytes);
        if (room == 0)
            return Problem::no_room_for_bundle;
        constexpr std::uint64_t piece = 4 * mebibyte;
        say(system_, (base::Text<64>{} << "bundle of " << bytes / 1024 << " KiB:").view());
        unsigned tenths = 0;
        for (std::uint64_t done = 0; done < bytes;) {
            const std::span<std::byte> target = memory_at(room + done, std::min(piece, bytes - done));
            std::uint64_t read = target.size();
            if (is_error(file.read(&file, &read, target.data())) || read == 0 || read > target.size())
                return Problem::file_unreadable;
            done += read;
            for (; tenths < 10 && done >= bytes / 10 * (tenths + 1); ++tenths)
                say(system_, (base::Text<8>{} << ' ' << (tenths + 1) * 10 << '%').view());
        }
        say(system_, "\r\n");
        handover_.bundle = room;
        handover_.bundle_bytes = bytes;
        return Problem::none;
    }

    void look_at_tables() {
        bool newer_acpi = false, newer_smbios = false;
        for (std::uint64_t i = 0; i < std::min(system_.table_count, most_tables) && system_.tables != nullptr;
             ++i) {
            const ConfigurationTable& entry = system_.tables[i];
            const auto take = [&entry](std::uint64_t& where, bool newer, bool& had_newer) {
                if (newer || !had_newer)
                    where = number(entry.table);
                had_newer = had_newer || newer;
            };
            if (entry.guid == acpi_1 || entry.guid == acpi_2)
                take(handover_.rsdp, entry.guid == acpi_2, newer_acpi);
            else if (entry.guid == smbios_2 || entry.guid == smbios_3)
                take(handover_.smbios, entry.guid == smbios_3, newer_smbios);
        }
    }

    void look_at_screen() {
        void* found = nullptr;
        if (is_error(boot_.locate_protocol(&graphics, nullptr, &found)) || found == nullptr)
            return;
        auto* const graphics_output = static_cast<Graphics*>(found);
        const GraphicsMode* const mode = graphics_output->mode;
        if (mode == nullptr || mode->information == nullptr)
            return;
        const GraphicsInformation& shown = *mode->information;
        handover_.screen = {mode->frame_buffer, mode->frame_buffer_bytes, shown.width,
                            shown.height,       shown.pixels_a_line,      shown.format};
        // Firmware clears it faster than we do.
        const std::uint32_t black = 0;
        handover_.screen_is_black = graphics_output->blt != nullptr &&
                                    !is_error(graphics_output->blt(graphics_output, &black, fill, 0, 0, 0, 0,
                                                                   shown.width, shown.height, 0));
    }

    // The handover and the memory map behind it, in one piece; then Boot Services go. Their list changes whenever they are used, so
    // a refusal means: once more.
    Problem leave() {
        std::uint64_t bytes = 0, key = 0, descriptor = 0;
        std::uint32_t version = 0;
        if (boot_.get_memory_map(&bytes, nullptr, &key, &descriptor, &version) != buffer_too_small ||
            bytes > most_map_bytes || descriptor < sizeof(MemoryDescriptor) || descriptor > page)
            return Problem::no_memory_map;
        const std::uint64_t room = bytes + spare_descriptors * descriptor;
        place_of_handover_ = allocate(loader_data, page + room);
        if (place_of_handover_ == 0)
            return Problem::no_room;
        handover_.map = place_of_handover_ + page;
        for (unsigned i = 0; i < most_exits; ++i) {
            bytes = room;
            if (is_error(boot_.get_memory_map(&bytes, memory_at(handover_.map, room).data(), &key,
                                              &descriptor, &version)) ||
                bytes > room)
                return i == 0 ? Problem::no_memory_map : Problem::boot_services_stay;
            if (is_error(boot_.exit_boot_services(self_, key)))
                continue;
            handover_.map_bytes = bytes;
            handover_.descriptor_bytes = descriptor;
            std::memcpy(memory_at(place_of_handover_, sizeof handover_).data(), &handover_, sizeof handover_);
            return Problem::none;
        }
        return Problem::boot_services_stay;
    }

    const SystemTable& system_;
    const BootServices& boot_;
    Handle self_;
    const Processor& processor_;
    const LoadedImage* loaded_ = nullptr;
    Bytes own_;
    Handover handover_;
    std::uint64_t entry_ = 0, place_of_handover_ = 0;
};

} // namespace

const char* describe(Problem problem) {
    switch (problem) {
    case Problem::none:
        return "";
    case Problem::five_levels:
        return "firmware uses page tables of five levels: switch them (LA57) off in its setup";
    case Problem::not_loaded:
        return "firmware does not say where this program lies";
    case Problem::damaged_file:
        return "no hypervisor in this file: it is damaged";
    case Problem::no_room:
        return "no room in memory for the hypervisor";
    case Problem::no_bundle:
        return "no bundle: it is neither in this file, nor does this file name one";
    case Problem::no_file_system:
        return "the device it was started from has no file system that firmware reads";
    case Problem::file_missing:
        return "the bundle is not there: \\EFI\\caisson on the device it was started from";
    case Problem::file_unreadable:
        return "the bundle cannot be read: it is empty or the device fails";
    case Problem::no_room_for_bundle:
        return "the bundle is larger than any free piece of memory";
    case Problem::no_memory_map:
        return "firmware gives no memory map";
    case Problem::boot_services_stay:
        return "firmware does not let go of the machine";
    }
    return "";
}

Start load(const SystemTable& system, Handle self, const Processor& processor) {
    return Loader{system, self, processor}.run();
}

} // namespace loader::uefi
