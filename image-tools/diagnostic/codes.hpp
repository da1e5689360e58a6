// SPDX-License-Identifier: Apache-2.0
// image-tools/diagnostic/codes.hpp - every error code: the exit code it ends with, what it means, what to do.
//
// `caisson explain` prints this table and the manual page holds it. The first two digits are the area: 01 usage, 03
// manifest and plan, 04 image and input, 05 trust, 06 I/O, 07 environment, 08 limits, 09 run, 70 bugs.
#pragma once

#include <array>
#include <string_view>

namespace diagnostic {

// docs/cli.md; 125-128 + n only from `run`.
enum class ExitCode : int {
    done = 0,
    answer_is_no = 1,
    usage = 2,
    manifest = 3,
    input = 4,
    trust = 5,
    io = 6,
    environment = 7,
    limit = 8,
    bug = 70,
    time_out = 124,
    run_failed = 125,
};

struct CodeEntry {
    std::string_view name; // "E0312"
    ExitCode exit;
    std::string_view title;
    std::string_view explanation;
};

inline constexpr auto code_table = std::to_array<CodeEntry>({
    {"E0101", ExitCode::usage, "wrong use of a command",
     "A command, option or value is not one that caisson knows, or one is missing. The help line names the "
     "nearest; "
     "caisson help COMMAND lists what a command takes."},
    {"E0102", ExitCode::usage, "two outputs would have one name",
     "The bundle's loader is written beside it as NAME.elf. Give the bundle another ending, such as "
     ".bundle."},
    {"E0103", ExitCode::usage, "no partition of that name",
     "An option names a partition that the manifest or the bundle does not have."},
    {"E0104", ExitCode::usage, "too many keys", "A loader has room for four public keys."},

    {"E0300", ExitCode::manifest, "there is no manifest",
     "Without FILE the manifest is ./appliance.yaml. caisson init writes one that boots."},
    {"E0301", ExitCode::manifest, "not YAML", "The text is not well-formed YAML at the place shown."},
    {"E0302", ExitCode::manifest, "an unknown key",
     "Keys are checked so that a slip of the pen is not ignored. Keys of your own start with x-."},
    {"E0303", ExitCode::manifest, "a key twice", "A map has each key once; remove one of the two."},
    {"E0304", ExitCode::manifest, "a kind of YAML that is refused",
     "Anchors, aliases, tags, merge keys, further documents and deep nesting are not part of the manifest's "
     "language."},
    {"E0305", ExitCode::manifest, "the manifest is empty",
     "It needs at least apiVersion, name and partitions."},
    {"E0306", ExitCode::manifest, "not UTF-8", "A manifest is UTF-8 without control characters."},
    {"E0307", ExitCode::manifest, "the manifest is too large", "1 MiB of text, 32 levels."},
    {"E0308", ExitCode::manifest, "known, not yet supported",
     "The key or value is reserved for a later version. Nothing is accepted and then ignored."},
    {"E0309", ExitCode::manifest, "a wrong value", "The message says what the key can hold."},
    {"E0310", ExitCode::manifest, "something is missing", "A key that is always needed is not there."},
    {"E0311", ExitCode::manifest, "the plan is not possible",
     "What the partitions ask for does not fit the machine, or contradicts itself."},
    {"E0312", ExitCode::manifest, "the CPUs do not work out",
     "Every partition owns its CPUs alone: the sum must fit the machine, and a unikernel uses exactly one."},
    {"E0313", ExitCode::manifest, "a partition's memory does not work out",
     "The payload needs more than the partition is given; the message has both figures and the help what to "
     "write."},
    {"E0314", ExitCode::manifest, "a partition holds too much", "Its command line or module does not fit."},

    {"E0316", ExitCode::manifest, "an expression of a policy is wrong",
     "Policies are written in CEL (docs/policy.md). The message has the place in the expression; "
     "caisson plan --format json shows the fields that there are."},

    {"E0401", ExitCode::input, "not a reference to an image",
     "An image is written docker://NAME[:TAG] or NAME[:TAG] in a registry, oci:DIR[:TAG], "
     "oci-archive:FILE[:TAG] or "
     "docker-archive:FILE[:TAG] on this machine."},
    {"E0402", ExitCode::io, "there is no such image",
     "The folder or archive that the reference names does not exist or is no image at all, or the registry "
     "has no such "
     "repository. Paths are relative to the manifest's folder."},
    {"E0403", ExitCode::input, "no such tag",
     "The image is there, the tag is not, or several are and none is named. The note lists those there are."},
    {"E0404", ExitCode::input, "an image for another machine", "Caisson runs images for linux/amd64."},
    {"E0405", ExitCode::input, "the image is malformed",
     "Its index, manifest or configuration is not what the OCI specification says."},
    {"E0406", ExitCode::input, "a kind of object that is not read",
     "A media type that this version does not know."},
    {"E0407", ExitCode::trust, "a blob is not what its digest says",
     "The bytes differ from those that were named by their SHA-256: the copy is damaged or was altered. Copy "
     "or build "
     "the image again."},
    {"E0408", ExitCode::trust, "a layer is not what the image says",
     "The unpacked layer's SHA-256 differs from the configuration's diff_id. Copy or build the image again."},
    {"E0409", ExitCode::input, "a damaged gzip or zstd stream", "Copy or build the image again."},
    {"E0410", ExitCode::input, "a damaged or ambiguous tar",
     "Tars that two readers could read differently are refused. Build the image again with another tool."},
    {"E0411", ExitCode::input, "an entry's path leaves the root",
     "No image needs that; do not use this one."},
    {"E0412", ExitCode::input, "a hard link without a target", "Its target is missing or lies outside."},
    {"E0413", ExitCode::limit, "more than is unpacked",
     "A size, a count or a compression ratio is over the limit of docs/images.md."},
    {"E0414", ExitCode::input, "nothing to run",
     "Neither the image nor the manifest names a command. Add entrypoint: to the partition."},
    {"E0415", ExitCode::input, "not a kernel that can be booted",
     "kernel: takes an ELF file with a PVH entry note (XEN_ELFNOTE_PHYS32_ENTRY). A program, even a static "
     "one, is no "
     "kernel: put it into an image."},
    {"E0416", ExitCode::input, "no such user or group",
     "It is not in the image's /etc/passwd or /etc/group."},
    {"E0417", ExitCode::io, "will not overwrite",
     "The image is there already; remove it or choose another name."},
    {"E0418", ExitCode::input, "what an image is made from",
     "The folder or tar given with --from cannot be used."},
    {"E0419", ExitCode::input, "not a bundle", "A bundle is made by: caisson build"},
    {"E0420", ExitCode::input, "a blob is missing",
     "The image's own documents name a blob that is not there: the copy is incomplete. Copy or build the "
     "image again."},
    {"E0421", ExitCode::input, "a whiteout that names nothing",
     "Its name is not one that a layer can remove."},
    {"E0422", ExitCode::input, "an entry cannot be placed",
     "For example a file below what is a file already."},
    {"E0423", ExitCode::input, "a file about registries or images is malformed",
     "registries.conf, docker's config.json or appliance.lock is not what it should be; the message has the "
     "file and the "
     "place."},
    {"E0424", ExitCode::input, "not a disk, CD or application of caisson's",
     "It begins as a .img, .iso or .efi does, but is not as caisson build wrote it; the message has the "
     "place. Build or copy "
     "it again."},
    {"E0425", ExitCode::input, "not a description of a board",
     "A board is described in JSON, schema caisson.board/1 (docs/boards.md); the message has the place in "
     "it. "
     "caisson board import and caisson board scan write one."},
    {"E0426", ExitCode::input, "a board cannot be described from this",
     "caisson board import takes a folder with the board's ACPI tables and what CPUID says, as Linux shows "
     "them; docs/boards.md has the commands."},
    {"E0430", ExitCode::input, "not a profile of system calls",
     "security.syscalls names default, strict, or a file of JSON as docker run --security-opt seccomp=FILE "
     "takes it. The "
     "message has the line or the field. What asks another program (SCMP_ACT_NOTIFY, SCMP_ACT_TRACE) is "
     "refused: nobody "
     "could answer in a partition."},
    {"E0431", ExitCode::input, "not a program of the image",
     "security.allowExec lists files of the image that may be run. Name each by the path it has there."},
    {"E0432", ExitCode::input, "a root image cannot be read",
     "The bundle's root image is not an EROFS file system as caisson build writes it. caisson verify says "
     "whether "
     "the bundle is what was signed."},
    {"E0433", ExitCode::input, "not a policy of whom images are trusted from",
     "trust: names a file of JSON in the shape of containers' policy.json (docs/supply-chain.md). What is "
     "not "
     "understood in it is refused, for it may be what would have said no."},
    {"E0434", ExitCode::input, "not an OpenVEX document",
     "--vex takes JSON whose @context is https://openvex.dev/ns/...; every statement names a vulnerability, "
     "a status and "
     "products by package URL."},
    {"E0435", ExitCode::input, "not results of tests in JUnit's XML",
     "--junit takes what caisson attack --junit, run --junit, scan --junit or ctest --output-junit writes."},

    {"E0501", ExitCode::trust, "the bundle does not verify",
     "Its signature, a hash or a length is wrong. Do not use it; build or copy it again."},
    {"E0502", ExitCode::trust, "not an Ed25519 key", "caisson keygen makes one."},
    {"E0503", ExitCode::trust, "a private key that others can read",
     "Whoever reads it can sign in your name. Make it yours alone: chmod 600 FILE."},
    {"E0504", ExitCode::trust, "no key to verify with",
     "Name a public key with --key, or the loader with --elf."},
    {"E0505", ExitCode::trust, "the audit log is not what was written",
     "A record was changed, removed or moved, or the end is missing. The message names the first."},
    {"E0506", ExitCode::trust, "not an audit key, or not this log's",
     "caisson keygen --purpose audit makes one."},
    {"E0507", ExitCode::trust, "a test's weakened hypervisor",
     "It is for the project's own tests. Never boot it."},
    {"E0508", ExitCode::trust, "a registry is not trusted",
     "Its certificate is not signed by an authority that this machine knows, or is another host's. Put the "
     "authority's "
     "certificate into /etc/containers/certs.d/HOST/ca.crt, or name a file of them by SSL_CERT_FILE."},
    {"E0509", ExitCode::trust, "an image is not what the lock file pins",
     "With --locked every image must be in appliance.lock and be exactly that. caisson lock writes it anew."},
    {"E0510", ExitCode::trust, "credentials would be shown",
     "A registry wants credentials sent to an address that is not https. They are not sent."},
    {"E0511", ExitCode::trust, "not a certificate for Secure Boot, or not this key's",
     "signing.secureBoot names an RSA key and the X.509 certificate of that key, both in PEM."},
    {"E0512", ExitCode::trust, "firmware with Secure Boot would refuse this application",
     "It is not signed, was changed since, or is signed by another certificate than the one named by "
     "--certificate."},
    {"E0513", ExitCode::trust, "an image is not signed as the policy demands",
     "The policy that trust: names rejects it, or none of the signatures beside it is of this image, by a "
     "key of the "
     "policy and under the identity that the policy asks for. The notes say of each why not."},
    {"E0514", ExitCode::trust, "a public key cannot be used",
     "It is no SubjectPublicKeyInfo in PEM, or no ECDSA key on P-256 or P-384, RSA key of 2048 bits or more, "
     "or Ed25519 "
     "key."},
    {"E0515", ExitCode::trust, "provenance or evidence is not this bundle's",
     "The DSSE envelope is not signed by a key that is trusted here, is of another bundle, or does not name "
     "all that is in it, as it is."},
    {"E0516", ExitCode::trust, "an approval is not this bundle's, or a key is there for two things",
     "An approval signs one bundle's ID, and a key that may sign bundles may not approve them: two "
     "signatures "
     "are two people's. caisson approve shows a bundle and countersigns it."},
    {"E0517", ExitCode::trust, "a key in a token cannot be used",
     "A pkcs11: URI names an Ed25519 key in a token that p11-kit knows, and by pin-source the file that "
     "holds the PIN. "
     "A PIN or a module never stands in the URI."},

    {"E0530", ExitCode::trust, "a policy refuses this plan",
     "A rule of a policy with action: deny is not met; the notes name each. caisson policy explain RULE says "
     "what it asks for "
     "and what to write. An exception in the manifest has an owner, a reason and a day."},

    {"E0601", ExitCode::io, "a file cannot be read", "It does not exist, is not a file, or may not be read."},
    {"E0602", ExitCode::io, "a file cannot be written",
     "The disk is full, the folder does not exist or may not be written. Nothing half-written is left under "
     "the name."},
    {"E0603", ExitCode::io, "the system refused",
     "A call to the operating system failed; the message has its reason."},
    {"E0604", ExitCode::io, "a registry cannot be reached",
     "The network, a name, a proxy or the registry itself does not work; the message has the reason. What "
     "has arrived is "
     "kept: the next attempt goes on from there."},
    {"E0605", ExitCode::io, "a registry refuses",
     "It wants a login, or the one it got may not read this. Logins are those of docker login and podman "
     "login: "
     "REGISTRY_AUTH_FILE, DOCKER_CONFIG/config.json or ~/.docker/config.json, and the credential helpers "
     "named there."},
    {"E0606", ExitCode::io, "a registry's answer is of no use",
     "It failed again and again, wants to be asked less often, or does not keep to the distribution "
     "specification."},
    {"E0607", ExitCode::io, "not in the cache, and --offline is given",
     "caisson image pull brings an image while there is a network; caisson image ls lists what is there."},

    {"E0608", ExitCode::io, "not a disk that is written to",
     "flash writes to a whole disk that nothing uses: no partition of one, nothing mounted, no swap, no part "
     "of a "
     "RAID or volume group. A regular file does as well."},
    {"E0609", ExitCode::io, "the disk does not hold what was written",
     "What was read back differs. The stick or its reader is broken, or its size is a lie; use another."},

    {"E0701", ExitCode::environment, "no home directory",
     "Set HOME, or the variable that the message names."},
    {"E0702", ExitCode::environment, "a program cannot be run", "The message has the reason."},
    {"E0703", ExitCode::environment, "no QEMU",
     "sudo apt-get install qemu-system-x86 (8.2 or newer), or set "
     "CAISSON_QEMU."},
    {"E0704", ExitCode::environment, "a part of Caisson is missing",
     "Install it again; CAISSON_LIB names the folder."},
    {"E0705", ExitCode::environment, "a part of Caisson is of another build",
     "Tool and ELFs belong together."},
    {"E0706", ExitCode::environment, "a loader without room for keys", "Install Caisson again."},
    {"E0707", ExitCode::environment, "a credential helper does not work",
     "docker's config.json names it; it is not installed, does not answer in time or not as it should."},

    {"E0801", ExitCode::limit, "a file is too large", "The message has the limit."},
    {"E0802", ExitCode::limit, "arguments and environment are too large", "Shorten env or args."},
    {"E0803", ExitCode::limit, "the bundle is too large", "A bundle has at most 1.9 GiB and 256 sections."},
    {"E0804", ExitCode::limit, "the bundle is too large for a single UEFI file",
     "A .efi holds a bundle of at most 64 MiB, for firmware reads all of it before anything can be said; a "
     ".img has no such limit."},
    {"E0805", ExitCode::limit, "a profile is too long",
     "A filter of system calls has at most 4096 instructions. Join rules of one action, or leave conditions "
     "out."},
    {"E0806", ExitCode::limit, "the disk is too small", "The message has both sizes."},

    {"E0901", ExitCode::run_failed, "no record of how a partition ended",
     "The machine stopped before the hypervisor said how. A missing record is never taken for success."},
    {"E0902", ExitCode::run_failed, "the hypervisor gave up",
     "A check of the hypervisor's own failed, or the machine reported an error that cannot be worked on "
     "with; the "
     "[caisson] line before says which. onPanic decides what the machine does then. Where it is not the "
     "hardware, "
     "please report it with the file of --log FILE."},
    {"E0903", ExitCode::run_failed, "the serial line is broken", "Bytes of it were lost or damaged."},
    {"E0904", ExitCode::run_failed, "QEMU cannot run this under --icount", "Run without --icount."},
    {"E0905", ExitCode::time_out, "it took longer than --timeout", "Raise --timeout, or leave it out."},
    {"E0906", ExitCode::answer_is_no, "a benchmark did not end", "Its output says why."},
    {"E0907", ExitCode::run_failed, "QEMU's machine protocol failed",
     "prove --live could not read the machine."},

    {"E7001", ExitCode::bug, "a bug in caisson", "Please report it with the command and its input."},
});

// A code of the table; a name that is not there does not compile.
class Code {
public:
    consteval Code(const char* name) : entry_(&find(name)) {} // NOLINT: meant to be implicit
    [[nodiscard]] constexpr std::string_view name() const { return entry_->name; }
    [[nodiscard]] constexpr ExitCode exit() const { return entry_->exit; }

private:
    static consteval const CodeEntry& find(std::string_view name) {
        for (const CodeEntry& entry : code_table)
            if (entry.name == name)
                return entry;
        throw "there is no such code";
    }
    const CodeEntry* entry_;
};

} // namespace diagnostic
