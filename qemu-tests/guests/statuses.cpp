// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/statuses.cpp - ends with the status its command line names; prints its boot page first.
#include "partitions/adversary/runtime/guest.hpp"

void guest_main() {
    const caisson_boot_page& page = guest::boot_page();
    base::Text<160> text;
    text << "boot page: " << (page.magic == CAISSON_BOOT_MAGIC ? "good" : "bad")
         << " memory=" << page.memory_bytes << " cpus=" << page.vcpu_count
         << " generation=" << page.generation << " name=" << page.partition_name << '\n';
    guest::print(text);
    unsigned status = 0;
    for (char c : guest::command_line())
        if (c >= '0' && c <= '9')
            status = status * 10 + static_cast<unsigned>(c - '0');
    guest::exit(status);
}
