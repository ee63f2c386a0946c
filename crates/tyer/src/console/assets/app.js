// The one script: passkey ceremonies, forms as JSON, news, countdowns. Pages can be read without it.
"use strict";

const $ = (id) => document.getElementById(id);

// Bytes and base64url.
const bytes = (text) => {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
};
const text = (buffer) => {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

function say(words, bad) {
  const message = $("message");
  message.textContent = words;
  message.classList.toggle("bad", Boolean(bad));
}

class Refused extends Error {}

async function call(path, body) {
  const options = { credentials: "same-origin", headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) {
    location.assign("/sign-in?next=" + encodeURIComponent(location.pathname));
  }
  const error = answer.error || { message: "the server answered " + response.status, next: "" };
  throw new Refused(error.message + (error.next ? " Next: " + error.next + "." : ""));
}

// Runs one action at a time, with its button switched off, and says how it went.
let busy = false;
async function act(button, work) {
  if (busy) return;
  busy = true;
  if (button) button.disabled = true;
  document.body.classList.add("busy");
  try {
    await work();
  } catch (error) {
    // Most likely the page is not what the server knows.
    later();
    if (error instanceof Refused) say(error.message, true);
    else if (error.name === "NotAllowedError") say("The passkey was not used: cancelled or timed out.", true);
    else say("This did not work: " + error.message, true);
  } finally {
    busy = false;
    if (button) button.disabled = stale;
    document.body.classList.remove("busy");
  }
}

// Has a passkey sign a statement and hands it in. `check` looks at the statement before it is signed.
async function sign(wish, comment, check) {
  const prepared = await call("/api/v1/statements", wish);
  if (check) check(prepared.statement);
  return handIn(prepared, comment);
}

// `key` shows that an SSH key is its owner's.
async function handIn(prepared, comment, key) {
  say("Waiting for your passkey.");
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge: bytes(prepared.challenge),
      rpId: prepared.rp_id,
      allowCredentials: prepared.allow.map((id) => ({ type: "public-key", id: bytes(id) })),
      userVerification: "required",
      timeout: 120000,
    },
  });
  const response = credential.response;
  return call("/api/v1/decisions", {
    nonce: prepared.statement.nonce,
    comment: comment || "",
    key: key || null,
    assertion: {
      credential: text(credential.rawId),
      authenticator_data: text(response.authenticatorData),
      client_data: text(response.clientDataJSON),
      signature: text(response.signature),
    },
  });
}

function goTo(next) {
  const target = new URL(next || "/", location.origin);
  location.assign(target.origin === location.origin ? target.href : "/");
}

async function signIn(button) {
  await sign({ sign_in: true });
  goTo(button.dataset.next);
}

async function enrol(button) {
  const path = "/api/v1/enrolments/" + encodeURIComponent(button.dataset.token);
  const begun = await call(path + "/begin", {});
  say("Waiting for your passkey.");
  const credential = await navigator.credentials.create({
    publicKey: {
      challenge: bytes(begun.challenge),
      rp: { id: begun.rp_id, name: "Tyer" },
      user: { id: bytes(begun.user_id), name: begun.person, displayName: begun.person },
      excludeCredentials: begun.exclude.map((id) => ({ type: "public-key", id: bytes(id) })),
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: begun.attestation,
      timeout: 120000,
    },
  });
  const person = await call(path + "/finish", {
    nonce: begun.statement.nonce,
    client_data: text(credential.response.clientDataJSON),
    attestation_object: text(credential.response.attestationObject),
  });
  button.hidden = true;
  const made = person.passkey_list[person.passkey_list.length - 1];
  const digits = made.digest.slice(0, 16).match(/.{4}/g).join(" ");
  if (made.asked_by) {
    say("Enrolled. Tell somebody other than " + made.asked_by + " these digits, who has to confirm it: " + digits
      + ". You can sign in with it then.");
    return;
  }
  say(person.counts
    ? "Enrolled. Your word counts. You can sign in now."
    : "Enrolled. Somebody other than your inviter has to confirm you. You can sign in now.");
  const link = document.createElement("a");
  link.href = "/sign-in";
  link.textContent = "Sign in";
  button.after(link);
}

async function answer(button, decision) {
  const hold = button.dataset.hold;
  const field = $("comment");
  const comment = field.value.trim();
  if (decision === "reject" && !comment) {
    field.focus();
    throw new Refused("A rejection needs a reason, for the agent to read.");
  }
  const shown = $("main").dataset.card;
  await sign({ [decision]: hold }, comment, (statement) => {
    // Never sign for another card than the one on this page.
    if (statement.what.card !== shown || statement.what.hold !== hold) {
      throw new Refused("The card has changed. Read it again.");
    }
  });
  field.value = "";
  await refresh();
  say(decision === "approve" ? "You approved " + hold + "." : "You rejected " + hold + ".");
}

async function answerAll() {
  const rows = Array.from(document.querySelectorAll("#together [data-together]"));
  const holds = rows.map((row) => row.dataset.together);
  const shown = rows.map((row) => row.dataset.together + " " + row.dataset.card).join("\n");
  const field = $("comment");
  await sign({ approve_all: holds }, field.value.trim(), (statement) => {
    // Never sign for another list than the one on this page, nor for other cards.
    const { decision, subjects } = statement.what;
    const named = (subjects || []).map((one) => one.hold + " " + one.card).join("\n");
    if (decision !== "approve_all" || named !== shown) throw new Refused("The list has changed. Read it again.");
  });
  field.value = "";
  await refresh();
  say("You approved " + holds.join(", ") + ".");
}

// Words that are signed with a decision, from the field of that id.
function words(id, missing) {
  const field = $(id);
  const said = field.value.trim();
  if (said) return said;
  field.focus();
  throw new Refused(missing);
}

async function breakGlass(button) {
  const hold = button.dataset.hold;
  const reason = words("glass-reason", "Say why; whoever reviews this has to know.");
  if (!window.confirm("Let " + hold + " run on your word alone? Everybody is told, and two others review it.")) return;
  const shown = $("main").dataset.card;
  await sign({ break_glass: { hold, reason } }, "", (statement) => {
    const { subject } = statement.what;
    if (subject.card !== shown || subject.hold !== hold) throw new Refused("The card has changed. Read it again.");
  });
  await refresh();
  say("You let " + hold + " through alone. It runs once, when the agent presents the same request again.");
}

async function review(button) {
  const { hold, broken } = button.dataset;
  const finding = words("finding", "Say what you found; it is signed with the review.");
  await sign({ review: { hold, finding } }, "", (statement) => {
    if (statement.what.hold !== hold || statement.what.broken !== broken) {
      throw new Refused("It was let through anew since. Look again.");
    }
  });
  await refresh();
  say("You signed the review of " + hold + " off.");
}

async function leaveNote(form) {
  const data = new FormData(form);
  const to = String(data.get("to")).split(/[\s,]+/).filter(Boolean);
  await call("/api/v1/holds/" + form.dataset.hold + "/notes", { text: data.get("text"), to });
  form.reset();
  await refresh();
  say(to.length ? "Handed over to " + to.join(", ") + ". It changes nothing about who counts." : "The note is left.");
}

async function putOff(hold, at) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const { until } = await call("/api/v1/holds/" + hold + "/later", { at, zone });
  await refresh();
  say(until ? "You look at " + hold + " again at " + new Date(until).toLocaleTimeString() + "." : hold + " is back.");
}

async function seen(form) {
  await call("/api/v1/answers/seen", { holds: String(new FormData(form).get("holds")).split(" ") });
  await refresh();
}

async function endSession(button) {
  const { end, how } = button.dataset;
  const word = how === "killed" ? "Kill" : "End";
  if (!window.confirm(word + " session " + end + "? Its connections are closed and its requests taken back.")) return;
  const seen = await call("/api/v1/sessions/" + encodeURIComponent(end) + "/end", { how });
  await refresh();
  say("Session " + end + " was " + how + ". Connections open: " + seen.open
    + ", seen to close: " + seen.closed + ".", seen.closed < seen.open);
}

// Kills, and says what was seen of it and what was not.
async function kill(button) {
  const { kill: kind, name, what } = button.dataset;
  if (!window.confirm("Kill " + what + "? Connections are closed and held requests taken back.")) return;
  const wish = { kill: { [kind]: kind === "everything" ? true : name } };
  const { killed } = await sign(wish, "", (statement) => {
    // Never sign for another target than the one on this button.
    if (statement.what.what !== what) throw new Refused("The target has changed. Look again.");
  });
  await refresh();
  const list = (of) => (of.length ? of.join(", ") : "none");
  lines($("killed"), [
    ...killed.sessions.map((it) => [it.session + " of " + it.agent, it.closed + " of " + it.open
      + " connections were seen to close; credentials refused: " + (it.refused ? "yes" : "not seen")]),
    ["Held requests taken back", list(killed.holds)],
    ["Under way, outcome seen (leaves)", list(killed.seen)],
    ...killed.not_seen.map((words) => ["Not seen", words]),
  ]);
  say("Killed " + killed.killed + ". " + (killed.not_seen.length
    ? "Not all of it was seen to end; see below." : "All of it was seen to end."), killed.not_seen.length > 0);
}

function lines(output, pairs) {
  const list = document.createElement("dl");
  list.className = "small";
  for (const [name, value] of pairs) {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    const detail = document.createElement("dd");
    const code = document.createElement("code");
    term.textContent = name;
    code.textContent = value;
    detail.append(code);
    row.append(term, detail);
    list.append(row);
  }
  output.replaceChildren(list);
  output.hidden = false;
}

async function newSession(form) {
  const data = new FormData(form);
  const made = await call("/api/v1/sessions", {
    agent: data.get("agent"),
    upstream: data.get("upstream"),
    lasts_seconds: Number(data.get("lasts_seconds")),
    may: data.getAll("may"),
    on: String(data.get("on")).split(/\s+/).filter(Boolean),
    purpose: data.get("purpose"),
  });
  form.reset();
  await refresh();
  lines($("minted"), [["Session", made.session], ["Host", made.host], ["Port", made.port],
    ["Database", made.database], ["User", made.user], ["Password", made.password], ["URL", made.url]]);
  say("Session " + made.session + " was made. Its password is shown this once.");
}

async function thaw(button) {
  const { thaw: freeze, digest, missing } = button.dataset;
  await sign({ thaw: freeze }, "", (statement) => {
    // Never sign against another freeze than the one on this page.
    if (statement.what.freeze !== freeze || statement.what.digest !== digest) {
      throw new Refused("The freeze has changed. Look again.");
    }
  });
  await refresh();
  say(Number(missing) > 1
    ? "You signed the end of " + freeze + ". It goes on until a second person has."
    : freeze + " has ended.");
}

async function freezeSome(form) {
  const made = await call("/api/v1/freeze", Object.fromEntries(new FormData(form)));
  form.reset();
  await refresh();
  say("Frozen as " + made.freeze + ": nothing is changed in " + made.covers + ".");
}

async function invite(form) {
  const name = new FormData(form).get("name");
  const done = await sign({ invite: name });
  form.reset();
  await refresh();
  lines($("invited"), [["Link for " + name, done.invited.url]]);
  say("Invited " + name + ". Hand over the link yourself; it works once, for 15 minutes.");
}

async function link(form) {
  const [one, other] = [$("link-one").value, $("link-other").value];
  await sign({ link: [one, other] });
  form.reset();
  await refresh();
  say(one + " and " + other + " are one human from now on.");
}

async function addPasskey() {
  const done = await sign({ add_passkey: true });
  await refresh();
  lines($("added"), [["Link for your passkey", done.invited.url]]);
  say("Open the link where the new passkey is to be. It works once, for 15 minutes.");
}

async function recover(form) {
  const name = $("recover-name").value;
  const done = await sign({ recover: name });
  form.reset();
  await refresh();
  lines($("recovering"), [["Link for " + name, done.invited.url]]);
  say("Hand over the link yourself; it works once, for 15 minutes. Somebody other than you confirms what is enrolled.");
}

// An SSH key is added by two signatures over one statement, its own and a passkey's; one that is to count as hardware was
// made over another statement. Nothing in a statement of either kind needs quoting in a shell.
let [adding, making] = [null, null];
async function makeKey() {
  making = await call("/api/v1/statements", { make_key: true });
  $("making-command").textContent = "printf %s '" + making.message + "' > challenge && ssh-keygen -t ed25519-sk"
    + " -O verify-required -O challenge=challenge -O write-attestation=attestation -f tyer_sk";
  $("making").hidden = false;
  say("Then paste tyer_sk.pub below.");
}

async function addKey(form) {
  adding = await call("/api/v1/statements", { add_key: new FormData(form).get("key") });
  $("proving-command").textContent = "printf %s '" + adding.message + "' | ssh-keygen -Y sign -n tyer -f KEY";
  $("proving").hidden = false;
  say("Sign it with the key, and paste what comes out.");
}

async function prove() {
  if (!adding) throw new Refused("Begin with the public key.");
  const key = { signature: $("proof").value };
  const file = document.querySelector("#making input").files[0];
  if (making && file) key.attestation = { nonce: making.statement.nonce, file: text(await file.arrayBuffer()) };
  await handIn(adding, "", key);
  [adding, making] = [null, null];
  for (const id of ["key", "proof"]) $(id).value = "";
  for (const id of ["proving", "making"]) $(id).hidden = true;
  await refresh();
  say("Added. Somebody other than you has to confirm it before it counts.");
}

async function askAllowance(form) {
  const data = new FormData(form);
  const pace = data.get("pace") ? { uses: Number(data.get("pace")), seconds: 60 } : null;
  const asked = await call("/api/v1/holds/" + form.dataset.hold + "/allowance", {
    count: Number(data.get("count")), lasts_seconds: Number(data.get("lasts_seconds")), pace,
  });
  window.location.assign("/holds/" + asked.hold);
}

const buttons = [
  ["#sign-in", (button) => signIn(button)],
  ["#enrol", (button) => enrol(button)],
  ["#approve", (button) => answer(button, "approve")],
  ["#approve-all", () => answerAll()],
  ["#reject", (button) => answer(button, "reject")],
  ["#break-glass", (button) => breakGlass(button)],
  ["#review", (button) => review(button)],
  ["#at-once", (button) => putOff(button.dataset.hold, "now")],
  ["[data-thaw]", (button) => thaw(button)],
  ["[data-confirm]", async (button) => {
    const name = button.dataset.confirm;
    await sign({ confirm: name });
    await refresh();
    say("You confirmed " + name + ".");
  }],
  ["[data-confirm-key]", async (button) => {
    const { confirmKey, owner } = button.dataset;
    await sign({ confirm_key: confirmKey }, "", (statement) => {
      if (statement.what.person !== owner) throw new Refused("The key is another person's. Look again.");
    });
    await refresh();
    say("You confirmed a key of " + owner + ".");
  }],
  ["[data-remove-key]", async (button) => {
    const { removeKey, owner } = button.dataset;
    if (!window.confirm("Remove this key of " + owner + " for ever? What it has approved and did not run is taken back.")) return;
    await sign({ remove_key: removeKey });
    await refresh();
    say("You removed a key of " + owner + ".");
  }],
  ["#make-key", () => makeKey()],
  ["#prove", () => prove()],
  ["#add-passkey", () => addPasskey()],
  ["[data-confirm-passkey]", async (button) => {
    const { confirmPasskey, owner } = button.dataset;
    await sign({ confirm_passkey: confirmPasskey }, "", (statement) => {
      if (statement.what.person !== owner) throw new Refused("The passkey is another person's. Look again.");
    });
    await refresh();
    say("You confirmed a passkey of " + owner + ".");
  }],
  ["[data-remove-passkey]", async (button) => {
    const { removePasskey, owner } = button.dataset;
    if (!window.confirm("Remove this passkey of " + owner + " for ever? What it has approved and did not run is taken back, and "
      + owner + " is signed out.")) return;
    await sign({ remove_passkey: removePasskey });
    await refresh();
    say("You removed a passkey of " + owner + ".");
  }],
  ["[data-configure]", async (button) => {
    const part = button.dataset.configure;
    await sign({ configure: part });
    await refresh();
    say("You confirmed the change of " + part + ".");
  }],
  ["[data-end]", (button) => endSession(button)],
  ["[data-kill]", (button) => kill(button)],
];

document.addEventListener("click", (event) => {
  for (const [selector, work] of buttons) {
    const button = event.target.closest(selector);
    if (button) {
      // A form of these buttons is for browsers without this script.
      if (button.form) event.preventDefault();
      act(button, () => work(button));
      return;
    }
  }
});

const forms = {
  "answers-form": seen,
  "note-form": leaveNote,
  "later-form": (form) => putOff(form.dataset.hold, new FormData(form).get("at")),
  "freeze-form": async (form) => {
    await call("/api/v1/freeze", { reason: new FormData(form).get("reason") });
    form.reset();
    await refresh();
    say("Frozen: nothing is changed anywhere until two people end it.");
  },
  "freeze-some-form": freezeSome,
  "session-form": newSession,
  "allowance-form": askAllowance,
  "invite-form": invite,
  "link-form": link,
  "key-form": addKey,
  "recover-form": recover,
};

document.addEventListener("submit", (event) => {
  const work = forms[event.target.id];
  if (!work) return;
  event.preventDefault();
  act(event.submitter, () => work(event.target));
});

// What the server last said of the parts that are exchanged, without the times, which run by themselves.
// What stands on a card is stale from the first word that something happened to it until it was looked at again.
let stale = false;
function switchOff(off) {
  stale = off;
  for (const button of document.querySelectorAll("#approve, #approve-all, #reject")) button.disabled = off;
}

const PARTS = ["freeze-bar", "glass-bar", "main", "foot"];
const said = {};
function gist(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time[data-since], time[data-until]")) time.textContent = "";
  return copy.outerHTML;
}

// Fetches this page again and exchanges what has changed, keeping what somebody is typing or reading.
// What is the same stays, so that nothing moves away under a pointer.
async function refresh() {
  const response = await fetch(location.href, { credentials: "same-origin" });
  if (response.redirected) {
    location.assign(response.url);
    return;
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const focused = document.activeElement && document.activeElement.id;
  for (const id of PARTS) {
    const [old, next] = [$(id), fresh.getElementById(id)];
    if (!old || !next || said[id] === gist(next)) continue;
    said[id] = gist(next);
    for (const field of old.querySelectorAll("input[id], textarea[id], select[id]")) {
      const same = next.querySelector("#" + field.id);
      if (same && same.type === field.type) same.value = field.value;
    }
    for (const open of old.querySelectorAll("details[open][id]")) {
      const same = next.querySelector("#" + open.id);
      if (same) same.open = true;
    }
    const scrolled = Array.from(old.querySelectorAll("pre[id]"), (pre) => [pre.id, pre.scrollTop]);
    for (const output of old.querySelectorAll("output[id]:not([hidden])")) {
      const same = next.querySelector("#" + output.id);
      if (same) same.replaceWith(output);
    }
    old.replaceWith(document.adoptNode(next));
    for (const [pre, top] of scrolled) if ($(pre)) $(pre).scrollTop = top;
  }
  if (focused && $(focused)) $(focused).focus({ preventScroll: true });
  switchOff(false);
  tick();
}

// Times that run.
function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return days + " d " + hours + " h";
  if (hours) return hours + " h " + String(minutes).padStart(2, "0") + " min";
  if (minutes >= 10) return minutes + " min";
  if (minutes) return minutes + " min " + String(seconds % 60).padStart(2, "0") + " s";
  return seconds + " s";
}

const over = new Set();
function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-since]")) {
    time.textContent = duration(now - Number(time.dataset.since)).replace(/ min \d+ s$/, " min") + " ago";
  }
  for (const time of document.querySelectorAll("time[data-until]")) {
    const left = Number(time.dataset.until) - now;
    time.textContent = duration(left);
    time.classList.toggle("soon", left < 300000);
    if (left < 0 && !over.has(time.dataset.until)) {
      over.add(time.dataset.until);
      if (document.body.dataset.follow) switchOff(true);
      setTimeout(later, 1500);
    }
  }
}

// News: look again, but never while an action runs, and not while nobody looks.
let stream = null;
let waiting = null;
function later() {
  clearTimeout(waiting);
  waiting = setTimeout(() => (busy ? later() : refresh().catch(() => {})), 150);
}

function follow() {
  if (stream) return;
  const only = document.body.dataset.follow;
  stream = new EventSource("/api/v1/events");
  let before = false;
  stream.onopen = () => {
    // Whatever happened while there was no connection.
    if (before) later();
    before = true;
  };
  stream.onmessage = (event) => {
    if (only && event.data === only) switchOff(true);
    if (!only || event.data === only || event.data === "rules") later();
  };
}

document.addEventListener("visibilitychange", () => {
  if (!("live" in document.body.dataset)) return;
  if (document.hidden) {
    if (stream) stream.close();
    stream = null;
  } else {
    follow();
    later();
  }
});

if ("live" in document.body.dataset) {
  for (const id of PARTS) if ($(id)) said[id] = gist($(id));
  follow();
  tick();
  setInterval(tick, 1000);
} else if ($("sign-in")) {
  // Whoever came by a link from elsewhere may be signed in: the cookie was not sent with that link. Asked
  // from here, this page then leads on.
  fetch(location.href, { credentials: "same-origin", redirect: "manual" })
    .then((response) => { if (response.type === "opaqueredirect") goTo($("sign-in").dataset.next); })
    .catch(() => {});
}
