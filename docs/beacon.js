// SPDX-License-Identifier: GPL-3.0-or-later
// Measures the round-trip time from a browser to each site and sends it to the page's own server, which hands it on to
// steerd (beacon.md). No dependencies; nothing is measured before the page has loaded, in the background, or where the
// visitor saves data.
//
//   <script src="/beacon.js" async data-url="/_steerd/beacon" data-sample="0.05"
//           data-sites='{"fra": "https://fra.example.net/ping", "iad": "https://iad.example.net/ping"}'></script>
(function (window, document, script) {
  "use strict";

  var TRIES = 4; // the first one opens the connection; of the others the fastest counts
  var TIMEOUT_MS = 3000;
  var SETTLE_MS = 50;
  var WAIT_MS = 2000; // after the page has loaded
  var AGAIN_MS = 3600 * 1000; // a browser measures once an hour
  var KEY = "steerd-beacon";

  // Whether this browser has not measured lately; then it is noted that it does now. Without storage: always.
  function isItsTurn(now) {
    try {
      var last = Number(window.localStorage.getItem(KEY));
      if (last > now - AGAIN_MS && last <= now) return false;
      window.localStorage.setItem(KEY, String(now));
    } catch (error) {
      // Storage is turned off.
    }
    return true;
  }

  // From the request on the open connection to the first octet of its answer. Without Timing-Allow-Origin only the
  // whole duration is known.
  function timeOf(url, began, ended) {
    var entries = window.performance.getEntriesByName ? window.performance.getEntriesByName(url, "resource") : [];
    var entry = entries[entries.length - 1];
    if (entry && entry.requestStart > 0 && entry.responseStart > entry.requestStart)
      return entry.responseStart - entry.requestStart;
    if (entry && entry.duration > 0) return entry.duration;
    return ended - began;
  }

  // A new address each time, so that no cache answers.
  function ask(base, count) {
    var url = base + (base.indexOf("?") < 0 ? "?" : "&") + "n=" + Date.now().toString(36) + "-" + count;
    var abort = new window.AbortController();
    var timer = window.setTimeout(function () { abort.abort(); }, TIMEOUT_MS);
    var began = window.performance.now();
    return window
      .fetch(url, { mode: "no-cors", cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", signal: abort.signal })
      .then(function () {
        var ended = window.performance.now();
        // The browser writes its own times down a moment later.
        return new Promise(function (done) {
          window.setTimeout(function () { done(timeOf(url, began, ended)); }, SETTLE_MS);
        });
      })
      .finally(function () { window.clearTimeout(timer); });
  }

  // The least of the tries, in milliseconds; null when the site does not answer.
  async function measure(url) {
    var best = null;
    try {
      for (var i = 0; i < TRIES; i++) {
        var ms = await ask(url, i);
        if (i > 0 && ms > 0 && (best === null || ms < best)) best = ms;
      }
    } catch (error) {
      return best; // a site that stops answering half way was there
    }
    return best;
  }

  // One site after the other, so that they do not disturb each other, and in no fixed order.
  async function measureAll(sites) {
    var names = Object.keys(sites);
    var samples = [];
    for (var left = names.length; left > 0; left--) {
      var at = Math.floor(Math.random() * left);
      var name = names[at];
      names[at] = names[left - 1];
      if (document.visibilityState === "hidden") break; // timers are slow in the background
      var ms = await measure(sites[name]);
      if (ms !== null && ms <= 10000) samples.push({ site: name, ms: Math.round(ms * 10) / 10 || 0.1 });
    }
    return samples;
  }

  function send(url, samples) {
    var body = JSON.stringify({ samples: samples });
    if (window.navigator.sendBeacon && window.navigator.sendBeacon(url, body)) return;
    window.fetch(url, { method: "POST", body: body, keepalive: true, credentials: "omit" }).catch(function () {});
  }

  async function run() {
    var url = script.getAttribute("data-url");
    var share = Number(script.getAttribute("data-sample") || 1);
    var connection = window.navigator.connection;
    if (!(Math.random() < share) || (connection && connection.saveData)) return;
    if (document.visibilityState === "hidden" || !isItsTurn(Date.now())) return;
    var samples = await measureAll(JSON.parse(script.getAttribute("data-sites")));
    if (samples.length) send(url, samples);
  }

  if (!script || !window.fetch || !window.AbortController || !window.performance) return;
  function later() { window.setTimeout(run, WAIT_MS); }
  if (document.readyState === "complete") later();
  else window.addEventListener("load", later);
})(window, document, document.currentScript);
