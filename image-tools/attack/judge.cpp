// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/judge.cpp - verdicts on the adversary's cases.
#include "image-tools/attack/judge.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace attack {
namespace {

constexpr std::size_t longest_line = 512;
constexpr std::size_t most_cases = 10000;
// Turns of the witness's loop within which its own interrupt must have come.
constexpr std::uint64_t latest_allowed = 1000;
constexpr std::string_view forgery = "forged";

// "a b c" -> words.
std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        if (space != 0)
            out.push_back(text.substr(0, space));
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    }
    return out;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// The value of `key=` among words; empty when it is not there.
std::string_view value_of(const std::vector<std::string_view>& words, std::string_view key) {
    for (const std::string_view word : words)
        if (word.size() > key.size() && word.substr(0, key.size()) == key && word[key.size()] == '=')
            return word.substr(key.size() + 1);
    return {};
}

// Who and where, to the page: units record no more of an address.
std::string access_text(std::string_view requester, std::string_view address) {
    constexpr unsigned offset_digits = 3;
    std::string out = std::string(requester) + " at " + std::string(address);
    for (unsigned i = 0; i < offset_digits && i + 3 <= address.size(); ++i)
        out[out.size() - 1 - i] = '0';
    return out;
}

// Cuts whole lines out of what a console says.
template <typename Line> void each_line(std::string& rest, std::string_view bytes, Line line) {
    for (const char c : bytes) {
        if (c == '\n') {
            line(std::string_view(rest));
            rest.clear();
        } else if (rest.size() < longest_line) {
            rest += c;
        }
    }
}

} // namespace

void Judge::blame(const std::string& what) {
    random_trouble_ = what;
    for (const unsigned index : since_report_)
        cases_[index].trouble = what;
}

run::Listener Judge::listener() {
    run::Listener out;
    out.output = [this](std::size_t partition, std::string_view bytes, unsigned stream) {
        look_for_false_ends();
        if (partition == hostile_) {
            look_for_crossing(bytes, stream);
            const std::uint64_t generation = session_->partitions()[hostile_].endings.size() + 1;
            each_line(hostile_rest_, bytes, [&](std::string_view line) { hostile_line(line, generation); });
        } else if (partition == witness_) {
            each_line(witness_rest_, bytes, [&](std::string_view line) { witness_line(line); });
        } else if (bytes.find(forgery) != std::string_view::npos) {
            blame("a neighbour's console says what was forged");
        }
    };
    out.log = [this](std::string_view line) {
        look_for_false_ends();
        if (line.find(forgery) != std::string_view::npos)
            blame("the hypervisor's log says what was forged");
    };
    out.audit = [this](std::string_view record) {
        look_for_false_ends();
        audit_record(record);
    };
    out.fault = [this](std::string_view what) { blame("the serial line is broken: " + std::string(what)); };
    return out;
}

void Judge::look_for_false_ends() {
    // The witness runs as long as the machine does, which ends when it is enough.
    const bool witness_ended = !session_->partitions()[witness_].endings.empty();
    if ((witness_ended || session_->end()) && !false_end_seen_) {
        false_end_seen_ = true;
        blame(witness_ended ? "a record says that the witness ended"
                            : "a record says that the machine ended");
    }
}

// The class `line` fills one stream with a letter that it never writes to the other.
void Judge::look_for_crossing(std::string_view bytes, unsigned stream) {
    constexpr unsigned enough = 16;
    for (const char c : bytes) {
        crossed_ = c == (stream == 1 ? 'e' : 'o') ? crossed_ + 1 : c == '\n' ? crossed_ : 0;
        if (crossed_ < enough)
            continue;
        crossed_ = 0; // the next case, whose first letters may follow without a break, is to be blamed too
        blame("what was written to one stream came on the other");
    }
}

void Judge::hostile_line(std::string_view line, std::uint64_t generation) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() == 2 && words[0] == "random") {
        if (const auto steps = number(value_of(words, "steps")))
            steps_[generation] = std::max(steps_[generation], *steps);
        return;
    }
    if (words.size() < 2 || words[0] != "attack")
        return;
    constexpr std::uint64_t none = UINT64_MAX;
    const std::uint64_t index = words.size() > 2 ? number(words[2]).value_or(none) : none;
    if (words[1] == "table" && words.size() == 4 && index != none && generation == 1) {
        listed_ = index;
        vendor_ = words[3];
    } else if (words[1] == "case" && words.size() == 7 && index < most_cases && generation == 1) {
        Case one;
        one.item = {std::string(words[4]), std::string(words[3]), vendor_, {}, std::string(words[5]), "none"};
        one.wanted_audit = words[6];
        if (one.item.expected == "stopped")
            one.item.expected += " " + one.wanted_audit;
        cases_.emplace(static_cast<unsigned>(index), std::move(one));
    } else if (words[1] == "done") {
        ended_in_order_ = true;
    } else if (words[1] == "aims" && words.size() == 4 && cases_.contains(trying_)) {
        cases_[trying_].aim = access_text(words[2], words[3]);
    } else if (index != none) {
        const auto found = cases_.find(static_cast<unsigned>(index));
        if (found == cases_.end())
            return;
        if (words[1] == "try" && words.size() == 3) {
            trying_ = found->first;
            found->second.tried = true;
            found->second.generation = generation;
            since_report_.insert(found->first);
        } else if (words[1] == "saw" && words.size() == 4 && found->second.generation == generation) {
            found->second.saw = words[3];
        }
    }
}

void Judge::witness_line(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() != 7 || words[0] != "witness")
        return;
    ++reports_;
    const auto late = number(value_of(words, "late"));
    latest_ = std::max(latest_, late.value_or(0));
    if (value_of(words, "exits") != "0" || value_of(words, "strange") != "0" ||
        value_of(words, "memory") != "good" || !late || *late > latest_allowed)
        blame("the neighbour noticed: " + std::string(line));
    // Whoever has not come back yet still runs, unless its generation is over.
    const std::size_t generations_over = session_->partitions()[hostile_].endings.size();
    std::erase_if(since_report_, [&](unsigned index) {
        return !cases_[index].saw.empty() || cases_[index].generation <= generations_over;
    });
}

void Judge::audit_record(std::string_view record) {
    const std::vector<std::string_view> words = words_of(record);
    const std::string_view event = value_of(words, "event");
    if (event != "note" && record.find(forgery) != std::string_view::npos)
        blame("a forged audit record is believed");
    const auto generation = number(value_of(words, "generation"));
    if (generation && value_of(words, "partition") == hostile_name &&
        (event == "refused" || event == "stopped"))
        audit_[*generation].emplace(value_of(words, "detail"), event);
    if (generation && value_of(words, "partition") == hostile_name && event == "dma_refused") {
        audit_[*generation].emplace("dma", "refused");
        units_said_.emplace(*generation,
                            access_text(value_of(words, "requester"), value_of(words, "address")));
    }
}

std::uint64_t Judge::random_steps() const {
    std::uint64_t sum = 0;
    for (const auto& [generation, steps] : steps_)
        sum += steps;
    return sum;
}

bool Judge::enough(std::uint64_t wanted) {
    const bool end =
        session_->partitions()[hostile_].final() != nullptr || (wanted > 0 && random_steps() >= wanted);
    if (end && !end_seen_)
        reports_at_end_ = reports_;
    end_seen_ = end;
    // The report after the one that was being made.
    return end && reports_ >= reports_at_end_ + 2;
}

void Judge::finish(Case& one) {
    Item& item = one.item;
    if (!one.tried) {
        item.verdict = "not run";
    } else if (!one.saw.empty()) {
        item.verdict = one.saw;
    } else {
        item.verdict = "never came back";
        for (const run::Ending& ending : session_->partitions()[hostile_].endings)
            if (ending.generation == one.generation)
                item.verdict =
                    ending.reason == "stopped" ? "stopped " + ending.detail : "ended by " + ending.reason;
    }
    const auto& records = audit_[one.generation];
    const auto record = records.find(one.wanted_audit);
    if (one.tried && record != records.end())
        item.audit = record->second + " " + record->first;
    const bool stop = item.expected.starts_with("stopped");
    const std::string wanted =
        one.wanted_audit == "none" ? "none" : (stop ? "stopped " : "refused ") + one.wanted_audit;
    const bool aimed = one.aim.empty() || units_said_[one.generation] == one.aim;
    item.passed = item.verdict == item.expected && item.audit == wanted && one.trouble.empty() && aimed;
    if (!aimed)
        item.verdict += "; the unit refused " + units_said_[one.generation] + ", not " + one.aim;
    else if (!one.trouble.empty())
        item.verdict += "; " + one.trouble;
    else if (item.verdict == item.expected && !item.passed)
        item.verdict += "; no audit record '" + wanted + "'";
}

std::vector<Item> Judge::items(const std::string& failure) {
    look_for_false_ends();
    if (!failure.empty())
        blame(failure);
    std::vector<Item> out;
    for (auto& [index, one] : cases_) {
        finish(one);
        out.push_back(one.item);
    }
    // What belongs to no case: the table was cut short, or the run did not get to its end.
    std::string trouble;
    if (listed_ == 0 || cases_.size() != listed_)
        trouble = "the table of cases is incomplete";
    else if (!ended_in_order_)
        trouble = failure.empty() ? "the adversary did not come to its end" : failure;
    else if (reports_ == 0)
        trouble = "the witness said nothing";
    if (!trouble.empty())
        out.push_back({"run", "run", vendor_, trouble, "complete", "none", false});
    return out;
}

Item Judge::random_item(const std::string& failure, std::uint64_t seed, std::uint64_t wanted) {
    look_for_false_ends();
    if (!failure.empty())
        blame(failure);
    Item item{"seed-" + std::to_string(seed), "random", vendor_, {}, "contained", "none"};
    if (random_trouble_.empty() && random_steps() >= wanted && reports_ > 0)
        item.verdict = "contained";
    else if (random_trouble_.empty())
        item.verdict = "only " + std::to_string(random_steps()) + " steps";
    else
        item.verdict = random_trouble_;
    item.passed = item.verdict == item.expected;
    return item;
}

} // namespace attack
