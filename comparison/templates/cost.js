"use strict";
// The cost again, for the visitor's own use: the lines come from Python, and `drivers` is comparison/cost/lines.py's.
// A test in a browser compares every amount with Python's, at many uses.
const Cost = (() => {
  const place = document.getElementById("cost");
  if (!place) return null;
  const { estimate, hours, gb, minimum, axes, titles, inputs } = JSON.parse(place.textContent);
  const days = hours / 24;

  const drivers = (usage, p) => {
    const runs = usage.runs_per_day * days;
    const work = p.cluster_fixed_seconds + p.cluster_seconds_per_event * usage.events_per_run;
    const working = (runs * work) / 3600;
    const own = Math.max(minimum, p.cluster_startup_seconds + work);
    const stands = p.persistent && 86400 <= usage.runs_per_day * (work + p.idle_seconds);
    const kept = p.persistent && usage.cluster_hours_per_day !== null;
    const endpointHours = usage.endpoint_hours_per_day * days;
    const wanted = Math.ceil((usage.requests_per_second * 60) / p.endpoint_target - 1e-9);
    const month = {
      months: 1,
      hours,
      runs,
      events: usage.events_per_run,
      kept_months: usage.keep_days / days,
      cluster_hours: kept ? Math.max(usage.cluster_hours_per_day * days, working)
        : stands ? Math.max(hours, working) : (runs * own) / 3600,
      spot_factor: 1 - usage.spot_share * usage.spot_discount,
      endpoint_hours: endpointHours,
      endpoint_instances: Math.min(Math.max(wanted, p.endpoint_minimum), p.endpoint_maximum),
      requests: usage.requests_per_second * 3600 * endpointHours,
      request_gb: usage.request_bytes / gb,
      reply_gb: usage.reply_bytes / gb,
      request_seconds: usage.request_milliseconds / 1000,
    };
    const nothing = { months: 0, hours: 0, endpoint_hours: 0, requests: 0 };
    const run = { ...month, ...nothing, runs: 1, cluster_hours: (kept || stands ? work : own) / 3600 };
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
  const shown = (money) => (money.complete ? "" : "at least ") + dollars(money.usd);

  return { estimate, axes, titles, inputs, drivers, amount, totals, dollars, shown };
})();
