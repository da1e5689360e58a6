// SPDX-License-Identifier: Apache-2.0
// What is pure of registries, and the cache. The rest is tried with a real registry: registry_test.py.
#include "image-tools/oci/registry_name.hpp"
#include "image-tools/registry/cache.hpp"
#include "image-tools/registry/challenge.hpp"
#include "image-tools/registry/credentials.hpp"
#include "image-tools/registry/failure.hpp"
#include "image-tools/registry/http.hpp"
#include "image-tools/registry/lock_file.hpp"
#include "image-tools/registry/retry.hpp"
#include "image-tools/registry/settings.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace registry {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

template <typename Action> std::string refusal(Action action) {
    try {
        action();
    } catch (const diagnostic::Failure& failure) {
        return failure.diagnostic().code + " " + failure.diagnostic().message;
    }
    return "accepted";
}

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "caisson-registry-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
};

std::span<const std::uint8_t> bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Name, PartsAndWhatIsAHost) {
    struct Row {
        const char *text, *host, *repository, *tag;
    };
    for (const Row& row : {Row{"nginx", "", "nginx", ""}, Row{"nginx:1.27", "", "nginx", "1.27"},
                           Row{"a/b/c:t", "", "a/b/c", "t"}, Row{"localhost/a", "localhost", "a", ""},
                           Row{"r.example/a:b", "r.example", "a", "b"},
                           Row{"r:5000/a_b/c__d/e--f:V_1", "r:5000", "a_b/c__d/e--f", "V_1"},
                           Row{"[::1]:5000/a", "[::1]:5000", "a", ""}, Row{"Upper/a", "Upper", "a", ""}}) {
        std::string problem;
        const auto name = oci::parse_registry_name(row.text, problem);
        ASSERT_TRUE(name) << row.text << problem;
        EXPECT_EQ(name->host, row.host) << row.text;
        EXPECT_EQ(name->repository, row.repository) << row.text;
        EXPECT_EQ(name->tag, row.tag) << row.text;
        EXPECT_EQ(name->text(), row.text);
    }
    const std::string digest = files::sha256("abc").text();
    std::string problem;
    EXPECT_EQ(oci::parse_registry_name("r.example/a:b@" + digest, problem)->digest, files::sha256("abc"));
    for (const char* bad : {"",           ":",     "a:",        "a/",           "/a",           "A",
                            "a//b",       "a:b:c", "a..b",      "a___b",        "-a",           "a-",
                            "a@sha256:1", "a@",    "r:99999/a", "r.example:/a", "r..example/a", "[::1/a",
                            "[]/a",       "a/B",   "a:.t",      "a b",          "../a",         "r.example/",
                            "a\n"}) {
        problem.clear();
        EXPECT_FALSE(oci::parse_registry_name(bad, problem)) << bad;
        EXPECT_FALSE(problem.empty()) << bad;
    }
    EXPECT_FALSE(oci::parse_registry_name("a:" + std::string(129, 't'), problem));
    EXPECT_FALSE(oci::parse_registry_name(std::string(256, 'a'), problem));
}

TEST(Challenge, SchemesAndParameters) {
    const auto one =
        parse_challenges(R"(Bearer realm="https://a/token?x=1,2",service="s \"q\"", scope=pull)");
    ASSERT_TRUE(one);
    ASSERT_EQ(one->size(), 1u);
    EXPECT_EQ(one->front().scheme, "bearer");
    EXPECT_EQ(one->front().parameters.at("realm"), "https://a/token?x=1,2");
    EXPECT_EQ(one->front().parameters.at("service"), "s \"q\"");
    EXPECT_EQ(one->front().parameters.at("scope"), "pull");
    const auto two = parse_challenges(R"(Negotiate, NTLM abc==, BASIC Realm = "x" , , Bearer a=b)");
    ASSERT_TRUE(two);
    ASSERT_EQ(two->size(), 4u);
    EXPECT_EQ((*two)[1].token68, "abc==");
    EXPECT_EQ((*two)[2].scheme, "basic");
    EXPECT_EQ((*two)[2].parameters.at("realm"), "x");
    EXPECT_EQ((*two)[3].parameters.at("a"), "b");
    EXPECT_TRUE(parse_challenges("")->empty());
    for (const char* bad : {"Bearer realm=\"x", "Bearer realm=\"x\\", "Bearer a=1 b=2", "Bearer a=1, A=2",
                            "=x", "Bearer a=\"\n\"", "\"q\""})
        EXPECT_FALSE(parse_challenges(bad)) << bad;
}

TEST(Retry, WhatPassesAndWhatDoesNot) {
    const auto now = std::chrono::system_clock::from_time_t(1'700'000'000);
    const auto answer = [](long status, const char* after = nullptr) {
        Answer out;
        out.status = status;
        if (after != nullptr)
            out.headers["retry-after"] = {after};
        return out;
    };
    EXPECT_EQ(next_step(answer(206), 0, now).next, Next::done);
    EXPECT_EQ(next_step(answer(401), 0, now).next, Next::authorize);
    for (const long status : {400, 403, 404, 416, 501})
        EXPECT_EQ(next_step(answer(status), 0, now).next, Next::give_up) << status;
    for (const long status : {429, 500, 502, 503, 504})
        EXPECT_EQ(next_step(answer(status), 0, now).next, Next::again) << status;
    EXPECT_EQ(next_step(answer(503), 3, now).after, 4000ms);
    EXPECT_EQ(next_step(answer(503), most_failures - 1, now).next, Next::give_up);
    EXPECT_EQ(next_step(answer(429, "7"), 0, now).after, 7s);
    EXPECT_EQ(next_step(answer(429, "Tue, 14 Nov 2023 22:13:50 GMT"), 0, now).after, 30s);
    EXPECT_EQ(next_step(answer(429, "Tue, 14 Nov 2023 22:13:00 GMT"), 0, now).after, 0s);
    EXPECT_EQ(next_step(answer(429, "61"), 0, now).next, Next::give_up);
    EXPECT_EQ(next_step(answer(429, "99999999999999999999"), 0, now).next, Next::give_up);
    EXPECT_EQ(next_step(answer(429, "soon"), 0, now).after, first_delay);
    Answer broken;
    broken.trouble = Trouble::broken_off;
    EXPECT_EQ(next_step(broken, 0, now).next, Next::again);
    broken.trouble = Trouble::certificate;
    EXPECT_EQ(next_step(broken, 0, now).next, Next::give_up);
}

TEST(Http, OriginsAndRedirects) {
    EXPECT_EQ(origin_of("https://A.example/x"), "https://a.example:443");
    EXPECT_EQ(origin_of("http://a.example:5000"), "http://a.example:5000");
    for (const char* bad : {"file:///etc/passwd", "ftp://a/", "https://user@a/", "", "a b"})
        EXPECT_EQ(origin_of(bad), "") << bad;
    EXPECT_EQ(resolved_url("https://a/v2/x/y?z", "/w"), "https://a/w");
    EXPECT_EQ(resolved_url("https://a/v2/x/y", "http://b/w"), "http://b/w");
    EXPECT_EQ(resolved_url("https://a/v2/x/y", "file:///w"), "");
    EXPECT_EQ(percent_encoded("repository:a/b:pull"), "repository%3Aa%2Fb%3Apull");
}

TEST(Settings, CompletesNames) {
    std::string problem;
    Settings settings;
    EXPECT_EQ(settings.completed(*oci::parse_registry_name("nginx", problem)).text(),
              "docker.io/library/nginx:latest");
    EXPECT_EQ(settings.completed(*oci::parse_registry_name("a/b:1", problem)).text(), "docker.io/a/b:1");
    settings.add("unqualified-search-registries = [\"r.example/mine\"]\nshort-name-mode = \"enforcing\"\n",
                 "x");
    EXPECT_EQ(settings.completed(*oci::parse_registry_name("nginx", problem)).text(),
              "r.example/mine/nginx:latest");
    EXPECT_EQ(settings.completed(*oci::parse_registry_name("q.example/nginx:2", problem)).text(),
              "q.example/nginx:2");
}

TEST(Settings, MirrorsPrefixesAndBlocks) {
    Settings settings;
    settings.add(R"(
[[registry]]
prefix = "r.example/a"
location = "s.example:5000/b"
insecure = true
[[registry.mirror]]
location = "m.example"
[[registry.mirror]]
location = "n.example"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "*.wild.example"
location = "w.example/all"
[[registry]]
location = "r.example"
blocked = true
)",
                 "x");
    std::string problem;
    const auto places = [&](const char* text, bool by_digest) {
        std::string out;
        for (const Place& place : settings.places(*oci::parse_registry_name(text, problem), by_digest))
            out += place.text() + (place.insecure ? "! " : " ");
        return out;
    };
    EXPECT_EQ(places("r.example/a/x:1", false), "m.example/x s.example:5000/b/x! ");
    EXPECT_EQ(places("r.example/a/x:1", true), "m.example/x n.example/x s.example:5000/b/x! ");
    EXPECT_EQ(places("q.wild.example/x:1", false), "w.example/all/x ");
    EXPECT_EQ(places("other.example/x:1", false), "other.example/x ");
    EXPECT_EQ(refusal([&] { places("r.example/ab:1", false); }).substr(0, 5),
              "E0605"); // "/a" is a part, not letters
    for (const char* bad :
         {"[[registry]]\n", "[[registry]]\nlocation = \"a b\"\n",
          "[[registry]]\nlocation = \"r.example\"\ninsecure = 1\n", "registry = 1\n",
          "[registries.search]\nregistries = [\"x\"]\n",
          "unqualified-search-registries = [\"a.b\", \"c.d\"]\n", "not toml",
          "[[registry]]\nlocation = \"r.example\"\n[[registry.mirror]]\npull-from-mirror = \"never\"\n"})
        EXPECT_EQ(refusal([&] { Settings().add(bad, "x"); }).substr(0, 5), "E0423") << bad;
    EXPECT_TRUE((Place{"127.0.0.1:5000", "x"}).loopback());
    EXPECT_TRUE((Place{"[::1]:5000", "x"}).loopback());
    EXPECT_FALSE((Place{"127.evil.example", "x"}).loopback());
}

TEST(Credentials, OfConfigJson) {
    // anna:pw:x
    const Credentials all = Credentials::parse(
        R"({"auths": {"https://r.example/v1/": {"auth": "YW5uYTpwdzp4"}, "https://index.docker.io/v1/": {"username": "b", "password": "c"},
            "t.example:5000": {"identitytoken": "tok"}, "empty.example": {}}, "HttpHeaders": {"x": "y"}})",
        "config.json");
    EXPECT_EQ(all.login_for("r.example")->user, "anna");
    EXPECT_EQ(all.login_for("r.example")->password, "pw:x");
    EXPECT_EQ(all.login_for("docker.io")->user, "b");
    EXPECT_EQ(all.login_for("t.example:5000")->identity_token, "tok");
    EXPECT_FALSE(all.login_for("empty.example"));
    EXPECT_FALSE(all.login_for("t.example"));
    for (const char* bad : {"", "[]", R"({"auths": 1})", R"({"auths": {"a": {"auth": "%"}}})",
                            R"({"auths": {"a": {"auth": "YQ=="}}})", R"({"credsStore": "a/b"})",
                            R"({"credHelpers": {"a": "x y"}})", R"({"credsStore": "A"})", R"({"a":1,"a":2})"})
        EXPECT_EQ(refusal([&] { Credentials::parse(bad, "config.json"); }).substr(0, 5), "E0423") << bad;
}

TEST(Credentials, AHelperHasATimeLimit) {
    const Folder folder;
    const auto script = [&](const char* name, const char* body) {
        const fs::path file = folder.path / ("docker-credential-" + std::string(name));
        std::ofstream(file) << "#!/bin/sh\n" << body << "\n";
        fs::permissions(file, fs::perms::owner_all);
    };
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (folder.path.string() + ":" + path).c_str(), 1);
    script("slow", "exec sleep 60");
    script("background", "sleep 60 & exit 0");
    script("unknown", "echo 'credentials not found in native keychain'; exit 1");
    script("talks", "echo hello");
    script("floods", "exec cat /dev/zero");
    script("token",
           "read -r server; echo \"{\\\"Username\\\":\\\"<token>\\\",\\\"Secret\\\":\\\"$1 $server\\\"}\"");
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(refusal([] { ask_helper("slow", "r.example", 200ms); }).substr(0, 5), "E0707");
    EXPECT_EQ(refusal([] { ask_helper("background", "r.example", 200ms); }).substr(0, 5), "E0707");
    EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
    EXPECT_FALSE(ask_helper("unknown", "r.example"));
    EXPECT_EQ(refusal([] { ask_helper("talks", "r.example"); }).substr(0, 5), "E0707");
    EXPECT_EQ(refusal([] { ask_helper("floods", "r.example"); }).substr(0, 5), "E0707");
    EXPECT_EQ(refusal([] { ask_helper("none", "r.example"); }).substr(0, 5), "E0707");
    EXPECT_EQ(ask_helper("token", "r.example")->identity_token, "get r.example");
    ::setenv("PATH", path.c_str(), 1);
}

TEST(Cache, ABlobHasItsNameWhenItIsWhole) {
    const Folder folder;
    const Cache cache(folder.path / "images");
    const files::Digest digest = files::sha256("hello");
    auto partial = cache.begin(digest);
    ASSERT_TRUE(partial);
    partial->append(bytes("hel"));
    EXPECT_FALSE(cache.find(digest));
    EXPECT_FALSE(cache.begin(digest)); // somebody has it
    partial.reset();
    partial = cache.begin(digest);
    EXPECT_EQ(partial->size(), 3u);
    partial->append(bytes("lo"));
    EXPECT_TRUE(partial->finish());
    EXPECT_EQ(cache.find(digest)->size, 5u);
    partial.reset();

    const files::Digest other = files::sha256("other");
    partial = cache.begin(other);
    partial->append(bytes("wrong"));
    EXPECT_FALSE(partial->finish());
    EXPECT_EQ(partial->size(), 0u);
    EXPECT_FALSE(cache.find(other));
    partial->append(bytes("other"));
    EXPECT_TRUE(partial->finish());
}

TEST(Cache, NamesAndWhatIsCollected) {
    const Folder folder;
    const fs::path root = folder.path / "images";
    const files::Digest one = files::sha256("one"), two = files::sha256("two"),
                        stray = files::sha256("stray");
    {
        const Cache cache(root);
        for (const char* text : {"one", "two", "stray"})
            cache.put(files::sha256(std::string_view(text)), text);
        EXPECT_FALSE(cache.recall("r/x:1", "linux/amd64"));
        cache.remember({"r/x:1", "linux/amd64", one, one, {{one, 3}}});
        ::usleep(20000);
        cache.remember({"r/x:2", "linux/amd64", two, two, {{two, 3}}});
        EXPECT_EQ(cache.recall("r/x:1", "linux/amd64")->digest, one);
        EXPECT_FALSE(cache.recall("r/x:1", "linux/arm64"));
        ::usleep(20000);
        cache.remember({"r/x:1", "linux/amd64", one, one, {{one, 3}}}); // used again
        EXPECT_EQ(cache.images().front().reference, "r/x:2");
        std::ofstream(root / "names" / "damaged") << "{";
        EXPECT_EQ(cache.images().size(), 2u);
    }
    bool waited = false;
    const auto removed = Cache::collect(root, 3, [&] { waited = true; });
    EXPECT_FALSE(waited);
    ASSERT_EQ(removed.images.size(), 1u);
    EXPECT_EQ(removed.images.front().reference, "r/x:2");
    EXPECT_EQ(removed.blobs, 2u);
    const Cache cache(root);
    EXPECT_TRUE(cache.find(one));
    EXPECT_FALSE(cache.find(two) || cache.find(stray));
}

TEST(LockFile, SaysTheSameBothWays) {
    LockFile file;
    const files::Digest one = files::sha256("one"), two = files::sha256("two");
    file.pin({"docker://z:1", "linux/amd64", one, two});
    file.pin({"docker://a:1", "linux/amd64", one, one});
    file.pin({"docker://z:1", "linux/amd64", two, two});
    ASSERT_EQ(file.pins().size(), 2u);
    EXPECT_EQ(file.pins().front().reference, "docker://a:1");
    EXPECT_EQ(file.find("docker://z:1", "linux/amd64")->digest, two);
    EXPECT_EQ(file.find("docker://z:1", "linux/arm64"), nullptr);
    EXPECT_EQ(LockFile::parse(file.text(), "x").pins(), file.pins());
    EXPECT_EQ(LockFile::beside("a/appliance.yaml"), "a/appliance.lock");
    for (
        const char* bad :
        {"", "{}", R"({"schema":"caisson.lock/2","items":[]})",
         R"({"schema":"caisson.lock/1","items":[{"reference":"a","platform":"b","digest":"c","manifest":"d"}]})"})
        EXPECT_EQ(refusal([&] { LockFile::parse(bad, "x"); }).substr(0, 5), "E0423") << bad;
}

} // namespace
} // namespace registry
