// The trace as the page sees it: what was when. Nothing here draws.
//
// The data come as rows of numbers; texts stand once, in `words`.
//   lanes       [vm, vcpu, name, name with the guest's]     the vCPUs
//   spans       [lane, state, from, to, pcpu, spins, exit, place]
//   interrupts  [lane, vector, sender, due, delivered, words]
//   holds       [lane, from, to]
//   events      [time, pcpu, lane, kind, text, place]
// -1 stands for nothing. `known` says for each physical CPU until when its events are
// known: not until the end if the file was cut off.
"use strict";

const STATES = ["running", "waiting", "halted", "paused"];
const RUNNING = 0, WAITING = 1, HALTED = 2, PAUSED = 3;
const KINDS = ["trap", "exit", "inject", "device"];

class Model {
  constructor(data) {
    Object.assign(this, data);
    const span = ([lane, state, from, to, pcpu, spins, exit, place]) =>
      ({ lane, state, from, to, pcpu, spins, exit, place });
    const spans = data.spans.map(span);
    this.byLane = this.lanes.map((_, lane) => spans.filter(one => one.lane === lane));
    this.byPcpu = Array.from({ length: data.pcpus }, (_, pcpu) =>
      spans.filter(one => one.pcpu === pcpu).sort((a, b) => a.from - b.from));
    this.interrupts = data.interrupts.map(([lane, vector, sender, due, delivered, words]) =>
      ({ lane, vector, sender, due, delivered, words }));
    this.holds = data.holds.map(([lane, from, to]) => ({ lane, from, to }));
    this.holdsByLane = this.lanes.map((_, lane) => this.holds.filter(one => one.lane === lane));
    this.events = data.events
      .map(([time, pcpu, lane, kind, text, place]) => ({ time, pcpu, lane, kind, text, place }))
      .sort((a, b) => a.time - b.time);
    this.eventsByPcpu = this.byPcpu.map((_, pcpu) => this.events.filter(one => one.pcpu === pcpu));
    this.late = this.interrupts.filter(one => one.delivered - one.due > 1);
    // When something began to take longer than it had to.
    this.delays = [...this.late.map(one => one.due), ...this.holds.map(one => one.from)].sort((a, b) => a - b);
    this.vms = [...new Set(this.lanes.map(([vm]) => vm))];
  }

  name(lane) { return this.lanes[lane][2]; }
  vm(lane) { return this.lanes[lane][0]; }
  word(index) { return index < 0 ? "" : this.words[index]; }

  // The one of sorted spans that holds a moment.
  spanAt(spans, time) {
    const next = firstFrom(spans, time + 1, one => one.from);
    const span = spans[next - 1];
    return span && time < span.to ? span : null;
  }

  // The gap of a physical CPU's lane that holds a moment.
  gapAt(pcpu, time) {
    const lane = this.byPcpu[pcpu];
    const next = firstFrom(lane, time + 1, one => one.from);
    const from = next > 0 ? lane[next - 1].to : 0;
    const to = next < lane.length ? lane[next].from : this.until;
    return { from, to };
  }

  holdAt(lane, time) { return this.spanAt(this.holdsByLane[lane], time); }

  // Where a person wants to look first: who lost the lock for longest, the tick that
  // came latest, or the beginning.
  firstMoment() {
    const longest = (list, length) => list.reduce(
      (best, one) => (!best || length(one) > length(best) ? one : best), null);
    const hold = longest(this.holds, one => one.to - one.from);
    if (hold) return Math.floor((hold.from + hold.to) / 2);
    const late = longest(this.late, one => one.delivered - one.due);
    return late ? late.due : 0;
  }

  // Which loop a vCPU spun in when it left, by the guest's name for it. For how long it
  // had before, nobody knows.
  spinsIn(span) { return this.word(span.place).split("+")[0] || "a loop with pause"; }

  // What was at a moment, in sentences: [text, whether it matters].
  tell(time) {
    const told = [];
    for (let pcpu = 0; pcpu < this.pcpus; pcpu++) told.push(this.tellPcpu(pcpu, time));
    this.lanes.forEach((_, lane) => {
      const span = this.spanAt(this.byLane[lane], time);
      if (span && span.state !== RUNNING) told.push(this.tellLane(lane, span, time));
    });
    for (const one of this.interrupts) {
      const open = one.delivered < 0 ? this.until : one.delivered;
      if (one.due <= time && time <= open)
        told.push([`${this.name(one.lane)}: ${this.word(one.words)}`, one.delivered !== one.due]);
    }
    this.known.forEach((known, pcpu) => {
      if (known < Math.min(time, this.until))
        told.push([`pcpu ${pcpu}: its events behind ${number(known)} are lost: the file was cut off`, true]);
    });
    return told;
  }

  tellPcpu(pcpu, time) {
    const span = this.spanAt(this.byPcpu[pcpu], time);
    if (!span) return this.tellIdle(pcpu, time);
    const spins = span.spins ? `, spinning in ${this.spinsIn(span)}` : "";
    const end = span.exit < 0 ? "" : `; it left with ${this.word(span.exit)}`;
    const place = span.place < 0 ? "" : ` at ${this.word(span.place)}`;
    const text = `pcpu ${pcpu}: ${this.name(span.lane)} runs from ${number(span.from)} to ` +
      `${number(span.to)}${end}${place}${spins}`;
    return [text, Boolean(span.spins)];
  }

  tellIdle(pcpu, time) {
    const { from, to } = this.gapAt(pcpu, time);
    const at = this.lanes.map((_, lane) => this.spanAt(this.byLane[lane], time));
    const those = state => at.filter(span => span && span.state === state).length;
    const reasons = [];
    if (those(HALTED)) reasons.push(`${count(those(HALTED), "vCPU")} halted`);
    if (those(RUNNING)) reasons.push(`${those(RUNNING)} on another pcpu`);
    if (those(PAUSED)) reasons.push(`${those(PAUSED)} paused`);
    if (at.some(span => !span)) reasons.push(`${at.filter(span => !span).length} ended or not started`);
    const waiting = those(WAITING);
    const why = waiting
      ? `although ${count(waiting, "vCPU")} waits for a pcpu`
      : `nobody could run here: ${reasons.join(", ")}`;
    return [`pcpu ${pcpu}: idle from ${number(from)} to ${number(to)}; ${why}`, waiting > 0];
  }

  tellLane(lane, span, time) {
    const name = this.name(lane);
    const when = `from ${number(span.from)} to ${number(span.to)}`;
    const hold = this.holdAt(lane, time);
    if (hold) {
      const spinning = this.lanes
        .map((_, other) => this.spanAt(this.byLane[other], time))
        .filter(one => one && one.spins && this.vm(one.lane) === this.vm(lane))
        .map(one => `${this.name(one.lane)} (in ${this.spinsIn(one)})`);
      const ends = spinning.length === 1 ? "spins at the end of its turn" : "spin at the end of their turns";
      const others = spinning.length ? `; ${spinning.join(" and ")} ${ends}` : "";
      return [`${name}: holds the lock and has no pcpu ${when}${others}`, true];
    }
    const doing = ["runs", "waits for a pcpu", "is halted", "is paused"][span.state];
    return [`${name}: ${doing} ${when}`, false];
  }
}

// The index of the first of sorted items whose key is at least `from`.
function firstFrom(items, from, key) {
  let low = 0, high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(items[middle]) < from) low = middle + 1; else high = middle;
  }
  return low;
}

const number = value => Math.round(value).toLocaleString("en-US");
const count = (how, noun) => `${how} ${noun}${how === 1 ? "" : "s"}`;
