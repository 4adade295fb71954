"use strict";
// The cost again, for the visitor's own use: the lines come from Python, and `drivers` is comparison/cost/lines.py's.
// A test in a browser compares every amount with Python's, at many uses.
const Cost = (() => {
  const place = document.getElementById("cost-data");
  if (!place) return null;
  const { estimate, hours, gb, minimum, steps, axes, titles, inputs } = JSON.parse(place.textContent);
  const usageOf = (values) => ({ ...estimate.usage, ...values });
  const days = hours / 24;

  const drivers = (usage, p) => {
    const runs = usage.runs_per_day * days;
    const work = p.cluster_fixed_seconds + p.cluster_seconds_per_event * usage.events_per_run;
    const own = Math.max(minimum, p.cluster_startup_seconds + work);
    const kept = p.persistent && usage.cluster_hours_per_day !== null;
    const stands = kept || (p.persistent && usage.runs_per_day * (work + p.idle_seconds) >= 86400);
    const standing = kept ? usage.cluster_hours_per_day * days : hours;
    const endpointHours = usage.endpoint_hours_per_day * days;
    const wanted = Math.ceil((usage.requests_per_second * 60) / p.endpoint_target - 1e-9);
    const month = {
      months: 1,
      hours,
      runs,
      events: usage.events_per_run,
      kept_months: usage.keep_days / days,
      cluster_hours: stands ? Math.max(standing, (runs * work) / 3600) : (runs * own) / 3600,
      run_hours: (stands ? work : own) / 3600,
      spot_factor: 1 - usage.spot_share * usage.spot_discount,
      endpoint_hours: endpointHours,
      endpoint_instances: Math.min(Math.max(wanted, p.endpoint_minimum), p.endpoint_maximum),
      requests: usage.requests_per_second * 3600 * endpointHours,
      request_gb: usage.request_bytes / gb,
      reply_gb: usage.reply_bytes / gb,
      request_seconds: usage.request_milliseconds / 1000,
    };
    const nothing = { months: 0, hours: 0, endpoint_hours: 0, requests: 0 };
    const run = { ...month, ...nothing, runs: 1, cluster_hours: month.run_hours };
    const idle = {
      ...month, months: 1 / hours, hours: 1, runs: 0, cluster_hours: p.persistent ? 1 : 0, endpoint_hours: 1,
      endpoint_instances: p.endpoint_minimum, requests: 0,
    };
    return { month, run, idle_hour: idle };
  };

  const amount = (line, values) => {
    const quantity = line.terms.reduce(
      (sum, term) => sum + term.drivers.reduce((product, name) => product * values[name], term.coefficient), 0);
    return line.price === null ? (quantity ? null : 0) : quantity * line.price.usd;
  };

  // A side's sum in US dollars; `complete` is false where a price is not known, and the sum a lower bound.
  const sum = (side, values, serving) => estimate.lines
    .filter((line) => line.side === side && (serving || !line.serving))
    .map((line) => amount(line, values))
    .reduce((total, each) => ({ usd: total.usd + (each ?? 0), complete: total.complete && each !== null }),
      { usd: 0, complete: true });

  const totals = (usage, serving = true) => Object.fromEntries(
    Object.entries(drivers(usage, estimate.parameters)).map(([period, values]) => [
      period, Object.fromEntries(["sagemaker", "emr", "shared"].map((side) => [side, sum(side, values, serving)])),
    ]));

  const number = (value, digits) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const dollars = (value) => value === null ? "not known"
    : value === 0 || value >= 0.0995 ? number(value, 2) : value >= 0.00005 ? number(value, 4) : "below 0.0001";
  const shown = (money) => money.complete ? dollars(money.usd)
    : money.usd >= 0.00005 ? `at least ${dollars(money.usd)}` : dollars(null);

  // From here on: comparison/cost/break_even.py.
  const costs = (usage, serving) => {
    const month = totals(usage, serving).month;
    return [month.sagemaker.usd, month.emr.usd];
  };
  const cheaper = ([sagemaker, emr]) =>
    Math.abs(sagemaker - emr) < 1e-4 ? null : sagemaker < emr ? "sagemaker" : "emr";

  const stretches = (answerAt, end) => {
    const samples = [0];
    for (let i = 0; i <= 500; i++) samples.push(end * 10 ** (-6 * (1 - i / 500)), (end * i) / 500);
    samples.sort((a, b) => a - b);
    const found = [{ start: 0, end, cheaper: answerAt(0) }];
    samples.slice(1).forEach((high, i) => {
      const answer = answerAt(high);
      let low = samples[i];
      while (found.at(-1).cheaper !== answer) {
        let before = low;
        let after = high;
        while (after - before > end * 1e-12) {
          const middle = (before + after) / 2;
          if (answerAt(middle) === found.at(-1).cheaper) before = middle; else after = middle;
        }
        found.at(-1).end = after;
        found.push({ start: after, end, cheaper: answerAt(after) });
        low = after;
      }
    });
    return found;
  };

  const three = (value) => value >= 99.95 || value === 0 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  const brief = (value) => {
    for (const [size, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]]) {
      if (value >= size * 0.9995) return three(value / size) + unit;
    }
    return three(value);
  };

  const limitOf = (usage, along) => {
    const p = estimate.parameters;
    if (along === "events_per_run") return p.events_limit;
    const limit = along === "requests_per_second" ? p.requests_limit : null;
    if (!limit || !p.serverless) return limit;
    if (usage.request_milliseconds === 0) return null;
    return { value: limit.value / (usage.request_milliseconds / 1000), why: limit.why };
  };
  const axisEnd = (usage, along) => {
    const limit = limitOf(usage, along);
    const most = axes[along].maximum;
    return Math.max(!limit || limit.value === 0 ? most : Math.min(most, limit.value), usage[along]);
  };
  const limits = (usage, along, end, serving) => {
    const known = [["events_per_run", "events a run do not fit"]];
    if (serving) known.push(["requests_per_second", "requests a second are not carried"]);
    return known.flatMap(([name, words]) => {
      const limit = limitOf(usage, name);
      const beyond = limit && (name === along ? limit.value <= end : limit.value < usage[name]);
      return beyond ? [`More than ${brief(limit.value)} ${words}: ${limit.why}.`] : [];
    });
  };

  const requests = (usage, end, serving) => {
    if (!serving) return "Requests change neither side's cost without the endpoint.";
    const at = (value) => shown(totals({ ...usage, requests_per_second: value }, true).month.sagemaker);
    return "EMR brings no endpoint, so there is no break-even along requests: SageMaker's side costs "
      + `${at(0)} to ${at(end)} US dollars a month from 0 to ${brief(end)} requests a second.`;
  };

  const sentence = (usage, along, found) => {
    const of = {
      runs_per_day: `runs a day of ${brief(usage.events_per_run)} events`,
      events_per_run: `events a run at ${brief(usage.runs_per_day)} ${usage.runs_per_day === 1 ? "run" : "runs"} a day`,
    }[along];
    const who = (each) => each.cheaper === null ? "Both cost the same" : `${titles[each.cheaper]} is cheaper`;
    const short = (each) => each.cheaper === null ? "neither" : titles[each.cheaper];
    const least = found.at(-1).end / 100;
    const told = found.filter((each) => each.cheaper !== null || each.end - each.start > least);
    const first = told[0];
    const last = told.at(-1);
    if (told.length === 1) return `${who(first)} from 0 to ${brief(last.end)} ${of}, at these prices.`;
    if (told.length === 2) {
      return `${who(last)} above ${brief(last.start)} and up to ${brief(last.end)} ${of}, at these prices, `
        + `${short(first)} below.`;
    }
    const between = told.slice(1, -1).map((each) => `${short(each)} from ${brief(each.start)} to ${brief(each.end)}`);
    return `${who(first)} below ${brief(first.end)} ${of}, at these prices, ${between.join(", ")}, `
      + `${short(last)} above ${brief(last.start)} and up to ${brief(last.end)}.`;
  };

  // The curve's points (x, sagemaker, emr), and the answer in words.
  const breakEven = (usage, along, serving) => {
    const end = axisEnd(usage, along);
    const at = (x) => costs({ ...usage, [along]: x }, serving);
    const points = Array.from({ length: steps + 1 }, (_, i) => [(end * i) / steps, ...at((end * i) / steps)]);
    const more = limits(usage, along, end, serving);
    if (along === "requests_per_second") return { points, words: [requests(usage, end, serving), ...more].join(" ") };
    const month = drivers({ ...usage, [along]: end }, estimate.parameters).month;
    const missing = [...new Set(["sagemaker", "emr"].flatMap((side) => estimate.lines
      .filter((line) => line.side === side && (serving || !line.serving) && amount(line, month) === null)
      .map((line) => line.item)))];
    if (missing.length) {
      return { points, words: `Which side is cheaper is not known: there is no price for ${missing.join(", ")}.` };
    }
    const words = [sentence(usage, along, stretches((x) => cheaper(at(x)), end)), ...more];
    if (serving) words.push("Only SageMaker brings an endpoint along: what serving takes on EMR is not in EMR's cost.");
    return { points, words: words.join(" ") };
  };

  return { estimate, axes, titles, inputs, usageOf, drivers, amount, totals, costs, dollars, shown, breakEven };
})();
