// SPDX-License-Identifier: Apache-2.0
// loader/uefi/fake_firmware_test.hpp - firmware for tests and fuzzing: real functions of Microsoft's calling convention over the
// host's memory, which lie where a test tells them to.
#pragma once

#include "loader/uefi/efi_loader.hpp"

#include <cstring>
#include <map>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace loader::uefi {

using Buffer = std::vector<std::byte>;

template <typename T> void put(Buffer& buffer, std::size_t at, const T& value) {
    if (buffer.size() < at + sizeof(T))
        buffer.resize(at + sizeof(T));
    std::memcpy(buffer.data() + at, &value, sizeof(T));
}

// An ELF of one segment of 0x3000 bytes, of which 0x100 are in the file, whose note says that the entry is at 0x40.
inline Buffer small_elf() {
    Buffer elf(0x300);
    put<std::uint32_t>(elf, 0, 0x464c457f);
    put<std::uint64_t>(elf, 32, 64);        // segments
    put<std::uint16_t>(elf, 54, 56);        // their size
    put<std::uint16_t>(elf, 56, 2);         // their number
    put<std::uint32_t>(elf, 64, 1);         // load
    put<std::uint64_t>(elf, 64 + 8, 0x200); // offset
    put<std::uint64_t>(elf, 64 + 16, 0xffffffff80000000);
    put<std::uint64_t>(elf, 64 + 32, 0x100);
    put<std::uint64_t>(elf, 64 + 40, 0x3000);
    put<std::uint32_t>(elf, 120, 4); // note
    put<std::uint64_t>(elf, 120 + 8, 0x180);
    put<std::uint64_t>(elf, 120 + 32, 48);
    put(elf, 0x180, std::array<std::uint32_t, 3>{4, 4, 18}); // PVH's, which is stepped over
    put(elf, 0x180 + 20, std::array<std::uint32_t, 3>{8, 8, 1});
    std::memcpy(elf.data() + 0x180 + 32, "Caisson", 8);
    put<std::uint64_t>(elf, 0x180 + 40, 0x40);
    elf[0x200] = std::byte{0xaa};
    return elf;
}

// A loaded PE image with these sections, each at the next page.
inline Buffer pe_image(const std::vector<std::pair<std::string, Buffer>>& sections) {
    Buffer image(0x1000);
    put<std::uint32_t>(image, 0x3c, 0x80);
    put<std::uint32_t>(image, 0x80, 0x4550);
    put<std::uint16_t>(image, 0x86, static_cast<std::uint16_t>(sections.size()));
    put<std::uint16_t>(image, 0x80 + 20, 240);
    std::size_t header = 0x80 + 24 + 240;
    for (const auto& [name, content] : sections) {
        const std::size_t at = image.size();
        std::memcpy(image.data() + header, name.data(), std::min<std::size_t>(name.size(), 8));
        put(image, header + 8, static_cast<std::uint32_t>(content.size()));
        put(image, header + 12, static_cast<std::uint32_t>(at));
        header += 40;
        image.insert(image.end(), content.begin(), content.end());
        image.resize((image.size() + 0xfff) / 0x1000 * 0x1000);
    }
    return image;
}

class FakeFirmware {
public:
    // What it does and says; a test changes it before load().
    Buffer image; // the loaded PE file
    std::map<std::u16string, Buffer> files;
    bool has_file_system = true, has_text = true;
    std::size_t short_read = 0; // a read gives so many bytes at most; 0: all
    bool read_stalls = false;   // a read gives none
    bool read_only = false, write_fails = false;
    std::uint64_t descriptor_bytes = 48;
    std::vector<MemoryDescriptor> map{{7, 0, 0x100000, 0, 0x1000, 8}};
    unsigned exits_refused = 0;
    unsigned grows = 0; // descriptors more after each refusal
    std::uint64_t largest_allocation = 1u << 28;
    GraphicsInformation shown{0, 800, 600, 1, {}, 832};
    GraphicsMode mode{1, 0, &shown, sizeof shown, 0x80000000, 832 * 600 * 4};
    bool has_mode = true, has_blt = true, cannot_clear = false;
    std::vector<ConfigurationTable> tables;
    Processor processor{true, false, [] { return std::uint64_t{7}; }};

    // What happened.
    std::u16string said;
    std::uint64_t lowest_limit = ~std::uint64_t{0};
    unsigned calls_after_refusal = 0, exits = 0;
    bool gone = false, cleared = false, shut = false;

    FakeFirmware() { now() = this; }
    FakeFirmware(const FakeFirmware&) = delete;
    FakeFirmware& operator=(const FakeFirmware&) = delete;
    ~FakeFirmware() {
        for (const auto& [at, bytes] : taken_)
            munmap(at, bytes);
    }

    Start load() { return uefi::load(system(), this, processor); }

    // As an application is given it; load() asks for it.
    const SystemTable& system() {
        boot_.allocate_pages = allocate_pages;
        boot_.free_pages = [](std::uint64_t, std::uint64_t) __attribute__((ms_abi)) {
            return used(ok);
        };
        boot_.get_memory_map = get_memory_map;
        boot_.handle_protocol = handle_protocol;
        boot_.locate_protocol = locate_protocol;
        boot_.exit_boot_services = exit_boot_services;
        boot_.stall = [](std::uint64_t) __attribute__((ms_abi)) {
            return used(ok);
        };
        boot_.set_watchdog_timer =
            [](std::uint64_t, std::uint64_t, std::uint64_t, const char16_t*) __attribute__((ms_abi)) {
            return used(ok);
        };
        text_.output_string = [](TextOutput*, const char16_t* line) __attribute__((ms_abi)) {
            now()->said += line;
            return used(ok);
        };
        system_.text = has_text ? &text_ : nullptr;
        system_.boot = &boot_;
        system_.tables = tables.data();
        system_.table_count = tables.size();
        loaded_.base = image.data();
        loaded_.bytes = image.size();
        loaded_.device = this;
        runtime_.reset_system = [](std::uint32_t how, Status, std::uint64_t, void*) __attribute__((ms_abi)) {
            now()->shut = how == shut_down;
        };
        system_.runtime = &runtime_;
        return system_;
    }

private:
    struct OpenFile {
        File file{};
        Buffer* content = nullptr;
        std::uint64_t at = 0;
    };

    static FakeFirmware*& now() {
        static FakeFirmware* instance = nullptr;
        return instance;
    }
    // Every function but two ends here: after a refused ExitBootServices nothing else may be called.
    static Status used(Status status) {
        now()->calls_after_refusal += now()->exits > 0;
        return status;
    }

    static Status __attribute__((ms_abi))
    allocate_pages(std::uint32_t how, std::uint32_t, std::uint64_t pages, std::uint64_t* address) {
        FakeFirmware& me = *now();
        me.lowest_limit = std::min(me.lowest_limit, *address);
        if (pages == 0 || pages > me.largest_allocation / 4096)
            return used(load_error);
        const bool there = how == allocate_address;
        if (there && me.taken_.contains(reinterpret_cast<void*>(*address)))
            return used(ok); // a test's second boot: memory that the first one had
        void* at =
            mmap(there ? reinterpret_cast<void*>(*address) : nullptr, pages * 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | (there ? MAP_FIXED_NOREPLACE : MAP_32BIT), -1, 0);
        if (at == MAP_FAILED)
            return used(load_error);
        me.taken_[at] = pages * 4096;
        *address = reinterpret_cast<std::uint64_t>(at);
        return used(ok);
    }
    static Status __attribute__((ms_abi))
    get_memory_map(std::uint64_t* bytes, void* buffer, std::uint64_t* key, std::uint64_t* descriptor,
                   std::uint32_t* version) {
        FakeFirmware& me = *now();
        const std::uint64_t room = *bytes;
        *bytes = me.map.size() * me.descriptor_bytes;
        *descriptor = me.descriptor_bytes;
        *version = 1;
        *key = me.exits;
        if (buffer == nullptr || room < *bytes)
            return buffer_too_small;
        for (std::size_t i = 0; i < me.map.size(); ++i)
            std::memcpy(static_cast<std::byte*>(buffer) + i * me.descriptor_bytes, &me.map[i],
                        std::min<std::size_t>(sizeof me.map[i], me.descriptor_bytes));
        return ok;
    }
    static Status __attribute__((ms_abi)) exit_boot_services(Handle, std::uint64_t key) {
        FakeFirmware& me = *now();
        const bool current = key == me.exits;
        if (me.exits++ < me.exits_refused || !current) {
            me.map.resize(me.map.size() + me.grows, me.map.front());
            return load_error;
        }
        me.gone = true;
        return ok;
    }
    static Status __attribute__((ms_abi)) handle_protocol(Handle, const Guid* guid, void** out) {
        FakeFirmware& me = *now();
        if (*guid == loaded_image)
            *out = &me.loaded_;
        else if (*guid == uefi::file_system && me.has_file_system) {
            me.volume_.open_volume = [](FileSystem*, File * *root) __attribute__((ms_abi)) {
                now()->root_.file.open = open;
                now()->root_.file.close = close;
                *root = &now()->root_.file;
                return used(ok);
            };
            *out = &me.volume_;
        } else
            return used(load_error);
        return used(ok);
    }
    static Status __attribute__((ms_abi))
    open(File*, File** out, const char16_t* name, std::uint64_t mode, std::uint64_t) {
        FakeFirmware& me = *now();
        const auto found = me.files.find(name);
        if (found == me.files.end() || (me.read_only && (mode & open_to_write) != 0))
            return used(load_error);
        me.open_.content = &found->second;
        me.open_.file.read = read;
        me.open_.file.write = write;
        me.open_.file.flush = [](File*) __attribute__((ms_abi)) {
            return used(ok);
        };
        me.open_.file.close = close;
        me.open_.file.get_position = [](File*, std::uint64_t * at) __attribute__((ms_abi)) {
            *at = now()->open_.at;
            return used(ok);
        };
        me.open_.file.set_position = [](File*, std::uint64_t at) __attribute__((ms_abi)) {
            now()->open_.at = at == end_of_file ? now()->open_.content->size() : at;
            return used(ok);
        };
        *out = &me.open_.file;
        return used(ok);
    }
    static Status __attribute__((ms_abi)) close(File*) { return used(ok); }
    static Status __attribute__((ms_abi)) read(File*, std::uint64_t* bytes, void* to) {
        FakeFirmware& me = *now();
        std::uint64_t count = std::min<std::uint64_t>(*bytes, me.open_.content->size() - me.open_.at);
        if (me.short_read != 0)
            count = std::min<std::uint64_t>(count, me.short_read);
        if (me.read_stalls)
            count = 0;
        if (count != 0)
            std::memcpy(to, me.open_.content->data() + me.open_.at, count);
        me.open_.at += count;
        *bytes = count;
        return used(ok);
    }
    static Status __attribute__((ms_abi)) write(File*, std::uint64_t* bytes, const void* from) {
        FakeFirmware& me = *now();
        if (me.write_fails)
            return used(load_error);
        me.open_.content->resize(std::max<std::size_t>(me.open_.content->size(), me.open_.at + *bytes));
        std::memcpy(me.open_.content->data() + me.open_.at, from, *bytes);
        me.open_.at += *bytes;
        return used(ok);
    }
    static Status __attribute__((ms_abi))
    clear_screen(Graphics*, const std::uint32_t* colour, std::uint32_t operation, std::uint64_t,
                 std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t width, std::uint64_t height,
                 std::uint64_t) {
        FakeFirmware& me = *now();
        me.cleared =
            operation == fill && *colour == 0 && width == me.shown.width && height == me.shown.height;
        return used(me.cannot_clear ? load_error : ok);
    }
    static Status __attribute__((ms_abi)) locate_protocol(const Guid* guid, void*, void** out) {
        FakeFirmware& me = *now();
        if (!(*guid == graphics))
            return used(load_error);
        me.graphics_.mode = me.has_mode ? &me.mode : nullptr;
        if (me.has_blt)
            me.graphics_.blt = clear_screen;
        *out = &me.graphics_;
        return used(ok);
    }

    SystemTable system_{};
    BootServices boot_{};
    RuntimeServices runtime_{};
    TextOutput text_{};
    LoadedImage loaded_{};
    FileSystem volume_{};
    Graphics graphics_{};
    OpenFile root_, open_;
    std::map<void*, std::size_t> taken_;
};

} // namespace loader::uefi
