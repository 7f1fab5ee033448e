"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const whatIf = data.whatIf, form = document.getElementById("controls"), own = whatIf.assumptions;
  const NUMBERS = ["images", "megapixels", "epochs", "tuningRuns", "retrainDays", "budgetHours", "decodeCores", "devices", "efficiency"];
  const EMPTY = ["epochs", "decodeCores", "efficiency"], CHOICES = ["reference", "decode"];

  const make = (tag, fields) => Object.assign(document.createElement(tag), fields);

  // ---- pictures: drawn when they come into view, or all of them for the printer -----------------------------------------

  const drawing = new Map();

  function draw(place) {
    const name = place.dataset.chart, fold = place.closest("details.fold");
    if (fold && !fold.open) fold.open = true; // what is folded away has no width to be drawn in
    if (!drawing.has(name)) {
      const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: { theme: "custom" } };
      drawing.set(name, window.vegaEmbed(place, data.charts[name], options).then((found) => {
        place.querySelectorAll("svg").forEach((svg) => { svg.setAttribute("aria-hidden", "true"); svg.setAttribute("focusable", "false"); });
        place.dataset.drawn = "yes";
        return found.view;
      }));
    }
    return drawing.get(name);
  }

  const places = [...document.querySelectorAll(".chart")];
  const watching = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) { watching.unobserve(entry.target); draw(entry.target); }
    }
  }, { rootMargin: "400px" });
  places.forEach((place) => watching.observe(place));
  const unfolded = () => document.querySelectorAll("details.fold").forEach((fold) => { fold.open = true; });
  window.accelbenchDrawAll = () => Promise.all(places.map(draw)).then((found) => found.length);
  window.addEventListener("beforeprint", () => { unfolded(); document.getElementById("assumptions")?.setAttribute("open", ""); window.accelbenchDrawAll(); });

  // ---- downloads ----------------------------------------------------------------------------------------------------------

  function save(name, parts, type) {
    const link = make("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function csv(table) {
    const cell = (found) => {
      let text = found.textContent.trim().replace(/\s+/g, " ");
      if (/^[=+\-@\t\r＝＋－＠]/.test(text) && !/^[+-]?[\d.,]+( %| [A-Za-z/µ]{1,12})?$/.test(text)) text = "'" + text; // no formula for a spreadsheet
      return `"${text.replaceAll('"', '""')}"`;
    };
    return [...table.rows].map((row) => [...row.cells].map(cell).join(",")).join("\r\n") + "\r\n";
  }

  document.querySelectorAll("button.csv").forEach((button) => button.addEventListener("click", () => {
    save(`${button.dataset.chart}.csv`, ["\ufeff", csv(button.closest("details").querySelector("table"))], "text/csv");
  }));
  async function saveRecord(record) {
    const bytes = Uint8Array.from(atob(record.gzip), (letter) => letter.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    save(`${record.id.replace(/[^\w.-]/g, "_")}.json`, [await new Response(plain).blob()], "application/json");
  }

  document.getElementById("records").replaceChildren(...data.records.map((record) => {
    const item = make("li"), button = make("button", { type: "button", className: "record", textContent: `Record ${record.id}` });
    button.addEventListener("click", () => saveRecord(record));
    item.append(button);
    return item;
  }));
  document.getElementById("left-out").textContent =
    data.leftOut ? `${data.leftOut} further records are too large to travel in this page; they are in the folder it was made from.`
    : data.records.length ? "" : "This page was made without its records.";

  if (form === null) return;

  // ---- what if --------------------------------------------------------------------------------------------------------------

  const reference = form.elements.reference;
  const names = new Set(whatIf.groups.flatMap((group) => group.rows.map((row) => row.name)));
  [...names].sort().forEach((name) => reference.add(new Option(name, name)));

  const preset = (name) => whatIf.datasets.find((known) => known.name === name);
  const priceInputs = [...form.querySelectorAll("input[name^='price.']")];

  function initial() {
    form.elements.dataset.value = own.dataset;
    NUMBERS.forEach((name) => { form.elements[name].value = String(own[name] ?? ""); });
    CHOICES.forEach((name) => { form.elements[name].value = own[name] ?? ""; });
    priceInputs.forEach((input) => { input.value = ""; });
  }

  function readForm() {
    const given = { dataset: form.elements.dataset.value };
    CHOICES.forEach((name) => { given[name] = form.elements[name].value || null; });
    for (const name of NUMBERS) {
      const input = form.elements[name], text = input.value.trim();
      given[name] = text === "" && !input.validity.badInput && EMPTY.includes(name) ? null : text === "" ? NaN : Number(text);
    }
    return given;
  }

  function readPrices() {
    const prices = whatIf.groups.map(() => ({}));
    let broken = "";
    for (const input of priceInputs) {
      const [, group, row] = input.name.split("."), text = input.value.trim();
      if (text === "" && !input.validity.badInput) continue;
      const perHour = text === "" ? NaN : Number(text);
      if (!(Number.isFinite(perHour) && perHour >= 0 && perHour <= 1e9)) {
        broken = "Price: expected 0 to 1,000,000,000 an hour, or nothing for the price that came with the page.";
      }
      const old = whatIf.groups[group].rows[row].price;
      prices[group][row] = { perHour, currency: old === null ? "" : old.currency };
    }
    return { prices, broken };
  }

  function cellOf(tag, text) {
    const cell = make(tag), found = / ([^ ]+)$/.exec(text);
    if (tag === "th") cell.scope = "row";
    if (found && [...found[1]].every((sign) => sign in data.marks)) {
      cell.textContent = text.slice(0, found.index + 1);
      cell.append(...[...found[1]].map((sign) => make("abbr", { title: data.marks[sign], textContent: sign })));
    } else cell.textContent = text;
    return cell;
  }

  function fill(table, columns, rows, right = []) {
    if (columns !== null) {
      table.tHead.rows[0].replaceChildren(...columns.map((name, place) => {
        const head = make("th", { scope: "col", textContent: name });
        head.classList.toggle("right", right.includes(place));
        return head;
      }));
    }
    table.tBodies[0].replaceChildren(...rows.map((cells) => {
      const row = make("tr");
      row.append(...cells.map((text, place) => {
        const cell = cellOf(place === 0 ? "th" : "td", text);
        cell.classList.toggle("right", right.includes(place));
        return cell;
      }));
      return row;
    }));
  }

  const listed = (list, lines) => list.replaceChildren(...lines.map((line) => make("li", { textContent: line })));

  const lasting = [...document.querySelectorAll("#assumed li")].map((item) => item.textContent)
    .slice(accelbench.assumed(whatIf, own).length); // those that follow the form come first

  const unread = []; // what of a shared link could not be understood

  async function update() {
    const given = readForm(), { prices, broken } = readPrices();
    const found = accelbench.compute(whatIf, given, prices), fault = found.fault || broken;
    const alert = document.getElementById("fault"), answers = document.getElementById("answers");
    document.getElementById("active").hidden = !isChanged();
    document.querySelectorAll(".headline, #pipeline").forEach((part) => part.classList.toggle("stale", Boolean(fault)));
    alert.hidden = !fault && !unread.length;
    alert.textContent = fault ? `${fault} The figures are of the last values that made sense.`
      : unread.length ? `Left out of the link, as it makes no sense here: ${unread.slice(0, 5).join(", ")}.` : "";
    answers.classList.toggle("stale", Boolean(fault));
    document.body.dataset.fault = fault ? "yes" : "";
    if (fault) return;
    found.groups.forEach((group, place) => {
      const answer = document.querySelector(`[data-answers="${place}"]`);
      const sentence = document.querySelector(`.sentence[data-group="${place}"]`);
      sentence.textContent = group.sentence;
      sentence.previousElementSibling.textContent = group.subject;
      answer.querySelector(".title").textContent = group.title;
      fill(document.getElementById(`days-${place}`), group.columns, group.rows, [5, 6]);
      fill(document.getElementById(`costs-${place}`), group.costColumns, group.costs);
      fill(document.getElementById(`energy-${place}`), null, group.energies.map((row) => [row[0], row[1] === "–" ? "not measured" : row[1]]));
      listed(answer.querySelector(".lines"), group.lines);
      listed(answer.querySelector(".cost-lines"), group.costLines);
      answer.querySelector(".unpriced").hidden = group.costLines.length > 0;
    });
    listed(document.getElementById("assumed"), [...found.assumed, ...lasting]);
    document.body.dataset.updated = String(Number(document.body.dataset.updated || 0) + 1);
    await Promise.all(found.groups.flatMap((group, place) => [redrawHeadline(group, place), redrawPipeline(group, place)]));
  }

  function redrawHeadline(group, place) {
    const frame = document.querySelector(`#group-${place}`).closest("section").querySelector(".chart"), spec = data.charts[frame.dataset.chart];
    const most = spec.data.values.length, lanes = group.lanes.length <= most ? [...group.lanes] : [group.lanes[0], ...group.lanes.slice(1 - most)];
    lanes.sort((one, other) => other.value - one.value);
    const rows = lanes.map((lane, number) => ({ id: String(number).padStart(4, "0"), ...lane }));
    const alt = `One training of ${whatIf.groups[place].name}, log scale: ` + lanes.map((lane) => `${lane.name}: ${lane.text}`).join("; ");
    const figure = frame.closest("figure"), count = whatIf.groups[place].count;
    figure.querySelector("figcaption").textContent = group.pictureTitle + (lanes.length < count ? `, ${lanes.length} of ${count.toLocaleString("en-US")}` : "");
    figure.querySelector("caption").textContent = `Behind the picture: ${group.pictureTitle}`;
    const everything = [...group.lanes].sort((one, other) => other.value - one.value);
    return redraw(frame, rows, alt, everything.map((lane) => [lane.name, lane.text]), [1]);
  }

  const percent = (share) => `${accelbench.general(100 * share, 3)} %`;

  function redrawPipeline(group, place) {
    const frame = document.querySelectorAll("#pipeline .chart")[place], rows = [], cells = [];
    const add = (row) => rows.push({ id: String(rows.length).padStart(4, "0"), ...row });
    for (const { label, stages } of group.pipeline) {
      add({ heading: label });
      for (const [name, start, stop, seconds] of stages) {
        const colour = whatIf.stageColours[Object.keys(whatIf.stageColours).find((key) => name.startsWith(key))];
        add({ text: `${name}: ${accelbench.duration(seconds)}`, from: 100 * start, to: 100 * stop, colour });
        cells.push([label, name, percent(start), percent(stop), accelbench.general(seconds, 4)]);
      }
    }
    const alt = `Stages of one training of ${whatIf.groups[place].name}, as shares of its time: ` +
      group.pipeline.flatMap(({ label, stages }) => stages.map(([name, , , seconds]) => `${label}: ${name} ${accelbench.duration(seconds)}`)).join("; ");
    return redraw(frame, rows, alt, cells, [2, 3, 4], rows.length);
  }

  /* The picture, its text alternative and the table behind it; a band of the picture per row where their number changes. */
  async function redraw(frame, rows, alt, cells, right, bands = null) {
    const name = frame.dataset.chart, spec = data.charts[name];
    if (bands !== null) spec.height *= bands / spec.data.values.length;
    spec.data.values = rows;
    frame.setAttribute("aria-label", alt);
    fill(frame.closest("figure").querySelector("table"), null, cells, right);
    if (!drawing.has(name)) return;
    const view = await drawing.get(name);
    view.data("rows", rows.map((row) => ({ ...row })));
    if (bands !== null) view.height(spec.height);
    await view.runAsync();
  }

  // ---- the fragment: a what-if that can be shared -----------------------------------------------------------------------------

  function toFragment() {
    const text = words().toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  const isChanged = () => words().toString() !== "";

  /* What differs from the report as it was made. */
  function words() {
    const found = new URLSearchParams(), given = readForm();
    if (given.dataset !== own.dataset) found.set("dataset", given.dataset);
    NUMBERS.forEach((name) => {
      const text = form.elements[name].value.trim(), before = String(own[name] ?? "");
      if (text !== before) found.set(name, text);
    });
    CHOICES.filter((name) => (given[name] || "") !== (own[name] || "")).forEach((name) => found.set(name, given[name] || ""));
    priceInputs.forEach((input) => { if (input.value.trim() !== "") found.set(input.name, input.value.trim()); });
    return found;
  }

  function fromFragment() {
    const words = new URLSearchParams(location.hash.slice(1));
    initial();
    unread.length = 0;
    if ([...words].every(([, value]) => value === "") && !location.hash.includes("=")) return;
    if (preset(words.get("dataset"))) choose(words.get("dataset"));
    for (const [name, value] of words) {
      const input = NUMBERS.includes(name) || name.startsWith("price.") ? form.elements[name] : null;
      const sensible = /^[-+\d.eE]*$/.test(value) && Number.isFinite(Number(value)); // anything else, a browser would complain about
      if (input && sensible) input.value = value;
      else if (CHOICES.includes(name) && [...form.elements[name].options].some((option) => option.value === value)) form.elements[name].value = value;
      else if (name !== "dataset" || !preset(value)) unread.push(name.slice(0, 20));
    }
  }

  function choose(name) {
    const found = preset(name);
    form.elements.dataset.value = name;
    form.elements.images.value = String(found.images);
    form.elements.megapixels.value = String(found.megapixels);
  }

  form.elements.dataset.addEventListener("input", () => choose(form.elements.dataset.value));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { unread.length = 0; toFragment(); update(); });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    unread.length = 0;
    initial();
    toFragment();
    update();
  });
  window.addEventListener("hashchange", () => {
    if (location.hash.includes("=")) { fromFragment(); update(); }
  });
  document.getElementById("share").addEventListener("click", async () => {
    const said = document.getElementById("shared");
    toFragment(); // a link within the page may have taken its place
    try {
      await navigator.clipboard.writeText(location.href);
      said.textContent = "Copied.";
    } catch {
      said.textContent = "Copy the address from the browser: it holds the what-if.";
    }
  });

  fromFragment();
  if (location.hash.includes("=")) update();
  else setTimeout(update, 0); // the tables are there already: let the page appear first
})();
