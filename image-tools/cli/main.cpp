// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/main.cpp - the program: command line in, exit code out (docs/cli.md).
//
// CLI11 is included here and in manual.cpp only. Usage errors are exit 2 whatever CLI11 calls them, with our suggestions.
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/manual.hpp"
#include "image-tools/diagnostic/suggest.hpp"
#include "image-tools/manifest/failures.hpp"
#include "image-tools/manifest/values.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <unistd.h>

namespace {

using cli::Format;
using cli::Options;
using cli::ProgressStyle;
using cli::When;

using Command = int (*)(const Options&, cli::Report&);
struct Entry {
    std::string_view name;
    Command run;
};
constexpr auto commands = std::to_array<Entry>({{"check", cli::check},
                                                {"plan", cli::plan},
                                                {"build", cli::build},
                                                {"run", cli::run},
                                                {"inspect", cli::inspect},
                                                {"verify", cli::verify},
                                                {"keygen", cli::keygen},
                                                {"image create", cli::image_create},
                                                {"image ls", cli::image_ls},
                                                {"image inspect", cli::image_inspect},
                                                {"attack", cli::attack},
                                                {"audit show", cli::audit_show},
                                                {"audit verify", cli::audit_verify},
                                                {"bench", cli::bench},
                                                {"prove", cli::prove},
                                                {"explain", cli::explain},
                                                {"init", cli::init},
                                                {"console", cli::console},
                                                {"cache ls", cli::cache_ls},
                                                {"cache prune", cli::cache_prune},
                                                {"version", cli::version}});
constexpr auto words = std::to_array<std::string_view>(
    {"check", "plan", "build", "run", "inspect", "verify", "keygen", "image", "attack", "audit", "bench",
     "prove", "explain", "completion", "init", "cache", "console", "version", "help"});
constexpr auto reserved = std::to_array<std::string_view>(
    {"profile", "lock",   "diff",  "doctor", "test",     "policy",  "report", "sbom",   "scan",
     "sign",    "flash",  "ps",    "logs",   "stop",     "restart", "exec",   "attach", "device",
     "attest",  "secret", "crash", "board",  "evidence", "pull",    "gc"});

[[noreturn]] void usage_error(std::string message, std::string help) {
    throw diagnostic::fail("E0101", std::move(message)).help(std::move(help));
}

// An option whose value is one of a few words.
template <typename T, std::size_t Count>
CLI::Option* word_option(CLI::App& app, const std::string& name, T& value,
                         const std::array<std::pair<const char*, T>, Count>& choices,
                         const std::string& description) {
    std::string text;
    for (const auto& [word, ignored] : choices)
        text += (text.empty() ? "" : "|") + std::string(word);
    const auto take = [&value, choices, name](const std::string& given) {
        std::string all;
        for (std::size_t i = 0; i < Count; ++i) {
            if (given == choices[i].first) {
                value = choices[i].second;
                return;
            }
            all += (i == 0 ? "" : i + 1 == Count ? " or " : ", ") + std::string(choices[i].first);
        }
        usage_error(name + " can be " + all + ", not '" + given + "'", "see caisson help");
    };
    return app.add_option_function<std::string>(name, take, description)->option_text(text);
}

CLI::App* find_command(CLI::App& app, const std::string& name) {
    for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
        if (command->get_name() == name)
            return command;
    return nullptr;
}

constexpr std::array<std::pair<const char*, When>, 3> whens{
    {{"auto", When::automatic}, {"always", When::always}, {"never", When::never}}};

class CommandLine {
public:
    CommandLine()
        : app_("Turns OCI images into signed appliances whose containers each run in a hardware partition of "
               "their own.",
               "caisson") {
        app_.require_subcommand(1);
        app_.fallthrough();
        app_.get_formatter()->column_width(32);
        everywhere();
        manifest_commands();
        bundle_commands();
        image_commands();
        attack_command();
        audit_commands();
        cache_commands();
        console_command();
        app_.add_subcommand("version", "Version, build id, what is installed")
            ->add_flag("--tcb", options.tcb, "lines of trusted code");
        CLI::App* bench =
            app_.add_subcommand("bench", "Deterministic figures under QEMU's instruction counter");
        bench->add_option("--cpu", options.cpu, "QEMU's CPU model")->capture_default_str();
        CLI::App* prove =
            app_.add_subcommand("prove", "Does the plan, and with --live the machine, keep its promises?");
        prove->add_option("FILE", options.file,
                          "a manifest (- reads stdin) or a bundle (default: ./appliance.yaml)");
        prove->add_flag("--live", options.live,
                        "boot under QEMU and compare the running machine, page for page");
        prove->add_option("--cpu", options.cpu, "QEMU's CPU model")->capture_default_str();
        prove->add_option("--elf", options.elf, "the loader ELF of a bundle (default: beside it)");
        prove->add_option("--qemu-arg", options.qemu_arguments, "a further argument for QEMU (repeat)")
            ->option_text("ARG")
            ->allow_extra_args(false);
        CLI::App* help = app_.add_subcommand("help", "This text, or that of a command");
        help->add_option("COMMAND", help_topic_, "a command")->option_text("[COMMAND]");
        help->add_flag("--man", manual_, "as a manual page")->group("");
        app_.add_subcommand("explain", "What an error code means, and what to do")
            ->add_option("CODE", options.file, "for example E0407; without it all are listed");
        app_.add_subcommand("completion", "The script with which a shell completes commands and options")
            ->add_option("SHELL", shell_, "bash, zsh or fish")
            ->option_text("bash|zsh|fish")
            ->required();
        describe(app_, "");
    }

    // Parses into `options`; an exit code when there is nothing more to do.
    std::optional<int> parse(int count, char** arguments) {
        check_command(count, arguments);
        try {
            app_.parse(count, arguments);
        } catch (const CLI::Success& success) {
            return app_.exit(success);
        } catch (const CLI::ParseError& error) {
            std::string message = error.what();
            std::string help = "see caisson help" + (options.command.empty() ? "" : " " + options.command);
            if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && app_.get_subcommands().empty())
                message = "name a command";
            if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
                explain_extras(message, help);
            usage_error(std::move(message), std::move(help));
        }
        finish();
        if (app_.got_subcommand("help")) {
            std::fputs(help_text().c_str(), stdout);
            return 0;
        }
        if (app_.got_subcommand("completion")) {
            const std::string script = cli::completion(app_, shell_);
            if (script.empty())
                usage_error("there is no completion for '" + shell_ + "'", "it can be bash, zsh or fish");
            std::fputs(script.c_str(), stdout);
            return 0;
        }
        return std::nullopt;
    }

    Options options;

private:
    // Below each command's own options: those of every command, and an example.
    void describe(CLI::App& app, const std::string& before) {
        for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
            const std::string name = before + command->get_name();
            if (command->get_subcommands([](CLI::App*) { return true; }).empty())
                command->footer([this, name] { return cli::common_help(app_, name); });
            describe(*command, name + " ");
        }
    }

    void console_command() {
        CLI::App* console =
            app_.add_subcommand("console", "Show a real machine's serial line, or a recording of one");
        console->add_option("LINE", options.file, "the device, or a file that run --log wrote")->required();
        console->add_option("--bundle", options.bundle, "what the machine runs")
            ->option_text("BUNDLE")
            ->required();
        word_option(*console, "--prefix", options.prefix, whens, "prefix lines with the partition's name");
        console->add_flag("--raw", options.raw, "let escape sequences of consoles through");
        console->add_option("--audit", options.audit, "write the audit log, a line of JSON a record");
        console->add_option("--exit-code-from", options.exit_code_from, "give that partition's status")
            ->option_text("NAME");
    }

    void cache_commands() {
        CLI::App* init = app_.add_subcommand("init", "Write a manifest that boots, to begin with");
        init->add_option("--from", options.from, "the image it runs, looked into for its name and size")
            ->option_text("IMAGE");
        CLI::App* cache = app_.add_subcommand("cache", "The bundles that run keeps");
        cache->require_subcommand(1);
        cache->fallthrough();
        cache->add_subcommand("ls", "What is kept, the longest unused first");
        cache->add_subcommand("prune", "Remove the longest unused")
            ->add_option("--max-size", options.max_size, "what may stay (default: 2GiB; 0: nothing)")
            ->option_text("SIZE");
    }

    void everywhere() {
        using Formats = std::array<std::pair<const char*, Format>, 2>;
        using Styles = std::array<std::pair<const char*, ProgressStyle>, 4>;
        word_option(app_, "--format", options.format,
                    Formats{{{"text", Format::text}, {"json", Format::json}}},
                    "data on stdout, everything else on stderr");
        app_.add_option("-o", options.output, "where to write")->option_text("FILE");
        word_option(app_, "--progress", options.progress,
                    Styles{{{"auto", ProgressStyle::automatic},
                            {"plain", ProgressStyle::plain},
                            {"tty", ProgressStyle::tty},
                            {"none", ProgressStyle::none}}},
                    "how progress is shown");
        word_option(app_, "--color", options.colour, whens, "colour; NO_COLOR and TERM=dumb are honoured");
        app_.add_flag("-q,--quiet", options.quiet, "say only what went wrong");
        app_.add_flag("-v,--verbose", options.verbose, "say more");
        app_.add_option("-C", directory_, "change to DIR first")->option_text("DIR");
        app_.add_flag("--offline", options.offline, "never use the network (this version never does)");
        app_.add_flag("--locked", options.locked, "refuse images that the lock file does not pin (none yet)");
        app_.add_option("--timeout", time_out_, "give up after, for example, 30s or 2m (exit 124)")
            ->option_text("TIME");
    }

    void manifest_commands() {
        CLI::App* check = app_.add_subcommand("check", "Is the manifest good, and are its images there?");
        CLI::App* plan = app_.add_subcommand("plan", "Who owns what: CPUs, memory, layouts");
        CLI::App* build = app_.add_subcommand("build", "Make the signed bundle and its loader ELF");
        build->add_flag("--check", options.build_twice, "build twice and compare (exit 1 when they differ)");
        build
            ->add_option("--direct", options.direct,
                         "write only the module with which QEMU starts that partition's unikernel by itself")
            ->option_text("PARTITION");
        CLI::App* run = app_.add_subcommand("run", "Boot under QEMU; the exit code is the partition's");
        for (CLI::App* command : {check, plan, build})
            command->add_option("FILE", options.file,
                                "the manifest (- reads stdin; default: ./appliance.yaml)");
        run->add_option("FILE", options.file,
                        "a manifest (- reads stdin) or a bundle (default: ./appliance.yaml)");
        word_option(*run, "--prefix", options.prefix, whens, "prefix lines with the partition's name");
        run->add_flag("--raw", options.raw, "let escape sequences of consoles through");
        run->add_flag("--merge", options.merge, "standard error of the programs to standard output too");
        run->add_flag("--icount", options.icount, "count instructions as time: every run the same");
        run->add_option("--cpu", options.cpu, "QEMU's CPU model")->capture_default_str();
        run->add_option("--elf", options.elf, "the loader ELF of a bundle (default: beside it)");
        run->add_option("--log", options.log, "keep the raw serial line");
        run->add_option("--audit", options.audit, "write the audit log, a line of JSON a record");
        run->add_option("--junit", options.junit, "also write the results as JUnit's XML")
            ->option_text("FILE");
        run->add_option("--exit-code-from", options.exit_code_from, "give that partition's status")
            ->option_text("NAME");
        run->add_option("--qemu-arg", options.qemu_arguments, "a further argument for QEMU (repeat)")
            ->option_text("ARG")
            ->allow_extra_args(false);
    }

    void attack_command() {
        CLI::App* attack =
            app_.add_subcommand("attack", "Hostile guests beside the appliance under QEMU: is all refused?");
        attack->add_option("FILE", options.file, "the manifest (- reads stdin; default: ./appliance.yaml)");
        attack->add_option("--class", options.classes, "only these classes of attacks (memory,ports,...)")
            ->option_text("LIST")
            ->delimiter(',')
            ->allow_extra_args(false);
        attack->add_option("--junit", options.junit, "also write the results as JUnit's XML")
            ->option_text("FILE");
        attack->add_option("--seed", options.seed, "a guest of random instructions and requests instead")
            ->option_text("N");
        attack->add_option("--steps", options.steps, "how many random steps")->capture_default_str();
        attack->add_option("--cpu", options.cpu, "QEMU's CPU model")->capture_default_str();
        attack->add_option("--log", options.log, "keep the raw serial line");
        attack->add_option("--replay", options.replay, "judge a serial line recorded elsewhere")
            ->option_text("LOG");
        attack
            ->add_option("--replay-partitions", options.replay_partitions,
                         "the partitions of that appliance, in the manifest's order")
            ->option_text("LIST")
            ->delimiter(',')
            ->allow_extra_args(false);
        attack->add_option("--qemu-arg", options.qemu_arguments, "a further argument for QEMU (repeat)")
            ->option_text("ARG")
            ->allow_extra_args(false);
    }

    void bundle_commands() {
        CLI::App* verify = app_.add_subcommand("verify", "Check signature and every byte of a bundle");
        CLI::App* inspect = app_.add_subcommand("inspect", "Show what a bundle holds (without verifying it)");
        for (CLI::App* command : {verify, inspect})
            command->add_option("BUNDLE", options.file, "the bundle");
        verify
            ->add_option("--key", options.keys, "a trusted public key (default: those in the ELF beside it)")
            ->option_text("FILE")
            ->allow_extra_args(false);
        verify->add_option("--elf", options.elf, "the loader ELF whose keys are trusted")
            ->option_text("FILE");
        app_.add_subcommand("keygen", "Make a key pair: -o NAME gives NAME.key and NAME.pub")
            ->add_option("--purpose", options.purpose,
                         "bundle: signs bundles; audit: audit logs are sealed to it")
            ->capture_default_str();
    }

    void audit_commands() {
        CLI::App* audit = app_.add_subcommand("audit", "Look at and verify audit logs (run --audit FILE)");
        audit->require_subcommand(1);
        audit->fallthrough();
        CLI::App* show = audit->add_subcommand("show", "A table of the records (without verifying them)");
        CLI::App* verify =
            audit->add_subcommand("verify", "Find any record changed, removed or moved (exit 5)");
        for (CLI::App* command : {show, verify})
            command->add_option("LOG", options.file, "the log")->required();
        verify
            ->add_option("--key", options.audit_key,
                         "the operator's private key: check the MACs, accept no log without them")
            ->option_text("FILE");
    }

    void image_commands() {
        CLI::App* image = app_.add_subcommand("image", "Make and look at OCI images");
        image->require_subcommand(1);
        image->fallthrough();
        CLI::App* create =
            image->add_subcommand("create", "A single-layer image from a directory or tar file");
        create->add_option("--from", options.from, "directory or tar file")->required();
        create->add_option("IMAGE", options.to, "oci:DIR[:TAG]")->required();
        create->add_option("--entrypoint", options.entrypoint, "a word of ENTRYPOINT (repeat)")
            ->allow_extra_args(false);
        create->add_option("--cmd", options.arguments, "a word of Cmd (repeat)")->allow_extra_args(false);
        create->add_option("--env", options.environment, "NAME=value (repeat)")->allow_extra_args(false);
        create->add_option("--label", options.labels, "NAME=value (repeat)")->allow_extra_args(false);
        create->add_option("--user", options.user, "user[:group]");
        create->add_option("--workdir", options.working_directory, "working directory");
        create->add_option("--stop-signal", options.stop_signal, "for example SIGTERM");
        create->add_option("--arch", options.architecture, "architecture")->capture_default_str();
        create->add_flag("--keep-owner", options.keep_owner, "keep owners (default: root)");
        create->add_flag("!--no-compress", options.compress, "a plain tar layer");
        image->add_subcommand("ls", "What a layout or archive holds")
            ->add_option("IMAGE", options.reference, "oci:DIR, oci-archive:FILE, docker-archive:FILE")
            ->required();
        image->add_subcommand("inspect", "An image's configuration and layers")
            ->add_option("IMAGE", options.reference,
                         "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG]")
            ->required();
    }

    // The first word is a command: a wrong one gets an answer before CLI11's.
    void check_command(int count, char** arguments) const {
        static constexpr std::array<std::string_view, 6> take_value{"--format", "-o", "--progress",
                                                                    "--color",  "-C", "--timeout"};
        for (int i = 1; i < count; ++i) {
            const std::string_view word = arguments[i];
            if (std::find(take_value.begin(), take_value.end(), word) != take_value.end()) {
                ++i;
                continue;
            }
            if (word.starts_with('-'))
                continue;
            if (std::find(words.begin(), words.end(), word) != words.end())
                return;
            const std::string quoted = "'" + std::string(word) + "'";
            if (std::find(reserved.begin(), reserved.end(), word) != reserved.end())
                usage_error(quoted + " is known, not yet supported", "see caisson help");
            const auto near = diagnostic::suggest(word, words);
            usage_error("there is no command " + quoted,
                        near ? "did you mean '" + std::string(*near) + "'?" : "see caisson help");
        }
    }

    // "unexpected argument" with the nearest option.
    void explain_extras(std::string& message, std::string& help) const {
        const std::vector<std::string> extras = app_.remaining(true);
        if (extras.empty())
            return;
        message = "unexpected argument '" + extras.front() + "'";
        std::vector<std::string> names;
        const auto collect = [&](const CLI::App* app) {
            for (const CLI::Option* option : app->get_options())
                for (const std::string& name : option->get_lnames())
                    names.push_back("--" + name);
        };
        collect(&app_);
        for (const CLI::App* command : app_.get_subcommands())
            collect(command);
        const std::vector<std::string_view> views(names.begin(), names.end());
        if (const auto near = diagnostic::suggest(extras.front(), views))
            help = "did you mean '" + std::string(*near) + "'?";
    }

    void finish() {
        for (const CLI::App* command : app_.get_subcommands()) {
            options.command = command->get_name();
            for (const CLI::App* below : command->get_subcommands())
                options.command += " " + below->get_name();
        }
        if (!time_out_.empty()) {
            const auto value = manifest::parse_duration_ms(time_out_);
            if (const auto* error = std::get_if<manifest::ValueError>(&value))
                usage_error("--timeout: " + error->message, error->help);
            options.time_out = std::chrono::milliseconds(std::get<std::uint32_t>(value));
        }
        if (!directory_.empty() && ::chdir(directory_.c_str()) != 0)
            throw diagnostic::fail("E0601", "cannot change to " + directory_);
    }

    std::string help_text() {
        std::string topic;
        for (const std::string& word : help_topic_)
            topic += (topic.empty() ? "" : " ") + word;
        if (manual_) {
            const std::string page = cli::manual_page(app_, topic);
            if (page.empty())
                usage_error("there is no command '" + topic + "'", "see caisson help");
            return page;
        }
        if (help_topic_.empty())
            return app_.get_formatter()->make_help(&app_, "caisson", CLI::AppFormatMode::Normal) +
                   "\nExit codes: 0 done, 1 the answer is no, 2 usage, 3 manifest or plan, 4 image or input, "
                   "5 trust, 6 I/O,\n7 something is missing here, 8 a limit, 70 a bug; `run` gives the "
                   "partition's own. See docs/cli.md.\n";
        CLI::App* at = &app_;
        for (const std::string& word : help_topic_) {
            CLI::App* below = find_command(*at, word);
            if (below == nullptr)
                usage_error("there is no command '" + word + "'", "see caisson help");
            at = below;
        }
        return at->get_formatter()->make_help(at, "caisson " + topic, CLI::AppFormatMode::Normal);
    }

    CLI::App app_;
    std::string time_out_;
    std::string directory_;
    std::vector<std::string> help_topic_;
    std::string shell_;
    bool manual_ = false;
};

int report_failure(const Options& options, const diagnostic::Diagnostic& diagnostic,
                   const std::vector<diagnostic::Diagnostic>& rest = {}) {
    cli::Report report(options);
    report.failure(diagnostic);
    cli::Json all = cli::Json::array({cli::to_json(diagnostic)});
    for (const diagnostic::Diagnostic& other : rest) {
        report.failure(other);
        all.push_back(cli::to_json(other));
    }
    try {
        report.data({{"schema", "caisson.error/1"},
                     {"exit", static_cast<int>(diagnostic.exit)},
                     {"error", cli::to_json(diagnostic)},
                     {"errors", all}});
        cli::finish_output();
    } catch (const diagnostic::BrokenPipe&) {
    } catch (const diagnostic::Failure&) { // stderr and the exit code have said it
    }
    return static_cast<int>(diagnostic.exit);
}

// A file that is opened must never become the tool's stdout or stderr because that was closed; a write to a closed
// one fails, as it should.
void hold_closed_descriptors() {
    for (int descriptor = 0; descriptor <= 2; ++descriptor)
        if (::fcntl(descriptor, F_GETFD) < 0)
            static_cast<void>(::open("/dev/null", O_RDONLY));
}

int run_command(CommandLine& line, int count, char** arguments) {
    if (const auto done = line.parse(count, arguments)) {
        cli::finish_output();
        return *done;
    }
    for (const Entry& command : commands)
        if (command.name == line.options.command) {
            cli::Report report(line.options);
            const int code = command.run(line.options, report);
            cli::finish_output();
            return code;
        }
    usage_error("no command given", "see caisson help");
}

} // namespace

int main(int count, char** arguments) {
    hold_closed_descriptors();
    ::signal(SIGPIPE, SIG_IGN); // a failed write says so itself
    CommandLine line;
    try {
        return run_command(line, count, arguments);
    } catch (const diagnostic::BrokenPipe&) {
        return diagnostic::broken_pipe_exit;
    } catch (const manifest::Failures& failures) {
        return report_failure(line.options, failures.diagnostic(), failures.rest());
    } catch (const diagnostic::Failure& failure) {
        return report_failure(line.options, failure.diagnostic());
    } catch (const std::exception& error) {
        return report_failure(line.options,
                              diagnostic::fail("E7001", std::string("a bug in caisson: ") + error.what())
                                  .help("please report it with the command and its input")
                                  .diagnostic());
    }
}
