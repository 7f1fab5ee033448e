"use strict";
/* The arithmetic of bench.projection and the words of bench.durations and bench.report.cells, once more, so that a page can be
   questioned where there is no Python. What is computed here must be what `bench report` prints: the tests compare them. */

const accelbench = (() => {
  const NO_BREAK = "\u00a0", UNKNOWN = "–";
  const YEAR_DAYS = 365.25, LARGEST_LOG = 200, LARGEST_EXPONENT = 700, FEWEST_SHARED = 3;

  // ---- numbers as people read them -----------------------------------------------------------------------------------

  /* x rounded to so many decimals, half to even on its exact decimal value, as Python does. */
  function fixed(x, places) {
    if (Math.abs(x) >= 1e21) return String(x);
    const exact = Math.abs(x).toFixed(Math.min(places + 40, 100)), point = exact.indexOf(".");
    const kept = point + 1 + places, digits = exact.slice(0, point) + exact.slice(point + 1, kept), rest = exact.slice(kept);
    const half = "5" + "0".repeat(rest.length - 1);
    let number = BigInt(digits);
    if (rest > half || (rest === half && number % 2n === 1n)) number += 1n;
    const text = number.toString().padStart(places + 1, "0");
    const sign = x < 0 && number > 0n ? "-" : "";
    return sign + (places ? text.slice(0, -places) + "." + text.slice(-places) : text);
  }

  /* x rounded to a power of ten. */
  function tens(x, power) {
    const whole = BigInt(fixed(x, 0)), unit = 10n ** BigInt(power), sign = whole < 0n ? -1n : 1n, size = whole * sign;
    const exact = Number.isInteger(x), rest = size % unit, half = unit / 2n;
    let count = size / unit;
    if (rest > half || (rest === half && ((exact && count % 2n === 1n) || (!exact && Math.abs(x) > Number(size))))) count += 1n;
    return sign * count * unit;
  }

  function grouped(text) {
    const [whole, part] = text.split(".");
    const commas = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    return part === undefined ? commas : commas + "." + part;
  }

  function exponent(x, digits) {
    return x.toExponential(digits).replace(/e([+-])(\d)$/, "e$10$2");
  }

  /* %g: so many significant digits, no trailing zeros. */
  function general(x, digits = 6) {
    if (x === 0) return "0";
    const power = Number(x.toExponential(digits - 1).split("e")[1]);
    if (power >= digits && power < 21) {
      const digitsOnly = tens(Math.abs(x), power - digits + 1).toString(), part = digitsOnly.slice(1, digits).replace(/0+$/, "");
      const tail = String(digitsOnly.length - 1).padStart(2, "0");
      return `${x < 0 ? "-" : ""}${digitsOnly[0]}${part ? "." + part : ""}e+${tail}`;
    }
    if (power < -4 || power >= digits) {
      const [mantissa, tail] = x.toExponential(digits - 1).split("e");
      const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
      return short + "e" + tail[0] + tail.slice(1).padStart(2, "0");
    }
    const text = fixed(x, Math.max(digits - 1 - power, 0));
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  }

  function number(value, digits = 3) {
    if (!Number.isFinite(value)) return UNKNOWN;
    if (value === 0) return "0";
    const magnitude = Math.floor(Math.log10(Math.abs(value)));
    if (magnitude >= 15 || magnitude < -6) return exponent(value, digits - 1);
    const places = digits - 1 - magnitude;
    return grouped(places >= 0 ? fixed(value, places) : tens(value, -places).toString());
  }

  const UNITS = [
    ["µs", 1e-6, 1e3], ["ms", 1e-3, 1e3], ["s", 1, 60], ["min", 60, 60], ["h", 3600, 48], ["days", 86400, 365],
    ["years", YEAR_DAYS * 86400, Infinity],
  ];
  const tenths = (value, unit) => value < (unit === "s" || unit === "min" ? 9.95 : 99.95);
  const rounded = (value, unit) => Math.max(Number(fixed(value, tenths(value, unit) ? 1 : 0)), 1);

  function large(value, unit) {
    if (value < 1e6) return grouped(fixed(value, tenths(value, unit) ? 1 : 0));
    if (value >= 1e15) return exponent(value, 1);
    const [name, size] = value < 999.5e6 ? ["million", 1e6] : value < 999.5e9 ? ["billion", 1e9] : ["trillion", 1e12];
    return `${general(value / size, 3)} ${name}`;
  }

  function duration(seconds) {
    if (!Number.isFinite(seconds)) return UNKNOWN;
    if (seconds < 0) return "-" + duration(-seconds);
    if (seconds === 0) return "0 s";
    const smallest = seconds < UNITS[0][1];
    for (const [unit, size, limit] of UNITS) {
      const value = seconds / size;
      if (value < limit && rounded(value, unit) < limit) {
        return smallest ? `${general(value, 2)} ${unit}` : `${large(rounded(value, unit), unit)} ${unit}`;
      }
    }
    return UNKNOWN;
  }

  function spread(value, low, high) {
    if (!(0 < low && low <= value && value <= high && high < Infinity)) return "";
    const width = Math.max(high / value - 1, 1 - low / value);
    if (width > 0.3) return "";
    const percent = 100 * width;
    const up = percent < 0.95 ? Math.ceil(percent * 10 - 1e-9) / 10 : Math.ceil(percent - 1e-9);
    return `± ${general(Math.max(up, 0.1))} %`;
  }

  const TOO_WIDE = "(interval too wide)";
  const whole = (text) => text.replaceAll(" ", NO_BREAK);

  const saysNothing = (low, high) => low < 0 || high > 100 * low;

  function estimated(found, write) {
    if (found === null) return UNKNOWN;
    const value = whole(write(found.value));
    if (found.low === null) return value;
    const width = spread(found.value, found.low, found.high);
    if (width) return `${value} ${whole(width)}`;
    return saysNothing(found.low, found.high) ? `${value} ${TOO_WIDE}` : `${value} (${whole(write(found.low))} to ${whole(write(found.high))})`;
  }

  /* The ends of an interval to be drawn; the value itself where there is none, or where it says nothing. */
  function ends({ value, low, high }) {
    return low === null || saysNothing(low, high) ? { low: value, high: value } : { low, high };
  }

  const integer = (value) => grouped(BigInt(Math.trunc(value)).toString());

  function perInterval(found) {
    const write = (count) => (count >= 1 ? integer(count + 1e-9) : number(count, 2)), value = write(found.value);
    if (found.low === null) return value;
    if (saysNothing(found.low, found.high)) return `${value} ${TOO_WIDE}`;
    const low = write(found.low), high = write(found.high);
    return low === value && value === high ? value : `${value} (${low} to ${high})`;
  }

  const times = (value) => `${number(value, value < 10 ? 2 : 3)}x`;
  const money = (amount, currency) => whole(`${number(amount)} ${currency}`.trimEnd());
  const plural = (count, noun) => `${integer(count)} ${noun}${count === 1 ? "" : "s"}`;

  function size(count) {
    if (count <= 0) return UNKNOWN;
    const power = Math.min(Math.floor((BigInt(count).toString(2).length - 1) / 10), 6);
    return `${number(count / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][power]}`;
  }

  function energy(joules) {
    for (const [unit, size] of [["MWh", 3.6e9], ["kWh", 3.6e6], ["Wh", 3.6e3]]) {
      if (joules >= size) return `${number(joules / size)} ${unit}`;
    }
    return `${number(joules)} J`;
  }

  function members(count) {
    if (count.low === null || (count.low === count.value && count.value === count.high)) return integer(count.value);
    if (saysNothing(Math.max(count.low, 1), count.high)) return `${integer(count.value)} ${TOO_WIDE}`;
    return `${integer(count.value)} (${integer(count.low)} to ${integer(count.high)})`;
  }

  // ---- draws ------------------------------------------------------------------------------------------------------------

  const kept = new Map();

  function once(key, compute) {
    if (!kept.has(key)) kept.set(key, compute());
    return kept.get(key);
  }

  const strata = (data, degrees) => once("t" + degrees, () => {
    const bytes = Uint8Array.from(atob(data.strata.halves[degrees]), (letter) => letter.charCodeAt(0));
    const upper = new Float64Array(bytes.buffer);
    return Float64Array.from([...upper.map((value) => -value).reverse(), ...upper]);
  });

  /* The finaliser of MurmurHash3 (Appleby, 2011) ranks the strata. */
  function shuffle(seed, count) {
    const keys = new Float64Array(count);
    for (let place = 0; place < count; place++) {
      let hash = Math.imul(place + 1, 0x9e3779b1) ^ seed;
      hash ^= hash >>> 16;
      hash = Math.imul(hash, 0x85ebca6b);
      hash ^= hash >>> 13;
      hash = Math.imul(hash, 0xc2b2ae35);
      hash ^= hash >>> 16;
      keys[place] = (hash >>> 0) * 4096 + place; // exact below 2^53; equal hashes keep their order
    }
    return keys.sort().map((key) => key % 4096);
  }

  const drawn = (data, log) => once(`${log.mean} ${log.error} ${log.df}`, () => {
    const middles = strata(data, log.df), order = shuffle(log.seed, data.strata.count);
    return order.map((place) => Math.exp(Math.min(Math.max(log.mean + log.error * middles[place], -LARGEST_LOG), LARGEST_LOG)));
  });

  function estimate(value, draws) {
    if (draws === null) return { value, low: null, high: null };
    const ordered = Float64Array.from(draws).sort(), tail = (1 - 0.95) / 2, place = tail * ordered.length - 0.5;
    const index = Math.floor(place), part = place - index, last = ordered.length - 1;
    const low = ordered[index] * (1 - part) + ordered[index + 1] * part;
    const high = ordered[last - index] * (1 - part) + ordered[last - 1 - index] * part;
    return { value, low: Math.min(low, value), high: Math.max(high, value) };
  }

  /* The value and the ends of an interval by a function; ends that are not known stay so. */
  function changed(found, change) {
    const [low, high] = [found.low, found.high].map((end) => (end === null ? null : change(end)));
    return { value: change(found.value), low, high };
  }

  const scaled = (found, factor) => changed(found, (value) => value * factor);

  function inverse(seconds, budget) {
    const { value, low, high } = changed(seconds, (each) => budget / each);
    return { value, low: high, high: low };
  }

  // ---- the projection -----------------------------------------------------------------------------------------------------

  const VALIDATION = 1, TEST = 2;
  const shareOf = (data, given, part) => Math.floor(given.images * data.shares[part] + 0.5);
  const validationImages = (data, given) => shareOf(data, given, VALIDATION);
  const trainingImages = (data, given) => given.images - shareOf(data, given, VALIDATION) - shareOf(data, given, TEST);

  /* Images that one training handles, and predictors that it builds. */
  function countsOf(data, measured, given, epochs) {
    const validation = validationImages(data, given), test = shareOf(data, given, TEST);
    const predicted = (images) => Math.ceil(images / measured.evaluationBatch) * measured.evaluationBatch * measured.views;
    return {
      trained: epochs * Math.max(1, Math.floor(trainingImages(data, given) / measured.batch)) * measured.batch,
      predicted: epochs * predicted(validation) + predicted(test),
      evaluated: epochs * validation + test,
      built: 1 + (validation > 0 ? epochs : 0) + (test > 0 ? 1 : 0),
    };
  }

  /* Where so many decoded images fit; empty where they do not, or nobody knows. */
  function keeps(data, { memory, disk, image }, images) {
    const wanted = images * image;
    if (!wanted) return "";
    if (wanted <= data.room.memory * memory) return "memory";
    return wanted <= data.room.disk * disk ? "disk" : "";
  }

  const decodingOf = (measured) => measured.decode || measured.once;

  /* The same rates with decoding where it belongs: before training, or in every epoch. */
  function settled(data, measured, given) {
    const once = given.decode === "once" || (given.decode === null && keeps(data, measured.room, given.images) !== "");
    return measured.decode === null || !once ? measured : { ...measured, decode: null, once: measured.decode };
  }

  const fromArrays = (measured) => ({ ...measured, decode: null, once: null });

  function paceOf(measured, given) {
    const together = 1 / (given.devices * (given.devices === 1 ? 1 : given.efficiency));
    if (measured.sharesCores) return { compute: together, decode: together, augment: together };
    const decoding = decodingOf(measured), extrapolated = given.decodeCores !== null && decoding !== null;
    return { compute: together, decode: extrapolated ? decoding.cores / given.decodeCores : 1, augment: 1 };
  }

  const spreadKnown = (...logs) => logs.every((log) => log === null || log.error !== null);
  const decodeSeconds = (decoding, given, pace) => (decoding === null ? null : Math.exp(decoding.mean) * given.megapixels * pace.decode);

  function partsOf(data, measured, given, epochs) {
    const pace = paceOf(measured, given), counts = countsOf(data, measured, given, epochs), shared = measured.sharesCores;
    const decode = decodeSeconds(measured.decode, given, pace) || 0, augment = (measured.augment || 0) * pace.augment;
    const once = given.images * (decodeSeconds(measured.once, given, pace) || 0);
    const parts = { train: 0, decode: once, augment: 0, evaluate: 0, "start-up": measured.startUp };
    const compute = Math.exp(measured.train.mean) * pace.compute;
    if (shared || compute >= decode + augment) parts.train += counts.trained * compute;
    if (shared || compute < decode + augment) {
      parts.decode += counts.trained * decode;
      parts.augment += counts.trained * augment;
    }
    if (measured.infer !== null) {
      const computing = counts.predicted * Math.exp(measured.infer.mean) * pace.compute, decoding = counts.evaluated * decode;
      if (shared || computing >= decoding) parts.evaluate += computing;
      if (shared || computing < decoding) parts.decode += decoding;
      parts.evaluate += makingReady(data, measured, given, epochs);
    }
    return parts;
  }

  /* Seconds to build the predictors of one training, and of the batch that is predicted before its first step. */
  function makingReady(data, measured, given, epochs) {
    const first = measured.evaluationBatch * Math.exp(measured.infer.mean) * paceOf(measured, given).compute;
    return countsOf(data, measured, given, epochs).built * measured.inferReady + first;
  }

  const sum = (parts) => Object.values(parts).reduce((total, part) => total + part, 0);

  /* Draws of seconds per image once decoding is counted. */
  function paced(data, compute, measured, given, pace) {
    const seconds = drawn(data, compute).map((value) => value * pace.compute);
    const decoding = decodingOf(measured);
    if (decoding === null) return seconds;
    const decode = drawn(data, decoding);
    return seconds.map((value, place) => {
      const file = decode[place] * given.megapixels * pace.decode;
      return measured.sharesCores ? value + file : Math.max(value, file);
    });
  }

  function trainingDraws(data, measured, given, epochs) {
    if (!spreadKnown(measured.train, measured.infer, decodingOf(measured))) return null;
    const pace = paceOf(measured, given), counts = countsOf(data, measured, given, epochs), augment = (measured.augment || 0) * pace.augment;
    const draws = (one) => (one === null ? null : drawn(data, one).map((value) => value * given.megapixels * pace.decode));
    const decode = draws(measured.decode), once = draws(measured.once);
    const before = (place) => (once === null ? 0 : given.images * once[place]);
    const together = (one, other) => (measured.sharesCores ? one + other : Math.max(one, other));
    const decoding = (place) => (decode === null ? 0 : decode[place]);
    const total = drawn(data, measured.train).map((value, place) =>
      measured.startUp + counts.trained * together(value * pace.compute, decoding(place) + augment));
    if (measured.infer === null) return total.map((value, place) => value + before(place));
    const infer = drawn(data, measured.infer);
    return total.map((value, place) => {
      const each = infer[place] * pace.compute;
      return value + together(counts.predicted * each, counts.evaluated * decoding(place))
        + counts.built * measured.inferReady + measured.evaluationBatch * each + before(place);
    });
  }

  /* Joules of one training: its time times the draw of every device, both uncertain; watts are kept as seconds per joule. */
  function energyOf(data, measured, training, given, epochs) {
    if (measured.watts === null) return null;
    const value = training.value * Math.exp(-measured.watts.mean) * given.devices, times = trainingDraws(data, measured, given, epochs);
    if (times === null || measured.watts.error === null) return { value, low: null, high: null };
    const each = drawn(data, measured.watts);
    return estimate(value, times.map((seconds, place) => (seconds / each[place]) * given.devices));
  }

  const trainingOf = (data, measured, given, epochs) =>
    estimate(sum(partsOf(data, measured, given, epochs)), trainingDraws(data, measured, given, epochs));

  /* One training that decodes before it starts, and one on images decoded before, as a function of both. */
  function combined(data, measured, given, epochs, combine) {
    const times = [measured, fromArrays(measured)].map((side) => [
      sum(partsOf(data, side, given, epochs)), trainingDraws(data, side, given, epochs)]);
    const [[first, firsts], [other, others]] = times;
    const draws = firsts === null || others === null ? null : firsts.map((value, place) => combine(value, others[place]));
    return estimate(combine(first, other), draws);
  }

  /* Seconds of so many trainings in a row, which decode once for all of them where images are decoded once. */
  function several(data, measured, given, epochs, count) {
    if (measured.once === null) return scaled(trainingOf(data, measured, given, epochs), count);
    return combined(data, measured, given, epochs, (one, each) => one + (count - 1) * each);
  }

  /* How many trainings fit into so many seconds, their decoding once included. */
  function fitting(data, measured, given, epochs, budget) {
    if (measured.once === null) return inverse(trainingOf(data, measured, given, epochs), budget);
    return combined(data, measured, given, epochs, (one, each) => Math.max(budget - (one - each), 0) / each);
  }

  function project(data, raw, given, epochs) {
    const measured = settled(data, raw, given), decoding = decodingOf(measured);
    const pace = paceOf(measured, given), parts = partsOf(data, measured, given, epochs), decode = decodeSeconds(decoding, given, pace);
    const training = trainingOf(data, measured, given, epochs);
    let feed = null;
    if (measured.decode !== null && !measured.sharesCores) {
      const unscaled = Math.exp(measured.decode.mean) * given.megapixels;
      feed = Math.ceil((unscaled / (Math.exp(measured.train.mean) * pace.compute)) * measured.decode.cores - 1e-9);
    }
    const binds = Object.keys(parts).reduce((most, name) => (parts[name] > parts[most] ? name : most));
    return {
      training, parts, binds, feed, decode, measured,
      tuningLoop: several(data, measured, given, epochs, given.tuningRuns),
      perInterval: fitting(data, measured, given, epochs, given.retrainDays * 86400),
      members: changed(fitting(data, measured, given, epochs, given.budgetHours * 3600), Math.floor),
      screening: screening(data, measured, given),
      energy: energyOf(data, measured, training, given, epochs),
      fromArrays: decoding === null ? null : trainingOf(data, fromArrays(measured), given, epochs),
      decodedOnce: measured.once === null ? null : several(data, measured, given, epochs, 0),
    };
  }

  function screening(data, measured, given) {
    if (measured.infer === null) return null;
    const pace = paceOf(measured, given), decode = decodeSeconds(decodingOf(measured), given, pace);
    const compute = Math.exp(measured.infer.mean) * pace.compute;
    const each = decode === null ? compute : measured.sharesCores ? compute + decode : Math.max(compute, decode);
    const value = measured.inferStartUp + given.images * each;
    if (!spreadKnown(measured.infer, decodingOf(measured))) return { value, low: null, high: null };
    const draws = paced(data, measured.infer, measured, given, pace);
    return estimate(value, draws.map((seconds) => measured.inferStartUp + given.images * seconds));
  }

  /* Both sides without what one of them lacks. */
  function alike(reference, candidate) {
    const infer = reference.infer === null || candidate.infer === null;
    const decode = decodingOf(reference) === null || decodingOf(candidate) === null;
    const augment = (reference.augment === null) !== (candidate.augment === null);
    const without = (side) => ({
      ...side, infer: infer ? null : side.infer, decode: decode ? null : side.decode, once: decode ? null : side.once, augment: augment ? null : side.augment,
    });
    const leftOut = [...(infer ? ["evaluation"] : []), ...(decode ? ["decoding"] : []), ...(augment ? ["augmentation"] : [])];
    return { sides: [without(reference), without(candidate)], leftOut };
  }

  /* The rounds, or records, that all rates have in common; none where they are too few. */
  function sharedUnits(data, logs) {
    const [first, ...others] = logs.map((log) => data.units[log.units]);
    const common = first.filter((unit) => others.every((units) => units.includes(unit)));
    const all = [first, ...others].every((units) => units.length === common.length);
    return common.length >= (all ? 2 : FEWEST_SHARED) ? common : [];
  }

  /* Both sides in the rounds that they have in common: over all of these, and as each of them measured it. */
  function roundsOf(data, sides) {
    const logs = sides.flatMap((side) => [side.train, side.infer, side.decode, side.once]).filter((log) => log !== null);
    const units = sharedUnits(data, logs);
    const known = (log, unit) => data.rounds[log.values][data.units[log.units].indexOf(unit)];
    const mean = (log) => (units.length === data.units[log.units].length ? log.mean : sum(units.map((unit) => known(log, unit))) / units.length);
    const as = (side, value) => {
      const one = (log) => (log === null ? null : { ...log, mean: value(log) });
      return { ...side, train: one(side.train), infer: one(side.infer), decode: one(side.decode), once: one(side.once) };
    };
    return { over: units.length ? sides.map((side) => as(side, mean)) : sides,
      each: units.map((unit) => sides.map((side) => as(side, (log) => known(log, unit)))) };
  }

  /* A ratio with Student's interval over the logarithms of its pairs. */
  function around(data, value, logs) {
    const mean = logs.reduce((total, log) => total + log, 0) / logs.length;
    const squares = logs.reduce((total, log) => total + (log - mean) ** 2, 0);
    const half = data.quantiles[logs.length - 1] * Math.sqrt(squares / (logs.length - 1) / logs.length);
    return { value, low: value * Math.exp(Math.max(-half, -LARGEST_EXPONENT)), high: value * Math.exp(Math.min(half, LARGEST_EXPONENT)) };
  }

  function speedUp(data, reference, candidate, given, epochs) {
    const { sides, leftOut } = alike(settled(data, reference, given), settled(data, candidate, given));
    const seconds = (side) => sum(partsOf(data, side, given, epochs)), rounds = roundsOf(data, sides), [slow, quick] = rounds.over.map(seconds);
    if (rounds.each.length) {
      return { factor: around(data, slow / quick, rounds.each.map(([one, other]) => Math.log(seconds(one) / seconds(other)))), leftOut };
    }
    const [above, below] = sides.map((side) => trainingDraws(data, side, given, epochs));
    const draws = above === null || below === null ? null : above.map((value, place) => value / below[place]);
    return { factor: estimate(slow / quick, draws), leftOut };
  }

  function breakEven(data, reference, candidate, given, epochs) {
    const lines = alike(settled(data, reference, given), settled(data, candidate, given)).sides.map((side) => {
      const fixedTime = side.startUp + (side.infer === null ? 0 : makingReady(data, side, given, epochs));
      return [fixedTime, (sum(partsOf(data, side, given, epochs)) - fixedTime) / given.images];
    });
    const later = lines[1][0] - lines[0][0], steeper = lines[1][1] - lines[0][1];
    if ((later >= 0 && steeper >= 0) || (later <= 0 && steeper <= 0)) return null;
    return { kind: later > 0 ? "from" : "up to", images: later / -steeper };
  }

  // ---- the tables -----------------------------------------------------------------------------------------------------------

  const every = (days) => (days === 7 ? "a week" : `in ${general(days)} day${days === 1 ? "" : "s"}`);
  const star = (found) => (found !== null && found.leftOut.length ? whole(" *") : "");
  const factorText = (found) => estimated(found.factor, times) + star(found);

  /* The data set that was chosen, and what the user has changed of it. */
  function presetOf(data, given) {
    const preset = data.datasets.find((known) => known.name === given.dataset), changes = [];
    if (given.images !== preset.images) changes.push(`${integer(given.images)} images`);
    if (given.megapixels !== preset.megapixels) changes.push(`${general(given.megapixels)} megapixels each`);
    return { preset, changes };
  }

  function datasetTitle(data, given) {
    const { preset, changes } = presetOf(data, given);
    return changes.length ? `${preset.title} with ${changes.join(", ")}` : preset.title;
  }

  function orderOf(group, wanted) {
    const rows = group.rows.map((row, place) => place), speed = (place) => group.rows[place].settings[0].rate;
    let candidates = rows.filter((place) => group.rows[place].host);
    const x86 = candidates.filter((place) => group.rows[place].x86);
    if (x86.length) candidates = x86;
    if (wanted !== null) candidates = rows.filter((place) => group.rows[place].names.includes(wanted));
    const reference = candidates.reduce((best, place) => (best === null || speed(place) > speed(best) ? place : best), null);
    const others = rows.filter((place) => place !== reference).sort((one, other) => speed(one) - speed(other) || one - other);
    return { reference, order: reference === null ? others : [reference, ...others] };
  }

  function common(pairs) {
    let chosen = null;
    for (const pair of pairs) {
      if (pair.twin === null) continue;
      const better =
        chosen === null || (pair.setting.default && !chosen.setting.default) ||
        (pair.setting.default === chosen.setting.default && pair.twin.rate > chosen.twin.rate);
      if (better) chosen = pair;
    }
    return chosen;
  }

  const alikeSettings = (one, other) => one.precision === other.precision && one.batch === other.batch;

  function bindsText(setting, found) {
    if (setting.measured.decode === null) return `${found.binds} (decode unknown)`;
    if (found.binds === "decode" && found.feed !== null) return `decode (about ${plural(found.feed, "core")} would feed it)`;
    return found.binds;
  }

  const NO_REFERENCE = "No CPU reference: the records hold no valid training on a host's processor, so there are no speed-ups.";
  const LONGEST_LIST = 20;
  const cut = (lines) => lines.length <= LONGEST_LIST ? lines
    : [...lines.slice(0, LONGEST_LIST - 1), `… and ${integer(lines.length - LONGEST_LIST + 1)} more: see --format json`];

  /* Both sides of a speed-up. */
  function versus(setting, other, factor) {
    const without = factor.leftOut.length ? `; * without ${factor.leftOut.join(" and ")}, not measured on both` : "";
    return `${setting.side}, against ${other.side}${without}.`;
  }

  function sidesOf(same, best) {
    if (same !== "" && same === best) return [`same and best: ${same}`];
    return [["same", same], ["best", best]].filter(([, text]) => text !== "").map(([name, text]) => `${name}: ${text}`);
  }

  function groupResult(data, group, given, prices) {
    const epochs = given.epochs === null ? group.ownEpochs : given.epochs;
    const { reference, order } = orderOf(group, given.reference);
    const base = reference === null ? null : group.rows[reference];
    const rows = order.map((place) => {
      const row = group.rows[place], best = row.settings[0], found = project(data, best.measured, given, epochs);
      const isReference = place === reference;
      let same = "no CPU reference", fastest = "no CPU reference", factor = null, overtakes = null, sides = [];
      if (isReference) same = fastest = "reference";
      else if (base !== null) {
        const pairs = row.settings.map((setting) => ({
          setting, twin: base.settings.find((other) => alikeSettings(other, setting)) || null,
        }));
        const shared = common(pairs);
        const alikeFactor = shared === null ? null : speedUp(data, shared.twin.measured, shared.setting.measured, given, epochs);
        same = shared === null ? "none alike" : factorText(alikeFactor);
        factor = speedUp(data, base.settings[0].measured, best.measured, given, epochs);
        fastest = factorText(factor);
        sides = sidesOf(
          shared === null ? "" : versus(shared.setting, shared.twin, alikeFactor), versus(best, base.settings[0], factor));
        overtakes = breakEven(data, base.settings[0].measured, best.measured, given, epochs);
      }
      const price = prices[place] === undefined ? row.price : prices[place];
      return { place, row, best, found, factor, overtakes, price, isReference, same, fastest, sides };
    });
    const name = group.name, title = datasetTitle(data, given);
    return {
      title: `Days versus hours: ${name}, ${title}${title.includes(" images") ? "" : `, ${integer(given.images)} images`}, ${plural(epochs, "epoch")}`,
      subject: subjectOf(data, group, given, epochs),
      sentence: [howLong(rows, reference !== null, group.count, given), whatItCosts(rows, given)].filter((text) => text !== "").join(" "),
      columns: [
        "device", "setting", "decode", "one training", `${integer(given.tuningRuns)} runs`, every(given.retrainDays),
        `in ${general(given.budgetHours)} h`, "same precision", "best precision", "limited by",
      ],
      rows: rows.map(({ row, best, found, same, fastest }) => [
        row.label, best.text, best.decode, estimated(found.training, duration), estimated(found.tuningLoop, duration),
        perInterval(found.perInterval), members(found.members), same, fastest, bindsText(best, found),
      ]),
      costColumns: ["device", "a device-hour", "one training", `${integer(given.tuningRuns)} runs`, "a year", "same cost as the reference at"],
      costs: costRows(rows, given),
      energies: rows.map(({ row, found }) => [row.label, estimated(found.energy, energy)]),
      costLines: costLines(rows, given),
      lines: cut([
        ...(group.intervals === "" ? [] : [group.intervals]),
        ...(base === null ? [NO_REFERENCE] : base.x86 ? [] : [`The reference is no x86 processor but ${base.architecture}.`]),
        ...rows.flatMap(({ row }) => row.missing[given.decodeCores !== null && !row.host ? "extrapolated" : "asMeasured"]),
        ...rows.flatMap(({ sides }) => sides),
        ...rows.filter(({ found }) => found.decodedOnce !== null).map(({ row, found }) => decodedLine(data, row, found, given)),
        ...rows.filter(({ found }) => found.fromArrays !== null && found.decodedOnce === null).map(({ row, best, found }) =>
          `As bench train has it, on images decoded before: ${row.label}, ${best.setting}: ` +
          `${estimated(found.fromArrays, duration)}.`),
        ...rows.filter(({ found }) => found.screening !== null).map(({ row, best, found }) =>
          `Screening every image once, by inference: ${row.label}, ${best.infer}: ${estimated(found.screening, duration)}.`),
        ...rows.filter(({ overtakes }) => overtakes !== null).map(({ row, overtakes, factor }) =>
          `${row.label} finishes a training before the reference ${overtakes.kind} about ` +
          `${number(Math.max(overtakes.images, 1))} images${factor.leftOut.length ? `, without ${factor.leftOut.join(" and ")}` : ""}.`),
      ]),
      pictureTitle: `One training of ${name}, ${title}`,
      lanes: rows.map(({ row, best, found }) => ({
        name: `${row.label}, ${best.precision}`, value: found.training.value,
        ...ends(found.training),
        text: estimated(found.training, duration), series: "",
      })),
      places: order,
      pipeline: pipelineOf(data, rows, given, epochs),
    };
  }

  function decodedLine(data, row, found, given) {
    const { room } = found.measured, takes = room.image ? size(given.images * room.image) : "their size is not known either";
    return `Decoded once, before training: ${row.label}: ${estimated(found.decodedOnce, duration)}` +
      `${data.kept[keeps(data, room, given.images)]} ${takes}.`;
  }

  /* Per device its stages: name, from and to as shares of one training, seconds. */
  function pipelineOf(data, rows, given, epochs) {
    const most = data.mostPipelines, shown = rows.length <= most ? rows : [rows[0], ...rows.slice(1 - most)];
    return shown.map(({ row, best, found }) => ({ label: row.label, stages: stagesOf(data, row, found, given, epochs) }));
  }

  function stagesOf(data, row, found, given, epochs) {
    const { measured } = found, once = found.decodedOnce === null ? 0 : found.decodedOnce.value;
    const total = sum(found.parts), count = countsOf(data, measured, given, epochs).trained, apart = !measured.sharesCores;
    const pace = paceOf(measured, given), train = count * Math.exp(measured.train.mean) * pace.compute;
    const augment = count * (measured.augment || 0) * pace.augment;
    const decode = measured.decode === null ? 0 : count * found.decode, copy = (count / given.devices) * row.copySeconds;
    const host = decode + augment;
    const at = measured.startUp + once, begin = apart ? at : at + host, end = apart ? at + Math.max(train, host) : begin + train;
    const stages = [["start-up", 0, measured.startUp]];
    if (once) stages.push(["decode, once", measured.startUp, at]);
    if (decode) stages.push(["decode", at, at + decode]);
    if (augment) stages.push(["augment", at + decode, at + decode + augment]);
    if (copy) stages.push(["copy, at the ceiling's rate, part of the step", begin, begin + copy]);
    stages.push(["train step", begin, begin + train]);
    if (total > end * (1 + 1e-9)) stages.push([`evaluate${decode ? ", with its decoding" : ""}`, end, total]);
    return stages.map(([name, start, stop]) => [name, start / total, stop / total, stop - start]);
  }

  const costOf = (found, price, given) => scaled(found.training, (price.perHour * given.devices) / 3600);

  function costRows(rows, given) {
    const reference = rows.find(({ isReference }) => isReference), priced = reference === undefined ? null : reference.price;
    return rows.map(({ row, found, factor, price, isReference }) => {
      const even = priced === null || factor === null ? null : scaled(factor.factor, priced.perHour);
      const at = even === null ? UNKNOWN : estimated(even, (value) => money(value, priced.currency)) + star(factor);
      if (price === null) return [row.label, "no price given", UNKNOWN, UNKNOWN, UNKNOWN, at];
      const one = costOf(found, price, given);
      const paid = (amount) => estimated(amount, (value) => money(value, price.currency));
      return [
        row.label, money(price.perHour, price.currency), paid(one), paid(scaled(found.tuningLoop, (price.perHour * given.devices) / 3600)),
        paid(scaled(one, YEAR_DAYS / given.retrainDays)), isReference ? "reference" : at,
      ];
    });
  }

  function costLines(rows, given) {
    if (rows.every(({ price }) => price === null)) return [];
    const priced = new Map();
    for (const { row, price } of rows) {
      if (price !== null) priced.set(sourceOf(price), [...(priced.get(sourceOf(price)) || []), row.label]);
    }
    const currencies = new Set(rows.filter(({ price }) => price !== null).map(({ price }) => price.currency));
    return cut([
      ...[...priced].map(([source, names]) =>
        `Price of ${names.length <= 4 ? names.join(" and of ") : `${integer(names.length)} devices`}: ${source}.`),
      ...(currencies.size > 1
        ? ["The prices are in several currencies, which are not converted: costs of different ones cannot be compared."] : []),
      "A price is of one device-hour with the host it sits in, and only hours of training are paid.",
      `A year: a training every ${general(given.retrainDays)} days. The last column is the price of a device-hour at which a training ` +
        "costs what it costs on the reference; its interval is that of the speed-up.",
      ...(rows.some(({ factor }) => factor !== null && factor.leftOut.length)
        ? ["* without what was not measured on both, which the costs beside it hold on one side only."] : []),
    ]);
  }

  const sourceOf = (price) => price.source || `${money(price.perHour, price.currency)} an hour, as entered here`;

  const fastestOf = (rows) => rows.reduce((best, row) => (row.found.training.value < best.found.training.value ? row : best));

  function subjectOf(data, group, given, epochs) {
    const parts = group.network === "" ? [] : [group.network];
    parts.push(
      `${datasetTitle(data, given)}, ${integer(trainingImages(data, given))} images to train on and ${integer(validationImages(data, given))} to evaluate, ` +
      `${plural(epochs, "epoch")}`);
    if (given.devices > 1) {
      parts.push(`${integer(given.devices)} devices of each kind together at a parallel efficiency of ${general(given.efficiency)}`);
    }
    return `${parts.join("; ")}.`;
  }

  function howLong(rows, referred, count, given) {
    const one = given.devices === 1 ? "One training" : `With ${integer(given.devices)} devices each, one training`;
    const fastest = fastestOf(rows);
    const time = (row) => estimated(row.found.training, duration);
    if (!referred || fastest.isReference) {
      const others = rows.filter((row) => row !== fastest), text = `${one} takes ${time(fastest)} on ${fastest.row.label}`;
      if (!others.length) return `${text}, the only device measured.`;
      const second = fastestOf(others);
      return `${text}, the fastest of ${integer(count)}; the next, ${second.row.label}, needs ${time(second)}.`;
    }
    const text = `${one} takes ${time(rows[0])} on ${rows[0].row.label} and ${time(fastest)} on ${fastest.row.label}`;
    const star = fastest.factor.leftOut.length ? " (without what was not measured on both)" : "";
    return `${text}: ${estimated(fastest.factor.factor, times)} as fast${star}.`;
  }

  /* What the fastest device costs, and which one costs least; only prices in one currency can be compared. */
  function whatItCosts(rows, given) {
    const known = rows.filter(({ price }) => price !== null), fastest = fastestOf(rows);
    if (!known.length || new Set(known.map(({ price }) => price.currency)).size > 1) return "";
    const cost = ({ found, price }) => costOf(found, price, given);
    const paid = (row) => estimated(cost(row), (value) => money(value, row.price.currency));
    const cheapest = known.reduce((best, row) => (cost(row).value < cost(best).value ? row : best));
    const bare = cheapest.price.currency === "" ? " (no currency was given)" : "";
    const least = `${paid(cheapest)}${bare} on ${cheapest.row.label}`;
    const of = known.length > 1 ? `the least of the ${integer(known.length)} with a price` : "the only one with a price";
    if (cheapest === fastest || fastest.price === null) return `It costs ${least}, ${of}.`;
    return `It costs ${paid(fastest)} on ${fastest.row.label} and least, ${least}.`;
  }

  /* What of the assumptions follows the form. */
  function assumed(data, given) {
    const epochs = data.groups.map((group) => `${group.name} ${integer(given.epochs === null ? group.ownEpochs : given.epochs)}`);
    return [
      "Speed-ups are of one training against the reference, above 1x faster: in the same precision and batch size, and each device in " +
        `its fastest setting. 'in ${general(given.budgetHours)} h' counts the trainings of an ensemble.`,
      ...sentences(data, given),
      `Epochs: ${epochs.join(", ")}, ${given.epochs === null ? "as the workload specifies" : "as given"}.`,
      data.viewsLine,
    ];
  }

  function sentences(data, given) {
    const { preset, changes } = presetOf(data, given);
    const source = changes.length ? `${preset.source}; ${changes.join(" and ")} as given by the user` : preset.source;
    const assumed = preset.assumed && given.megapixels === preset.megapixels ? ` Assumed: ${preset.assumed}.` : "";
    const several = [];
    if (given.devices > 1) {
      several.push(
        `${integer(given.devices)} devices of each kind train together at a parallel efficiency of ${general(given.efficiency)}, ` +
        "which was given and not measured; accelerators share one host's decoding, processors each bring their own.");
    }
    if (given.decodeCores !== null) {
      several.push(
        `Accelerators are fed by ${integer(given.decodeCores)} host cores, linearly extrapolated from what was measured; a ` +
        "processor that trains decodes on its own.");
    }
    return [
      ...several,
      data.decoded[given.decode || ""],
      `Data: ${datasetTitle(data, given)}, ${integer(given.images)} images of ${general(given.megapixels, 3)} megapixels. ` +
        `Source: ${source}.${assumed}`,
      `Split, as bench train has it: ${integer(trainingImages(data, given))} images train, ${integer(validationImages(data, given))} ` +
        `(${general(100 * data.shares[VALIDATION])} %) are evaluated after every epoch, and ` +
        `${integer(shareOf(data, given, TEST))} (${general(100 * data.shares[TEST])} %) once at the end.`,
      `The tuning loop is ${integer(given.tuningRuns)} full trainings, one after the other on ` +
        `${given.devices === 1 ? "one device" : "all of them"}; a week has 168 h.`,
      `A new training every ${general(given.retrainDays)} days; a year has 365.25.`,
    ];
  }

  /* The bounds of bench.projection.Assumptions and bench.datasets.Dataset; a sentence, or nothing where all is well. */
  function fault(given) {
    const least = 1e-6, inside = (value, low, high = 1e9) => value >= low && value <= high;
    const counts = (value, most = 1e9) => Number.isInteger(value) && inside(value, 1, most);
    const checks = [
      [counts(given.images, 1e15), "Images: expected a whole number from 1."],
      [inside(given.megapixels, least, 1e6), "Megapixels: expected 0.000001 to 1,000,000."],
      [given.epochs === null || counts(given.epochs),
        "Epochs: expected a whole number from 1 to 1,000,000,000, or nothing for the network's own."],
      [counts(given.tuningRuns), "Tuning runs: expected a whole number from 1 to 1,000,000,000."],
      [inside(given.retrainDays, least), "Days between retrainings: expected 0.000001 to 1,000,000,000."],
      [inside(given.budgetHours, least), "Budget: expected 0.000001 to 1,000,000,000 hours."],
      [given.decodeCores === null || counts(given.decodeCores),
        "Cores for decoding: expected a whole number from 1, or nothing for as many as were measured."],
      [counts(given.devices), "Devices: expected a whole number from 1."],
      [given.efficiency === null || inside(given.efficiency, least, 1), "Parallel efficiency: expected 0.000001 to 1."],
      [given.devices === 1 || given.efficiency !== null,
        "Several devices need their parallel efficiency, which is never assumed: their speed over so many times that of one, as 0.9."],
    ];
    const broken = checks.find(([good]) => !good);
    return broken === undefined ? "" : broken[1];
  }

  /* Everything for one set of assumptions; prices: by group, then by row, instead of those that came with the page. */
  function compute(data, given, prices = []) {
    const broken = fault(given);
    if (broken) return { fault: broken, groups: [], assumed: [] };
    if (given.epochs === null && data.groups.some((group) => group.ownEpochs === null)) {
      return { fault: "Epochs: expected a number, as the records do not say how many the network's own training has.", groups: [], assumed: [] };
    }
    return { fault: "", assumed: assumed(data, given), groups: data.groups.map((group, place) => groupResult(data, group, given, prices[place] || {})) };
  }

  return { compute, assumed, duration, number, general, fixed, estimated, money, energy, NO_BREAK };
})();
