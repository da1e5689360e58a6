// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/capabilities.hpp - the capability sets of a process and how they change. Pure.
// Spec: capabilities(7), "Transformation of capabilities during execve()", "Effect of user ID changes on capabilities",
//       "The securebits flags".
#pragma once

#include <cstdint>

namespace uk {

using CapabilitySet = std::uint64_t;

namespace capability {
constexpr CapabilitySet bit(unsigned number) {
    return CapabilitySet{1} << number;
}
inline constexpr unsigned last = 40;
inline constexpr CapabilitySet all = bit(last + 1) - 1;
inline constexpr CapabilitySet change_owner = bit(0), override_modes = bit(1), read_all = bit(2),
                               file_owner = bit(3), keep_set_ids = bit(4), kill = bit(5), set_group = bit(6),
                               set_user = bit(7), set_capabilities = bit(8), bind_low_ports = bit(10),
                               administer_network = bit(12), raw_network = bit(13), lock_memory = bit(14),
                               own_ipc = bit(15), trace = bit(19), administer = bit(21), priority = bit(23),
                               resources = bit(24), make_devices = bit(27);
// What setfsuid(2) takes and gives: CAP_FS_SET.
inline constexpr CapabilitySet of_files =
    change_owner | override_modes | read_all | file_owner | keep_set_ids | bit(9) | make_devices | bit(32);
} // namespace capability

// prctl(PR_SET_SECUREBITS). The bit above each one locks it.
namespace secure {
inline constexpr std::uint32_t no_root = 1, no_fixup = 4, keep = 0x10, no_raise = 0x40, known = 0xFF,
                               locks = 0xAA;
}

struct UserIds {
    std::uint32_t real, effective, saved;
    [[nodiscard]] bool any_root() const { return real == 0 || effective == 0 || saved == 0; }
};

// What a program file brings: its attribute security.capability.
struct FileCapabilities {
    bool there = false, effective = false;
    CapabilitySet permitted = 0, inheritable = 0;
};

struct Capabilities {
    CapabilitySet permitted = 0, effective = 0, inheritable = 0, ambient = 0;
    CapabilitySet bounding = capability::all;
    std::uint32_t secure_bits = 0;

    [[nodiscard]] bool can(CapabilitySet wanted) const { return (effective & wanted) == wanted; }
    [[nodiscard]] bool secured(std::uint32_t bit) const { return (secure_bits & bit) != 0; }

    // What a user has who begins with these numbers.
    void begin(bool root) {
        permitted = effective = root ? bounding : 0;
        inheritable = ambient = 0;
    }

    // The user changed from `old` to `now`.
    void user_changed(const UserIds& old, const UserIds& now) {
        if (secured(secure::no_fixup))
            return;
        if (old.any_root() && !now.any_root()) {
            if (!secured(secure::keep))
                permitted = effective = 0;
            ambient = 0;
        }
        if (old.effective == 0 && now.effective != 0)
            effective = 0;
        if (old.effective != 0 && now.effective == 0)
            effective = permitted;
    }

    // The user for files alone changed.
    void file_user_changed(std::uint32_t old, std::uint32_t now) {
        if (secured(secure::no_fixup) || (old == 0) == (now == 0))
            return;
        effective =
            now == 0 ? effective | (permitted & capability::of_files) : effective & ~capability::of_files;
    }

    // As access(2) asks: what the real user could do.
    void become_real(std::uint32_t real_user) {
        if (!secured(secure::no_fixup))
            effective = real_user == 0 ? permitted : 0;
    }

    // A new program, run as `now`; `changed`: its set-user-ID or set-group-ID bit made another of its caller. False: it asks
    // for capabilities that the bounding set bars and could not do without them (EPERM).
    [[nodiscard]] bool program_begins(const UserIds& now, bool changed, const FileCapabilities& file) {
        permitted = (file.permitted & bounding) | (file.inheritable & inheritable);
        if (file.effective && (file.permitted & ~permitted) != 0)
            return false;
        bool whole = file.effective;
        const bool dressed = file.there && now.real != 0 && now.effective == 0; // the file says all
        if (!secured(secure::no_root) && !dressed) {
            if (now.real == 0 || now.effective == 0)
                permitted = inheritable | bounding;
            whole = whole || now.effective == 0;
        }
        if (file.there || changed)
            ambient = 0;
        permitted |= ambient;
        effective = whole ? permitted : ambient;
        secure_bits &= ~secure::keep;
        return true;
    }

    // capset(2). False: it asks for more than there is.
    [[nodiscard]] bool set(CapabilitySet new_effective, CapabilitySet new_permitted,
                           CapabilitySet new_inheritable) {
        const CapabilitySet may_inherit =
            can(capability::set_capabilities) ? capability::all : inheritable | permitted;
        if ((new_permitted & ~permitted) != 0 || (new_effective & ~new_permitted) != 0 ||
            (new_inheritable & ~may_inherit) != 0 || (new_inheritable & ~(inheritable | bounding)) != 0)
            return false;
        effective = new_effective;
        permitted = new_permitted;
        inheritable = new_inheritable;
        ambient &= permitted & inheritable;
        return true;
    }

    // prctl(PR_SET_SECUREBITS). False: EPERM.
    [[nodiscard]] bool set_secure_bits(std::uint64_t bits) {
        const std::uint32_t locked = secure_bits & secure::locks;
        const bool touched = ((locked >> 1) & (secure_bits ^ bits)) != 0;
        if (touched || (locked & ~bits) != 0 || (bits & ~std::uint64_t{secure::known}) != 0 ||
            !can(capability::set_capabilities))
            return false;
        secure_bits = static_cast<std::uint32_t>(bits);
        return true;
    }
};

} // namespace uk
