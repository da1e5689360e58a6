// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/user.hpp"

#include "image-tools/oci/failure.hpp"

#include <algorithm>

namespace rootfs {

namespace {

constexpr std::uint64_t largest_id = INT32_MAX;

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9' || value > UINT32_MAX) {
            return std::nullopt;
        }
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return text.empty() ? std::nullopt : std::optional(value);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(at + 1);
    }
}

std::uint32_t checked(std::string_view image, std::string_view specification, std::uint64_t id) {
    if (id > largest_id) {
        throw diagnostic::fail(oci::Fault::user,
                               std::string(image) + ": the user " + oci::printable(specification) + ": " +
                                   std::to_string(id) + " is above " + std::to_string(largest_id));
    }
    return static_cast<std::uint32_t>(id);
}

struct PasswdLine {
    std::string_view name;
    std::uint64_t uid;
    std::uint64_t gid;
    std::string_view home;
};

std::optional<PasswdLine> parse_passwd(std::string_view line) {
    const auto fields = split(line, ':');
    const auto uid = fields.size() >= 3 ? number(fields[2]) : std::nullopt;
    const auto gid = fields.size() >= 4 ? number(fields[3]) : std::nullopt;
    if (!uid || !gid || fields[0].empty()) {
        return std::nullopt;
    }
    return PasswdLine{fields[0], *uid, *gid, fields.size() >= 6 ? fields[5] : std::string_view()};
}

struct GroupLine {
    std::string_view name;
    std::uint64_t gid;
    std::string_view members;
};

std::optional<GroupLine> parse_group(std::string_view line) {
    const auto fields = split(line, ':');
    const auto gid = fields.size() >= 3 ? number(fields[2]) : std::nullopt;
    if (!gid || fields[0].empty()) {
        return std::nullopt;
    }
    return GroupLine{fields[0], *gid, fields.size() >= 4 ? fields[3] : std::string_view()};
}

bool lists(std::string_view members, std::string_view name) {
    const auto all = split(members, ',');
    return !name.empty() && std::find(all.begin(), all.end(), name) != all.end();
}

// True if the file has the user.
bool find_user(User& user, std::string_view image, std::string_view wanted, std::string_view passwd) {
    const auto id = wanted.empty() ? std::optional<std::uint64_t>(0) : number(wanted);
    for (const std::string_view text : split(passwd, '\n')) {
        const auto line = parse_passwd(text);
        if (line && ((!wanted.empty() && line->name == wanted) || (id && line->uid == *id))) {
            user.uid = checked(image, wanted, line->uid);
            user.gid = checked(image, wanted, line->gid);
            user.name = line->name;
            user.home = line->home.empty() ? "/" : std::string(line->home);
            return true;
        }
    }
    return false;
}

} // namespace

User resolve_user(std::string_view image, std::string_view specification,
                  std::optional<std::string_view> passwd, std::optional<std::string_view> group) {
    const auto colon = specification.find(':');
    const std::string_view wanted = specification.substr(0, colon);
    const std::string_view wanted_group =
        colon == std::string_view::npos ? std::string_view() : specification.substr(colon + 1);
    User user;
    if (!find_user(user, image, wanted, passwd.value_or("")) && !wanted.empty()) {
        const auto id = number(wanted);
        if (!id) {
            throw diagnostic::fail(oci::Fault::user,
                                   std::string(image) + ": no user " + oci::printable(wanted) +
                                       " in the image's /etc/passwd" + (passwd ? "" : ", which is missing"))
                .help("set user: to a number, or to a name that is there");
        }
        user.uid = checked(image, specification, *id);
    }
    const auto group_id = number(wanted_group);
    for (const std::string_view text : split(group.value_or(""), '\n')) {
        const auto line = parse_group(text);
        if (!line) {
            continue;
        }
        if (!wanted_group.empty() && (line->name == wanted_group || (group_id && line->gid == *group_id))) {
            user.gid = checked(image, specification, line->gid);
            return user;
        }
        if (wanted_group.empty() && lists(line->members, user.name)) {
            user.groups.push_back(checked(image, specification, line->gid));
        }
    }
    if (!wanted_group.empty()) {
        if (!group_id) {
            throw diagnostic::fail(oci::Fault::user,
                                   std::string(image) + ": no group " + oci::printable(wanted_group) +
                                       " in the image's /etc/group" + (group ? "" : ", which is missing"))
                .help("set user: to USER:NUMBER, or to a group that is there");
        }
        user.gid = checked(image, specification, *group_id);
    }
    return user;
}

} // namespace rootfs
