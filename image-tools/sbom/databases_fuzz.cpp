// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as each kind of database: the first byte says which. Read, or noted as damaged.
#include "image-tools/sbom/database.hpp"

#include <array>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::array<const char*, 9> paths{"var/lib/dpkg/status",
                                                      "lib/apk/db/installed",
                                                      "var/lib/rpm/rpmdb.sqlite",
                                                      "var/lib/rpm/Packages.db",
                                                      "bin/program",
                                                      "x.dist-info/METADATA",
                                                      "node_modules/x/package.json",
                                                      "x.jar",
                                                      "usr/share/doc/x/copyright"};
    if (size == 0)
        return 0;
    const char* path = paths[data[0] % paths.size()];
    std::string text(size - 1, '\0');
    if (size > 1)
        std::memcpy(text.data(), data + 1, size - 1);
    const sbom::Files files({{path, text.size(), true, 1}}, {},
                            [&](std::size_t, std::uint64_t offset, std::uint64_t bytes) {
                                return offset > text.size() ? std::string() : text.substr(offset, bytes);
                            });
    static_cast<void>(sbom::take_inventory(files));
    return 0;
}
