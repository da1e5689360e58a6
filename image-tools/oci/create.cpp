// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/create.hpp"

#include "image-tools/files/range.hpp"
#include "image-tools/files/zeros.hpp"
#include "image-tools/oci/decoder.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/layer_writer.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/oci/tar_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace oci {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* manifest_type = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* config_type = "application/vnd.oci.image.config.v1+json";
constexpr const char* layer_type = "application/vnd.oci.image.layer.v1.tar";
constexpr std::string_view whiteout_prefix = ".wh.";

void write_file(const fs::path& path, std::string_view text) {
    const fs::path temporary = path.string() + ".new";
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        throw diagnostic::fail_system("E0602", "cannot write " + temporary.string(), errno);
    }
    const files::FileHandle file(descriptor);
    files::write_all(descriptor, files::bytes_of(text), temporary.string());
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        throw diagnostic::fail_system("E0602", "cannot write " + path.string(), errno);
    }
}

// Reads a directory tree as tar entries, names in byte order, parents first.
class DirectoryReader {
public:
    DirectoryReader(const CreateOptions& options, TarWriter& writer) : options_(options), writer_(writer) {}

    std::uint64_t write() {
        std::vector<std::string> pending;
        push_children(pending, "");
        while (!pending.empty()) {
            const std::string path = std::move(pending.back());
            pending.pop_back();
            write_entry(path);
            ++count_;
            if (fs::symlink_status(options_.from / path).type() == fs::file_type::directory) {
                push_children(pending, path);
            }
        }
        return count_;
    }

private:
    void push_children(std::vector<std::string>& pending, const std::string& path) {
        std::vector<std::string> names;
        std::error_code error;
        for (fs::directory_iterator it(options_.from / path, error), end; !error && it != end;
             it.increment(error)) {
            names.push_back(it->path().filename().string());
        }
        if (error) {
            throw diagnostic::fail(Fault::source,
                                   "cannot read " + (options_.from / path).string() + ": " + error.message());
        }
        std::sort(names.rbegin(), names.rend());
        for (const std::string& name : names) {
            pending.push_back(path.empty() ? name : path + "/" + name);
        }
    }

    void write_entry(const std::string& path) {
        const fs::path full = options_.from / path;
        struct stat status {};
        if (::lstat(full.c_str(), &status) != 0) {
            throw diagnostic::fail_system(Fault::source, "cannot read " + full.string(), errno);
        }
        if (full.filename().string().starts_with(whiteout_prefix)) {
            throw diagnostic::fail(Fault::source,
                                   full.string() + ": names that begin with .wh. mean deletion in a layer");
        }
        TarEntry entry;
        entry.path = path;
        entry.mode = static_cast<std::uint16_t>(status.st_mode & 07777);
        entry.uid = options_.keep_owner ? status.st_uid : 0;
        entry.gid = options_.keep_owner ? status.st_gid : 0;
        entry.mtime = options_.epoch;
        entry.type = type_of(status, full);
        if (entry.type == TarType::character_device || entry.type == TarType::block_device) {
            entry.device_major = major(status.st_rdev);
            entry.device_minor = minor(status.st_rdev);
        }
        if (entry.type == TarType::symlink) {
            entry.link = fs::read_symlink(full).string();
            entry.mode = 0777;
        }
        if (entry.type == TarType::regular && status.st_nlink > 1) {
            const auto [first, added] = links_.emplace(std::pair(status.st_dev, status.st_ino), path);
            if (!added) {
                entry.type = TarType::hard_link;
                entry.link = first->second;
                writer_.begin(entry);
                return;
            }
        }
        read_attributes(full, entry);
        if (entry.type == TarType::regular) {
            write_contents(full, entry);
        } else {
            writer_.begin(entry);
        }
    }

    static TarType type_of(const struct stat& status, const fs::path& full) {
        switch (status.st_mode & S_IFMT) {
        case S_IFREG:
            return TarType::regular;
        case S_IFDIR:
            return TarType::directory;
        case S_IFLNK:
            return TarType::symlink;
        case S_IFCHR:
            return TarType::character_device;
        case S_IFBLK:
            return TarType::block_device;
        case S_IFIFO:
            return TarType::fifo;
        default:
            throw diagnostic::fail(Fault::source, full.string() + " is a socket, which no image can hold")
                .help("remove it");
        }
    }

    // What can matter in a container: file capabilities and user attributes.
    static void read_attributes(const fs::path& full, TarEntry& entry) {
        std::vector<char> names(65536);
        const ssize_t length = ::llistxattr(full.c_str(), names.data(), names.size());
        std::string_view rest(names.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
        while (!rest.empty()) {
            const std::string name(rest.substr(0, rest.find('\0')));
            rest.remove_prefix(std::min(rest.size(), name.size() + 1));
            if (name != "security.capability" && !name.starts_with("user.")) {
                continue;
            }
            std::vector<char> value(65536);
            const ssize_t size = ::lgetxattr(full.c_str(), name.c_str(), value.data(), value.size());
            if (size >= 0) {
                entry.attributes[name] = std::string(value.data(), static_cast<std::size_t>(size));
            }
        }
    }

    void write_contents(const fs::path& full, TarEntry& entry) {
        const auto file = files::FileRange::open(full);
        if (!file) {
            throw diagnostic::fail(Fault::source, full.string() + " vanished while it was read");
        }
        entry.size = file->size;
        entry.extents = extents_of(*file);
        entry.sparse = entry.size != 0 && (entry.extents.size() != 1 || entry.extents[0].bytes != entry.size);
        writer_.begin(entry);
        for (const TarExtent& extent : entry.extents) {
            std::vector<std::uint8_t> buffer(unit);
            for (std::uint64_t done = 0; done < extent.bytes;) {
                const auto wanted = std::min<std::uint64_t>(unit, extent.bytes - done);
                const std::size_t got = file->read(extent.offset + done,
                                                   std::span(buffer).first(static_cast<std::size_t>(wanted)));
                writer_.data(std::span(buffer).first(got));
                done += got;
            }
        }
        writer_.end_entry();
    }

    // What is left without the units of 64 KiB that are zero, by content: the same wherever the file lies. A unit
    // that is not is mostly told by its first block; holes of the file system are not read.
    static std::vector<TarExtent> extents_of(const files::FileRange& file) {
        constexpr std::size_t block = 4096;
        std::vector<TarExtent> extents;
        std::vector<std::uint8_t> buffer(unit);
        std::uint64_t data = 0; // of the file system: where the next is
        for (std::uint64_t at = 0; at < file.size; at += unit) {
            const std::uint64_t bytes = std::min<std::uint64_t>(unit, file.size - at);
            if (data < at + bytes && data <= at) {
                const off_t next = ::lseek(file.file->get(), static_cast<off_t>(at), SEEK_DATA);
                data = next >= 0 ? static_cast<std::uint64_t>(next) : errno == ENXIO ? file.size : at;
            }
            const auto zero = [&](std::size_t first, std::size_t count) {
                const auto part = std::span(buffer).first(count);
                file.read(at + first, part);
                return files::all_zero(part);
            };
            const std::size_t head = std::min<std::size_t>(block, static_cast<std::size_t>(bytes));
            // The file's end belongs to a hole before it and is none of its own.
            const bool may_be =
                bytes == unit ||
                (at != 0 && (extents.empty() || extents.back().offset + extents.back().bytes != at));
            const bool hole =
                may_be &&
                (data >= at + bytes || (zero(0, head) && zero(head, static_cast<std::size_t>(bytes) - head)));
            if (hole) {
                continue;
            }
            if (!extents.empty() && extents.back().offset + extents.back().bytes == at) {
                extents.back().bytes += bytes;
            } else {
                extents.push_back({at, bytes});
            }
        }
        return extents;
    }

    static constexpr std::size_t unit = std::size_t{64} << 10;

    const CreateOptions& options_;
    TarWriter& writer_;
    std::map<std::pair<dev_t, ino_t>, std::string> links_;
    std::uint64_t count_ = 0;
};

// The tar as it is, read strictly on its way.
std::uint64_t copy_tar(const CreateOptions& options, LayerWriter& layer) {
    const auto archive = files::FileRange::open(options.from);
    if (!archive) {
        throw diagnostic::fail(Fault::source, options.from.string() + " does not exist");
    }
    std::uint64_t entries = 0;
    try {
        Decoder decoder(*archive, Decoder::detect(*archive));
        std::uint64_t packed = 0;
        TarReader reader(
            [&] {
                const auto run = decoder.next();
                layer.write(run);
                packed += run.size();
                if (options.progress) {
                    options.progress("pack", packed, 0);
                }
                return run;
            },
            Limits{});
        TarEntry entry;
        while (reader.next(entry)) {
            ++entries;
        }
    } catch (const TarError& error) {
        throw diagnostic::fail(Fault::source, options.from.string() + ": " + error.what())
            .help("give a directory or a tar file");
    } catch (const DecodeError& error) {
        throw diagnostic::fail(Fault::source, options.from.string() + ": " + error.what());
    }
    return entries;
}

std::string rfc3339(std::int64_t epoch) {
    const std::time_t seconds = epoch;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                  parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}

json config_of(const CreateOptions& options, const files::Digest& diff_id) {
    json run = json::object();
    const auto set = [&run](const char* key, const auto& value) {
        if (!value.empty()) {
            run[key] = value;
        }
    };
    set("Entrypoint", options.entrypoint);
    set("Cmd", options.cmd);
    set("Env", options.env);
    set("Labels", options.labels);
    set("User", options.user);
    set("WorkingDir", options.working_dir);
    set("StopSignal", options.stop_signal);
    const std::string created = rfc3339(options.epoch);
    return {{"created", created},
            {"architecture", options.architecture},
            {"os", "linux"},
            {"config", run},
            {"rootfs", {{"type", "layers"}, {"diff_ids", {diff_id.text()}}}},
            {"history", {{{"created", created}, {"created_by", "caisson image create"}}}}};
}

json put_blob(const fs::path& blobs, const char* media_type, const json& document) {
    const std::string text = document.dump();
    const files::Digest digest = files::sha256(text);
    write_file(blobs / digest.hex(), text);
    return {{"mediaType", media_type}, {"digest", digest.text()}, {"size", text.size()}};
}

json existing_index(const fs::path& layout) {
    const auto file = files::FileRange::open(layout / "index.json");
    if (!file) {
        return {{"schemaVersion", 2}, {"manifests", json::array()}};
    }
    const Limits limits;
    const std::string what = (layout / "index.json").string();
    if (file->size > limits.json_bytes) {
        throw diagnostic::fail(Fault::output, what + " is not an index: it is too large");
    }
    std::string text(static_cast<std::size_t>(file->size), '\0');
    file->read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    json index = parse_json(text, what, limits);
    if (!index.is_object() || !index["manifests"].is_array()) {
        throw diagnostic::fail(Fault::output, what + " is not an index");
    }
    return index;
}

void prepare_layout(const fs::path& layout) {
    std::error_code error;
    const auto status = fs::status(layout, error);
    if (fs::exists(status) && !fs::is_directory(status)) {
        throw diagnostic::fail(Fault::output, layout.string() + " exists and is not a directory");
    }
    if (fs::is_directory(status) && !fs::is_empty(layout, error) && !fs::exists(layout / "oci-layout")) {
        throw diagnostic::fail(Fault::output, layout.string() + " exists and is not an OCI layout")
            .help("name a new directory");
    }
    fs::create_directories(layout / "blobs" / "sha256", error);
    if (error) {
        throw diagnostic::fail("E0602", "cannot make " + layout.string() + ": " + error.message());
    }
    write_file(layout / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
}

} // namespace

CreatedImage create_image(const CreateOptions& options) {
    if (options.to.transport != Transport::layout) {
        throw diagnostic::fail(Fault::output, options.to.text() + ": images are created as layouts")
            .help("write oci:DIR[:TAG]");
    }
    std::error_code error;
    const bool from_directory = fs::is_directory(options.from, error);
    if (!fs::exists(options.from, error)) {
        throw diagnostic::fail(Fault::source, options.from.string() + " does not exist")
            .help("give a directory or a tar file");
    }
    const fs::path layout = options.to.path;
    prepare_layout(layout);
    const fs::path blobs = layout / "blobs" / "sha256";
    const fs::path unnamed = blobs / (".layer-" + std::to_string(::getpid()));

    CreatedImage created;
    created.reference = options.to;
    if (created.reference.tag.empty()) {
        created.reference.tag = "latest";
    }
    LayerWriter::Result layer;
    try {
        LayerWriter writer(unnamed, options.compress);
        if (from_directory) {
            std::uint64_t packed = 0;
            TarWriter tar([&](std::span<const std::uint8_t> data) {
                writer.write(data);
                packed += data.size();
                if (options.progress) {
                    options.progress("pack", packed, 0);
                }
            });
            created.entries = DirectoryReader(options, tar).write();
            tar.finish();
        } else {
            created.entries = copy_tar(options, writer);
        }
        layer = writer.finish();
    } catch (...) {
        fs::remove(unnamed, error);
        throw;
    }
    fs::rename(unnamed, blobs / layer.blob.hex());
    created.layer = layer.blob;
    created.layer_bytes = layer.bytes;

    const json config = put_blob(blobs, config_type, config_of(options, layer.diff_id));
    const json layer_descriptor = {{"mediaType", std::string(layer_type) + (options.compress ? "+gzip" : "")},
                                   {"digest", layer.blob.text()},
                                   {"size", layer.bytes}};
    json descriptor = put_blob(blobs, manifest_type,
                               {{"schemaVersion", 2},
                                {"mediaType", manifest_type},
                                {"config", config},
                                {"layers", json::array({layer_descriptor})}});
    created.manifest = *files::Digest::parse(descriptor["digest"].get<std::string>());
    descriptor["platform"] = {{"os", "linux"}, {"architecture", options.architecture}};
    descriptor["annotations"] = {{tag_annotation, created.reference.tag}};

    json index = existing_index(layout);
    json manifests = json::array();
    for (const json& item : index["manifests"]) {
        const JsonObject object(item, (layout / "index.json").string());
        const auto annotations = object.pairs("annotations");
        if (std::find(annotations.begin(), annotations.end(),
                      std::pair<std::string, std::string>(tag_annotation, created.reference.tag)) ==
            annotations.end()) {
            manifests.push_back(item);
        }
    }
    manifests.push_back(descriptor);
    index["manifests"] = manifests;
    write_file(layout / "index.json", index.dump());
    return created;
}

} // namespace oci
