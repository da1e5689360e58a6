// SPDX-License-Identifier: Apache-2.0
// References, documents, and whole layouts made by create_image() and read back.
#include "image-tools/oci/create.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/layer_stream.hpp"
#include "image-tools/oci/tar_reader.hpp"

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
    const Reference bare = parse_reference("nginx:1.27");
    EXPECT_EQ(bare.transport, Transport::registry);
    EXPECT_EQ(bare.text(), "docker://nginx:1.27");
    EXPECT_EQ(bare.resolved_from("/m").path, "nginx");
    const Reference remote = parse_reference("docker://r.example:5000/a/b:1@" + files::sha256("abc").text());
    EXPECT_EQ(remote.path, "r.example:5000/a/b");
    EXPECT_EQ(remote.tag, "1");
    EXPECT_EQ(remote.digest, files::sha256("abc"));
    EXPECT_NE(refusal([] { parse_reference("docker://a/b@sha256:0"); }).find("is not a digest"),
              std::string::npos);
    const Reference exact = parse_reference("oci:dir@" + files::sha256("abc").text());
    EXPECT_EQ(exact.path, "dir");
    EXPECT_EQ(exact.digest, files::sha256("abc"));
    EXPECT_EQ(exact.text(), "oci:dir@" + files::sha256("abc").text());
    for (const auto& [text, help] : std::vector<std::pair<const char*, const char*>>{
             {"containers-storage:localhost/web:2",
              "podman save --format oci-archive -o web.tar localhost/web:2"},
             {"docker-daemon:web:2", "then write docker-archive:web.tar"},
             {"dir:/tmp/web", "skopeo copy dir:/tmp/web oci:web:latest"},
             {"/tmp", "caisson image create --from /tmp oci:DIR"}}) {
        EXPECT_NE(refusal([&] { parse_reference(text); }).find(help), std::string::npos) << text;
    }
    for (const char* bad :
         {"", "docker://", "docker://A", "Nginx", "oci:", "oci::tag", "oci:dir:", "oci:dir@sha256:12"}) {
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

// Whether the host stores the zeros or not.
TEST_F(Layouts, RunsOfZerosAreSparse) {
    const std::string contents = "begin" + std::string(300'000, '\0') + "middle" + std::string(200'000, '\0');
    write("src/stored", contents);
    write("src/holes", "begin");
    fs::resize_file(work_ / "src/holes", 300'005);
    std::ofstream(work_ / "src/holes", std::ios::app) << "middle";
    fs::resize_file(work_ / "src/holes", contents.size());
    write("src/small", std::string(65535, '\0'));
    options_.compress = false;
    std::uint64_t packed = 0;
    options_.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) { packed = done; };
    const CreatedImage created = create_image(options_);
    EXPECT_LT(created.layer_bytes, 350'000u);
    EXPECT_EQ(packed, created.layer_bytes);
    LayerStream stream = Image::open(options_.to).open_layer(0, {});
    TarReader reader([&] { return stream.next(); }, {});
    unsigned seen = 0;
    for (TarEntry entry; reader.next(entry);) {
        std::string data;
        for (auto run = reader.read(); !run.empty(); run = reader.read()) {
            data.append(reinterpret_cast<const char*>(run.data()), run.size());
        }
        if (entry.path == "stored" || entry.path == "holes") {
            ++seen;
            EXPECT_TRUE(entry.sparse);
            EXPECT_EQ(entry.size, contents.size());
            std::string whole(contents.size(), '\0');
            for (const TarExtent& extent : entry.extents) {
                whole.replace(extent.offset, extent.bytes, data.substr(0, extent.bytes));
                data.erase(0, extent.bytes);
            }
            EXPECT_TRUE(whole == contents) << entry.path;
        } else {
            EXPECT_FALSE(entry.sparse) << entry.path;
        }
    }
    EXPECT_EQ(seen, 2u);
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
    index["manifests"].push_back(other); // the same once more
    write("out/index.json", index.dump());
    EXPECT_EQ(Image::open(options_.to).platforms().size(), 2u);
}

TEST_F(Layouts, TheEntryThatIsMeant) {
    const CreatedImage first = create_image(options_);
    options_.to.tag = "v2";
    options_.cmd = {"x"};
    const CreatedImage second = create_image(options_);
    std::ifstream in(work_ / "out/index.json");
    nlohmann::json index = nlohmann::json::parse(in);
    const Reference all{Transport::layout, options_.to.path, {}};
    const auto with = [&](auto change) {
        nlohmann::json changed = index;
        change(changed["manifests"]);
        write("out/index.json", changed.dump());
    };
    const auto digest_by = [&](Reference reference) { return Image::open(reference).manifest_digest(); };
    const std::string which = refusal([&] { digest_by(all); });
    EXPECT_EQ(which.substr(0, 5), "E0403");
    EXPECT_NE(which.find("@sha256:DIGEST"), std::string::npos) << which;
    Reference exact = all;
    exact.digest = second.manifest;
    EXPECT_EQ(digest_by(exact), second.manifest);
    // One tag on both, told apart by their whole names.
    with([](nlohmann::json& list) {
        for (auto& [entry, name] : std::vector<std::pair<nlohmann::json*, const char*>>{
                 {&list[0], "docker.io/library/a:latest"}, {&list[1], "docker.io/library/b:latest"}}) {
            (*entry)["annotations"] = {{"org.opencontainers.image.ref.name", "latest"},
                                       {"io.containerd.image.name", name}};
            entry->erase("platform");
        }
    });
    Reference named = all;
    named.tag = "latest";
    EXPECT_EQ(refusal([&] { digest_by(named); }).substr(0, 5), "E0403");
    named.tag = "b";
    EXPECT_EQ(digest_by(named), second.manifest);
    // The same image twice, an attestation, a signature: one image.
    with([](nlohmann::json& list) {
        list[1] = list[0];
        nlohmann::json beside = list[0];
        beside["digest"] = files::sha256("a").text();
        beside["platform"] = {{"os", "unknown"}, {"architecture", "unknown"}};
        list.push_back(beside);
        beside["digest"] = files::sha256("b").text();
        beside.erase("platform");
        beside["artifactType"] = "application/x.signature";
        list.push_back(beside);
    });
    EXPECT_EQ(digest_by(all), first.manifest);
}

// A layout with one image, whose config, manifest and index entry are `change`d.
class Changed : public Layouts {
protected:
    template <typename Change> Reference changed(Change change) {
        fs::remove_all(work_ / "out");
        create_image(options_);
        const auto load = [&](const nlohmann::json& descriptor) {
            std::ifstream in(work_ / "out/blobs/sha256" / descriptor["digest"].get<std::string>().substr(7));
            return nlohmann::json::parse(in);
        };
        std::ifstream in(work_ / "out/index.json");
        nlohmann::json index = nlohmann::json::parse(in);
        nlohmann::json& entry = index["manifests"][0];
        nlohmann::json manifest = load(entry);
        nlohmann::json config = load(manifest["config"]);
        change(config, manifest, entry);
        const auto store = [&](nlohmann::json& descriptor, const nlohmann::json& document) {
            const std::string text = document.dump();
            descriptor["digest"] = files::sha256(text).text();
            descriptor["size"] = text.size();
            write(fs::path("out/blobs/sha256") / files::sha256(text).hex(), text);
        };
        store(manifest["config"], config);
        store(entry, manifest);
        write("out/index.json", index.dump());
        return options_.to;
    }
    using Json = nlohmann::json;
};

TEST_F(Changed, PlatformsAsPeopleWriteThem) {
    const auto opened = [&](auto change) { return Image::open(changed(change)).notes().size(); };
    const auto refused = [&](auto change) { return refusal([&] { Image::open(changed(change)); }); };
    EXPECT_EQ(opened([](Json& config, Json&, Json&) { config["architecture"] = "x86_64"; }), 0u);
    EXPECT_EQ(opened([](Json& config, Json&, Json&) { config["os"] = "Linux"; }), 0u);
    EXPECT_EQ(opened([](Json& config, Json&, Json&) { config["architecture"] = ""; }), 1u);
    EXPECT_EQ(opened([](Json& config, Json&, Json& entry) {
                  config.erase("architecture");
                  config.erase("os");
                  entry.erase("platform");
              }),
              1u);
    EXPECT_EQ(refused([](Json& config, Json&, Json&) { config["os"] = "windows"; }).substr(0, 5), "E0404");
    const std::string lie = refused([](Json& config, Json&, Json& entry) {
        config["architecture"] = "arm64";
        entry["platform"] = {{"os", "linux"}, {"architecture", "amd64"}};
    });
    EXPECT_NE(lie.find("the index says linux/amd64, the image's own config linux/arm64"), std::string::npos)
        << lie;
}

TEST_F(Changed, ContentTellsWhereMediaTypesLie) {
    for (const char* type : {"tar", "tar+gzip", "tar+zstd"}) {
        const Image image = Image::open(changed([&](Json&, Json& manifest, Json&) {
            manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1." + std::string(type);
        }));
        EXPECT_NE(unpacked(image).find("#!hello"), std::string::npos) << type;
        EXPECT_EQ(image.notes().size(), std::string(type) == "tar+gzip" ? 0u : 1u) << type;
    }
    EXPECT_EQ(Image::open(changed([](Json&, Json& manifest, Json&) {
                  manifest["config"]["mediaType"] = "text/html";
              }))
                  .notes()
                  .size(),
              1u);
    EXPECT_EQ(refusal([&] {
                  Image::open(changed([](Json&, Json& manifest, Json&) {
                      manifest["config"]["mediaType"] = "application/vnd.oci.empty.v1+json";
                  }));
              }).substr(0, 5),
              "E0406");
    const Image foreign = Image::open(changed([](Json&, Json& manifest, Json&) {
        Json& layer = manifest["layers"][0];
        layer["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        layer["urls"] = {"https://example.invalid/layer"};
    }));
    fs::remove(work_ / "out/blobs/sha256" / foreign.layers()[0].blob.digest.hex());
    try {
        unpacked(foreign);
        FAIL() << "accepted";
    } catch (const diagnostic::Failure& failure) {
        EXPECT_NE(failure.diagnostic().notes.at(0).find("example.invalid"), std::string::npos);
    }
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
    // What the image is, nothing outside says.
    EXPECT_EQ(Image::open(parse_reference(reference)).notes().size(), 1u);
    // As crane, ko, kaniko and apko name the config, and as jib does; a member twice.
    for (const std::string& name : {"sha256:" + image.config().digest.hex(), std::string("config.json")}) {
        fs::copy_file(work_ / "docker" / config, work_ / "docker" / name);
        write("docker/manifest.json",
              R"([{"Config":")" + name + R"(","RepoTags":null,"Layers":["old/layer.tar"]}])");
        ASSERT_EQ(pack(), 0);
        ASSERT_EQ(std::system(("tar -C " + (work_ / "docker").string() + " -rf " +
                               (work_ / "d.tar").string() + " ./manifest.json")
                                  .c_str()),
                  0);
        EXPECT_NE(unpacked(Image::open(parse_reference(reference))).find("#!hello"), std::string::npos)
            << name;
    }
    write("docker/manifest.json",
          R"([{"Config":"config.json","RepoTags":["x:1"],"Layers":["old/layer.tar"]}])");
    ASSERT_EQ(std::system(("tar -C " + (work_ / "docker").string() + " -rf " + (work_ / "d.tar").string() +
                           " ./manifest.json")
                              .c_str()),
              0);
    EXPECT_EQ(refusal([&] { Image::open(parse_reference(reference)); }).substr(0, 5), "E0410")
        << "another one";
    write("docker/index.json", R"({"schemaVersion":2,"manifests":[]})");
    ASSERT_EQ(pack(), 0);
    EXPECT_NE(refusal([&] { Image::open(parse_reference(reference)); }).find("disagree"), std::string::npos);
    fs::remove(work_ / "docker/index.json");
    write("docker/manifest.json",
          R"([{"Config":")" + config + R"(","RepoTags":["hello:7"],"Layers":["old/layer.tar"]}])");
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
