-- 14.3 and 14.4. Policy entries: what they match and what they come to.
local security = require("security")
local spec = require("spec")
local equal, refused = spec.equal, spec.refused

local cases = {}

local new_actor = security.new_actor

local function policy(name)
  return assert(security.policy("spec:" .. name))
end

-- The answer of a policy for these attributes.
local function answer(name, meta)
  return policy(name):evaluate(new_actor("x"), "action", "resource", meta)
end

-- Which operator holds for which pairs of a field and a value.
local function holds(operator, pairs_of_values)
  for i, pair in ipairs(pairs_of_values) do
    equal(answer("op_" .. operator, { a = pair[1], b = pair[2] }), "allow", operator .. " " .. i)
  end
end

local function fails(operator, pairs_of_values)
  for i, pair in ipairs(pairs_of_values) do
    equal(answer("op_" .. operator, { a = pair[1], b = pair[2] }), "undefined",
      "not " .. operator .. " " .. i)
  end
end

-- Pattern number by number: what it matches and what not.
local PATTERNS <const> = {
  { { "", "x", "a.b:c", "\n" }, {} },
  { { "process.send" }, { "process.send.x", "process.sen", "Process.send", "xprocess.send", "" } },
  { { "process.send", "process.registry.register", "process" }, { "processes", "xprocess.send" } },
  { { "process.spawn", "process.spawn.linked" }, { "process.send", "process.spaw" } },
  { { "app:worker", "app:" }, { "app.x:worker", "app", "xapp:y" } },
  { { "process.spawn.monitored", ".monitored" }, { "monitored", "x.monitored.y" } },
  { { "ac", "abc", "a.b:c", "acc" }, { "abcd", "bac", "a", "aC" } },
  { { "a", "ab" }, { "ba", "" } },
  { { "[a.b]?+" }, { "a", "aa", "[a.b]" } },
}

function cases.s14_3_patterns()
  for n, pattern in ipairs(PATTERNS) do
    local action, resource = policy("pattern_" .. n), policy("resource_" .. n)
    for _, text in ipairs(pattern[1]) do
      equal(action:evaluate(new_actor("x"), text, "r"), "allow", n .. " matches " .. text)
      equal(resource:evaluate(new_actor("x"), "a", text), "deny", n .. " matches " .. text)
    end
    for _, text in ipairs(pattern[2]) do
      equal(action:evaluate(new_actor("x"), text, "r"), "undefined", n .. " matches not " .. text)
      equal(resource:evaluate(new_actor("x"), "a", text), "undefined", n .. " matches not " .. text)
    end
  end
end

function cases.s14_3_the_example()
  local talk, blue = policy("workers_may_talk"), new_actor("x", { team = "blue" })
  local here = { pid = "{app:processes|0x00001}" }
  equal(talk:id(), "spec:workers_may_talk", "the policy's id is the entry id")
  equal(talk:evaluate(blue, "process.send", "y", here), "allow")
  equal(talk:evaluate(blue, "process.registry.register", "y", here), "allow")
  equal(talk:evaluate(new_actor("x", { team = "green" }), "process.send", "y", here), "allow")
  equal(talk:evaluate(new_actor("x", { team = "red" }), "process.send", "y", here), "undefined")
  equal(talk:evaluate(blue, "process.link", "y", here), "undefined")
  equal(talk:evaluate(blue, "process.send", "y", { pid = "{web@app:x|0x00001}" }), "undefined")
end

function cases.s14_3_actions_and_resources_are_a_string_or_a_list()
  equal(answer("all"), "allow")
  local two = policy("two_conditions")
  for _, action in ipairs({ "x", "y" }) do
    for _, resource in ipairs({ "r", "s" }) do
      equal(two:evaluate(new_actor("x"), action, resource, { a = 1, b = 2 }), "allow")
    end
    equal(two:evaluate(new_actor("x"), action, "t", { a = 1, b = 2 }), "undefined")
  end
end

function cases.s14_3_groups_are_completed_or_taken_as_they_are()
  equal(assert(security.named_scope("spec:workers")):contains("spec:workers_may_talk"), true)
  equal(assert(security.named_scope("spec:workers")):contains("spec:in_two_groups"), true)
  local far = assert(security.named_scope("far.away:group"))
  equal(#far:policies(), 1)
  refused("NOT_FOUND", "", security.named_scope("spec:group"))
end

function cases.s14_3_a_policy_that_breaks_the_rules_does_not_exist()
  for _, name in ipairs({ "no_actions", "empty_actions", "no_resources", "empty_resources",
    "no_effect", "effect", "field", "no_field", "operator", "no_value", "regex", "conditions",
    "expression" }) do
    refused("NOT_FOUND", "spec:broken_" .. name, security.policy("spec:broken_" .. name))
  end
  refused("NOT_FOUND", "", security.named_scope("spec:broken"))
end

function cases.s14_4_all_conditions_must_hold()
  local two = policy("two_conditions")
  local function evaluate(meta) return two:evaluate(new_actor("x"), "x", "r", meta) end
  equal(evaluate({ a = 1, b = 2 }), "allow")
  equal(evaluate({ a = 1, b = 3 }), "undefined")
  equal(evaluate({ a = 2, b = 2 }), "undefined")
  equal(evaluate({ a = 1 }), "undefined")
end

function cases.s14_4_what_cannot_be_evaluated_never_grants_and_never_denies()
  equal(answer("deny_if_high", { level = 4 }), "deny")
  equal(answer("deny_if_high", { level = 3 }), "undefined")
  equal(answer("deny_if_high", { level = "much" }), "undefined")
  equal(answer("deny_if_high", { level = {} }), "undefined")
  equal(answer("deny_if_high", {}), "undefined")
end

function cases.s14_4_fields()
  local function field(n, actor, action, resource, meta)
    return policy("field_" .. n):evaluate(actor, action, resource, meta)
  end
  local x = new_actor("x")
  equal(field(1, x, "wanted", "y"), "allow", "action")
  equal(field(2, x, "y", "wanted"), "allow", "resource")
  equal(field(3, new_actor("wanted"), "y", "y"), "allow", "actor.id")
  equal(field(4, new_actor("x", { a = { b = "wanted" } }), "y", "y"), "allow", "actor.meta.a.b")
  equal(field(5, x, "y", "y", { a = { b = "wanted" } }), "allow", "meta.a.b")
  equal(field(6, x, "y", "y", { plain = "wanted" }), "allow", "a name without a prefix")
  equal(field(7, x, "y", "y", { deep = { er = "wanted" } }), "allow", "dots descend")
  for n = 1, 7 do
    equal(field(n, x, "y", "y", { a = "wanted", deep = "wanted" }), "undefined", "field " .. n)
  end
end

function cases.s14_4_eq_and_ne()
  local equals = { { 1, 1 }, { 1, 1.0 }, { 1, "1" }, { "1.0", 1 }, { "a", "a" }, { true, true },
    { true, "true" }, { "false", false } }
  local differs = { { 1, 2 }, { 1, "2" }, { "a", "A" }, { true, false }, { "a", "ab" } }
  holds("eq", equals)
  fails("ne", equals)
  holds("ne", differs)
  fails("eq", differs)
  equal(answer("lit_eq_7", { a = "7" }), "allow")
  equal(answer("lit_eq_7", { a = 7.0 }), "allow")
  equal(answer("lit_eq_true", { a = true }), "allow")
  equal(answer("lit_eq_true", { a = "true" }), "allow")
end

function cases.s14_4_numeric_comparisons()
  local less, same, more = { { 1, 2 }, { "1", 2.5 }, { -1, "0" } }, { { 2, 2.0 }, { "2", 2 } },
    { { 2, 1 }, { "10", "9" }, { 0.5, -1 } }
  for operator, expected in pairs({ lt = { less, { same, more } },
    gt = { more, { same, less } } }) do
    holds(operator, expected[1])
    for _, others in ipairs(expected[2]) do fails(operator, others) end
  end
  holds("lte", less)
  holds("lte", same)
  fails("lte", more)
  holds("gte", more)
  holds("gte", same)
  fails("gte", less)
  for _, operator in ipairs({ "lt", "gt", "lte", "gte" }) do
    fails(operator, { { "a", "b" }, { 1, "b" }, { "", 1 }, { true, 0 }, { {}, {} } })
  end
end

function cases.s14_4_in_and_nin()
  local inside = { { "a", { "b", "a" } }, { 1, { 1.0 } }, { "2", { 1, 2 } }, { "a", "a" } }
  local outside = { { "a", { "b" } }, { "a", { "ab" } }, { "a", "b" }, { "a", "ab" } }
  holds("in", inside)
  fails("nin", inside)
  holds("nin", outside)
  fails("in", outside)
  equal(answer("lit_in_list", { a = "one" }), "allow")
  equal(answer("lit_in_list", { a = 2 }), "allow")
  equal(answer("lit_in_list", { a = "two" }), "undefined")
  equal(answer("lit_in_string", { a = "one" }), "allow")
  equal(answer("lit_in_string", { a = "on" }), "undefined")
end

function cases.s14_4_exists_and_nexists()
  for _, name in ipairs({ "exists", "exists_true" }) do
    equal(answer("lit_" .. name, { a = false }), "allow", name)
    equal(answer("lit_" .. name, {}), "undefined", name)
    equal(answer("lit_" .. name), "undefined", name)
  end
  for _, name in ipairs({ "nexists", "exists_false" }) do
    equal(answer("lit_" .. name, {}), "allow", name)
    equal(answer("lit_" .. name), "allow", name)
    equal(answer("lit_" .. name, { a = false }), "undefined", name)
  end
end

function cases.s14_4_contains_and_ncontains()
  local inside = { { "abc", "b" }, { "abc", "abc" }, { { "x", "b" }, "b" }, { { 1, 2 }, 2 } }
  local outside = { { "abc", "x" }, { { "abc" }, "b" }, { { 1 }, 2 } }
  holds("contains", inside)
  fails("ncontains", inside)
  holds("ncontains", outside)
  fails("contains", outside)
end

function cases.s14_4_matches_and_nmatches()
  local found = { { "abc", "b" }, { "abc", "^a" }, { "a1", "[0-9]$" }, { "x\ny", "y" } }
  local missed = { { "abc", "^b" }, { "abc", "B" }, { "", "." } }
  holds("matches", found)
  fails("nmatches", found)
  holds("nmatches", missed)
  fails("matches", missed)
  equal(answer("lit_matches_b", { a = "aabb" }), "allow", "not anchored")
  equal(answer("lit_matches_b", { a = "bba" }), "undefined")
  -- A dialect that backtracks would not come back from this.
  fails("matches", { { ("a"):rep(5000) .. "b", "^(a+)+$" } })
end

function cases.s14_4_an_absent_field_makes_every_condition_false()
  for _, operator in ipairs({ "eq", "ne", "lt", "gt", "lte", "gte", "in", "nin", "contains",
    "ncontains", "matches", "nmatches" }) do
    equal(answer("op_" .. operator, { b = "1" }), "undefined", operator)
    equal(answer("op_" .. operator, { a = "1" }), "undefined", operator .. " without the other")
  end
end

return cases
