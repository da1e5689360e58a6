// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/rpm.cpp - rpm's packages: databases of SQLite and ndb, each a list of headers.
//
// Spec: the RPM reference manual, "RPM V4 Package format" (headers, tags); rpm's lib/backend/ndb/rpmpkg.c (ndb's pages of
// slots and its blobs). The older Berkeley DB is named and not read.
#include "image-tools/sbom/bytes.hpp"
#include "image-tools/sbom/text.hpp"

#include <algorithm>
#include <memory>
#include <sqlite3.h>

namespace sbom {
namespace {

constexpr std::uint64_t largest_database = std::uint64_t{256} << 20;
constexpr std::uint32_t most_entries = 1 << 16, most_values = 1 << 20;

enum class Tag : std::uint32_t {
    name = 1000,
    version = 1001,
    release = 1002,
    epoch = 1003,
    vendor = 1011,
    licence = 1014,
    architecture = 1022,
    source_rpm = 1044,
    directory_indexes = 1116,
    base_names = 1117,
    directory_names = 1118,
};
enum class Type : std::uint32_t { int32 = 4, string = 6, strings = 8, translated = 9 };

// A header as the database has it: counts, index, data.
class Header {
public:
    explicit Header(std::string_view blob) {
        const std::uint32_t entries = bytes::big32(blob, 0), length = bytes::big32(blob, 4);
        if (entries > most_entries)
            throw Damaged("a header has too many entries");
        index_ = bytes::part(blob, 8, std::uint64_t{entries} * entry_bytes);
        data_ = bytes::part(blob, 8 + index_.size(), length);
    }
    [[nodiscard]] std::vector<std::string_view> texts(Tag tag) const {
        std::vector<std::string_view> out;
        const Entry entry = find(tag);
        if (entry.type != Type::string && entry.type != Type::strings && entry.type != Type::translated)
            return out;
        std::uint64_t at = entry.offset;
        for (std::uint32_t i = 0; i < entry.count; ++i) {
            out.push_back(bytes::text(data_, at));
            at += out.back().size() + 1;
        }
        return out;
    }
    [[nodiscard]] std::string text(Tag tag) const {
        const auto all = texts(tag);
        return all.empty() ? std::string() : std::string(all.front());
    }
    [[nodiscard]] std::vector<std::uint32_t> numbers(Tag tag) const {
        std::vector<std::uint32_t> out;
        const Entry entry = find(tag);
        if (entry.type == Type::int32)
            for (std::uint32_t i = 0; i < entry.count; ++i)
                out.push_back(bytes::big32(data_, entry.offset + std::uint64_t{4} * i));
        return out;
    }

private:
    static constexpr std::size_t entry_bytes = 16;
    struct Entry {
        Type type{};
        std::uint32_t offset = 0, count = 0;
    };
    [[nodiscard]] Entry find(Tag tag) const {
        for (std::size_t at = 0; at < index_.size(); at += entry_bytes)
            if (bytes::big32(index_, at) == static_cast<std::uint32_t>(tag)) {
                const Entry out{static_cast<Type>(bytes::big32(index_, at + 4)), bytes::big32(index_, at + 8),
                                bytes::big32(index_, at + 12)};
                if (out.count > most_values)
                    throw Damaged("a header's entry has too many values");
                return out;
            }
        return {};
    }
    std::string_view index_, data_;
};

void take(std::string_view blob, const std::string& place, std::vector<Package>& out) {
    const Header header(blob);
    Package package{Kind::rpm, header.text(Tag::name), header.text(Tag::version)};
    if (package.name.empty() || package.version.empty())
        throw Damaged("a header without name or version");
    if (package.name == "gpg-pubkey") // a key, kept among the packages
        return;
    if (const std::string release = header.text(Tag::release); !release.empty())
        package.version += "-" + release;
    if (const auto epoch = header.numbers(Tag::epoch); !epoch.empty() && epoch.front() != 0)
        package.version = std::to_string(epoch.front()) + ":" + package.version;
    package.architecture = header.text(Tag::architecture);
    package.licence = header.text(Tag::licence);
    package.supplier = header.text(Tag::vendor);
    // NAME-VERSION-RELEASE.src.rpm
    std::string source = header.text(Tag::source_rpm);
    for (int i = 0; i < 2; ++i)
        source.erase(std::min(source.rfind('-'), source.size()));
    package.source = source == package.name ? std::string() : source;
    const auto names = header.texts(Tag::base_names), folders = header.texts(Tag::directory_names);
    const auto in = header.numbers(Tag::directory_indexes);
    for (std::size_t i = 0; i < std::min(names.size(), in.size()); ++i) {
        if (in[i] >= folders.size())
            throw Damaged("a file is in a folder that is not there");
        const std::string path = std::string(folders[in[i]]) + std::string(names[i]);
        package.files.push_back(path.starts_with('/') ? path.substr(1) : path);
    }
    package.place = place;
    out.push_back(std::move(package));
}

struct Closer {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

void read_sqlite(std::string all, const std::string& place, std::vector<Package>& out) {
    // The bytes may say that a log of changes lies beside it: it was written back when the image was made.
    constexpr std::size_t write_version = 18, read_version = 19, header_bytes = 100;
    if (all.size() < header_bytes)
        throw Damaged("no SQLite database");
    all[write_version] = all[read_version] = 1;
    sqlite3* opened = nullptr;
    const int open = sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE, nullptr);
    const std::unique_ptr<sqlite3, Closer> database(opened);
    const auto size = static_cast<sqlite3_int64>(all.size());
    auto* const data = static_cast<unsigned char*>(static_cast<void*>(all.data()));
    if (open != SQLITE_OK ||
        sqlite3_deserialize(opened, "main", data, size, size, SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
        throw Damaged("no SQLite database");
    // Its schema is the image's: it may call nothing and write nothing.
    sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_limit(opened, SQLITE_LIMIT_LENGTH, 64 << 20);
    // A database that leads in circles ends here.
    unsigned ticks = 0;
    sqlite3_progress_handler(
        opened, 10000, [](void* count) { return ++*static_cast<unsigned*>(count) > 100000 ? 1 : 0; }, &ticks);
    sqlite3_stmt* prepared = nullptr;
    const int made = sqlite3_prepare_v2(opened, "SELECT blob FROM Packages", -1, &prepared, nullptr);
    const std::unique_ptr<sqlite3_stmt, Closer> statement(prepared);
    if (made != SQLITE_OK)
        throw Damaged(std::string("SQLite says: ") + sqlite3_errmsg(opened));
    int step = 0;
    while ((step = sqlite3_step(prepared)) == SQLITE_ROW) {
        const void* blob = sqlite3_column_blob(prepared, 0);
        const int length = sqlite3_column_bytes(prepared, 0);
        if (blob != nullptr && length > 0)
            take({static_cast<const char*>(blob), static_cast<std::size_t>(length)}, place, out);
    }
    if (step != SQLITE_DONE)
        throw Damaged(std::string("SQLite says: ") + sqlite3_errmsg(opened));
}

void read_ndb(std::string_view all, const std::string& place, std::vector<Package>& out) {
    constexpr std::uint64_t page = 4096, slot_bytes = 16, first_slot = 32, block = 16;
    const std::uint64_t pages = bytes::little<std::uint32_t>(all, 12);
    const std::string_view slots = bytes::part(all, 0, pages * page);
    for (std::uint64_t at = first_slot; at + slot_bytes <= slots.size(); at += slot_bytes) {
        if (bytes::part(slots, at, 4) != "Slot")
            throw Damaged("an ndb slot without its mark");
        const auto number = bytes::little<std::uint32_t>(slots, at + 4);
        const std::uint64_t offset = bytes::little<std::uint32_t>(slots, at + 8) * block;
        if (number == 0 || offset == 0)
            continue; // unused
        if (bytes::part(all, offset, 4) != "BlbS" || bytes::little<std::uint32_t>(all, offset + 4) != number)
            throw Damaged("an ndb blob is not what its slot says");
        take(bytes::part(all, offset + 16, bytes::little<std::uint32_t>(all, offset + 12)), place, out);
    }
}

bool is_rpm_file(const File& file) {
    for (const std::string_view folder : {"var/lib/rpm/", "usr/lib/sysimage/rpm/"})
        for (const std::string_view name : {"rpmdb.sqlite", "Packages.db", "Packages"})
            if (file.path.size() == folder.size() + name.size() && file.path.starts_with(folder) &&
                file.path.ends_with(name))
                return true;
    return false;
}

void read_rpm(const Files& files, const File& file, std::vector<Package>& out) {
    std::string all = whole_or_damaged(files, file, largest_database);
    if (all.starts_with("SQLite format 3"))
        read_sqlite(std::move(all), file.path, out);
    else if (all.starts_with("RpmP"))
        read_ndb(all, file.path, out);
    else
        throw Damaged(
            "neither SQLite nor ndb; a Berkeley DB is not read: rpmdb --rebuilddb makes one that is");
}

} // namespace

const Database rpm{"rpm", is_rpm_file, read_rpm};

} // namespace sbom
