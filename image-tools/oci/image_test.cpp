// SPDX-License-Identifier: Apache-2.0
// References, documents, and whole layouts made by create_image() and read back.
#include "image-tools/oci/create.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/layer_stream.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace oci {
namespace {

namespace fs = std::filesystem;

template <typename Action> std::string refusal(Action action) {
    try {
        action();
    } catch (const diagnostic::Failure& failure) {
        return failure.diagnostic().code + " " + failure.diagnostic().message + " " +
               failure.diagnostic().help;
    }
    return "accepted";
}

TEST(Reference, Forms) {
    const Reference layout = parse_reference("oci:./dir/x:1.27");
    EXPECT_EQ(layout.path, "./dir/x");
    EXPECT_EQ(layout.tag, "1.27");
    EXPECT_EQ(layout.text(), "oci:./dir/x:1.27");
    EXPECT_EQ(layout.resolved_from("/m").path, "/m/dir/x");
    EXPECT_EQ(parse_reference("docker-archive:/a.tar:docker.io/library/redis:7").tag,
              "docker.io/library/redis:7");
    EXPECT_EQ(parse_reference("oci-archive:a.tar").transport, Transport::archive);
    EXPECT_NE(refusal([] {
                  parse_reference("nginx:1.27");
              }).find("skopeo copy docker://nginx:1.27 oci:nginx:latest"),
              std::string::npos);
    EXPECT_NE(refusal([] { parse_reference("docker://a/b@sha256:0"); }).find("oci:b:latest"),
              std::string::npos);
    for (const char* bad : {"", "oci:", "oci::tag", "oci:dir:"}) {
        EXPECT_EQ(refusal([&] { parse_reference(bad); }).substr(0, 5), "E0401") << bad;
    }
}

TEST(Digest, TextBothWays) {
    EXPECT_EQ(files::sha256("abc").text(),
              "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(files::Digest::parse(files::sha256("abc").text()), files::sha256("abc"));
    for (const char* bad :
         {"", "sha256:", "sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
          "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}) {
        EXPECT_FALSE(files::Digest::parse(bad)) << bad;
    }
}

TEST(StrictJson, RefusesWhatTwoReadersCouldReadDifferently) {
    const Limits limits;
    EXPECT_EQ(parse_json(R"({"a":{"b":1},"c":{"b":2}})", "x", limits)["c"]["b"], 2);
    EXPECT_EQ(refusal([&] { parse_json(R"({"a":1,"a":2})", "doc", limits); }),
              "E0405 doc: the key 'a' appears twice ");
    EXPECT_EQ(refusal([&] { parse_json(std::string(65, '[') + std::string(65, ']'), "doc", limits); }),
              "E0405 doc: nested deeper than 64 ");
    EXPECT_EQ(refusal([&] { parse_json(std::string(100000, '['), "doc", limits); }),
              "E0405 doc: nested deeper than 64 ");
    EXPECT_EQ(refusal([&] { parse_json("{} {}", "doc", limits); }).substr(0, 5), "E0405");
    EXPECT_EQ(refusal([&] { parse_json(std::string((4 << 20) + 1, ' '), "doc", limits); }).substr(0, 5),
              "E0413");
}

TEST(Manifest, Times) {
    EXPECT_EQ(parse_rfc3339("2023-11-14T22:13:20Z"), 1700000000);
    EXPECT_EQ(parse_rfc3339("2023-11-14T23:13:20.123456789+01:00"), 1700000000);
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
    EXPECT_FALSE(parse_rfc3339("yesterday"));
    EXPECT_FALSE(parse_rfc3339("2023-13-14T22:13:20Z"));
    EXPECT_FALSE(parse_rfc3339("2023-11-14T22:13:20"));
}

TEST(Manifest, MediaTypes) {
    EXPECT_EQ(layer_compression("application/vnd.docker.image.rootfs.diff.tar.gzip", "x"), Compression::gzip);
    EXPECT_EQ(layer_compression("application/vnd.oci.image.layer.v1.tar+zstd", "x"), Compression::zstd);
    EXPECT_EQ(layer_compression("application/vnd.oci.image.layer.v1.tar", "x"), Compression::none);
    EXPECT_EQ(refusal([] {
                  layer_compression("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "x");
              }).substr(0, 5),
              "E0406");
}

TEST(Manifest, DockersNullsAreAbsent) {
    const ImageConfig config =
        parse_config(R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null},
        "config":{"Cmd":null,"Entrypoint":["/x"],"Env":["A=b"],"ExposedPorts":{"80/tcp":{}},"Labels":null,"User":"web"}})",
                     "c", {});
    EXPECT_TRUE(config.cmd.empty());
    EXPECT_EQ(config.exposed_ports, std::vector<std::string>{"80/tcp"});
    EXPECT_EQ(config.user, "web");
    EXPECT_EQ(
        refusal([] {
            parse_config(
                R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers"},"config":{"Cmd":"sh"}})",
                "c", {});
        }),
        "E0405 c: config: 'Cmd' is missing or not a list of strings ");
}

class Layouts : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "caisson-oci-XXXXXX").string();
        work_ = ::mkdtemp(pattern.data());
        fs::create_directories(work_ / "src/bin");
        std::ofstream(work_ / "src/bin/hello") << "#!hello";
        fs::create_hard_link(work_ / "src/bin/hello", work_ / "src/bin/again");
        fs::create_symlink("bin/hello", work_ / "src/link");
        options_.from = work_ / "src";
        options_.to = parse_reference("oci:" + (work_ / "out").string() + ":v1");
        options_.entrypoint = {"/bin/hello"};
        options_.env = {"A=b"};
        options_.epoch = 1700000000;
    }
    void TearDown() override { fs::remove_all(work_); }

    static std::string unpacked(const Image& image) {
        LayerStream stream = image.open_layer(0, {});
        std::string text;
        for (auto run = stream.next(); !run.empty(); run = stream.next()) {
            text.append(reinterpret_cast<const char*>(run.data()), run.size());
        }
        return text;
    }
    void write(const fs::path& path, const std::string& text) const { std::ofstream(work_ / path) << text; }

    fs::path work_;
    CreateOptions options_;
};

TEST_F(Layouts, CreatedAndReadBack) {
    const CreatedImage created = create_image(options_);
    EXPECT_EQ(created.entries, 4u);
    const Image image = Image::open(options_.to);
    EXPECT_EQ(image.manifest_digest(), created.manifest);
    EXPECT_EQ(image.config().entrypoint, options_.entrypoint);
    EXPECT_EQ(image.config().created_epoch, 1700000000);
    EXPECT_NE(unpacked(image).find("#!hello"), std::string::npos);
}

TEST_F(Layouts, SameTreeSameBytes) {
    const CreatedImage first = create_image(options_);
    fs::copy(work_ / "src", work_ / "moved", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    fs::remove(work_ / "moved/bin/again");
    fs::create_hard_link(work_ / "moved/bin/hello", work_ / "moved/bin/again");
    options_.from = work_ / "moved";
    options_.to.path = (work_ / "out2").string();
    EXPECT_EQ(create_image(options_).manifest, first.manifest);
}

TEST_F(Layouts, TagsAreAddedAndMoved) {
    create_image(options_);
    options_.to.tag = "v2";
    options_.cmd = {"x"};
    create_image(options_);
    create_image(options_);
    const auto entries = list_images(parse_reference("oci:" + options_.to.path));
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[0].tag, "v1");
    EXPECT_EQ(entries[1].tag, "v2");
    EXPECT_EQ(entries[1].platforms.at(0).text(), "linux/amd64");
}

TEST_F(Layouts, OneTagOnSeveralPlatformsIsAnIndex) {
    create_image(options_);
    std::ifstream in(work_ / "out/index.json");
    nlohmann::json index = nlohmann::json::parse(in);
    nlohmann::json other = index["manifests"][0];
    other["platform"]["architecture"] = "arm64";
    index["manifests"].push_back(other);
    write("out/index.json", index.dump());
    EXPECT_EQ(Image::open(options_.to).platforms().size(), 2u);
    index["manifests"].push_back(other);
    write("out/index.json", index.dump());
    EXPECT_EQ(refusal([&] { Image::open(options_.to); }).substr(0, 5), "E0403");
}

TEST_F(Layouts, NothingElseIsOverwritten) {
    options_.to.path = options_.from.string();
    EXPECT_EQ(refusal([&] { create_image(options_); }).substr(0, 5), "E0417");
    write("file", "x");
    options_.to.path = (work_ / "file").string();
    EXPECT_EQ(refusal([&] { create_image(options_); }).substr(0, 5), "E0417");
}

TEST_F(Layouts, FromATarAndWithoutCompression) {
    ASSERT_EQ(
        std::system(
            ("tar -C " + (work_ / "src").string() + " -czf " + (work_ / "a.tgz").string() + " .").c_str()),
        0);
    options_.from = work_ / "a.tgz";
    options_.compress = false;
    create_image(options_);
    EXPECT_NE(unpacked(Image::open(options_.to)).find("#!hello"), std::string::npos);
    options_.from = work_ / "src/bin/hello";
    EXPECT_EQ(refusal([&] { create_image(options_); }).substr(0, 5), "E0418");
}

TEST_F(Layouts, ArchivesOfLayouts) {
    create_image(options_);
    for (const char* flags : {"-cf ", "-czf "}) {
        ASSERT_EQ(
            std::system(
                ("tar -C " + options_.to.path + " " + flags + (work_ / "a.tar").string() + " .").c_str()),
            0);
        const Image image = Image::open(parse_reference("oci-archive:" + (work_ / "a.tar").string() + ":v1"));
        EXPECT_EQ(image.config().entrypoint, options_.entrypoint);
        EXPECT_NE(unpacked(image).find("#!hello"), std::string::npos);
    }
}

TEST_F(Layouts, DockerArchives) {
    options_.compress = false;
    create_image(options_);
    const Image image = Image::open(options_.to);
    const std::string blobs = options_.to.path + "/blobs/sha256/";
    fs::create_directories(work_ / "docker/old");
    const std::string config = image.config().digest.hex() + ".json";
    fs::copy(blobs + image.config().digest.hex(), work_ / "docker" / config);
    fs::copy(blobs + image.layers()[0].diff_id.hex(), work_ / "docker/layer.tar");
    fs::create_symlink("../layer.tar", work_ / "docker/old/layer.tar");
    write("docker/manifest.json",
          R"([{"Config":")" + config + R"(","RepoTags":["hello:7"],"Layers":["old/layer.tar"]}])");
    const auto pack = [&] {
        return std::system(
            ("tar -C " + (work_ / "docker").string() + " -cf " + (work_ / "d.tar").string() + " .").c_str());
    };
    ASSERT_EQ(pack(), 0);
    const std::string reference = "docker-archive:" + (work_ / "d.tar").string();
    for (const char* tag : {"", ":hello:7", ":docker.io/library/hello:7"}) {
        EXPECT_NE(unpacked(Image::open(parse_reference(reference + tag))).find("#!hello"), std::string::npos)
            << tag;
    }
    EXPECT_EQ(list_images(parse_reference(reference)).at(0).tag, "hello:7");
    EXPECT_EQ(refusal([&] { Image::open(parse_reference(reference + ":other")); }).substr(0, 5), "E0403");
    write("docker/layer.tar", "not the layer");
    ASSERT_EQ(pack(), 0);
    EXPECT_EQ(refusal([&] { unpacked(Image::open(parse_reference(reference))); }).substr(0, 5), "E0408");
    write("docker/" + config, "{}");
    ASSERT_EQ(pack(), 0);
    EXPECT_EQ(refusal([&] { Image::open(parse_reference(reference)); }).substr(0, 5), "E0407");
}

TEST_F(Layouts, WhatIsMissingIsNamed) {
    EXPECT_EQ(refusal([&] { Image::open(parse_reference("oci:" + (work_ / "none").string())); }).substr(0, 5),
              "E0402");
    EXPECT_NE(refusal([&] {
                  Image::open(parse_reference("oci:" + (work_ / "src").string()));
              }).find("has no index.json"),
              std::string::npos);
    create_image(options_);
    write("out/index.json", R"({"schemaVersion":2,"manifests":[]})");
    EXPECT_EQ(refusal([&] { Image::open(options_.to); }).substr(0, 5), "E0403");
    write("out/index.json", "{");
    EXPECT_EQ(refusal([&] { Image::open(options_.to); }).substr(0, 5), "E0405");
}

} // namespace
} // namespace oci
