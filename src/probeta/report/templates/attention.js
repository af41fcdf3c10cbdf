// Two translators side by side: a word of a translation, and where its weights on the source went.
async function startAttention() {
  const packed = document.getElementById("attention-data");
  if (!packed) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  const { models, variants, sentences } = JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text());
  packed.remove();
  const says = words.attention;
  const picker = document.getElementById("attention-sentence"), panels = document.getElementById("attention-panels");
  const decimal = new Intl.NumberFormat(root.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

  const entries = sentences.flatMap((sentence) => sentence.by.filter(Boolean));
  document.getElementById("attention-gold").hidden = !entries.some((entry) => entry.gold?.length);
  document.getElementById("attention-cuts").hidden = !entries.some((entry) => entry.cuts);
  document.getElementById("attention-pieces").hidden = !entries.some((entry) => entry.source.some((token) => token.startsWith("▁")));

  const groups = {};
  sentences.forEach((sentence, i) => {
    if (!groups[sentence.split]) {
      groups[sentence.split] = Object.assign(document.createElement("optgroup"), { label: says[sentence.split] || sentence.split });
      picker.append(groups[sentence.split]);
    }
    groups[sentence.split].append(new Option(shorten(sentence.text, 80), i));
  });

  class Panel {
    constructor(model) {
      panels.append(document.getElementById("attention-panel").content.cloneNode(true));
      this.box = panels.lastElementChild;
      for (const part of ["model", "layer", "head", "source", "target", "said", "map", "without", "everywhere"]) this[part] = this.box.querySelector(`.${part}`);
      models.forEach((name, i) => this.model.add(new Option(name, i)));
      this.model.value = model;
      this.model.addEventListener("change", () => { this.show(); look(this, this.at); });
      for (const select of [this.layer, this.head]) select.addEventListener("change", () => { this.draw(); this.mark(this.at); });
      this.cutters = ["head", "layer"].map((part) => [part, this.box.querySelector(`.cut-${part}`)]);
      for (const [part, button] of this.cutters) button.addEventListener("click", () => this.remove(`${part}s`, this.chosen()[part], says[part]));
      this.everywhere.add(new Option("–", ""));
      for (const [name, text] of Object.entries(says.everywhere)) this.everywhere.add(new Option(text, name));
      this.everywhere.addEventListener("change", () => {
        const name = this.everywhere.value;
        this.remove("everywhere", name || null, says.everywhere[name]);
      });
      this.source.addEventListener("click", (event) => {
        const word = event.target.closest("[data-s]");
        if (word && event.shiftKey) this.cutLink(this.at, word.dataset.s);
        else if (word) this.remove("words", word.dataset.s, word.textContent);
      });
      this.map.addEventListener("click", (event) => {
        const { t, s } = event.target.dataset;
        if (s !== undefined) this.cutLink(t, s);
      });
      for (const kind of ["pointerover", "focusin", "click"]) {
        for (const place of [this.target, this.map]) place.addEventListener(kind, (event) => {
          const word = event.target.closest("[data-t]");
          if (word) look(this, Number(word.dataset.t));
        });
      }
      this.target.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        const next = step && this.target.querySelector(`[data-t="${this.at + step}"]`);
        if (next) { event.preventDefault(); next.focus(); }
      });
      this.at = 0;
    }
    // The sentence as this model has it: words, and which layers and heads there are.
    show() {
      const entry = this.entry = sentences[picker.value].by[this.model.value];
      const layers = entry?.weights?.length || 0, heads = layers ? entry.weights[0].length : 0;
      options(this.layer, layers, says.last);
      options(this.head, heads, says.mean);
      this.box.setAttribute("aria-label", models[this.model.value]);
      this.source.replaceChildren(...(entry?.source || []).map((word, s) => {
        const li = item(entry.cuts ? "button" : "span", word, true);
        if (entry.cuts) Object.assign(li.firstElementChild, { type: "button" }).dataset.s = s;
        return li;
      }));
      this.target.replaceChildren(...(entry?.target || []).map((word, t) => {
        const button = item("button", word);
        Object.assign(button.firstElementChild, { type: "button", tabIndex: -1 }).dataset.t = t;
        return button;
      }));
      this.at = Math.min(this.at, Math.max(0, (entry?.target.length || 0) - 1));
      this.removed = null;
      this.draw();
    }
    // Weights (T, S), from 0 to 1, of the chosen layer and head; the mean of the heads where none is chosen.
    weights() {
      const all = this.entry?.weights;
      if (!all) return null;
      const heads = all[this.layer.value === "" ? all.length - 1 : this.layer.value];
      const chosen = this.head.value === "" ? heads : [heads[this.head.value]];
      return chosen[0].map((row, t) => row.map((_, s) => chosen.reduce((sum, head) => sum + head[t][s], 0) / chosen.length / 1000));
    }
    // The chosen layer and head, and the layer where no head is chosen, as `cuts` has them; null for all there is.
    chosen() {
      const layers = this.entry?.weights?.length || 0, heads = layers ? this.entry.weights[0].length : 0;
      const layer = this.layer.value === "" ? layers - 1 : this.layer.value, one = this.head.value !== "" || heads === 1;
      return { head: one && layers * heads > 1 ? `${layer},${this.head.value || 0}` : null, layer: !one && layers > 1 ? `${layer}` : null };
    }
    cutLink(t, s) { this.remove("links", `${t},${s}`, `${this.entry.target[t]} → ${this.entry.source[s]}`); }
    // What is written without a word, a link or a head, or with other weights; the same one again puts it back.
    remove(kind, key, what) {
      if (!this.entry?.cuts) return;
      const again = this.removed?.kind === kind && this.removed.key === key;
      this.removed = again || key === null ? null : { kind, key, what };
      this.tellRemoved();
    }
    tellRemoved() {
      const { kind, key, what } = this.removed || {};
      const cuts = this.entry?.cuts, chosen = this.chosen();
      for (const [part, button] of this.cutters) {
        button.hidden = !cuts?.[`${part}s`] || chosen[part] === null;
        button.setAttribute("aria-pressed", kind === `${part}s` && key === chosen[part]);
      }
      this.everywhere.parentElement.hidden = !cuts?.everywhere;
      this.everywhere.value = kind === "everywhere" ? key : "";
      this.without.hidden = !this.removed;
      if (this.removed) {
        const same = cuts.beam ? says.greedy.replace("{text}", () => cuts.base) : says.same;
        this.without.textContent = `${says[kind === "everywhere" ? "changed" : "removed"].replace("{what}", () => what)} ${cuts[kind][key] ?? same}`;
      }
      for (const word of this.source.querySelectorAll("[data-s]")) {
        const gone = kind === "words" && word.dataset.s === key;
        word.classList.toggle("removed", gone);
        word.setAttribute("aria-pressed", gone);
      }
      for (const cell of this.map.querySelectorAll("[data-s]")) cell.classList.toggle("removed", kind === "links" && `${cell.dataset.t},${cell.dataset.s}` === key);
    }
    draw() {
      const table = this.table = this.weights();
      if (!table) { this.map.replaceChildren(); this.tellRemoved(); return; }
      const cell = (tag, content, t) => {
        const made = Object.assign(document.createElement(tag), { textContent: content });
        if (t !== undefined) made.dataset.t = t;
        return made;
      };
      this.map.style.gridTemplateColumns = `minmax(4rem, max-content) repeat(${this.entry.source.length}, minmax(.8rem, 1.15rem))`;
      this.map.replaceChildren(cell("b", ""), ...this.entry.source.map((word) => cell("b", word)), ...table.flatMap((row, t) => [
        cell("b", this.entry.target[t], t),
        ...row.map((weight, s) => {
          const made = cell("i", "", t);
          made.style.setProperty("--w", weight);
          made.title = `${this.entry.target[t]} – ${this.entry.source[s]}: ${decimal.format(weight)}`;
          made.className = this.gold(s, t);
          if (this.entry.cuts) made.dataset.s = s;
          return made;
        }),
      ]));
      const chosen = this.chosen();
      if (this.cutters.some(([part]) => this.removed?.kind === `${part}s` && this.removed.key !== chosen[part])) this.removed = null;
      this.tellRemoved();
    }
    gold(s, t) {
      const link = this.entry.gold?.find(([source, target]) => source === s && target === t);
      return link ? (link[2] ? "gold" : "gold possible") : "";
    }
    // Shade the source by the weights of target word `t`; `null`: this translation lacks the word.
    mark(t) {
      const row = t === null ? null : this.table?.[t], tokens = this.entry?.source || [];
      if (t !== null) this.at = t;
      [...this.target.querySelectorAll("button")].forEach((button, i) => {
        button.toggleAttribute("aria-current", i === t);
        if (i === t) button.setAttribute("aria-current", "true");
        button.tabIndex = i === this.at ? 0 : -1;
      });
      [...this.source.children].forEach((li, s) => {
        const weight = row?.[s] ?? 0, [word, number] = li.children;
        word.style.setProperty("--w", weight);
        word.className = `${word.classList.contains("removed") ? "removed" : ""} shaded ${weight > 0.5 ? "strong" : ""} ${row ? this.gold(s, t) : ""}`;
        number.textContent = row && weight >= 0.01 ? decimal.format(weight) : "";
      });
      [...this.map.children].forEach((cell) => cell.classList.toggle("here", Number(cell.dataset.t) === t));
      this.said.textContent = this.tell(t, row, tokens);
    }
    tell(t, row, tokens) {
      if (!this.entry) return says.absent;
      if (!this.table) return says.blind;
      if (!row) return this.entry.target.length ? says.missing : says.empty;
      const best = row.map((weight, s) => [weight, tokens[s]]).filter(([weight]) => weight >= 0.05).sort((a, b) => b[0] - a[0]).slice(0, 4);
      const linked = tokens.filter((_, s) => this.gold(s, t));
      const looked = `${this.entry.target[t]}: ${best.map(([weight, word]) => `${word} ${decimal.format(weight)}`).join(", ")}`;
      if (this.entry.rests) return `${looked}. ${says.rests}`;
      return linked.length ? `${looked}. ${says.gold} ${linked.join(", ")}` : looked;
    }
  }

  function item(tag, word, numbered) {
    const li = document.createElement("li");
    li.append(Object.assign(document.createElement(tag), { textContent: word }));
    if (numbered) li.append(document.createElement("small"));
    return li;
  }
  function options(select, count, first) {
    const before = select.value;
    select.replaceChildren(new Option(first, ""), ...Array.from({ length: count }, (_, i) => new Option(i + 1, i)));
    select.value = Number(before) < count ? before : "";
    select.parentElement.hidden = count < 2;
  }
  // Both panels: the other one marks the same word, the same occurrence of it, where its translation has it.
  function look(panel, t) {
    const tokens = panel.entry?.target || [], word = tokens[t];
    panel.mark(word === undefined ? null : t);
    for (const other of shown) {
      if (other === panel || word === undefined) continue;
      const places = (other.entry?.target || []).flatMap((w, i) => (w === word ? [i] : []));
      const nth = tokens.slice(0, t).filter((w) => w === word).length;
      other.mark(places[nth] ?? places.at(-1) ?? null);
    }
  }

  const attending = models.map((_, i) => i).filter((i) => sentences.some((sentence) => sentence.by[i]?.weights));
  const several = sentences.some((sentence) => sentence.by.some((entry) => entry?.weights && entry.weights.length * entry.weights[0].length > 1));
  // Another variant is of more interest than another seed, even one without attention.
  const first = attending[0], other = (i) => variants[i] !== variants[first];
  const second = attending.find(other) ?? models.map((_, i) => i).find(other) ?? attending[1] ?? models.findIndex((_, i) => i !== first);
  const shown = [new Panel(first)];
  if (models.length > 1 || several) shown.push(new Panel(second >= 0 ? second : first));
  picker.addEventListener("change", () => {
    document.getElementById("attention-reference").textContent = sentences[picker.value].reference;
    for (const panel of shown) { panel.at = 0; panel.show(); }
    look(shown[0], 0);
  });
  picker.dispatchEvent(new Event("change"));
  root.dataset.attention = "shown";
}
startAttention().catch((error) => { document.getElementById("attention-panels").textContent = error.message; });
