"use strict";
// The cost again, for the visitor's own use. Items, formulas, conditions and sentences come from Python as data
// (comparison/report/cost_section.py); here is only what evaluates them.
const Cost = (() => {
  const place = document.getElementById("cost-data");
  if (!place) return null;
  const data = JSON.parse(place.textContent);
  const { estimate, axes, sides, parties, inputs, search, money } = data;
  const usageOf = (values) => ({ ...estimate.usage, ...values });

  // comparison/cost/formula.py: a number, a name, or an operation with its operands.
  const operations = {
    "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b,
    "<": (a, b) => Number(a < b), "<=": (a, b) => Number(a <= b), "==": (a, b) => Number(a === b),
    max: Math.max, min: Math.min, ceil: Math.ceil, known: (a) => Number(a !== null),
  };
  const evaluate = (tree, values) => {
    if (typeof tree === "string") return values[tree];
    if (!Array.isArray(tree)) return tree;
    const [name, ...operands] = tree;
    if (name === "if") return evaluate(operands[evaluate(operands[0], values) ? 1 : 2], values);
    return operations[name](...operands.map((each) => evaluate(each, values)));
  };

  const given = Object.fromEntries(
    Object.entries(estimate.parameters).map(([name, value]) => [name, value?.why ? value.value : value]));
  const drivers = (usage) => Object.fromEntries(Object.entries(data.drivers).map(([period, formulas]) => {
    const values = { ...usage, ...given };
    for (const [name, tree] of formulas) values[name] = evaluate(tree, values);
    return [period, values];
  }));

  const amount = (item, values) => {
    const quantity = item.terms.reduce(
      (sum, term) => sum + term.drivers.reduce((product, name) => product * values[name], term.coefficient), 0);
    return item.price === null ? (quantity ? null : 0) : quantity * item.price.usd;
  };
  const items = (side, serving) => estimate.lines.filter((item) => item.side === side && (serving || !item.serving));
  // A side's sum in US dollars; `complete` is false where a price is not known, and the sum a lower bound.
  const sum = (side, values, serving) => items(side, serving).map((item) => amount(item, values)).reduce(
    (total, each) => ({ usd: total.usd + (each ?? 0), complete: total.complete && each !== null }),
    { usd: 0, complete: true });
  const totals = (usage, serving = true) => Object.fromEntries(Object.entries(drivers(usage)).map(
    ([period, values]) => [period, Object.fromEntries(parties.map((side) => [side, sum(side, values, serving)]))]));
  const costs = (usage, serving) => {
    const month = drivers(usage).month;
    return sides.map((side) => sum(side, month, serving).usd);
  };

  const dollars = (value) => {
    if (value === null) return money.unknown;
    const digits = money.digits.find(([least]) => value === 0 || value >= least)?.[1];
    return digits === undefined ? money.below
      : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  };
  const fill = (text, texts, values = {}) => text.replace(/{(\w+)}/g, (_, name) => texts[name] ?? brief(values[name]));
  const shown = ({ usd, complete }) => complete ? dollars(usd)
    : usd >= money.digits.at(-1)[0] ? fill(money.least, { usd: dollars(usd) }) : money.unknown;
  const three = (value) => value >= 99.95 || value === 0 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  const brief = (value) => {
    const [size, unit] = data.units.find(([least]) => value >= least * 0.9995) ?? [1, ""];
    return three(value / size) + unit;
  };

  // comparison/summary.py: join.
  const join = (names) => [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");

  // comparison/cost/break_even.py: find_stretches.
  const cheapest = (found) => {
    const [first, second] = [...found].sort((a, b) => a - b);
    return second - first < search.equal ? null : sides[found.indexOf(first)];
  };
  const stretches = (cheaper, end) => {
    const { samples: count, decades, precision } = search;
    const samples = [0];
    for (let i = 0; i <= count; i++) samples.push(end * 10 ** (-decades * (1 - i / count)), (end * i) / count);
    samples.sort((a, b) => a - b);
    const found = [{ start: 0, end, cheaper: cheaper(0) }];
    samples.slice(1).forEach((high, i) => {
      const side = cheaper(high);
      let low = samples[i];
      while (found.at(-1).cheaper !== side) {
        let after = high;
        while (after - low > end * precision) {
          const middle = (low + after) / 2;
          if (cheaper(middle) === found.at(-1).cheaper) low = middle; else after = middle;
        }
        found.at(-1).end = after;
        found.push({ start: after, end, cheaper: cheaper(after) });
        low = after;
      }
    });
    return found;
  };

  const limitOf = (usage, along) => evaluate(axes[along].limit, { ...usage, ...given });
  // The curve's points (x, and a cost a side), and what is said of it.
  const breakEven = (usage, along, serving) => {
    const { maximum } = axes[along];
    const end = evaluate(data.end, { limit: limitOf(usage, along), maximum, usage: usage[along] });
    const at = (x) => costs({ ...usage, [along]: x }, serving);
    const points = Array.from({ length: search.points + 1 }, (_, i) => (end * i) / search.points)
      .map((x) => [x, ...at(x)]);
    const last = drivers({ ...usage, [along]: end }).month;
    const missing = axes[along].serving || sides.length < 2 ? [] : [...new Set(sides.flatMap((side) => items(side, serving))
      .filter((item) => amount(item, last) === null).map((item) => item.item))];
    const found = axes[along].serving || sides.length < 2 || missing.length ? [] : stretches((x) => cheapest(at(x)), end);
    const told = found.filter((each) => each.cheaper !== null || each.end - each.start > end * search.shown);
    const name = (each) => data.names[each.cheaper];
    const month = (x) => totals({ ...usage, [along]: x }).month;
    const texts = {
      ...data.texts,
      missing: missing.join(", "),
      served_costs: join(data.served.map((side) => fill(data.served_cost, {
        name: data.names[side], least: shown(month(0)[side]), most: shown(month(end)[side]),
      }))),
      between: told.slice(1, -1).map((each) => fill(data.between, { name: name(each) }, each)).join(", "),
    };
    const values = {
      ...usage, ...given, end, serving: Number(serving), served: data.served.length,
      others: sides.length - data.served.length, unknown: missing.length, stretches: told.length,
    };
    if (told.length) {
      const edges = { first: told[0], last: told.at(-1) };
      for (const [edge, each] of Object.entries(edges)) {
        Object.assign(values, { [`${edge}_start`]: each.start, [`${edge}_end`]: each.end });
        Object.assign(texts, { [`${edge}_cheaper`]: data.cheaper[each.cheaper], [`${edge}_name`]: name(each) });
      }
    }
    for (const [axis, { reason }] of Object.entries(axes)) {
      const limit = limitOf(usage, axis);
      const own = Number(axis === along);
      values[`along_${axis}`] = own;
      values[`${axis}_limit`] = limit;
      values[`${axis}_exceeded`] = evaluate(data.exceeded, { limit, end, own, usage: usage[axis] });
      texts[`${axis}_why`] = estimate.parameters[reason]?.why;
    }
    const said = data.sentences.filter(([condition]) => evaluate(condition, values));
    return { points, words: said.map(([, text]) => fill(text, texts, values)).join(" ") };
  };

  return { estimate, axes, sides, inputs, usageOf, drivers, amount, totals, costs, dollars, shown, breakEven };
})();
