// SPDX-License-Identifier: Apache-2.0
// image-tools/build/build.cpp - from a manifest to a signed bundle and its loader ELF.
#include "image-tools/build/build.hpp"

#include "image-tools/build/meta.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/reference.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdlib.h>
#include <unistd.h>

namespace build {
namespace {

constexpr std::uint64_t largest_kernel = std::uint64_t{1} << 30;
constexpr std::uint64_t largest_module = std::uint64_t{1} << 31;

std::uint64_t page_up(std::uint64_t value) {
    return (value + 4095) / 4096 * 4096;
}

class Stopwatch {
public:
    [[nodiscard]] double lap() {
        const auto now = std::chrono::steady_clock::now();
        const std::chrono::duration<double> passed = now - start_;
        start_ = now;
        return passed.count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string counted(std::uint64_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

void done(const Observer& observer, std::string_view name, const std::string& detail, double seconds) {
    if (observer.step)
        observer.step(name, detail, seconds);
}

void open_image(const manifest::Manifest& manifest, PreparedPartition& out) {
    const auto& image = *out.partition->image;
    try {
        out.image = oci::Image::open(oci::parse_reference(image.value).resolved_from(manifest.directory));
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(image.spot));
    }
}

// What an image asks of its runtime and this version does not do.
void note_what_is_ignored(PreparedPartition& item) {
    const oci::ImageConfig& config = item.image->config();
    const std::string who = "'" + item.partition->name + "': ";
    const auto listed = [](const std::vector<std::string>& words) {
        std::string out;
        for (const std::string& word : words)
            out += (out.empty() ? "" : ", ") + oci::printable(word);
        return out;
    };
    if (!config.exposed_ports.empty())
        item.notes.push_back(who + "the image's EXPOSE (" + listed(config.exposed_ports) +
                             ") has no effect: there is no network yet");
    if (!config.volumes.empty())
        item.notes.push_back(who + "the image's VOLUME (" + listed(config.volumes) +
                             ") has no effect: nothing outlives the partition");
    if (config.health_check)
        item.notes.push_back(
            who + "the image's HEALTHCHECK has no effect; watchdog: notices a partition that hangs");
    if (item.partition->cpus > 1)
        item.warnings.push_back(who + "of its " + std::to_string(item.partition->cpus) +
                                " CPUs the unikernel uses one; write: cpus: 1");
}

files::FileRange open_module(const manifest::Manifest& manifest, const manifest::Partition& partition) {
    const std::filesystem::path module = manifest.resolve(partition.module->value);
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(module, error);
    if (error || size == 0 || size > largest_module)
        throw diagnostic::fail("E0601", "cannot use the module " + module.string() + ": " +
                                            (error ? error.message() : "it is empty or larger than 2 GiB"))
            .at(manifest.source.place(partition.module->spot));
    return files::FileRange::open(module).value();
}

void read_own_kernel(const manifest::Manifest& manifest, PreparedPartition& out) {
    const auto& kernel = *out.partition->kernel;
    try {
        out.kernel = files::read_file(manifest.resolve(kernel.value), largest_kernel);
        read_kernel(out.kernel, kernel.value, out.content);
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(kernel.spot));
    }
    if (out.partition->module)
        out.content.module_bytes = open_module(manifest, *out.partition).size;
}

std::size_t section_count(const Prepared& prepared) {
    std::size_t count = 3; // leaves, table, meta
    count += prepared.unikernel.empty() ? 0 : 1;
    for (const PreparedPartition& item : prepared.partitions)
        count += item.image || !item.partition->module ? 1 : 2;
    return count;
}

// Flattens the images of all partitions, each image once. In a bundle, roots lie one after the other in the order
// of the partitions; room is left for the second copy of an image that two have.
void flatten(const manifest::Manifest& manifest, Prepared& prepared, const RootTarget& target,
             const Observer& observer) {
    Stopwatch watch;
    std::map<files::Digest, std::shared_ptr<const rootfs::RootImage>> roots;
    rootfs::BuildOptions options;
    options.epoch = source_date_epoch();
    options.progress = observer.progress;
    std::uint64_t files = 0, whiteouts = 0, bytes = 0;
    files::AtomicFile* const* const into = std::get_if<files::AtomicFile*>(&target);
    std::uint64_t offset =
        page_up(bundle::first_section_offset(section_count(prepared)) + prepared.unikernel.size());
    for (PreparedPartition& item : prepared.partitions) {
        if (!item.image)
            continue;
        auto& root = roots[item.image->manifest_digest()];
        if (!root) {
            try {
                root = std::make_shared<rootfs::RootImage>(
                    into != nullptr
                        ? rootfs::RootImage::build(*item.image, (*into)->handle(), (*into)->name(), offset,
                                                   options)
                        : rootfs::RootImage::build(*item.image,
                                                   std::get<std::filesystem::path>(target) /
                                                       ("root-" + std::to_string(roots.size()) + ".erofs"),
                                                   options));
            } catch (diagnostic::Failure& failure) {
                throw failure.at_if_nowhere(manifest.source.place(item.partition->image->spot));
            }
            files += root->statistics().inodes;
            whiteouts += root->statistics().whiteouts;
            bytes += root->size();
        }
        offset += root->size();
        item.root = root;
        item.content.root_bytes = root->size();
        item.startup = resolve_startup(manifest, *item.partition, item.image->config(), *root);
        item.content.startup = encode(*item.startup, item.partition->name);
        if (const std::string problem = start_problem(*item.startup, *root); !problem.empty())
            item.warnings.push_back("'" + item.partition->name + "': " + problem);
    }
    if (!roots.empty())
        done(observer, "flatten",
             counted(files, "file", "files") + ", " + counted(whiteouts, "whiteout", "whiteouts") + ", " +
                 manifest::size_text(bytes) + " of root images",
             watch.lap());
}

} // namespace

std::optional<std::int64_t> source_date_epoch() {
    const char* text = std::getenv("SOURCE_DATE_EPOCH");
    if (text == nullptr || text[0] == '\0')
        return std::nullopt;
    std::int64_t value = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error != std::errc{} || stop != end || value < 0)
        throw diagnostic::fail("E0101",
                               "SOURCE_DATE_EPOCH is '" + std::string(text) + "', not a number of seconds");
    return value;
}

WorkFolder::WorkFolder(const std::filesystem::path& parent) {
    std::string name = (parent / ".caisson-work-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw diagnostic::fail("E0602",
                               "cannot make a folder in " + parent.string() + ": " + std::strerror(errno))
            .help("choose another place with -o");
    path_ = name;
    scratch_.emplace(path_);
}

Prepared prepare(const manifest::Manifest& manifest, const bundle::Library& library, const RootTarget& target,
                 const Observer& observer) {
    Stopwatch watch;
    Prepared prepared;
    PartitionContent unikernel;
    std::uint64_t images = 0;
    for (const manifest::Partition& partition : manifest.partitions) {
        PreparedPartition item;
        item.partition = &partition;
        item.content.partition = &partition;
        if (partition.kernel) {
            read_own_kernel(manifest, item);
        } else {
            open_image(manifest, item);
            note_what_is_ignored(item);
            ++images;
            item.content.root_bytes = 4096;
        }
        prepared.partitions.push_back(std::move(item));
    }
    if (images > 0) {
        prepared.unikernel = bundle::loadable_part(library.elf("unikernel.elf"));
        read_kernel(prepared.unikernel, "unikernel.elf", unikernel);
        for (PreparedPartition& item : prepared.partitions)
            if (item.image)
                item.content.kernel = unikernel.kernel;
    }
    done(observer, "resolve",
         counted(images, "image", "images") + ", " +
             counted(manifest.partitions.size(), "partition", "partitions"),
         watch.lap());
    if (!std::holds_alternative<std::monostate>(target))
        flatten(manifest, prepared, target, observer);
    return prepared;
}

bundle::AuditPublicKey audit_key(const manifest::Manifest& manifest) {
    if (!manifest.signing.audit_key)
        return {};
    try {
        return bundle::load_audit_public_key(manifest.resolve(manifest.signing.audit_key->value));
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(manifest.signing.audit_key->spot));
    }
}

BundleContent bundle_content(const manifest::Manifest& manifest, Prepared& prepared) {
    using bundle::SectionType;
    BundleContent out;
    const auto add = [&](bundle::SectionInput input) {
        out.sections.push_back(std::move(input));
        return static_cast<std::uint32_t>(out.sections.size() - 1) + bundle::first_input_section;
    };
    std::uint32_t unikernel = plan::no_section;
    if (!prepared.unikernel.empty())
        unikernel = add(section(SectionType::kernel, bundle::no_partition, "unikernel", prepared.unikernel));
    // Roots next: flatten() has written them where they come to lie.
    for (std::uint32_t i = 0; i < prepared.partitions.size(); ++i) {
        PreparedPartition& item = prepared.partitions[i];
        item.content.kernel_section = unikernel;
        if (item.root)
            item.content.root_section = add(bundle::section_of_file(
                SectionType::root, i, item.partition->name.substr(0, 26) + ".root", item.root->content()));
        else if (item.image) // only checked: any number will do
            item.content.root_section = bundle::first_input_section;
    }
    std::vector<PartitionContent> contents;
    for (std::uint32_t i = 0; i < prepared.partitions.size(); ++i) {
        PreparedPartition& item = prepared.partitions[i];
        const std::string name = item.partition->name.substr(0, 24);
        if (item.partition->kernel)
            item.content.kernel_section = add(section(SectionType::kernel, i, name + ".kernel", item.kernel));
        if (item.partition->module)
            item.content.module_section = add(bundle::section_of_file(
                SectionType::module, i, name + ".module", open_module(manifest, *item.partition)));
        contents.push_back(item.content);
    }
    out.table = make_table(manifest, contents, audit_key(manifest));
    std::string bytes(out.table.size(), '\0');
    std::memcpy(bytes.data(), out.table.data(), out.table.size());
    add(section(SectionType::table, bundle::no_partition, "table", std::move(bytes)));
    add(section(SectionType::meta, bundle::no_partition, "meta", meta_text(manifest, prepared)));
    return out;
}

bundle::SigningKey signing_key(const manifest::Manifest& manifest, bool& made) {
    made = false;
    if (!manifest.signing.key)
        return bundle::SigningKey::development(made);
    try {
        return bundle::SigningKey::load(manifest.resolve(manifest.signing.key->value));
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(manifest.signing.key->spot));
    }
}

bundle::KeyTable trusted_keys(const manifest::Manifest& manifest, const bundle::SigningKey& key) {
    bundle::KeyTable table = bundle::empty_keys();
    std::size_t used = 0;
    const auto add = [&](const bundle::PublicKey& public_key, std::uint32_t flags) {
        for (std::size_t i = 0; i < used; ++i)
            if (table.slots[i].public_key == public_key)
                return;
        table.slots[used++] = {bundle::purpose_bundle, flags, manifest.security_version, public_key, {}};
    };
    add(key.public_key(), key.is_development() ? bundle::key_development : 0);
    for (const auto& file : manifest.signing.trusted) {
        try {
            add(bundle::load_public_key(manifest.resolve(file.value)), 0);
        } catch (diagnostic::Failure& failure) {
            throw failure.at_if_nowhere(manifest.source.place(file.spot));
        }
    }
    return table;
}

BuildResult build(const manifest::Manifest& manifest, const bundle::Library& library,
                  const BuildOptions& options) {
    BuildResult result;
    result.bundle = options.bundle;
    result.elf =
        options.elf.empty() ? std::filesystem::path(options.bundle).replace_extension(".elf") : options.elf;
    if (result.elf == result.bundle)
        throw diagnostic::fail("E0102", "the bundle cannot be called " + result.bundle.string())
            .help("its loader goes beside it with the ending .elf: choose for example NAME.bundle");
    std::string loader = library.elf("caisson.elf");
    const bundle::SigningKey key = signing_key(manifest, result.development_key_made);
    result.key = key.public_key();
    result.development = key.is_development();
    bundle::set_keys(loader, trusted_keys(manifest, key));

    files::AtomicFile bundle_file(result.bundle);
    Prepared prepared = prepare(manifest, library, &bundle_file, options.observer);
    for (const PreparedPartition& item : prepared.partitions) {
        result.warnings.insert(result.warnings.end(), item.warnings.begin(), item.warnings.end());
        result.notes.insert(result.notes.end(), item.notes.begin(), item.notes.end());
    }

    Stopwatch watch;
    const auto [sections, table] = bundle_content(manifest, prepared);
    std::uint64_t total_size = 0;
    const std::vector<bundle::SectionShape> shapes = bundle::layout_sections(sections, total_size);
    if (total_size <= bundle::max_total_size) // else write_bundle says so
        if (const AssumedMachine machine = assume_machine(table, shapes, total_size); !machine.bound)
            throw diagnostic::Failure(diagnose(manifest, machine.issue));
    const std::string size_text = manifest::size_text(table.size()) + " table";
    done(options.observer, "plan",
         counted(prepared.partitions.size(), "partition", "partitions") + ", " + size_text, watch.lap());

    files::AtomicFile elf_file(result.elf);
    const bundle::BundleInfo info{manifest.name, manifest.version, manifest.security_version,
                                  static_cast<std::uint64_t>(source_date_epoch().value_or(0))};
    result.written = bundle::write_bundle(bundle_file, info, sections, key, options.observer.progress);
    elf_file.write(files::bytes_of(loader));
    elf_file.commit(0644);
    bundle_file.commit(0644);
    done(options.observer, "bundle",
         manifest::size_text(result.written.total_size) + ", signed " + bundle::fingerprint(result.key) +
             " version " + std::to_string(manifest.security_version),
         watch.lap());
    return result;
}

} // namespace build
