// SPDX-License-Identifier: Apache-2.0
// image-tools/policy/profile.cpp - the JSON of a profile.
#include "image-tools/policy/profile.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace policy {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kernel = "6.1"; // what uname(2) says in a partition
constexpr std::uint16_t operation_not_permitted = 1, no_such_call = 38;
constexpr std::uint64_t most_error = 4095;

template <typename T> using Named = std::pair<std::string_view, T>;
constexpr std::array<Named<Action::Kind>, 7> actions{{{"SCMP_ACT_ALLOW", Action::Kind::allow},
                                                      {"SCMP_ACT_ERRNO", Action::Kind::error},
                                                      {"SCMP_ACT_KILL_PROCESS", Action::Kind::kill_process},
                                                      {"SCMP_ACT_KILL", Action::Kind::kill_thread},
                                                      {"SCMP_ACT_KILL_THREAD", Action::Kind::kill_thread},
                                                      {"SCMP_ACT_TRAP", Action::Kind::trap},
                                                      {"SCMP_ACT_LOG", Action::Kind::log}}};
constexpr std::array<Named<Condition::Operator>, 7> operators{
    {{"SCMP_CMP_EQ", Condition::Operator::equal},
     {"SCMP_CMP_NE", Condition::Operator::not_equal},
     {"SCMP_CMP_LT", Condition::Operator::less},
     {"SCMP_CMP_LE", Condition::Operator::at_most},
     {"SCMP_CMP_GE", Condition::Operator::at_least},
     {"SCMP_CMP_GT", Condition::Operator::greater},
     {"SCMP_CMP_MASKED_EQ", Condition::Operator::masked_equal}}};
constexpr std::array<Named<std::uint16_t>, 8> errors{{{"EPERM", operation_not_permitted},
                                                      {"ENOENT", 2},
                                                      {"EACCES", 13},
                                                      {"EINVAL", 22},
                                                      {"ENOTTY", 25},
                                                      {"ENOSYS", no_such_call},
                                                      {"EOPNOTSUPP", 95},
                                                      {"EAFNOSUPPORT", 97}}};

template <typename Table> std::string words_of(const Table& table) {
    std::string out;
    for (const auto& [name, value] : table)
        out += (out.empty() ? "" : ", ") + std::string(name);
    return out;
}

// One value of the document and the way to it, "/syscalls/3/args/0".
class Field {
public:
    Field(const Json& value, std::string path, const std::string& file)
        : value_(&value), path_(std::move(path)), file_(&file) {}

    [[noreturn]] void wrong(const std::string& what, const std::string& help) const {
        throw diagnostic::fail("E0430", (path_.empty() ? "the document" : path_) + " " + what)
            .at({*file_, 0, 0, {}, 1})
            .help(help);
    }
    void only(std::initializer_list<std::string_view> keys) const {
        if (!value_->is_object())
            wrong("is not an object", "a profile is {\"defaultAction\": …, \"syscalls\": […]}");
        for (const auto& [key, value] : value_->items())
            if (std::find(keys.begin(), keys.end(), key) == keys.end())
                wrong("has the unknown field '" + key + "'",
                      "remove it: nothing is accepted and then ignored");
    }
    // Nothing where it is missing, null or an empty list, object or string.
    [[nodiscard]] std::optional<Field> find(const char* key) const {
        const auto found = value_->find(key);
        if (found == value_->end() || found->is_null() || (found->is_structured() && found->empty()) ||
            (found->is_string() && found->get_ref<const std::string&>().empty()))
            return std::nullopt;
        return Field(*found, path_ + "/" + key, *file_);
    }
    [[nodiscard]] Field need(const char* key) const {
        if (auto found = find(key))
            return *found;
        wrong("has no '" + std::string(key) + "'", "add it");
    }
    [[nodiscard]] std::string text() const {
        if (!value_->is_string())
            wrong("is not a text", "put it into quotation marks");
        return value_->get<std::string>();
    }
    [[nodiscard]] std::uint64_t number(std::uint64_t most) const {
        if (!value_->is_number_unsigned() || value_->get<std::uint64_t>() > most)
            wrong("is not a number from 0 to " + std::to_string(most), "write a whole number");
        return value_->get<std::uint64_t>();
    }
    [[nodiscard]] std::vector<Field> items() const {
        if (!value_->is_array())
            wrong("is not a list", "put it into [ ]");
        std::vector<Field> out;
        for (std::size_t i = 0; i < value_->size(); ++i)
            out.emplace_back((*value_)[i], path_ + "/" + std::to_string(i), *file_);
        return out;
    }
    [[nodiscard]] std::vector<std::string> texts() const {
        std::vector<std::string> out;
        for (const Field& item : items())
            out.push_back(item.text());
        return out;
    }
    template <typename Table> [[nodiscard]] auto word(const Table& table, const char* what) const {
        const std::string text = this->text();
        for (const auto& [name, value] : table)
            if (name == text)
                return value;
        wrong("is '" + text + "', which is not " + what + " here", "one of " + words_of(table));
    }

private:
    const Json* value_;
    std::string path_;
    const std::string* file_;
};

Action read_action(const Field& field, const Field& beside, const char* number, const char* name) {
    Action out{.kind = field.word(actions, "an action"), .error = 0};
    if (out.kind != Action::Kind::error)
        return out;
    out.error = operation_not_permitted;
    if (const auto value = beside.find(number))
        out.error = static_cast<std::uint16_t>(value->number(most_error));
    else if (const auto word = beside.find(name))
        out.error = word->word(errors, "an error that is known by name");
    return out;
}

Condition read_condition(const Field& field) {
    field.only({"index", "value", "valueTwo", "op"});
    constexpr std::uint64_t last_argument = 5, any = ~std::uint64_t{0};
    Condition out;
    out.argument = static_cast<unsigned>(field.need("index").number(last_argument));
    out.value = field.need("value").number(any);
    if (const auto other = field.find("valueTwo"))
        out.other = other->number(any);
    out.operation = field.need("op").word(operators, "a comparison");
    return out;
}

// "4.8" is at most "6.1".
bool kernel_is_at_least(const Field& field) {
    const std::string wanted = field.text();
    const auto parse = [&](std::string_view text) {
        const std::size_t dot = text.find('.');
        const auto whole = [&](std::string_view digits) {
            if (digits.empty() || digits.size() > 4 ||
                digits.find_first_not_of("0123456789") != std::string_view::npos)
                field.wrong("is '" + wanted + "', which is no kernel's version", "write for example 4.8");
            return std::stoul(std::string(digits));
        };
        if (dot == std::string_view::npos)
            field.wrong("is '" + wanted + "', which is no kernel's version", "write for example 4.8");
        return std::pair(whole(text.substr(0, dot)), whole(text.substr(dot + 1)));
    };
    return parse(wanted) <= parse(kernel);
}

// Whether the rule is for this machine and these capabilities.
bool concerns(const Field& rule, const Capabilities& capabilities) {
    const auto names_us = [](const Field& arches) {
        const std::vector<std::string> names = arches.texts();
        return std::find(names.begin(), names.end(), "amd64") != names.end() ||
               std::find(names.begin(), names.end(), "x86_64") != names.end();
    };
    if (const auto includes = rule.find("includes")) {
        includes->only({"arches", "caps", "minKernel"});
        if (const auto arches = includes->find("arches"); arches && !names_us(*arches))
            return false;
        if (const auto minimum = includes->find("minKernel"); minimum && !kernel_is_at_least(*minimum))
            return false;
        if (const auto needed = includes->find("caps"))
            for (const std::string& capability : needed->texts())
                if (!capabilities.contains(capability))
                    return false;
    }
    if (const auto excludes = rule.find("excludes")) {
        excludes->only({"arches", "caps", "minKernel"});
        if (const auto arches = excludes->find("arches"); arches && names_us(*arches))
            return false;
        if (const auto minimum = excludes->find("minKernel"); minimum && kernel_is_at_least(*minimum))
            return false;
        if (const auto present = excludes->find("caps"))
            for (const std::string& capability : present->texts())
                if (capabilities.contains(capability))
                    return false;
    }
    return true;
}

std::optional<Rule> read_rule(const Field& field, const Capabilities& capabilities) {
    field.only({"name", "names", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes",
                "priority"});
    Rule rule;
    if (const auto names = field.find("names"))
        rule.names = names->texts();
    if (const auto name = field.find("name"))
        rule.names.push_back(name->text());
    if (rule.names.empty())
        field.wrong("names no system call", "add for example \"names\": [\"mount\"]");
    rule.action = read_action(field.need("action"), field, "errnoRet", "errno");
    if (const auto conditions = field.find("args"))
        for (const Field& item : conditions->items())
            rule.conditions.push_back(read_condition(item));
    return concerns(field, capabilities) ? std::optional(std::move(rule)) : std::nullopt;
}

// Two conditions on one argument in one rule mean either of them, as runc reads that: such a rule becomes one for each.
void append(std::vector<Rule>& rules, Rule rule) {
    std::set<unsigned> arguments;
    for (const Condition& condition : rule.conditions)
        arguments.insert(condition.argument);
    if (arguments.size() == rule.conditions.size()) {
        rules.push_back(std::move(rule));
        return;
    }
    for (const Condition& condition : rule.conditions)
        rules.push_back({rule.names, rule.action, {condition}});
}

diagnostic::Place place_of(std::string_view text, const std::string& file, std::size_t byte) {
    const std::string_view before = text.substr(0, std::min(byte, text.size()));
    const std::size_t line = before.rfind('\n');
    const auto lines = static_cast<unsigned>(std::count(before.begin(), before.end(), '\n'));
    const auto column =
        static_cast<unsigned>(before.size() - (line == std::string_view::npos ? 0 : line + 1));
    return {file, lines + 1, column + 1, {}, 1};
}

Rule refuse(std::vector<std::string> names, std::uint16_t error = operation_not_permitted,
            std::vector<Condition> conditions = {}) {
    return {std::move(names), {Action::Kind::error, error}, std::move(conditions)};
}

struct Guarded {
    std::string_view capability;
    std::vector<std::string> calls;
};

} // namespace

Profile read_profile(std::string_view json, const std::string& file, const Capabilities& capabilities) {
    Json document;
    try {
        document = Json::parse(json);
    } catch (const Json::parse_error& error) {
        throw diagnostic::fail("E0430", "this is not JSON")
            .at(place_of(json, file, error.byte == 0 ? 0 : error.byte - 1))
            .help("a profile is the JSON that docker run --security-opt seccomp=FILE takes");
    } catch (const Json::out_of_range&) { // the parser's own word for a number that no type of its holds
        throw diagnostic::fail("E0430", file + ": it holds a number that is larger than any field takes")
            .help("an errno and an argument are whole numbers of at most 64 bits");
    }
    const Field top(document, "", file);
    top.only({"defaultAction", "defaultErrnoRet", "defaultErrno", "archMap", "architectures", "flags",
              "syscalls", "listenerPath", "listenerMetadata"});
    if (const auto listener = top.find("listenerPath"))
        listener->wrong("asks another program for each call",
                        "remove it: nobody could answer in a partition");
    if (const auto architectures = top.find("architectures")) {
        const std::vector<std::string> names = architectures->texts();
        if (std::find(names.begin(), names.end(), "SCMP_ARCH_X86_64") == names.end())
            architectures->wrong("leaves out SCMP_ARCH_X86_64", "add it: partitions have no other");
    }
    Profile out;
    out.otherwise = read_action(top.need("defaultAction"), top, "defaultErrnoRet", "defaultErrno");
    if (const auto rules = top.find("syscalls"))
        for (const Field& item : rules->items())
            if (auto rule = read_rule(item, capabilities))
                append(out.rules, std::move(*rule));
    return out;
}

Profile default_profile(const Capabilities& capabilities) {
    const std::array<Guarded, 12> guarded{{
        {"CAP_SYS_ADMIN", {"bpf",           "fanotify_init",   "fsconfig",   "fsmount",       "fsopen",
                           "fspick",        "lookup_dcookie",  "mount",      "mount_setattr", "move_mount",
                           "open_tree",     "perf_event_open", "pivot_root", "quotactl",      "quotactl_fd",
                           "setdomainname", "sethostname",     "setns",      "swapoff",       "swapon",
                           "umount2",       "unshare"}},
        {"CAP_SYS_BOOT", {"reboot", "kexec_load", "kexec_file_load"}},
        {"CAP_SYS_CHROOT", {"chroot"}},
        {"CAP_SYS_MODULE", {"delete_module", "finit_module", "init_module", "query_module"}},
        {"CAP_SYS_PACCT", {"acct"}},
        {"CAP_SYS_PTRACE", {"kcmp", "pidfd_getfd", "process_madvise"}},
        {"CAP_SYS_RAWIO", {"iopl", "ioperm"}},
        {"CAP_SYS_TIME", {"settimeofday", "clock_settime", "clock_adjtime"}},
        {"CAP_SYS_TTY_CONFIG", {"vhangup"}},
        {"CAP_SYS_NICE", {"get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"}},
        {"CAP_SYSLOG", {"syslog"}},
        {"CAP_DAC_READ_SEARCH", {"open_by_handle_at"}},
    }};
    Profile out;
    for (const Guarded& item : guarded)
        if (!capabilities.contains(std::string(item.capability)))
            out.rules.push_back(refuse(item.calls));
    out.rules.push_back(refuse({"add_key", "keyctl", "request_key", "migrate_pages", "move_pages",
                                "nfsservctl", "sysfs", "uselib", "userfaultfd", "ustat", "vmsplice"}));
    if (!capabilities.contains("CAP_SYS_ADMIN")) {
        constexpr std::uint64_t new_namespaces =
            0x7E020000; // CLONE_NEW*, except CLONE_NEWTIME, which clone cannot have
        for (std::uint64_t bit = 1; bit <= new_namespaces; bit <<= 1)
            if ((new_namespaces & bit) != 0)
                out.rules.push_back(refuse({"clone"}, operation_not_permitted,
                                           {{0, Condition::Operator::masked_equal, bit, bit}}));
        out.rules.push_back(refuse({"clone3"}, no_such_call));
    }
    return out;
}

Profile strict_profile(const Capabilities& capabilities) {
    Profile out = default_profile(capabilities);
    out.rules.push_back(refuse({"chroot",
                                "fanotify_mark",
                                "io_uring_enter",
                                "io_uring_register",
                                "io_uring_setup",
                                "ioperm",
                                "iopl",
                                "kcmp",
                                "mknod",
                                "mknodat",
                                "modify_ldt",
                                "name_to_handle_at",
                                "pidfd_getfd",
                                "process_madvise",
                                "process_vm_readv",
                                "process_vm_writev",
                                "ptrace",
                                "remap_file_pages",
                                "syslog",
                                "vhangup"}));
    constexpr std::uint64_t highest_family = 16; // AF_UNIX 1, AF_INET 2, AF_INET6 10, AF_NETLINK 16
    constexpr std::uint64_t type = 0xF, raw = 3, packet = 10, push_input = 0x5412; // TIOCSTI
    constexpr std::uint16_t no_such_family = 97;
    for (const char* call : {"socket", "socketpair"}) {
        out.rules.push_back(
            refuse({call}, no_such_family, {{0, Condition::Operator::greater, highest_family, 0}}));
        for (const std::uint64_t unwanted : {raw, packet})
            out.rules.push_back(refuse({call}, operation_not_permitted,
                                       {{1, Condition::Operator::masked_equal, type, unwanted},
                                        {0, Condition::Operator::not_equal, highest_family, 0}}));
    }
    out.rules.push_back(refuse({"ioctl"}, operation_not_permitted,
                               {{1, Condition::Operator::masked_equal, 0xFFFFFFFF, push_input}}));
    return out;
}

} // namespace policy
