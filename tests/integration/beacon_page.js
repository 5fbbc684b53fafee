// SPDX-License-Identifier: GPL-3.0-or-later
// Runs docs/beacon.js in a page that is made up: node beacon_page.js BEACON PAGE. PAGE is JSON: what the page and its
// sites are like. Prints what was asked and sent, as JSON.
"use strict";
const fs = require("fs");
const vm = require("vm");

const page = JSON.parse(process.argv[3]);
const told = { asked: [], sent: [], stored: page.stored || {} };
const attributes = { "data-url": "/_steerd/beacon", "data-sites": JSON.stringify(page.sites), ...page.attributes };
const entries = {};
let clock = 1000;

// Time passes by itself: timers fire in order of their moments when nothing else is to be done.
const timers = [];
function setTimeout_(run, ms) {
  timers.push({ run, at: clock + ms, id: timers.length + 1 });
  return timers.length;
}
function clearTimeout_(id) {
  const timer = timers.find((t) => t.id === id);
  if (timer) timer.run = null;
}

function fetch_(url, options) {
  if (options.method === "POST") {
    told.sent.push({ url, by: "fetch", keepalive: options.keepalive, body: options.body });
    return Promise.resolve({});
  }
  const base = url.replace(/[?&]n=.*/, "");
  const name = Object.keys(page.sites).find((site) => page.sites[site] === base);
  const before = told.asked.filter((asked) => asked === name).length;
  const ms = page.times[name][before];
  told.asked.push(name);
  if (options.mode !== "no-cors" || options.cache !== "no-store" || options.credentials !== "omit")
    throw new Error("the request is not as small as it could be");
  if (ms === null) return Promise.reject(new Error("unreachable"));
  clock += ms + 5; // what the browser adds
  // Browsers write the times down when the promise may be kept already.
  if (!page.opaque) setTimeout_(() => { entries[url] = [{ requestStart: 1, responseStart: 1 + ms, duration: ms + 5 }]; }, 10);
  return Promise.resolve({});
}

const script = { getAttribute: (name) => (name in attributes ? attributes[name] : null) };
const loaded = [];
const document = { readyState: "loading", visibilityState: page.visibility || "visible", currentScript: script };
const window = {
  fetch: page.without === "fetch" ? undefined : fetch_,
  AbortController,
  performance: { now: () => clock, getEntriesByName: (url) => entries[url] || [] },
  setTimeout: setTimeout_,
  clearTimeout: clearTimeout_,
  addEventListener: (event, run) => event === "load" && loaded.push(run),
  navigator: { connection: { saveData: Boolean(page.save_data) } },
  localStorage: {
    getItem: (key) => (key in told.stored ? told.stored[key] : null),
    setItem: (key, value) => { told.stored[key] = value; },
  },
};
if (!page.no_beacon)
  window.navigator.sendBeacon = (url, body) => told.sent.push({ url, by: "beacon", body }) > 0;

const math = Object.create(Math);
math.random = () => (page.random === undefined ? 0 : page.random);
vm.runInNewContext(fs.readFileSync(process.argv[2], "utf8"), { window, document, Math: math, Date, JSON, Number, Object, Promise });

async function play() {
  if (told.asked.length || timers.length) throw new Error("something was done before the page had loaded");
  loaded.forEach((run) => run());
  for (;;) {
    for (let i = 0; i < 100; i++) await Promise.resolve();
    const next = timers.filter((t) => t.run).sort((a, b) => a.at - b.at)[0];
    if (!next) break;
    clock = Math.max(clock, next.at);
    const run = next.run;
    next.run = null;
    run();
  }
  console.log(JSON.stringify(told));
}
play();
