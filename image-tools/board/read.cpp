// SPDX-License-Identifier: Apache-2.0
#include "image-tools/board/read.hpp"

#include "hypervisor/core/board/write.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace board {
namespace {

using Json = nlohmann::json;

constexpr int deepest = 8;

// One value of the document and the way to it, "/pci/functions/3".
class Field {
public:
    Field(const Json& value, std::string path, const std::string& file)
        : value_(&value), path_(std::move(path)), file_(&file) {}

    [[noreturn]] void wrong(const std::string& what) const {
        throw diagnostic::fail("E0425", (path_.empty() ? "the document" : path_) + " " + what)
            .at({*file_, 0, 0, {}, 1})
            .help(
                "caisson board import and board scan write descriptions; docs/boards.md says what is in one");
    }
    void need(bool good, const std::string& what) const {
        if (!good)
            wrong(what);
    }
    [[nodiscard]] bool none() const { return value_->is_null(); }
    [[nodiscard]] bool flag() const {
        need(value_->is_boolean(), "is not true or false");
        return value_->get<bool>();
    }
    [[nodiscard]] std::string text() const {
        need(value_->is_string(), "is not a text");
        return value_->get<std::string>();
    }
    template <typename Number> [[nodiscard]] Number number() const {
        constexpr std::uint64_t most = std::numeric_limits<Number>::max();
        need(value_->is_number_unsigned() && value_->get<std::uint64_t>() <= most,
             "is not a number from 0 to " + std::to_string(most));
        return static_cast<Number>(value_->get<std::uint64_t>());
    }
    // "0xfee00000".
    template <typename Number> [[nodiscard]] Number hex() const {
        const std::string digits = text();
        std::uint64_t value = 0;
        const char* const end = digits.data() + digits.size();
        const bool prefixed = digits.size() > 2 && digits.starts_with("0x");
        const auto [stop, error] = prefixed ? std::from_chars(digits.data() + 2, end, value, 16)
                                            : std::from_chars_result{end, std::errc::invalid_argument};
        need(error == std::errc{} && stop == end && value <= std::numeric_limits<Number>::max(),
             "is not a hexadecimal number (0x...) of at most " + std::to_string(8 * sizeof(Number)) +
                 " bits");
        return static_cast<Number>(value);
    }
    // Which of the words.
    template <typename Word, std::size_t Count>
    [[nodiscard]] Word choice(const std::array<std::string_view, Count>& words) const {
        const std::string word = text();
        const auto found = std::ranges::find(words, word);
        std::string all;
        for (const std::string_view one : words)
            all += (all.empty() ? "" : ", ") + std::string(one);
        need(found != words.end(), "is none of: " + all);
        return static_cast<Word>(found - words.begin());
    }
    template <std::size_t Capacity> void line(base::Text<Capacity>& into) const {
        const std::string value = text();
        const bool plain = std::ranges::all_of(value, [](char c) { return c >= ' ' && c < 0x7f; });
        need(plain && value.size() <= Capacity,
             "is not a line of plain ASCII with at most " + std::to_string(Capacity) + " characters");
        into << std::string_view(value);
    }
    [[nodiscard]] pci::Requester requester() const {
        const auto found = requester_of(text());
        need(found.has_value(), "is not an address of a PCI function, such as 00:1f.3");
        return *found;
    }
    template <typename Use> void each(Use use) const {
        need(value_->is_array(), "is not a list");
        for (std::size_t i = 0; i < value_->size(); ++i)
            use(Field((*value_)[i], path_ + "/" + std::to_string(i), *file_));
    }
    [[nodiscard]] std::size_t size() const { return value_->size(); }
    [[nodiscard]] Field at(std::size_t index) const {
        return {(*value_)[index], path_ + "/" + std::to_string(index), *file_};
    }

private:
    friend class Object;
    const Json* value_;
    std::string path_;
    const std::string* file_;
};

// The members of an object, each asked for once; what nobody asked for is refused at the end.
class Object {
public:
    explicit Object(const Field& field) : field_(field) {
        field_.need(field_.value_->is_object(), "is not an object");
    }
    [[nodiscard]] bool has(const std::string& key) const { return field_.value_->contains(key); }
    Field operator[](const std::string& key) {
        const auto found = field_.value_->find(key);
        field_.need(found != field_.value_->end(), "has no member '" + key + "'");
        asked_.insert(key);
        return {*found, field_.path_ + "/" + key, *field_.file_};
    }
    void done() const {
        for (const auto& [key, value] : field_.value_->items())
            field_.need(asked_.contains(key), "has a member that is not known: '" + key.substr(0, 40) + "'");
    }

private:
    Field field_;
    std::set<std::string> asked_;
};

template <typename T, std::size_t Capacity>
void add(const Field& field, base::FixedVector<T, Capacity>& list, const T& item) {
    field.need(list.push_back(item), "is one more than the " + std::to_string(Capacity) + " that are kept");
}

// Rows of CPUID, into a list that has room for them.
template <std::size_t Most> void leaves(const Field& list, base::FixedVector<Leaf, Most>& out) {
    list.each([&out](const Field& row) {
        row.each([](const Field&) {});
        row.need(row.size() == 6, "is not [leaf, subleaf, eax, ebx, ecx, edx]");
        const auto word = [&row](std::size_t i) { return row.at(i).hex<std::uint32_t>(); };
        const Leaf leaf{word(0), row.at(1).number<std::uint32_t>(), word(2), word(3), word(4), word(5)};
        const auto same = [&leaf](const Leaf& other) {
            return other.number == leaf.number && other.sub == leaf.sub;
        };
        row.need(std::ranges::none_of(out, same), "is a leaf that was there before");
        add(row, out, leaf);
    });
}

void other_cpus(const Field& list, Facts& out) {
    out.others_known = !list.none();
    if (!out.others_known)
        return;
    list.each([&out](const Field& item) {
        Object object(item);
        OtherCpu cpu;
        cpu.apic_id = object["apicId"].number<std::uint32_t>();
        cpu.answered = object["answered"].flag();
        leaves(object["cpuid"], cpu.differences);
        object.done();
        item.need(cpu.apic_id != out.processor.apic_id &&
                      std::ranges::count(out.others, cpu.apic_id, &OtherCpu::apic_id) == 0,
                  "is a CPU that was there before");
        add(item, out.others, cpu);
    });
}

void processor(const Field& field, Processor& out) {
    Object object(field);
    out.apic_id = object["apicId"].number<std::uint32_t>();
    out.checked = object["checked"].choice<Known>(words::known);
    object["missing"].line(out.missing);
    out.huge_pages = object["hugePages"].flag();
    if (const Field capabilities = object["archCapabilities"]; !capabilities.none()) {
        out.has_capabilities = true;
        out.capabilities = capabilities.hex<std::uint64_t>();
    }
    leaves(object["cpuid"], out.leaves);
    object.done();
}

void memory_map(const Field& list, Facts& out) {
    list.each([&out](const Field& field) {
        Object object(field);
        const memory::Range range{object["base"].hex<std::uint64_t>(), object["bytes"].hex<std::uint64_t>(),
                                  object["usable"].flag() ? memory::Kind::usable : memory::Kind::reserved};
        object.done();
        add(field, out.memory, range);
    });
}

void units(const Field& list, Facts& out) {
    acpi::Remapping& r = out.tables.remapping;
    bool all = true;
    list.each([&](const Field& field) {
        Object object(field);
        const auto base = object["base"].hex<std::uint64_t>();
        field.need(r.kind != acpi::RemappingKind::none && base != 0 && base % acpi::unit_bytes(r.kind) == 0 &&
                       std::ranges::count(r.units, base) == 0,
                   "is no unit of that kind, at an address of its own");
        add(field, r.units, base);
        if (object.has("capability"))
            add(field, out.units,
                {object["capability"].hex<std::uint64_t>(),
                 object["extendedCapability"].hex<std::uint64_t>()});
        else
            all = false;
        object.done();
    });
    list.need(all || out.units.empty(), "has capabilities of some units only");
}

void remapping(const Field& field, Facts& out) {
    acpi::Remapping& r = out.tables.remapping;
    Object object(field);
    r.kind = object["kind"].choice<acpi::RemappingKind>(words::remapping);
    r.switched_off = object["switchedOff"].flag();
    r.x2apic_opt_out = object["x2apicOptOut"].flag();
    r.has_other_segments = object["otherSegments"].flag();
    r.unclear_firmware_memory = object["unclearFirmwareMemory"].flag();
    units(object["units"], out);
    object["firmwareMemory"].each([&r](const Field& item) {
        add(item, r.firmware_memory,
            item.text() == "behind a bridge" ? acpi::behind_bridge : item.requester());
    });
    object["ioApics"].each([&r](const Field& item) {
        Object source(item);
        const acpi::IoApicSource one{source["id"].number<std::uint8_t>(), source["requester"].requester()};
        source.done();
        item.need(std::ranges::count(r.io_apics, one.io_apic, &acpi::IoApicSource::io_apic) == 0,
                  "is an I/O APIC that was there before");
        add(item, r.io_apics, one);
    });
    object.done();
}

std::optional<std::uint16_t> port(const Field& field) {
    return field.none() ? std::nullopt : std::optional{field.hex<std::uint16_t>()};
}

void fadt(const Field& field, Facts& out) {
    if (field.none())
        return;
    Object object(field);
    acpi::Fadt& f = out.tables.fadt.emplace();
    f.pm1a_control = port(object["pm1aControl"]);
    f.pm1b_control = port(object["pm1bControl"]);
    f.timer = port(object["timer"]);
    f.timer_has_32_bits = object["timerHas32Bits"].flag();
    f.reset = port(object["reset"]);
    f.reset_value = object["resetValue"].number<std::uint8_t>();
    f.button = port(object["button"]);
    object.done();
}

// The members of a UART that are members of `object`.
template <typename Place> void uart(Object& object, std::uint64_t& base, Place& out) {
    constexpr std::uint64_t last_port = 0xfff8;
    base = object["base"].hex<std::uint64_t>();
    out.in_memory = object["inMemory"].flag();
    out.wide = object["wide"].flag();
    const Field stride = object["stride"];
    out.stride = stride.number<std::uint8_t>();
    stride.need(out.stride == 1 || (out.in_memory && (out.stride == 2 || out.stride == 4)),
                "is not 1, or of registers in memory 2 or 4");
    object["base"].need(out.in_memory || base <= last_port, "is not an I/O port");
}

void firmware(const Field& field, Facts& out) {
    Object object(field);
    object["refused"].line(out.refused);
    object["ioApics"].each([&out](const Field& item) {
        Object one(item);
        const acpi::IoApic io_apic{one["address"].hex<std::uint64_t>(),
                                   one["gsiBase"].number<std::uint32_t>(), one["id"].number<std::uint8_t>()};
        one.done();
        item.need(io_apic.address % 64 == 0 && io_apic.address <= UINT32_MAX,
                  "does not lie at a multiple of 64 below 4 GiB");
        add(item, out.tables.io_apics, io_apic);
    });
    remapping(object["remapping"], out);
    out.tables.hpet = object["hpet"].hex<std::uint64_t>();
    object["hpet"].need(out.tables.hpet % 1024 == 0, "is not a multiple of 1024");
    Object ecam(object["ecam"]);
    out.tables.ecam = {ecam["base"].hex<std::uint64_t>(), ecam["lastBus"].number<std::uint8_t>()};
    ecam.done();
    fadt(object["fadt"], out);
    if (const Field soft_off = object["softOff"]; !soft_off.none()) {
        Object types(soft_off);
        out.tables.soft_off = {types["pm1a"].number<std::uint8_t>(), types["pm1b"].number<std::uint8_t>()};
        types.done();
    }
    if (const Field spcr = object["spcr"]; !spcr.none()) {
        Object place(spcr);
        acpi::SerialPort& serial = out.spcr.emplace();
        uart(place, serial.address, serial);
        serial.divisor = place["divisor"].number<std::uint16_t>();
        place.done();
    }
    if (const Field tpm = object["tpm"]; !tpm.none()) {
        Object place(tpm);
        out.tpm = {place["controlArea"].hex<std::uint64_t>(), place["needsFirmware"].flag()};
        place.done();
    }
    out.has_wdrt = object["wdrt"].flag();
    out.smbios = object["smbios"].hex<std::uint64_t>();
    object.done();
}

Function function(const Field& field) {
    Object object(field);
    Function out;
    pci::Function& f = out.function;
    f.requester = object["address"].requester();
    f.vendor = object["vendor"].hex<std::uint16_t>();
    f.device = object["device"].hex<std::uint16_t>();
    f.class_code = object["class"].hex<std::uint32_t>();
    f.kind = object["kind"].choice<pci::Kind>(words::function_kind);
    f.reset = object["reset"].choice<pci::Reset>(words::reset);
    f.multi_function = object["multiFunction"].flag();
    f.secondary = object["secondary"].number<std::uint8_t>();
    f.subordinate = object["subordinate"].number<std::uint8_t>();
    f.express = object["express"].hex<std::uint8_t>();
    f.msix = object["msix"].hex<std::uint8_t>();
    f.features = object["features"].hex<std::uint8_t>();
    f.vectors = object["vectors"].number<std::uint16_t>();
    f.msix_table = object["msixTable"].hex<std::uint32_t>();
    f.access_control = object["accessControl"].hex<std::uint16_t>();
    out.capabilities = {object["capabilities"].hex<std::uint32_t>(),
                        object["extendedCapabilities"].hex<std::uint64_t>()};
    object["bars"].each([&f](const Field& item) {
        Object bar(item);
        const auto number = bar["number"].number<std::uint8_t>();
        item.need(number < f.bars.size() && f.bars[number].bytes == 0, "is not one of the six, once");
        f.bars[number] = {bar["base"].hex<std::uint64_t>(), bar["bytes"].hex<std::uint64_t>()};
        item.need(f.bars[number].bytes != 0, "has no bytes");
        bar.done();
    });
    object.done();
    return out;
}

void functions(const Field& field, Facts& out) {
    Object object(field);
    out.pci_known = object["known"].flag();
    out.too_many_functions = object["tooMany"].flag();
    object["functions"].each([&out](const Field& item) {
        const Function one = function(item);
        item.need(out.functions.empty() ||
                      out.functions[out.functions.size() - 1].function.requester < one.function.requester,
                  "is not in the order of addresses");
        add(item, out.functions, one);
    });
    object.done();
}

void screen(const Field& field, Screen& out) {
    Object object(field);
    out = {object["base"].hex<std::uint64_t>(),           object["bytes"].hex<std::uint64_t>(),
           object["width"].number<std::uint32_t>(),       object["height"].number<std::uint32_t>(),
           object["pixelsALine"].number<std::uint32_t>(), object["format"].number<std::uint32_t>()};
    object.done();
}

Json parsed(std::string_view text, const std::string& file) {
    std::vector<std::set<std::string>> keys;
    const Json nothing;
    const Field document(nothing, "", file);
    const auto look = [&](int depth, Json::parse_event_t event, Json& value) {
        document.need(depth <= deepest, "is nested too deeply");
        if (event == Json::parse_event_t::object_start)
            keys.emplace_back();
        else if (event == Json::parse_event_t::object_end)
            keys.pop_back();
        else if (event == Json::parse_event_t::key)
            document.need(keys.back().insert(value.get<std::string>()).second,
                          "has a member twice: '" + value.get<std::string>().substr(0, 40) + "'");
        return true;
    };
    try {
        return Json::parse(text, look);
    } catch (const Json::parse_error& error) {
        document.wrong("is not JSON, at byte " + std::to_string(error.byte));
    } catch (const Json::out_of_range&) {
        document.wrong("has a number that is too large");
    }
}

} // namespace

std::optional<pci::Requester> requester_of(std::string_view text) {
    constexpr std::size_t length = 7; // bb:dd.f
    const auto part = [text](std::size_t at, std::size_t count, unsigned most) {
        unsigned value = 0;
        const char* const end = text.data() + at + count;
        const auto [stop, error] = std::from_chars(text.data() + at, end, value, 16);
        return error == std::errc{} && stop == end && value <= most ? std::optional{value} : std::nullopt;
    };
    if (text.size() != length || text[2] != ':' || text[5] != '.')
        return std::nullopt;
    const auto bus = part(0, 2, 0xff), device = part(3, 2, 31), function = part(6, 1, 7);
    if (!bus || !device || !function)
        return std::nullopt;
    return static_cast<pci::Requester>(*bus << 8 | *device << 3 | *function);
}

std::unique_ptr<Facts> read(std::string_view text, const std::string& file) {
    const Json document = parsed(text, file);
    auto out = std::make_unique<Facts>();
    Object object(Field(document, "", file));
    const Field schema = object["schema"];
    schema.need(schema.text() == "caisson.board/1", "is not caisson.board/1: another version wrote it");
    object["name"].line(out->name);
    object["origin"].line(out->origin);
    processor(object["processor"], out->processor);
    object["cpus"].each([&out](const Field& item) {
        Object cpu(item);
        const acpi::Cpu one{cpu["apicId"].number<std::uint32_t>(), cpu["enabled"].flag()};
        cpu.done();
        item.need(std::ranges::count(out->tables.cpus, one.apic_id, &acpi::Cpu::apic_id) == 0,
                  "is a CPU that was there before");
        add(item, out->tables.cpus, one);
    });
    out->tables.cpus_left_out = object["cpusLeftOut"].number<std::uint32_t>();
    other_cpus(object["otherCpus"], *out);
    memory_map(object["memory"], *out);
    firmware(object["firmware"], *out);
    functions(object["pci"], *out);
    out->uart_known = object["uartAnswers"].choice<Known>(words::known);
    Object place(object["uart"]);
    uart(place, out->uart.base, out->uart);
    place.done();
    out->watchdog = object["watchdog"].choice<Watchdog>(words::watchdog);
    out->hpet_pin = object["hpetPin"].choice<Known>(words::known);
    out->pit = object["pit"].choice<Known>(words::known);
    out->tsc_hz = object["tscHz"].number<std::uint64_t>();
    screen(object["screen"], out->screen);
    object.done();
    return out;
}

std::unique_ptr<Facts> load(const std::filesystem::path& file) {
    return read(files::read_file(file, largest_description), file.string());
}

std::string to_text(const Facts& facts) {
    std::string out;
    write(facts, [&out](std::string_view piece) { out += piece; });
    return out;
}

} // namespace board
