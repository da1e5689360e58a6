// SPDX-License-Identifier: Apache-2.0
// image-tools/build/root_facts.hpp - what plan and start depend on of an image's root: its size, who its users are, the
// programs that were looked at.
//
// Kept from one run to the next (files::Notes), by what the root is made of; what is not known yet is asked of the root
// image, for which the layers are unpacked. So `check` unpacks an image once, and a build that changes nothing does not.
#pragma once

#include "image-tools/build/program.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/sbom/package.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace build {

class RootFacts {
public:
    // Makes the root image. May throw, also to say that it is not to be made.
    using Open = std::function<const rootfs::RootImage&()>;

    // `key`: of root_key(). `name` is the image's, for messages.
    RootFacts(std::string key, std::string name, Open open);

    enum class Text : std::uint8_t { passwd, group };
    [[nodiscard]] const std::string& image_name() const { return name_; }
    std::uint64_t bytes();                            // of the root image
    std::optional<std::string_view> text(Text which); // /etc/passwd, /etc/group; nothing: it is not there
    std::optional<Program> program(const std::string& path);

    const sbom::Summary& packages(); // looked for when first asked

    void learn(); // all but programs and packages, from the root image itself
    void keep();  // for later runs, where there is something new

private:
    struct Known {
        std::uint64_t bytes = 0;
        std::optional<std::string> passwd, group;
    };
    const Known& known();
    void read(const std::string& note);

    std::string key_, name_;
    Open open_;
    std::optional<Known> known_;
    std::map<std::string, std::optional<Program>> programs_;
    std::optional<sbom::Summary> packages_;
    bool grew_ = false;
};

// What a root image depends on besides the tool itself, as one word: the same key, the same bytes.
std::string root_key(const oci::Image& image, std::optional<std::int64_t> epoch, std::uint64_t unpack_limit);

} // namespace build
