// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/yaml_test.cpp - the strict YAML: what is accepted, and each refusal with its place.
#include "image-tools/manifest/yaml.hpp"

#include <gtest/gtest.h>

namespace {

using manifest::Node;
using manifest::Source;

diagnostic::Diagnostic refusal(std::string text) {
    const Source source("f.yaml", std::move(text));
    try {
        static_cast<void>(manifest::parse_yaml(source));
    } catch (const diagnostic::Failure& failure) {
        EXPECT_EQ(failure.diagnostic().exit, diagnostic::ExitCode::manifest);
        return failure.diagnostic();
    }
    ADD_FAILURE() << "accepted: " << source.text();
    return {};
}

void expect_refused(const std::string& text, const std::string& code, unsigned line, unsigned column) {
    SCOPED_TRACE(text);
    const diagnostic::Diagnostic diagnostic = refusal(text);
    EXPECT_EQ(diagnostic.code, code) << diagnostic.message;
    EXPECT_EQ(diagnostic.place.line, line);
    EXPECT_EQ(diagnostic.place.column, column);
}

TEST(Yaml, TreeWithPlaces) {
    const Source source("f", "a: 1\nb: [x, \"y z\"]\nü: é # c\nempty:\n");
    const Node root = manifest::parse_yaml(source);
    ASSERT_EQ(root.kind, Node::Kind::mapping);
    ASSERT_EQ(root.entries.size(), 4u);
    const Node& list = root.entries[1].value;
    ASSERT_EQ(list.items.size(), 2u);
    EXPECT_EQ(list.items[1].text, "y z");
    EXPECT_FALSE(list.items[1].plain);
    EXPECT_EQ(list.items[1].spot.line, 2u);
    EXPECT_EQ(root.entries[2].value.spot.column, 4u); // characters, not bytes
    EXPECT_EQ(root.entries[3].value.kind, Node::Kind::null);
    EXPECT_EQ(root.entries[3].value.spot.line, 4u);
}

TEST(Yaml, RefusesWhatManifestsMayNotContain) {
    expect_refused("a: 1\na: 2\n", "E0303", 2, 1);
    expect_refused("a: 1\n---\nb: 2\n", "E0304", 2, 1);
    expect_refused("a: !!str 1\n", "E0304", 1, 4);
    expect_refused("a: &x 1\nb: *x\n", "E0304", 1, 5);
    expect_refused("a: &x {b: 1}\n", "E0304", 1, 5);
    expect_refused("<<: {a: 1}\n", "E0304", 1, 1);
    expect_refused("? [a]\n: b\n", "E0309", 1, 3);
    expect_refused("", "E0305", 0, 0);
    expect_refused("# nothing\n", "E0305", 0, 0);
    expect_refused("a: b: c\n", "E0301", 1, 5);
    expect_refused("a:\n\t- 1\n", "E0301", 2, 1);
    expect_refused("ab: \xFF\n", "E0306", 1, 5);
    expect_refused("a: \xC0\x80\n", "E0306", 1, 4);
    expect_refused("a: \xED\xA0\x80\n", "E0306", 1, 4);
    expect_refused(std::string("a: \0b\n", 6), "E0306", 1, 4);
    expect_refused(std::string(100, '['), "E0307", 1, 33);
}

TEST(Yaml, RefusesOverOneMebibyteAndTakesOne) {
    EXPECT_EQ(refusal("a: " + std::string(1 << 20, 'x')).code, "E0307");
    const Source source("f", "a: " + std::string((1 << 20) - 4, 'x') + "\n");
    EXPECT_EQ(manifest::parse_yaml(source).entries.size(), 1u);
}

TEST(Yaml, PlacesStayInsideTheFile) {
    expect_refused("a: [{b: c", "E0301", 1, 10);
}

TEST(Yaml, UnclosedBracketNamesWhereItWasOpened) {
    const diagnostic::Diagnostic diagnostic = refusal("x: 0\na: [1, 2\nb: 3\n");
    EXPECT_EQ(diagnostic.code, "E0301");
    EXPECT_EQ(diagnostic.message, "this '[' is not closed");
    EXPECT_EQ(diagnostic.place.line, 2u);
    EXPECT_EQ(diagnostic.place.column, 4u);
    ASSERT_EQ(diagnostic.notes.size(), 1u);
    EXPECT_EQ(diagnostic.notes[0], "noticed in line 4: flow sequence without a closing bracket");
}

} // namespace
