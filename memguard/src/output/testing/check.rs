//! A check of a value against a JSON schema: as much of the standard as our own schema uses, and an
//! error for anything else, so that it never passes by not looking.

use serde_json::Value;

type Checked = Result<(), String>;

/// Checks `value` against `schema`, whose references point into `root`.
pub(in crate::output) fn check_schema(root: &Value, schema: &Value, value: &Value) -> Checked {
    let Value::Object(keywords) = schema else {
        return if schema == &Value::Bool(true) {
            Ok(())
        } else {
            Err("no schema".to_owned())
        };
    };
    for (keyword, rule) in keywords {
        check_keyword(root, schema, keyword, rule, value)
            .map_err(|why| format!("{keyword}: {why}"))?;
    }
    Ok(())
}

fn check_keyword(
    root: &Value,
    schema: &Value,
    keyword: &str,
    rule: &Value,
    value: &Value,
) -> Checked {
    let all_of = |rules: &Value| items(rules).try_for_each(|rule| check_schema(root, rule, value));
    match keyword {
        "$schema" | "$defs" | "title" | "description" | "format" | "then" => Ok(()),
        "$ref" => check_schema(root, resolve(root, rule)?, value),
        "type" => expect(is_type(rule, value), value),
        "const" => expect(rule == value, value),
        "enum" => expect(items(rule).any(|allowed| allowed == value), value),
        "minimum" => expect(value.is_null() || value.as_f64() >= rule.as_f64(), value),
        "maximum" => expect(value.is_null() || value.as_f64() <= rule.as_f64(), value),
        "maxLength" => {
            let length = value.as_str().map_or(0, |text| text.chars().count()) as u64;
            expect(length <= rule.as_u64().unwrap_or_default(), value)
        }
        "maxItems" => {
            let length = value.as_array().map_or(0, Vec::len) as u64;
            expect(length <= rule.as_u64().unwrap_or_default(), value)
        }
        "required" => items(rule).try_for_each(|name| {
            let name = name.as_str().unwrap_or_default();
            expect(value.get(name).is_some(), rule)
        }),
        "properties" => properties(root, rule, value),
        "additionalProperties" => {
            items_of_map(value).try_for_each(|value| check_schema(root, rule, value))
        }
        "items" => items(value).try_for_each(|item| check_schema(root, rule, item)),
        "allOf" => all_of(rule),
        "anyOf" | "oneOf" => expect(
            items(rule).any(|rule| check_schema(root, rule, value).is_ok()),
            value,
        ),
        "if" => match check_schema(root, rule, value) {
            Ok(()) => check_schema(root, &schema["then"], value),
            Err(_) => Ok(()),
        },
        unknown => Err(format!("{unknown} is not known here")),
    }
}

fn properties(root: &Value, rules: &Value, value: &Value) -> Checked {
    let Value::Object(rules) = rules else {
        return Err("properties are no object".to_owned());
    };
    rules
        .iter()
        .try_for_each(|(name, rule)| match value.get(name) {
            Some(value) => check_schema(root, rule, value).map_err(|why| format!("{name}: {why}")),
            None => Ok(()),
        })
}

fn resolve<'a>(root: &'a Value, reference: &Value) -> Result<&'a Value, String> {
    let pointer = reference
        .as_str()
        .and_then(|text| text.strip_prefix('#'))
        .unwrap_or_default();
    root.pointer(pointer)
        .ok_or_else(|| format!("{reference} leads nowhere"))
}

fn is_type(rule: &Value, value: &Value) -> bool {
    match rule {
        Value::Array(rules) => rules.iter().any(|rule| is_type(rule, value)),
        rule => match rule.as_str().unwrap_or_default() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            _ => false,
        },
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn items_of_map(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_object().into_iter().flat_map(|map| map.values())
}

fn expect(holds: bool, value: &Value) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(format!("{value:.80}"))
    }
}
