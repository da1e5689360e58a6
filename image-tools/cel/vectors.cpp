// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/vectors.cpp - evaluates test vectors: a line of JSON in, a line of JSON out (vectors_test.py).
//
// In: {"expr", "container", "bindings": {NAME: VALUE}}. Out: {"value": VALUE}, {"error": TEXT} or {"problem": TEXT}. A VALUE is as
// protobuf's JSON form of cel.expr.Value has it: {"int64Value": "1"}.
#include "image-tools/cel/evaluate.hpp"
#include "image-tools/cel/json.hpp"

#include <iostream>

namespace {

using cel::Kind;
using cel::Value;

Value call(cel::Function function, const Value& argument) {
    cel::Meter meter(cel::usual_cost_limit);
    const std::vector<Value> arguments{argument};
    return cel::call(function, arguments, meter);
}

double real_of(const Value& json) {
    if (json.is(Kind::text))
        return call(cel::Function::to_double, json).real();
    return json.is(Kind::real) ? json.real() : static_cast<double>(json.integer());
}

Value from_typed(const Value& typed);

Value from_object(const Value& object) {
    const Value* type = object.find("@type");
    const Value* value = object.find("value");
    const std::string name = type != nullptr ? type->text() : "";
    if (value != nullptr && name.ends_with(".Duration"))
        return call(cel::Function::to_duration, *value);
    if (value != nullptr && name.ends_with(".Timestamp"))
        return call(cel::Function::to_timestamp, *value);
    return Value::error("a message");
}

Value from_typed(const Value& typed) {
    if (!typed.is(Kind::map) || typed.entries().size() != 1)
        return Value::error("not a value");
    const std::string& kind = typed.entries().front().first.text();
    const Value& json = typed.entries().front().second;
    if (kind == "int64Value")
        return call(cel::Function::to_int, json);
    if (kind == "uint64Value")
        return call(cel::Function::to_uint, json);
    if (kind == "doubleValue")
        return Value::of_double(real_of(json));
    if (kind == "bytesValue")
        return call(cel::Function::base64_decode, json);
    if (kind == "typeValue")
        return Value::of_type(json.text());
    if (kind == "listValue") {
        cel::Items items;
        if (const Value* values = json.find("values"))
            for (const Value& item : values->items())
                items.push_back(from_typed(item));
        return Value::of_list(std::move(items));
    }
    if (kind == "mapValue") {
        cel::Entries entries;
        if (const Value* values = json.find("entries"))
            for (const Value& item : values->items())
                entries.emplace_back(from_typed(*item.find("key")), from_typed(*item.find("value")));
        return Value::of_map(std::move(entries));
    }
    if (kind == "objectValue")
        return from_object(json);
    return json; // null, bool, string
}

Value one(std::string name, Value value) {
    return Value::of_map({{Value::of_string(std::move(name)), std::move(value)}});
}
Value text(std::string value) {
    return Value::of_string(std::move(value));
}

Value to_typed(const Value& value) {
    switch (value.kind()) {
    case Kind::null:
        return one("nullValue", value);
    case Kind::boolean:
        return one("boolValue", value);
    case Kind::integer:
        return one("int64Value", text(std::to_string(value.integer())));
    case Kind::natural:
        return one("uint64Value", text(std::to_string(value.natural())));
    case Kind::real:
        return one("doubleValue", value);
    case Kind::text:
        return one("stringValue", value);
    case Kind::bytes:
        return one("bytesValue", value);
    case Kind::type:
        return one("typeValue", text(value.text()));
    case Kind::list: {
        cel::Items items;
        for (const Value& item : value.items())
            items.push_back(to_typed(item));
        return one("listValue", one("values", Value::of_list(std::move(items))));
    }
    case Kind::map: {
        cel::Items items;
        for (const auto& [key, item] : value.entries())
            items.push_back(Value::of_map({{text("key"), to_typed(key)}, {text("value"), to_typed(item)}}));
        return one("mapValue", one("entries", Value::of_list(std::move(items))));
    }
    case Kind::timestamp:
        return one("objectValue",
                   Value::of_map({{text("@type"), text("type.googleapis.com/google.protobuf.Timestamp")},
                                  {text("value"), text(cel::timestamp_text(value))}}));
    case Kind::duration:
        return one("objectValue",
                   Value::of_map({{text("@type"), text("type.googleapis.com/google.protobuf.Duration")},
                                  {text("value"), text(cel::duration_text(value.integer()))}}));
    case Kind::optional:
        return one("optionalValue", value.inside() != nullptr ? to_typed(*value.inside()) : Value());
    case Kind::error:
        break;
    }
    return one("error", text(value.text()));
}

Value answer(const std::string& line) {
    const auto read = cel::read_json(line);
    if (const auto* problem = std::get_if<cel::Problem>(&read))
        return one("problem", text("the vector itself: " + problem->message));
    const auto& vector = std::get<Value>(read);
    cel::Variables variables;
    if (const Value* container = vector.find("container"))
        variables.container = container->text();
    if (const Value* bindings = vector.find("bindings"))
        for (const auto& [name, value] : bindings->entries())
            variables.set(name.text(), from_typed(value));
    cel::Ast ast;
    if (const auto problem = cel::parse(vector.find("expr")->text(), ast))
        return one("problem", text(problem->message));
    cel::Meter meter(cel::usual_cost_limit);
    const Value value = cel::evaluate(ast, variables, meter);
    return value.failed() ? to_typed(value) : one("value", to_typed(value));
}

} // namespace

int main() {
    std::string line;
    while (std::getline(std::cin, line))
        std::cout << cel::to_json(answer(line)) << "\n" << std::flush;
}
