// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/settings.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/registry/failure.hpp"

#include <algorithm>
#include <cstdlib>
#include <toml++/toml.h>

namespace registry {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_file = 1 << 20;

[[noreturn]] void wrong(const std::string& name, const toml::source_region& where, std::string message,
                        std::string help = {}) {
    throw diagnostic::fail(Fault::settings, std::move(message))
        .at({name, where.begin.line, where.begin.column, {}, 1})
        .help(std::move(help));
}

// Typed access to a table's keys; what is there with another type is refused.
class Table {
public:
    Table(const toml::table& table, const std::string& name) : table_(table), name_(name) {}

    [[nodiscard]] std::string text(std::string_view key) const {
        const toml::node* node = table_.get(key);
        if (node == nullptr)
            return {};
        const auto value = node->value_exact<std::string>();
        if (!value)
            wrong(name_, node->source(), std::string(key) + " is not a text");
        return *value;
    }
    [[nodiscard]] bool flag(std::string_view key) const {
        const toml::node* node = table_.get(key);
        if (node == nullptr)
            return false;
        const auto value = node->value_exact<bool>();
        if (!value)
            wrong(name_, node->source(), std::string(key) + " is neither true nor false");
        return *value;
    }
    template <typename Take> void tables(std::string_view key, Take take) const {
        const toml::node* node = table_.get(key);
        if (node == nullptr)
            return;
        const toml::array* list = node->as_array();
        if (list == nullptr)
            wrong(name_, node->source(), std::string(key) + " is not a list",
                  "write [[" + std::string(key) + "]]");
        for (const toml::node& item : *list) {
            const toml::table* inner = item.as_table();
            if (inner == nullptr)
                wrong(name_, item.source(), "an entry of " + std::string(key) + " is not a table");
            take(Table(*inner, name_));
        }
    }
    [[nodiscard]] const toml::table& raw() const { return table_; }
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    const toml::table& table_;
    const std::string& name_;
};

// "host[:port][/path]", as locations are written. Empty where it is none.
bool is_location(const std::string& text) {
    std::string problem;
    const bool whole = text.find('/') != std::string::npos;
    const auto name = oci::parse_registry_name(whole ? text : text + "/x", problem);
    return name && name->tag.empty() && !name->digest && (!name->host.empty() || !whole);
}

Mirror read_mirror(const Table& table) {
    Mirror mirror{table.text("location"), table.flag("insecure"),
                  table.flag("mirror-by-digest-only") ? PullFrom::digest_only : PullFrom::all};
    const std::string from = table.text("pull-from-mirror");
    if (from == "digest-only")
        mirror.pull_from = PullFrom::digest_only;
    else if (from == "tag-only")
        mirror.pull_from = PullFrom::tag_only;
    else if (!from.empty() && from != "all")
        wrong(table.name(), table.raw().source(), "pull-from-mirror is '" + from + "'",
              "it can be all, digest-only or tag-only");
    if (!is_location(mirror.location))
        wrong(table.name(), table.raw().source(), "the mirror's location is '" + mirror.location + "'",
              "write location = \"host[:port][/path]\"");
    return mirror;
}

RegistryEntry read_entry(const Table& table) {
    RegistryEntry entry{
        table.text("prefix"), table.text("location"), table.flag("insecure"), table.flag("blocked"), {}};
    if (entry.prefix.empty())
        entry.prefix = entry.location;
    const bool wildcard = entry.prefix.starts_with("*.");
    if (!is_location(wildcard ? entry.prefix.substr(2) : entry.prefix) ||
        (!entry.location.empty() && !is_location(entry.location)))
        wrong(table.name(), table.raw().source(), "a registry has no prefix and no location that can be read",
              "write location = \"host[:port][/path]\"");
    if (!wildcard && entry.location == entry.prefix)
        entry.location.clear();
    table.tables("mirror", [&](const Table& inner) { entry.mirrors.push_back(read_mirror(inner)); });
    return entry;
}

// How much of `name` the prefix covers; 0: it is not meant.
std::size_t covered(const std::string& prefix, const std::string& name) {
    if (prefix.starts_with("*.")) {
        const std::string host = name.substr(0, name.find_first_of(":/"));
        const std::string ending = prefix.substr(1);
        return host.size() > ending.size() && host.ends_with(ending) ? host.size() : 0;
    }
    const bool ends =
        name.size() == prefix.size() || (name.size() > prefix.size() && name[prefix.size()] == '/');
    return name.starts_with(prefix) && ends ? prefix.size() : 0;
}

Place place_of(const std::string& whole, bool insecure, bool mirror) {
    const auto slash = whole.find('/');
    return {whole.substr(0, slash), whole.substr(slash + 1), insecure, mirror};
}

void add_file(Settings& settings, const fs::path& file) {
    settings.add(files::read_file(file, largest_file), file.string());
}

void add_folder(Settings& settings, const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.path().extension() == ".conf")
            found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    for (const fs::path& file : found)
        add_file(settings, file);
}

} // namespace

fs::path config_folder(const std::string& name) {
    if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && config[0] == '/')
        return fs::path(config) / name;
    if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/')
        return fs::path(home) / ".config" / name;
    return {};
}

Settings Settings::load() {
    Settings settings;
    if (const char* chosen = std::getenv("CONTAINERS_REGISTRIES_CONF");
        chosen != nullptr && chosen[0] != '\0') {
        add_file(settings, chosen);
        return settings;
    }
    const fs::path system = "/etc/containers", user = config_folder("containers");
    std::error_code error;
    const bool own = !user.empty() && fs::exists(user / "registries.conf", error);
    if (own || fs::exists(system / "registries.conf", error))
        add_file(settings, (own ? user : system) / "registries.conf");
    add_folder(settings, system / "registries.conf.d");
    if (!user.empty())
        add_folder(settings, user / "registries.conf.d");
    return settings;
}

void Settings::add(std::string_view text, const std::string& name) {
    toml::table parsed;
    try {
        parsed = toml::parse(text);
    } catch (const toml::parse_error& error) {
        wrong(name, error.source(), std::string("not TOML: ") + std::string(error.description()));
    }
    if (const toml::node* node = parsed.get("unqualified-search-registries")) {
        const toml::array* list = node->as_array();
        if (list == nullptr || list->size() > 1 ||
            (list->size() == 1 && !is_location(list->front().value_or(std::string("/")))))
            wrong(name, node->source(), "unqualified-search-registries is not a list of one registry",
                  "caisson tries no names in turn: name one registry, or write images with their registry's "
                  "name");
        if (list->size() == 1)
            unqualified_ = list->front().value_or(std::string());
    }
    const Table top(parsed, name);
    if (parsed.contains("registries"))
        wrong(name, parsed.get("registries")->source(), "version 1 of registries.conf is not read",
              "write [[registry]] tables: containers-registries.conf(5)");
    top.tables("registry", [&](const Table& table) {
        RegistryEntry entry = read_entry(table);
        std::erase_if(entries_, [&](const RegistryEntry& other) { return other.prefix == entry.prefix; });
        entries_.push_back(std::move(entry));
    });
}

oci::RegistryName Settings::completed(oci::RegistryName name) const {
    if (name.host.empty()) {
        const auto slash = unqualified_.find('/');
        name.host = unqualified_.substr(0, slash);
        if (slash != std::string::npos)
            name.repository = unqualified_.substr(slash + 1) + "/" + name.repository;
    }
    if (name.host == oci::default_registry && name.repository.find('/') == std::string::npos)
        name.repository = std::string(oci::default_namespace) + "/" + name.repository;
    if (name.tag.empty() && !name.digest)
        name.tag = "latest";
    return name;
}

const RegistryEntry* Settings::entry_for(const std::string& name) const {
    const RegistryEntry* best = nullptr;
    std::size_t most = 0;
    for (const RegistryEntry& entry : entries_)
        if (const std::size_t size = covered(entry.prefix, name); size > most) {
            best = &entry;
            most = size;
        }
    return best;
}

std::vector<Place> Settings::places(const oci::RegistryName& name, bool by_digest) const {
    const std::string whole = name.host + "/" + name.repository;
    const RegistryEntry* entry = entry_for(whole);
    if (entry == nullptr)
        return {place_of(whole, false, false)};
    if (entry->blocked)
        throw diagnostic::fail(Fault::refused, whole + ": registries.conf blocks " + entry->prefix);
    const std::string rest = whole.substr(covered(entry->prefix, whole));
    std::vector<Place> out;
    for (const Mirror& mirror : entry->mirrors) {
        const PullFrom other = by_digest ? PullFrom::tag_only : PullFrom::digest_only;
        if (mirror.pull_from != other)
            out.push_back(place_of(mirror.location + rest, mirror.insecure, true));
    }
    out.push_back(place_of(entry->location.empty() ? whole : entry->location + rest, entry->insecure, false));
    return out;
}

Tls tls_for(const Place& place) {
    Tls tls;
    tls.verify = !place.insecure;
    std::error_code error;
    if (const char* file = std::getenv("SSL_CERT_FILE"); file != nullptr && fs::exists(file, error))
        tls.authorities.emplace_back(file);
    std::vector<fs::path> folders{"/etc/docker/certs.d", "/etc/containers/certs.d"};
    if (const fs::path user = config_folder("containers"); !user.empty())
        folders.push_back(user / "certs.d");
    for (const fs::path& folder : folders)
        for (const auto& entry : fs::directory_iterator(folder / place.host, error)) {
            if (entry.path().extension() == ".crt")
                tls.authorities.push_back(entry.path());
            fs::path key = entry.path();
            if (entry.path().extension() == ".cert" && fs::exists(key.replace_extension(".key"), error)) {
                tls.certificate = entry.path();
                tls.key = key;
            }
        }
    std::sort(tls.authorities.begin(), tls.authorities.end());
    return tls;
}

} // namespace registry
