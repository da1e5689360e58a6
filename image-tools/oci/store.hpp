// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/store.hpp - where images are: a table of contents, documents and blobs by their digests.
//
// One class a kind of place: a layout (directory or archive), a docker-archive. What reads an image
// (image_loader) does not know which it is.
// Trust: everything a store holds is hostile; documents and blobs are checked here, before they are used.
#pragma once

#include "image-tools/files/digest.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/oci/image.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace oci {

// An entry of the table of contents.
struct StoredImage {
    std::vector<std::string> names; // tags, or whole names ("redis:7"); empty: none
    Descriptor descriptor;          // of a manifest or an index of them; a docker-archive's: of the config
};

struct Manifest {
    Descriptor config;
    std::vector<Descriptor> layers;
};

class Store {
public:
    // Throws E0402 with what is wrong and what to do.
    static std::shared_ptr<const Store> open(const Reference& reference, const Limits& limits);

    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;

    [[nodiscard]] virtual std::vector<StoredImage> contents() const = 0;
    // Whether the user means this entry by that name.
    [[nodiscard]] virtual bool is_called(const StoredImage& image, const std::string& name) const;
    // Throws E0406 for what is no image, and the failures of document().
    [[nodiscard]] virtual Manifest manifest(const Descriptor& image) const;
    // Unchecked; nothing: it is not there.
    [[nodiscard]] virtual std::optional<files::FileRange> find(const Descriptor& blob) const = 0;
    // A blob whose size and digest are what the descriptor says, or E0407; E0420 where it is missing.
    [[nodiscard]] virtual files::FileRange blob(const Descriptor& blob, const std::string& what) const;
    // Throws E0420 where a blob is missing, E0407 where it has another size; its bytes are not looked at.
    virtual void expect(const Descriptor& blob, const std::string& what) const;
    // An index, manifest or config: checked likewise, in memory. Throws E0413 too.
    [[nodiscard]] virtual std::string document(const Descriptor& blob, const std::string& what) const;
    // What a user should know of an image from here; nothing in general.
    [[nodiscard]] virtual std::vector<std::string> notes(const Descriptor& image) const;

    [[nodiscard]] const std::string& name() const { return name_; } // for messages: the reference's text
    [[nodiscard]] const Limits& limits() const { return limits_; }

protected:
    Store(std::string name, const Limits& limits) : name_(std::move(name)), limits_(limits) {}
    [[nodiscard]] files::FileRange sized(const Descriptor& blob, const std::string& what) const;

private:
    std::string name_;
    Limits limits_;
};

} // namespace oci
