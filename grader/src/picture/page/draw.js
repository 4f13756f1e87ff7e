// Draws a part of the trace on the canvas. Nothing here listens.
//
// Each thing is drawn in a pixel or more; of what shares a pixel the longest is
// drawn, and of marks that would lie on each other how many there are. So the work
// of a frame depends on the width of the canvas, and not on the length of the trace.
"use strict";

// Teeth say that a vCPU spun at the end of its turn, and so stand only there.
const TEETH = 3, TOOTH = 8;
const LABEL = 130, AXIS = 24, PCPU = 26, MARKS = 26, VCPU = 24, GAP = 8;

class Drawing {
  constructor(canvas, model) {
    this.canvas = canvas;
    this.model = model;
    this.shown = new Set([0, 1, 2, 3]);
    this.patterns = new Map();
    this.rows = this.layOut();
  }

  // The rows from top to bottom: a lane and a strip of marks for each physical CPU,
  // then a lane for each vCPU.
  layOut() {
    const rows = [];
    let top = AXIS;
    const add = (kind, index, height) => {
      rows.push({ kind, index, top, height });
      top += height;
    };
    for (let pcpu = 0; pcpu < this.model.pcpus; pcpu++) {
      add("pcpu", pcpu, PCPU);
      add("marks", pcpu, MARKS);
      top += GAP;
    }
    this.model.lanes.forEach((_, lane) => {
      add("vcpu", lane, VCPU);
      top += GAP;
    });
    this.height = top;
    return rows;
  }

  label() { return this.width < 600 ? 74 : LABEL; }
  x(time) { return this.left + (time - this.from) * this.scale; }
  time(x) { return this.from + (x - this.left) / this.scale; }
  rowAt(y) { return this.rows.find(row => row.top <= y && y < row.top + row.height) || null; }
  rowOf(lane) { return this.rows.find(row => row.kind === "vcpu" && row.index === lane); }

  draw(from, to, at) {
    const ratio = window.devicePixelRatio || 1;
    this.width = Math.max(this.canvas.clientWidth, 200);
    this.canvas.style.height = `${this.height}px`;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.left = this.label();
    [this.from, this.to] = [from, to];
    this.scale = (this.width - this.left - 8) / Math.max(to - from, 1);
    this.readColours();
    const g = this.g = this.canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.fillStyle = this.colour.paper;
    g.fillRect(0, 0, this.width, this.height);
    g.textBaseline = "middle";
    this.drawn = { spans: 0, marks: 0, arrows: 0, hidden: 0, teeth: 0, unknown: 0 };
    this.axis();
    g.save();
    g.beginPath();
    g.rect(this.left, 0, this.width - this.left, this.height);
    g.clip();
    for (const row of this.rows) this[row.kind](row);
    this.interrupts();
    this.moment(at);
    g.restore();
    this.names();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const of = name => style.getPropertyValue(`--${name}`).trim();
    const colour = { vm: [] };
    for (const name of ["paper", "ink", "faint", "line", "on-vm", "lock", "moment"]) colour[name] = of(name);
    for (let vm = 0; vm < 8; vm++) colour.vm.push(of(`vm${vm}`));
    if (this.colour && this.colour.paper !== colour.paper) this.patterns.clear();
    this.colour = colour;
  }

  axis() {
    const { g, colour } = this;
    const rough = 90 / this.scale, power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
    const step = [1, 2, 5, 10].map(digit => digit * power).find(size => size >= rough) || 10 * power;
    g.font = "12px system-ui, sans-serif";
    g.textAlign = "center";
    for (let time = Math.ceil(this.from / step) * step; time <= this.to; time += step) {
      const x = this.x(time);
      g.fillStyle = colour.line;
      g.fillRect(x, AXIS - 5, 1, this.height);
      const text = number(time), half = g.measureText(text).width / 2;
      g.fillStyle = colour.faint;
      if (x - half > this.left - 20) g.fillText(text, Math.min(x, this.width - half - 2), AXIS / 2 - 1);
    }
  }

  names() {
    const { g, colour } = this;
    g.textAlign = "left";
    g.fillStyle = colour.ink;
    for (const row of this.rows) {
      const middle = row.top + row.height / 2;
      g.font = row.kind === "pcpu" ? "600 13px system-ui, sans-serif" : "12px system-ui, sans-serif";
      if (row.kind === "pcpu") g.fillText(`pcpu ${row.index}`, 4, middle);
      if (row.kind === "vcpu") g.fillText(this.model.lanes[row.index][3], 4, middle, this.left - 8);
      if (row.kind === "marks" && this.left === LABEL) {
        g.fillStyle = colour.faint;
        g.fillText("what happened", 4, middle);
        g.fillStyle = colour.ink;
      }
    }
  }

  // Calls `paint` for what is to be seen of sorted spans: each once, or of those that
  // share a pixel the longest.
  each(spans, paint) {
    let small = null;
    const flush = () => {
      if (small) paint(small.span, small.pixel, 1);
      small = null;
    };
    const first = firstFrom(spans, this.from, one => one.to);
    for (let index = first; index < spans.length && spans[index].from <= this.to; index++) {
      const span = spans[index], x = this.x(span.from), width = (span.to - span.from) * this.scale;
      if (width >= 1) {
        flush();
        paint(span, x, width);
        continue;
      }
      const pixel = Math.floor(x);
      if (small && small.pixel !== pixel) flush();
      if (!small || span.to - span.from > small.span.to - small.span.from) small = { span, pixel };
    }
    flush();
  }

  vmColour(lane) { return this.colour.vm[this.model.vm(lane) % 8]; }

  // A colour for the VM, and stripes for the number of the vCPU.
  fill(lane) {
    const vcpu = this.model.lanes[lane][1], base = this.vmColour(lane);
    return vcpu === 0 ? base : this.striped(`vcpu${vcpu}${base}`, base, this.colour["on-vm"], vcpu);
  }

  striped(key, base, stripe, turn) {
    if (!this.patterns.has(key)) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 12;
      const t = tile.getContext("2d");
      if (base) {
        t.fillStyle = base;
        t.fillRect(0, 0, 12, 12);
      }
      t.strokeStyle = stripe;
      t.lineWidth = 1.6;
      t.globalAlpha = base ? .55 : 1;
      const lines = [[], [0, 12, 12, 0], [0, 0, 12, 12], [6, 0, 6, 12], [0, 6, 12, 6]][turn % 5] || [];
      for (const shift of [-12, 0, 12]) {
        t.beginPath();
        t.moveTo(lines[0] + shift, lines[1]);
        t.lineTo(lines[2] + shift, lines[3]);
        t.stroke();
      }
      this.patterns.set(key, this.g.createPattern(tile, "repeat"));
    }
    return this.patterns.get(key);
  }

  pcpu(row) {
    const { g, colour } = this;
    g.strokeStyle = colour.line;
    g.strokeRect(this.left, row.top + .5, this.width - this.left, row.height - 1);
    g.font = "12px system-ui, sans-serif";
    g.textAlign = "left";
    this.each(this.model.byPcpu[row.index], (span, x, width) => {
      this.drawn.spans++;
      g.fillStyle = this.fill(span.lane);
      g.fillRect(x, row.top + 1, Math.max(width - (width > 3 ? 1 : 0), 1), row.height - 2);
      this.inside(this.model.name(span.lane), x, width, row, this.vmColour(span.lane));
    });
  }

  // A name within its span, on a plate of its own colour, if there is room.
  inside(text, x, width, row, plate) {
    const { g } = this, wide = g.measureText(text).width;
    const from = Math.max(x, this.left), room = Math.min(x + width, this.width) - from;
    if (room < wide + 8) return;
    g.fillStyle = plate;
    g.fillRect(from + 2, row.top + 4, wide + 4, row.height - 8);
    g.fillStyle = this.colour["on-vm"];
    g.fillText(text, from + 4, row.top + row.height / 2 + 1);
  }

  // Where the file was cut off nobody knows what happened.
  unknown(row) {
    const { g, colour } = this, x = Math.max(this.x(this.model.known[row.index]), this.left);
    const width = this.x(this.model.until) - x;
    if (width <= 0 || this.model.known[row.index] >= this.model.until) return;
    this.drawn.unknown++;
    g.fillStyle = this.striped(`unknown${colour.line}`, null, colour.line, 1);
    g.fillRect(x, row.top + 1, width, row.height - 2);
  }

  marks(row) {
    const { g, colour } = this, events = this.model.eventsByPcpu[row.index];
    this.unknown(row);
    const first = firstFrom(events, this.from, one => one.time);
    const last = firstFrom(events, this.to + 1, one => one.time);
    const seen = events.slice(first, last).filter(one => this.shown.has(one.kind));
    if (seen.length > this.width / 5) return this.density(row, seen);
    g.fillStyle = colour.ink;
    for (const one of seen) {
      this.drawn.marks++;
      if (one.kind === 0 && this.scale > 2) this.vmm(row, one.time);
      this.shape(one.kind, this.x(one.time), row.top + [20, 13, 5, 13][one.kind]);
    }
  }

  // The tick that a trap takes is the VMM's.
  vmm(row, time) {
    this.g.fillStyle = this.colour.ink;
    this.g.fillRect(this.x(time - 1), row.top - PCPU + 1, this.scale, PCPU - 2);
  }

  // A trap is a line, an exit points up, an injection points down, a device is a ring.
  shape(kind, x, y) {
    const { g, colour } = this;
    g.beginPath();
    if (kind === 0) g.rect(x - .5, y - 5, 1.5, 10);
    if (kind === 1) [[x - 4, y + 4], [x + 4, y + 4], [x, y - 4]].forEach(point => g.lineTo(...point));
    if (kind === 2) [[x - 4, y - 4], [x + 4, y - 4], [x, y + 4]].forEach(point => g.lineTo(...point));
    if (kind === 3) g.arc(x, y, 2.6, 0, 7);
    g.closePath();
    g.fillStyle = kind === 2 ? colour.moment : kind === 3 ? colour.paper : colour.ink;
    g.strokeStyle = colour.ink;
    g.fill();
    if (kind === 3) g.stroke();
  }

  // How many marks there are, where they are too many to be seen: bars that grow with
  // the logarithm.
  density(row, events) {
    const { g, colour } = this, size = 3;
    const bars = new Uint32Array(Math.ceil((this.width - this.left) / size) + 1);
    for (const one of events) bars[Math.floor((this.x(one.time) - this.left) / size)]++;
    g.fillStyle = colour.faint;
    bars.forEach((many, index) => {
      if (!many) return;
      this.drawn.marks++;
      const height = Math.min(3 + 3 * Math.log2(many), row.height - 2);
      g.fillRect(this.left + index * size, row.top + row.height - height, size - .5, height);
    });
  }

  vcpu(row) {
    const { g, colour } = this, middle = row.top + row.height / 2;
    this.each(this.model.byLane[row.index], (span, x, width) => {
      this.drawn.spans++;
      const hold = span.state !== RUNNING && this.model.holdAt(row.index, span.from);
      if (hold) return this.held(row, x, width);
      if (span.state === RUNNING) {
        g.fillStyle = this.fill(row.index);
        g.fillRect(x, row.top + 3, Math.max(width, 1), row.height - 6);
        if (span.spins) this.spins(row, x, width);
      } else if (span.state === WAITING) {
        g.fillStyle = colour.faint;
        g.fillRect(x, middle - 3, Math.max(width, 1), 1);
        g.fillRect(x, middle + 2, Math.max(width, 1), 1);
      } else if (span.state === PAUSED) {
        g.fillStyle = this.striped(`paused${colour.faint}`, null, colour.faint, 3);
        g.fillRect(x, middle - 5, Math.max(width, 1), 10);
      } else {
        g.fillStyle = colour.faint;
        for (let dot = x; dot < x + width; dot += 6) g.fillRect(dot, middle, 2, 1.5);
      }
    });
  }

  held(row, x, width) {
    const { g, colour } = this;
    g.fillStyle = colour.lock;
    g.fillRect(x, row.top + 5, Math.max(width, 1), row.height - 10);
    if (width < 60) return;
    g.fillStyle = colour.paper;
    g.font = "600 11px system-ui, sans-serif";
    g.textAlign = "left";
    g.fillText(width < 190 ? "has the lock" : "has the lock, and no pcpu", Math.max(x, this.left) + 4, row.top + row.height / 2 + .5);
  }

  spins(row, x, width) {
    const { g, colour } = this, end = x + width;
    const teeth = Math.min(Math.max(Math.floor(width / TOOTH), width > 3 ? 1 : 0), TEETH);
    const size = Math.min(TOOTH, width);
    g.fillStyle = colour.lock;
    for (let tooth = end - teeth * size; tooth < end - 1; tooth += size) {
      this.drawn.teeth++;
      g.beginPath();
      g.moveTo(tooth, row.top + row.height - 3);
      g.lineTo(tooth + size / 2, row.top + row.height - 9);
      g.lineTo(tooth + size, row.top + row.height - 3);
      g.fill();
    }
    if (width <= 3) g.fillRect(x, row.top + row.height - 6, Math.max(width, 1), 3);
  }

  interrupts() {
    const open = one => (one.delivered < 0 ? this.model.until : one.delivered);
    const seen = this.model.interrupts.filter(one => one.due <= this.to && open(one) >= this.from);
    if (seen.length > 400) {
      this.drawn.hidden = seen.length;
      return;
    }
    for (const one of seen) {
      this.drawn.arrows++;
      this.arrow(one, open(one));
    }
  }

  // From the moment when it was due (of an IPI: at its sender) to when it was taken.
  arrow(one, open) {
    const { g, colour } = this, row = this.rowOf(one.lane);
    const sender = one.sender < 0 ? null : this.rowOf(one.sender);
    const y = row.top + 1, x = this.x(one.due), end = this.x(open);
    const start = sender ? sender.top + sender.height / 2 : y;
    g.strokeStyle = g.fillStyle = sender ? colour.ink : colour.moment;
    g.lineWidth = 1.5;
    g.setLineDash(one.delivered < 0 ? [3, 3] : []);
    g.beginPath();
    g.moveTo(x, start);
    g.lineTo(end, y);
    g.stroke();
    g.setLineDash([]);
    g.lineWidth = 1;
    g.beginPath();
    g.arc(x, start, 2.5, 0, 7);
    g.fill();
    if (one.delivered < 0) return;
    g.beginPath();
    [[end - 3.5, y - 3], [end + 3.5, y - 3], [end, y + 4]].forEach(point => g.lineTo(...point));
    g.fill();
  }

  moment(at) {
    const { g, colour } = this, x = this.x(at);
    g.fillStyle = colour.moment;
    g.fillRect(x - .75, 0, 1.5, this.height);
  }
}
