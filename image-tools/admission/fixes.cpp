// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/fixes.cpp - fixes of rules as one patch of the manifest.
#include "image-tools/admission/fixes.hpp"

#include "image-tools/cel/json.hpp"

#include <algorithm>

namespace admission {
namespace {

using manifest::Entry;
using manifest::Node;

Node mapping(std::string key, Node value) {
    Node out;
    out.kind = Node::Kind::mapping;
    out.entries.push_back({std::move(key), {}, std::move(value)});
    return out;
}

std::string quoted(const std::string& text) {
    return cel::to_json(cel::Value::of_string(text));
}

std::string key_text(const std::string& key) {
    const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
    return bare ? key : quoted(key);
}

bool is_short(const Node& node) {
    return node.kind == Node::Kind::null || node.kind == Node::Kind::scalar ||
           (node.items.empty() && node.entries.empty());
}

std::string short_text(const Node& node) {
    switch (node.kind) {
    case Node::Kind::null:
        return "null";
    case Node::Kind::scalar:
        return node.plain ? node.text : quoted(node.text);
    case Node::Kind::sequence:
        return "[]";
    case Node::Kind::mapping:
        break;
    }
    return "{}";
}

// Its lines, without an indentation.
std::vector<std::string> lines_of(const Node& node) {
    if (is_short(node))
        return {short_text(node)};
    std::vector<std::string> out;
    for (const Entry& entry : node.entries) {
        const std::vector<std::string> inner = lines_of(entry.value);
        if (is_short(entry.value)) {
            out.push_back(key_text(entry.key) + ": " + inner.front());
            continue;
        }
        out.push_back(key_text(entry.key) + ":");
        for (const std::string& line : inner)
            out.push_back("  " + line);
    }
    for (const Node& item : node.items) {
        const char* mark = "- ";
        for (const std::string& line : lines_of(item)) {
            out.push_back(mark + line);
            mark = "  ";
        }
    }
    return out;
}

// Null removes from a document; in a patch that is put together of others it stays, for it is what removes.
enum class Nulls : bool { remove, stay };

Node put_together(Node into, const Node& patch, Nulls nulls) {
    if (patch.kind != Node::Kind::mapping)
        return patch;
    if (into.kind != Node::Kind::mapping) {
        into = {};
        into.kind = Node::Kind::mapping;
    }
    for (const Entry& entry : patch.entries) {
        const auto found = std::find_if(into.entries.begin(), into.entries.end(),
                                        [&](const Entry& one) { return one.key == entry.key; });
        const bool there = found != into.entries.end();
        if (entry.value.kind == Node::Kind::null && nulls == Nulls::remove) {
            if (there)
                into.entries.erase(found);
        } else if (there) {
            found->value = put_together(std::move(found->value), entry.value, nulls);
        } else {
            into.entries.push_back({entry.key, entry.spot, put_together({}, entry.value, nulls)});
        }
    }
    return into;
}

} // namespace

Node merged(Node into, const Node& patch) {
    return put_together(std::move(into), patch, Nulls::remove);
}

Node patch_of(const Verdict& verdict) {
    Node out;
    out.kind = Node::Kind::mapping;
    for (const Finding& finding : verdict.findings) {
        if (finding.exception != nullptr || finding.rule->patch.entries.empty())
            continue;
        Node one = finding.rule->patch;
        if (!finding.partition.empty() && !finding.rule->fix_in_plan)
            one = mapping("partitions", mapping(finding.partition, std::move(one)));
        out = put_together(std::move(out), one, Nulls::stay);
    }
    return out;
}

Node read_fix(const std::string& fix, const manifest::Source& source, manifest::Spot spot) {
    const manifest::Source text(source.file() + ": fix", fix);
    try {
        Node out = manifest::parse_yaml(text);
        if (out.kind == Node::Kind::mapping)
            return out;
    } catch (const diagnostic::Failure&) {
        // said below, where the policy's author looks
    }
    source.fail(spot, "E0309", "'fix' is not what one can write into a manifest: a map, as {readOnly: true}");
}

std::string yaml_text(const Node& node) {
    std::string out;
    for (const std::string& line : lines_of(node))
        out += line + "\n";
    return out;
}

} // namespace admission
