// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/documents.cpp - SPDX 2.3 and CycloneDX 1.5.
#include "image-tools/sbom/documents.hpp"

#include "image-tools/files/digest.hpp"
#include "image-tools/sbom/licence.hpp"

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

namespace sbom {
namespace {

using Json = nlohmann::ordered_json;

std::string time_text(std::uint64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    char out[40];
    std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return out;
}

// From what the document is about.
std::string uuid_of(const Bill& bill, std::string_view form) {
    std::string text = "caisson sbom v1\n" + bill.id + "\n" + bill.tool_version + "\n" + std::string(form);
    if (!bill.merged)
        text += "\n" + bill.partitions.front().name;
    return uuid_of_text(text);
}

std::string subject_of(const Bill& bill) {
    return bill.merged ? bill.name : bill.name + "/" + bill.partitions.front().name;
}

std::string text_of(const Json& document) {
    return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// What a partition's image is called: "pkg:oci/NAME@sha256:..." by its last word.
std::string image_purl(const PartitionBill& partition) {
    std::string name = partition.image.substr(0, partition.image.find('@'));
    name = name.substr(name.rfind('/') + 1);
    name = name.substr(0, name.find(':'));
    if (name.empty() || partition.digest.empty())
        return {};
    for (char& c : name)
        c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    for (const char c : name)
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
            return {};
    return "pkg:oci/" + name + "@" + partition.digest;
}

// "NAME <ADDRESS>" as SPDX writes it, which keeps parentheses for the address.
std::string spdx_supplier(std::string text) {
    if (text.empty())
        return "NOASSERTION";
    std::replace(text.begin(), text.end(), '(', '[');
    std::replace(text.begin(), text.end(), ')', ']');
    const std::size_t open = text.rfind(" <");
    const bool addressed =
        open != std::string::npos && text.ends_with('>') && text.find('@', open) != std::string::npos;
    if (addressed) {
        text[open + 1] = '(';
        text.back() = ')';
    }
    std::replace(text.begin(), text.end(), '<', '[');
    std::replace(text.begin(), text.end(), '>', ']');
    return "Organization: " + text;
}

class Spdx {
public:
    explicit Spdx(const Bill& bill) : bill_(bill) {}

    std::string text() {
        const std::string root = bill_.merged ? "SPDXRef-appliance" : "SPDXRef-partition-0";
        relate("SPDXRef-DOCUMENT", "DESCRIBES", root);
        if (bill_.merged) {
            add(root, {bill_.name, bill_.version, {}, {}, {}, {}}, "FIRMWARE");
            for (const Component& component : bill_.own)
                add_own(root, component);
        }
        for (std::size_t i = 0; i < bill_.partitions.size(); ++i)
            add_partition(root, i);
        Json extracted = Json::array();
        for (const auto& [reference, words] : extracted_)
            extracted.push_back(
                {{"licenseId", reference},
                 {"extractedText", "Called \"" + words + "\" by the package; its text is in the package."},
                 {"name", words}});
        Json out{
            {"spdxVersion", "SPDX-2.3"},
            {"dataLicense", "CC0-1.0"},
            {"SPDXID", "SPDXRef-DOCUMENT"},
            {"name", subject_of(bill_)},
            {"documentNamespace", "urn:uuid:" + uuid_of(bill_, "spdx")},
            {"creationInfo",
             {{"created", time_text(bill_.time)}, {"creators", {"Tool: caisson-" + bill_.tool_version}}}},
            {"packages", packages_},
            {"relationships", relations_}};
        if (!extracted.empty())
            out["hasExtractedLicensingInfos"] = extracted;
        return text_of(out);
    }

private:
    void relate(const std::string& from, const char* how, const std::string& to) {
        relations_.push_back(
            {{"spdxElementId", from}, {"relationshipType", how}, {"relatedSpdxElement", to}});
    }

    std::string licence(const std::string& field) {
        const std::vector<Licence> all = licences_of(field);
        if (all.empty())
            return "NOASSERTION";
        std::string out;
        for (const Licence& one : all) {
            std::string text = one.text;
            if (one.form == Licence::Form::words) {
                text = reference_of(one.text);
                extracted_[text] = one.text;
            } else if (one.form == Licence::Form::expression && all.size() > 1) {
                text = "(" + text + ")";
            }
            out += (out.empty() ? "" : " AND ") + text;
        }
        return out;
    }

    Json& add(const std::string& id, const Component& component, const char* purpose) {
        Json entry{{"SPDXID", id}, {"name", component.name}};
        if (!component.version.empty())
            entry["versionInfo"] = component.version;
        entry["supplier"] = spdx_supplier(component.supplier);
        entry["downloadLocation"] = "NOASSERTION";
        entry["filesAnalyzed"] = false;
        entry["licenseConcluded"] = "NOASSERTION";
        entry["licenseDeclared"] = licence(component.licence);
        entry["copyrightText"] = "NOASSERTION";
        entry["primaryPackagePurpose"] = purpose;
        if (!component.sha256.empty())
            entry["checksums"] = {{{"algorithm", "SHA256"}, {"checksumValue", component.sha256}}};
        if (!component.purl.empty())
            entry["externalRefs"] = {{{"referenceCategory", "PACKAGE-MANAGER"},
                                      {"referenceType", "purl"},
                                      {"referenceLocator", component.purl}}};
        packages_.push_back(std::move(entry));
        return packages_.back();
    }

    void add_own(const std::string& root, const Component& component) {
        const std::string id = "SPDXRef-own-" + std::to_string(own_++);
        add(id, component, "OPERATING-SYSTEM");
        relate(root, "CONTAINS", id);
    }

    void add_partition(const std::string& root, std::size_t index) {
        const PartitionBill& partition = bill_.partitions[index];
        const std::string id = "SPDXRef-partition-" + std::to_string(index);
        Json& entry =
            add(id,
                {partition.name,
                 partition.digest,
                 {},
                 {},
                 partition.digest.starts_with("sha256:") ? partition.digest.substr(7) : std::string(),
                 image_purl(partition)},
                partition.digest.empty() ? "OPERATING-SYSTEM" : "CONTAINER");
        if (!partition.image.empty())
            entry["comment"] = "image " + partition.image;
        if (bill_.merged)
            relate(root, "CONTAINS", id);
        for (const Component& component : partition.own)
            add_own(id, component);
        std::size_t count = 0;
        for (const Package& package : partition.inventory.packages) {
            const std::string at = "SPDXRef-package-" + std::to_string(index) + "-" + std::to_string(count++);
            Json& made = add(at,
                             {package.name,
                              package.version,
                              package.licence,
                              package.supplier,
                              {},
                              purl(package, partition.inventory.distribution)},
                             "LIBRARY");
            made["sourceInfo"] = "found in " + package.place;
            relate(id, "CONTAINS", at);
        }
    }

    const Bill& bill_;
    Json packages_ = Json::array(), relations_ = Json::array();
    std::map<std::string, std::string> extracted_;
    std::size_t own_ = 0;
};

class CycloneDx {
public:
    CycloneDx(const Bill& bill, std::string_view version) : bill_(bill), version_(version) {}

    std::string text() {
        const std::string root = bill_.merged ? "appliance" : "partition/" + bill_.partitions.front().name;
        Json subject;
        if (bill_.merged) {
            subject = {
                {"type", "firmware"}, {"bom-ref", root}, {"name", bill_.name}, {"version", bill_.version}};
            for (const Component& component : bill_.own)
                add_own(root, component);
            for (const PartitionBill& partition : bill_.partitions) {
                components_.push_back(described(partition));
                depends_[root].push_back("partition/" + partition.name);
                add_packages(partition);
            }
        } else {
            subject = described(bill_.partitions.front());
            add_packages(bill_.partitions.front());
        }
        Json dependencies = Json::array();
        for (const auto& [from, to] : depends_)
            dependencies.push_back({{"ref", from}, {"dependsOn", to}});
        return text_of(
            {{"$schema", "http://cyclonedx.org/schema/bom-" + version_ + ".schema.json"},
             {"bomFormat", "CycloneDX"},
             {"specVersion", version_},
             {"serialNumber",
              "urn:uuid:" + uuid_of(bill_, version_ == "1.5" ? "cyclonedx" : "cyclonedx " + version_)},
             {"version", 1},
             {"metadata",
              {{"timestamp", time_text(bill_.time)},
               {"tools",
                {{"components",
                  {{{"type", "application"}, {"name", "caisson"}, {"version", bill_.tool_version}}}}}},
               {"component", subject}}},
             {"components", components_},
             {"dependencies", dependencies}});
    }

private:
    static void add_licences(Json& entry, const std::string& field) {
        Json all = Json::array();
        bool expression = false;
        std::string joined;
        for (const Licence& one : licences_of(field)) {
            expression = expression || one.form == Licence::Form::expression;
            joined += (joined.empty() ? "" : " AND ") +
                      (one.form == Licence::Form::words        ? reference_of(one.text)
                       : one.form == Licence::Form::expression ? "(" + one.text + ")"
                                                               : one.text);
            if (one.form == Licence::Form::identifier)
                all.push_back({{"license", {{"id", one.text}}}});
            else
                all.push_back({{"license", {{"name", one.text}}}});
        }
        // The list holds licences or exactly one expression.
        if (expression)
            all = Json::array({{{"expression", joined}}});
        if (!all.empty())
            entry["licenses"] = all;
    }

    static Json described(const PartitionBill& partition) {
        Json out{{"type", partition.digest.empty() ? "operating-system" : "container"},
                 {"bom-ref", "partition/" + partition.name},
                 {"name", partition.name}};
        if (!partition.digest.empty())
            out["version"] = partition.digest;
        if (partition.digest.starts_with("sha256:"))
            out["hashes"] = {{{"alg", "SHA-256"}, {"content", partition.digest.substr(7)}}};
        if (const std::string url = image_purl(partition); !url.empty())
            out["purl"] = url;
        Json properties = Json::array();
        if (!partition.image.empty())
            properties.push_back({{"name", "caisson:image"}, {"value", partition.image}});
        if (!partition.inventory.distribution.name.empty())
            properties.push_back(
                {{"name", "caisson:distribution"}, {"value", partition.inventory.distribution.name}});
        for (const std::string& note : partition.inventory.notes)
            properties.push_back({{"name", "caisson:notRead"}, {"value", note}});
        if (!properties.empty())
            out["properties"] = properties;
        return out;
    }

    void add_own(const std::string& to, const Component& component) {
        const std::string id = to + "/own/" + component.name;
        Json entry{{"type", "operating-system"}, {"bom-ref", id}};
        if (!component.supplier.empty())
            entry["supplier"] = {{"name", component.supplier}};
        entry["name"] = component.name;
        if (!component.version.empty())
            entry["version"] = component.version;
        if (!component.sha256.empty())
            entry["hashes"] = {{{"alg", "SHA-256"}, {"content", component.sha256}}};
        add_licences(entry, component.licence);
        if (!component.purl.empty())
            entry["purl"] = component.purl;
        components_.push_back(std::move(entry));
        depends_[to].push_back(id);
    }

    void add_packages(const PartitionBill& partition) {
        const std::string to = "partition/" + partition.name;
        depends_.try_emplace(to);
        for (const Component& component : partition.own)
            add_own(to, component);
        std::size_t count = 0;
        for (const Package& package : partition.inventory.packages) {
            const std::string id = to + "/" + std::to_string(count++);
            Json entry{{"type", "library"}, {"bom-ref", id}};
            if (!package.supplier.empty())
                entry["supplier"] = {{"name", package.supplier}};
            entry["name"] = package.name;
            if (!package.version.empty())
                entry["version"] = package.version;
            add_licences(entry, package.licence);
            entry["purl"] = purl(package, partition.inventory.distribution);
            Json properties = Json::array({{{"name", "caisson:foundIn"}, {"value", package.place}}});
            if (!package.sum.empty())
                properties.push_back({{"name", "caisson:goSum"}, {"value", package.sum}});
            if (!package.files.empty())
                properties.push_back(
                    {{"name", "caisson:files"}, {"value", std::to_string(package.files.size())}});
            entry["properties"] = std::move(properties);
            components_.push_back(std::move(entry));
            depends_[to].push_back(id);
        }
    }

    const Bill& bill_;
    const std::string version_;
    Json components_ = Json::array();
    std::map<std::string, std::vector<std::string>> depends_;
};

} // namespace

std::string uuid_of_text(std::string_view text, char version) {
    std::string hex = files::sha256(text).hex().substr(0, 32);
    hex[12] = version;
    hex[16] = "89ab"[static_cast<unsigned char>(hex[16]) % 4];
    return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) +
           "-" + hex.substr(20);
}

std::string spdx(const Bill& bill) {
    return Spdx(bill).text();
}

std::string cyclonedx(const Bill& bill, std::string_view version) {
    return CycloneDx(bill, version).text();
}

} // namespace sbom
