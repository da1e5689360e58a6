// SPDX-License-Identifier: Apache-2.0
// image-tools/build/build.cpp - from a manifest to a signed bundle and its loader ELF.
#include "image-tools/build/build.hpp"

#include "image-tools/build/network.hpp"

#include "image-tools/build/embedded_bill.hpp"
#include "image-tools/build/kept_build.hpp"
#include "image-tools/build/media.hpp"
#include "image-tools/build/meta.hpp"
#include "image-tools/build/roots.hpp"
#include "image-tools/build/stopwatch.hpp"
#include "image-tools/build/uplink.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/reference.hpp"
#include "image-tools/trust/gather.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdlib.h>
#include <unistd.h>

namespace build {
namespace {

constexpr std::uint64_t largest_kernel = std::uint64_t{1} << 30;
constexpr std::uint64_t largest_module = std::uint64_t{1} << 31;

std::string counted(std::uint64_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

void done(const Observer& observer, std::string_view name, const std::string& detail, double seconds) {
    if (observer.step)
        observer.step(name, detail, seconds);
}

// With --locked an image is also signed by who the lock file says.
void expect_signer(const registry::ImagesOptions& how, const oci::Reference& reference,
                   const trust::Verdict& verdict) {
    const registry::Pin* pin = how.lock ? how.lock->find(reference.text(), how.platform.text()) : nullptr;
    if (!how.locked || pin == nullptr || pin->signed_by == verdict.key)
        return;
    const auto who = [](const std::string& key) { return key.empty() ? std::string("nobody") : key; };
    throw diagnostic::fail("E0509", reference.text() + " is not signed by who the lock file says")
        .notes({"pinned " + who(pin->signed_by), "found  " + who(verdict.key)})
        .help("if that is meant: caisson lock");
}

void open_image(const manifest::Manifest& manifest, registry::Images& images,
                const std::optional<trust::Policy>& policy, PreparedPartition& out) {
    const auto& image = *out.partition->image;
    try {
        std::vector<std::string> notes;
        const oci::Reference reference = oci::parse_reference(image.value);
        out.image = images.open_pinned(reference, manifest.directory, notes);
        if (policy) {
            out.verdict =
                trust::judge_image(*policy, reference.resolved_from(manifest.directory), *out.image, images);
            expect_signer(images.options(), reference, *out.verdict);
        }
        for (const std::string& note : notes)
            out.notes.push_back("'" + out.partition->name + "': " + note);
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
    for (const std::string& note : item.image->notes())
        item.notes.push_back(who + note);
    if (!config.exposed_ports.empty())
        item.notes.push_back(who + "the image's EXPOSE (" + listed(config.exposed_ports) +
                             ") has no effect: who reaches which port is said by network.allow");
    if (!config.volumes.empty())
        item.notes.push_back(who + "the image's VOLUME (" + listed(config.volumes) +
                             ") is a directory of the root: nothing outlives the partition");
    if (config.health_check)
        item.notes.push_back(who + "the image's HEALTHCHECK has no effect; write what it asks as health:");
    constexpr unsigned most_cpus = 64; // of the unikernel
    if (item.partition->cpus > most_cpus)
        item.warnings.push_back(who + "of its " + std::to_string(item.partition->cpus) +
                                " CPUs the unikernel uses 64; write: cpus: 64");
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
    if (out.partition->stop_signal)
        out.content.stop_signal = manifest::signal_number(out.partition->stop_signal->value).value();
    if (out.partition->module)
        out.content.module_bytes = open_module(manifest, *out.partition).size;
}

} // namespace

const std::string& PreparedPartition::source() const {
    return partition->image    ? partition->image->value
           : partition->kernel ? partition->kernel->value
                               : uplink_elf;
}

std::optional<trust::Policy> policy_of(const manifest::Manifest& manifest) {
    if (!manifest.trust)
        return std::nullopt;
    try {
        return trust::Policy::load(manifest.resolve(manifest.trust->value));
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(manifest.trust->spot));
    }
}

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

namespace {

// Images opened and verified, kernels read.
Prepared open_all(const manifest::Manifest& manifest, const bundle::Library& library,
                  const registry::ImagesOptions& images_options, const Observer& observer) {
    Stopwatch watch;
    Prepared prepared;
    registry::ImagesOptions how = images_options;
    how.progress = observer.progress;
    registry::Images source(std::move(how));
    const std::optional<trust::Policy> policy = policy_of(manifest);
    std::uint64_t images = 0;
    for (const manifest::Partition& partition : manifest.partitions) {
        PreparedPartition item;
        item.partition = &partition;
        item.content.partition = &partition;
        if (partition.kernel) {
            read_own_kernel(manifest, item);
        } else if (partition.is_uplink) {
            item.kernel = bundle::loadable_part(library.elf(uplink_elf));
            read_kernel(item.kernel, uplink_elf, item.content);
            item.content.startup = encode_uplink(manifest);
        } else {
            open_image(manifest, source, policy, item);
            note_what_is_ignored(item);
            ++images;
        }
        prepared.partitions.push_back(std::move(item));
    }
    for (PreparedPartition& item : prepared.partitions) {
        if (!item.image)
            continue;
        const bool networked = is_networked(manifest, *item.partition);
        const std::string name = networked ? "unikernel-net.elf" : "unikernel.elf";
        std::string& elf = networked ? prepared.networked_unikernel : prepared.unikernel;
        if (elf.empty())
            elf = bundle::loadable_part(library.elf(name));
        read_kernel(elf, name, item.content);
    }
    done(observer, "resolve",
         counted(images, "image", "images") + ", " +
             counted(manifest.partitions.size(), "partition", "partitions") +
             (source.fetched_bytes() > 0 ? ", " + manifest::size_text(source.fetched_bytes()) + " fetched"
                                         : ""),
         watch.lap());
    return prepared;
}

} // namespace

Prepared prepare(const manifest::Manifest& manifest, const bundle::Library& library,
                 const registry::ImagesOptions& images, const RootTarget& target, const Observer& observer) {
    Prepared prepared = open_all(manifest, library, images, observer);
    add_roots(manifest, prepared, target, observer);
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
    std::uint32_t unikernel = plan::no_section, networked = plan::no_section;
    if (!prepared.unikernel.empty())
        unikernel = add(section(SectionType::kernel, bundle::no_partition, "unikernel", prepared.unikernel));
    if (!prepared.networked_unikernel.empty())
        networked = add(section(SectionType::kernel, bundle::no_partition, "unikernel-net",
                                prepared.networked_unikernel));
    // Roots next: add_roots() has written them where they come to lie, each once. One that several have belongs to none.
    std::map<files::Digest, std::uint32_t> roots;
    for (std::uint32_t i = 0; i < prepared.partitions.size(); ++i) {
        PreparedPartition& item = prepared.partitions[i];
        item.content.kernel_section = is_networked(manifest, *item.partition) ? networked : unikernel;
        if (!item.image)
            continue;
        const auto [known, first] = roots.try_emplace(item.image->manifest_digest(), 0);
        if (first) {
            bundle::SectionInput root{SectionType::root,
                                      users_of(prepared, item) > 1 ? bundle::no_partition : i,
                                      item.partition->name.substr(0, 26) + ".root",
                                      {},
                                      std::nullopt,
                                      item.content.root_bytes};
            if (item.root)
                root.file = item.root->content();
            known->second = add(std::move(root));
        }
        item.content.root_section = known->second;
    }
    std::vector<PartitionContent> contents;
    for (std::uint32_t i = 0; i < prepared.partitions.size(); ++i) {
        PreparedPartition& item = prepared.partitions[i];
        const std::string name = item.partition->name.substr(0, 24);
        if (!item.partition->image)
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
    const std::string meta = meta_text(manifest, prepared);
    add(section(SectionType::meta, bundle::no_partition, "meta", meta));
    // Of roots that are known only by their keys there is none: then nothing is written, and it follows from the rest.
    const bool there = std::none_of(prepared.partitions.begin(), prepared.partitions.end(),
                                    [](const PreparedPartition& item) { return item.image && !item.root; });
    if (prepared.with_bill && there)
        add(section(SectionType::sbom, bundle::no_partition, "sbom", embedded_bill(manifest, out, meta)));
    return out;
}

bundle::SigningKey signing_key(const manifest::Manifest& manifest, bool& made) {
    made = false;
    if (!manifest.signing.key)
        return bundle::SigningKey::development(made);
    try {
        const std::string& key = manifest.signing.key->value;
        return bundle::SigningKey::load(bundle::is_token_uri(key) ? std::filesystem::path(key)
                                                                  : manifest.resolve(key));
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(manifest.signing.key->spot));
    }
}

bundle::KeyTable trusted_keys(const manifest::Manifest& manifest, const bundle::SigningKey& key,
                              const bundle::PolicyMark& policy) {
    const manifest::Signing& signing = manifest.signing;
    bundle::KeyTable table = bundle::empty_keys();
    std::size_t used = 0;
    const auto add = [&](const bundle::PublicKey& public_key, std::uint32_t purpose, std::uint32_t flags) {
        for (const bundle::KeySlot& slot : table.slots) {
            if (slot.purpose == 0 || slot.public_key != public_key)
                continue;
            if (slot.purpose == purpose && ((slot.flags ^ flags) & bundle::key_revoked) == 0)
                return;
            throw diagnostic::fail("E0516", "the key " + bundle::fingerprint(public_key) +
                                                " stands in two lists of 'signing'")
                .help("a key is there for one thing: two signatures are two people's");
        }
        table.slots.at(used++) = bundle::slot(purpose, flags, manifest.security_version, public_key);
    };
    const auto add_all = [&](const manifest::Signing::Keys& files, std::uint32_t purpose,
                             std::uint32_t flags) {
        for (const auto& file : files)
            try {
                add(bundle::load_public_key(manifest.resolve(file.value)), purpose, flags);
            } catch (diagnostic::Failure& failure) {
                throw failure.at_if_nowhere(manifest.source.place(file.spot));
            }
    };
    std::uint32_t flags = 0;
    if (signing.demand_policy != manifest::PolicyDemand::none)
        flags |= bundle::key_policy_set;
    if (signing.demand_policy == manifest::PolicyDemand::met)
        flags |= bundle::key_policy_met;
    add(key.public_key(), bundle::purpose_bundle,
        flags | (key.is_development() ? bundle::key_development : 0));
    add_all(signing.trusted, bundle::purpose_bundle, flags);
    for (bundle::KeySlot& slot : table.slots)
        if (slot.purpose != 0) {
            slot.required = (signing.approve.empty() ? 0 : bundle::purpose_approve) |
                            (signing.vendor.empty() ? 0 : bundle::purpose_vendor);
            if (flags != 0)
                slot.policy_set = policy.set;
        }
    add_all(signing.approve, bundle::purpose_approve, 0);
    add_all(signing.vendor, bundle::purpose_vendor, 0);
    add_all(signing.revoked, bundle::purpose_bundle, bundle::key_revoked);
    return table;
}

std::optional<disk::Signer> secure_boot_signer(const manifest::Manifest& manifest) {
    const auto& wanted = manifest.signing.secure_boot;
    if (!wanted)
        return std::nullopt;
    try {
        return disk::Signer::load(manifest.resolve(wanted->key.value),
                                  manifest.resolve(wanted->certificate.value));
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(manifest.source.place(wanted->key.spot));
    }
}

namespace {

// All that bundle and loader are made of: equal hashes, equal files.
std::string inputs_hash(const bundle::BundleInfo& info, const Prepared& prepared,
                        const BundleContent& content, const bundle::PublicKey& key,
                        const std::string& loader) {
    files::Sha256 hash;
    const auto add = [&hash](const std::string& word) {
        hash.update(files::bytes_of(std::to_string(word.size()) + ":" + word));
    };
    for (const std::string& word :
         {bundle::build_id(), info.name, info.version, std::to_string(info.security_version),
          std::to_string(info.build_epoch), files::hex(key), files::sha256(std::string_view(loader)).hex(),
          files::hex(info.policy.set), std::to_string(info.policy.marks)})
        add(word);
    for (const bundle::Countersignature& one : info.countersignatures)
        add(files::hex(one.signature));
    for (const PreparedPartition& item : prepared.partitions)
        add(item.root_key);
    add(prepared.with_bill ? "sbom" : "");
    for (const bundle::SectionInput& section : content.sections) {
        if (section.type == bundle::SectionType::sbom)
            continue; // follows from the others
        add(std::to_string(static_cast<std::uint32_t>(section.type)));
        add(std::to_string(section.partition));
        add(section.name);
        add(std::to_string(section.size));
        if (section.type != bundle::SectionType::root) // those are named by their keys
            add(section.file ? section.file->digest().hex()
                             : files::sha256(std::string_view(section.bytes)).hex());
    }
    return hash.finish().hex();
}

void take_messages(const Prepared& prepared, BuildResult& result) {
    for (const PreparedPartition& item : prepared.partitions) {
        result.warnings.insert(result.warnings.end(), item.warnings.begin(), item.warnings.end());
        result.notes.insert(result.notes.end(), item.notes.begin(), item.notes.end());
    }
}

std::string plan_detail(const Prepared& prepared, const BundleContent& content) {
    return counted(prepared.partitions.size(), "partition", "partitions") + ", " +
           manifest::size_text(content.table.size()) + " table";
}

// Whether the files are what this build would write; then the result is filled in from them.
bool is_unchanged(const manifest::Manifest& manifest, Prepared prepared, const BuildOptions& options,
                  const bundle::BundleInfo& info, const std::string& loader, BuildResult& result) {
    auto kept = KeptBuild::of(result.bundle, result.elf);
    if (!kept || !options.media.empty())
        return false;
    Stopwatch watch;
    try {
        add_roots(manifest, prepared, std::monostate{}, {});
    } catch (const RootsAreNotKnown&) {
        return false;
    }
    const double roots_known = watch.lap();
    const BundleContent content = bundle_content(manifest, prepared);
    if (kept->inputs != inputs_hash(info, prepared, content, result.key, loader))
        return false;
    const bundle::FileSource file(result.bundle);
    const bundle::BundleSummary summary = bundle::summarize(file.source(), result.bundle.string());
    result.unchanged = true;
    result.written = {summary.header.total_size, summary.header.bundle_id, summary.shapes()};
    take_messages(prepared, result);
    if (options.digests && kept->bundle_sha256.empty()) {
        kept->bundle_sha256 = files::digest_of(result.bundle).hex();
        kept->elf_sha256 = files::digest_of(result.elf).hex();
        kept->keep(result.bundle, result.elf);
    }
    result.bundle_sha256 = kept->bundle_sha256;
    result.elf_sha256 = kept->elf_sha256;
    if (std::any_of(prepared.partitions.begin(), prepared.partitions.end(),
                    [](const PreparedPartition& item) { return item.image.has_value(); }))
        done(options.observer, "flatten", "known from before", roots_known);
    done(options.observer, "plan", plan_detail(prepared, content), watch.lap());
    done(options.observer, "bundle", manifest::size_text(result.written.total_size) + ", unchanged",
         watch.lap());
    return true;
}

} // namespace

BuildResult build(const manifest::Manifest& manifest, const bundle::Library& library,
                  const BuildOptions& options) {
    BuildResult result;
    result.bill = options.bill;
    result.policy = options.policy;
    result.approvals = options.approvals;
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
    bundle::KeyTable keys = trusted_keys(manifest, key, options.policy);
    if (options.for_here)
        for (bundle::KeySlot& slot : keys.slots)
            slot.required = 0;
    bundle::set_keys(loader, keys);

    const std::optional<disk::Signer> signer =
        options.media.empty() ? std::nullopt : secure_boot_signer(manifest);

    files::AtomicFile bundle_file(result.bundle);
    Prepared prepared = open_all(manifest, library, options.images, options.observer);
    prepared.with_bill = options.bill;
    bundle::BundleInfo info{manifest.name, manifest.version, manifest.security_version,
                            static_cast<std::uint64_t>(source_date_epoch().value_or(0)), options.policy};
    for (const trust::Approval& approval : options.approvals)
        info.countersignatures.push_back(approval.signature);
    if (options.board == nullptr && is_unchanged(manifest, prepared, options, info, loader, result))
        return result;
    add_roots(manifest, prepared, &bundle_file, options.observer);
    take_messages(prepared, result);

    Stopwatch watch;
    const BundleContent content = bundle_content(manifest, prepared);
    std::uint64_t total_size = 0;
    const std::vector<bundle::SectionShape> shapes = bundle::layout_sections(content.sections, total_size);
    if (total_size <= bundle::max_total_size) // else write_bundle says so
        if (const AssumedMachine machine =
                machine_for(options.board, loader, content.table, shapes, total_size);
            !machine.bound)
            throw diagnostic::Failure(diagnose(manifest, machine));
    done(options.observer, "plan", plan_detail(prepared, content), watch.lap());

    files::AtomicFile elf_file(result.elf);
    result.written =
        bundle::write_bundle(bundle_file, info, content.sections, key, options.observer.progress);
    for (const trust::Approval& approval : options.approvals)
        approval.expect(result.written.id);
    elf_file.write(files::bytes_of(loader));
    elf_file.commit(0644);
    bundle_file.commit(0644);
    if (options.digests) {
        result.bundle_sha256 = files::digest_of(result.bundle).hex();
        result.elf_sha256 = files::digest_of(result.elf).hex();
    }
    KeptBuild{inputs_hash(info, prepared, content, result.key, loader),
              state_of(result.bundle).value_or(FileState{}), state_of(result.elf).value_or(FileState{}),
              result.bundle_sha256, result.elf_sha256}
        .keep(result.bundle, result.elf);
    for (const std::filesystem::path& medium : options.media) {
        write_medium(medium, {manifest.name + ".bundle", result.bundle, result.written.id,
                              signer ? &*signer : nullptr, source_date_epoch().value_or(0), loader, library,
                              manifest.machine.slots, manifest.machine.data_bytes});
        result.media.push_back(medium);
    }
    done(options.observer, "bundle",
         manifest::size_text(result.written.total_size) + ", signed " + bundle::fingerprint(result.key) +
             " version " + std::to_string(manifest.security_version),
         watch.lap());
    return result;
}

} // namespace build
