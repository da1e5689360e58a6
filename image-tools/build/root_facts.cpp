// SPDX-License-Identifier: Apache-2.0
// image-tools/build/root_facts.cpp - what plan and start depend on of an image's root.
#include "image-tools/build/root_facts.hpp"

#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/files/cache_place.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/rootfs/root_image.hpp"
#include "image-tools/sbom/bundle_bill.hpp"

#include <nlohmann/json.hpp>

namespace build {
namespace {

using Json = nlohmann::json;

constexpr const char* facts_folder = "root-facts"; // beside `roots`, where the scripts unpack packages

Json json_of(const std::optional<std::string>& text) {
    return text ? Json(*text) : Json();
}

std::optional<std::string> text_of(const Json& value) {
    return value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
}

Json json_of(const std::optional<Program>& program) {
    return program ? Json::array(
                         {program->kind, program->mode, program->user, program->group, program->interpreter})
                   : Json();
}

std::optional<Program> program_of(const Json& value) {
    if (value.is_null())
        return std::nullopt;
    return Program{value.at(0).get<Program::Kind>(), value.at(1).get<std::uint16_t>(),
                   value.at(2).get<std::uint32_t>(), value.at(3).get<std::uint32_t>(),
                   value.at(4).get<std::string>()};
}

Json json_of(const std::optional<sbom::Summary>& all) {
    return all ? Json::array({all->distribution, all->packages, all->kinds, all->licences, all->not_read})
               : Json();
}

std::optional<sbom::Summary> summary_of(const Json& value) {
    if (value.is_null())
        return std::nullopt;
    sbom::Summary out;
    value.at(0).get_to(out.distribution);
    value.at(1).get_to(out.packages);
    value.at(2).get_to(out.kinds);
    value.at(3).get_to(out.licences);
    value.at(4).get_to(out.not_read);
    return out;
}

} // namespace

RootFacts::RootFacts(std::string key, std::string name, Open open)
    : key_(std::move(key)), name_(std::move(name)), open_(std::move(open)) {
    if (const auto note = files::Notes(facts_folder).read(key_))
        read(*note);
}

void RootFacts::read(const std::string& note) {
    try {
        const Json all = Json::from_cbor(note);
        Known known{all.at("bytes").get<std::uint64_t>(), text_of(all.at("passwd")),
                    text_of(all.at("group"))};
        std::map<std::string, std::optional<Program>> programs;
        for (const auto& [path, program] : all.at("programs").items())
            programs[path] = program_of(program);
        packages_ = summary_of(all.at("packages"));
        known_ = std::move(known);
        programs_ = std::move(programs);
    } catch (const Json::exception&) {
        return; // damaged: as if there were none
    }
}

void RootFacts::learn() {
    const rootfs::RootImage& root = open_();
    grew_ = true;
    known_ = Known{root.size(), root.read_file("/etc/passwd"), root.read_file("/etc/group")};
}

const RootFacts::Known& RootFacts::known() {
    if (!known_)
        learn();
    return *known_;
}

std::uint64_t RootFacts::bytes() {
    return known().bytes;
}

std::optional<std::string_view> RootFacts::text(Text which) {
    return which == Text::passwd ? known().passwd : known().group;
}

std::optional<Program> RootFacts::program(const std::string& path) {
    const auto found = programs_.find(path);
    if (found != programs_.end())
        return found->second;
    const auto program = look_at_program(open_(), path);
    grew_ = true;
    return programs_[path] = program;
}

const sbom::Summary& RootFacts::packages() {
    if (!packages_) {
        packages_ = sbom::summary_of(sbom::inventory_of(open_().content(), name_));
        grew_ = true;
    }
    return *packages_;
}

void RootFacts::keep() {
    if (!grew_ || !known_)
        return;
    Json programs = Json::object();
    for (const auto& [path, program] : programs_)
        programs[path] = json_of(program);
    const std::vector<std::uint8_t> note = Json::to_cbor({{"bytes", known_->bytes},
                                                          {"passwd", json_of(known_->passwd)},
                                                          {"group", json_of(known_->group)},
                                                          {"programs", std::move(programs)},
                                                          {"packages", json_of(packages_)}});
    files::Notes(facts_folder)
        .write(key_, {static_cast<const char*>(static_cast<const void*>(note.data())), note.size()});
    grew_ = false;
}

std::string root_key(const oci::Image& image, std::optional<std::int64_t> epoch, std::uint64_t unpack_limit) {
    return files::sha256(
               std::string_view(std::string(bundle::build_id()) + "\n" + image.manifest_digest().text() +
                                "\n" + image.config().digest.text() + "\n" +
                                (epoch ? std::to_string(*epoch) : "") + "\n" + std::to_string(unpack_limit)))
        .hex();
}

} // namespace build
