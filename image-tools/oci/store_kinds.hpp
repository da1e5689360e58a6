// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/store_kinds.hpp - the kinds of store, for Store::open() alone.
#pragma once

#include "image-tools/oci/named_files.hpp"
#include "image-tools/oci/store.hpp"

namespace oci {

// Of an OCI layout, wherever its files are.
std::shared_ptr<const Store> layout_store(std::string name, std::unique_ptr<const NamedFiles> files,
                                          const Limits& limits);
// Of what `docker save`, skopeo, crane, ko, kaniko, apko and jib write as docker-archive.
std::shared_ptr<const Store> docker_archive_store(std::string name, std::unique_ptr<const NamedFiles> files,
                                                  const Limits& limits);

} // namespace oci
